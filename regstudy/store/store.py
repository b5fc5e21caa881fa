"""How both packages open MLflow's store: quietly, at once, or not at all; and how a new one comes to be."""

import http.client
import logging
import os
import sqlite3
import tempfile
import urllib.error
import urllib.parse
import urllib.request
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import mlflow
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from sqlalchemy import create_engine
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import NullPool
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

from regstudy.console.redaction import redacted
from regstudy.errors import TrackingError
from regstudy.patience import faults, patience
from regstudy.patience.patient import PatientClient
from regstudy.store import filestore

MAX_REASON = 500
"""Characters of a reason that are kept."""

LOUD = ("mlflow.store", "psycopg", "sqlalchemy", "urllib3")
"""Loggers of a traceback for each try at a store that is away; the exception says the same."""

IMPATIENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "25",
    "PGCONNECT_TIMEOUT": "10",
}
"""Nobody is silent for longer than 30 seconds: it is `patience` that tries again, and says so."""

STARTING_SECONDS = 3.0
"""How long a database may take that is just being started again."""

SERVED = ("postgresql", "mysql", "mssql")
"""Databases that have a server."""

SERVER_SECONDS = 5.0
"""How long a tracking server may take to show that it is there; MLflow itself would retry for minutes."""


def uri() -> str:
    """The absolute URI of the store in use: MLFLOW_TRACKING_URI, else MLflow's default in this folder."""
    return mlflow.get_tracking_uri()


def shown(uri: str) -> str:
    """A store's URI as others may see it: without user and password."""
    return redacted(uri)


def use(uri: str) -> None:
    """Work on this store from now on."""
    mlflow.set_tracking_uri(uri)


def client() -> MlflowClient:
    """The one way to write to the store in use: it waits for one that is away, and says so."""
    return patience.ask(PatientClient)


def sqlite_file(uri: str) -> Path | None:
    """The database file of a SQLite store, read from the URI as SQLAlchemy does; None for other stores."""
    if not uri.startswith("sqlite"):
        return None
    try:
        url = make_url(uri)
    except ArgumentError:
        raise _illegible(uri) from None
    if not url.database:
        return None
    # As SQLite's own address of a file, with its options: sqlite:///file:mlflow.db?mode=ro&uri=true.
    as_address = url.database.startswith("file:") and str(url.query.get("uri", "")).lower() in {"1", "on", "true", "yes"}
    return Path(urllib.request.url2pathname(urllib.parse.urlsplit(url.database).path) if as_address else url.database)


def sqlite_uri(file: Path) -> str:
    """The URI of a SQLite file, whatever its name."""
    return URL.create("sqlite", database=str(file)).render_as_string(hide_password=False)


def quieten() -> None:
    """MLflow's and alembic's chatter about their own affairs is not what the user asked for."""
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    for name in ("alembic", "mlflow"):
        logging.getLogger(name).setLevel(logging.ERROR)
    for name in LOUD:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    for name, value in IMPATIENT.items():
        os.environ.setdefault(name, value)
    # MLflow's use of SQLAlchemy, at its first database access.
    warnings.filterwarnings("ignore", "The ``noload`` loader strategy", Warning)


def require_writable() -> str:
    """The store's URI, once it can be written as far as can be told at once; MLflow itself would retry for minutes."""
    address = require_answer()
    path = filestore.folder_of(address)
    if path is not None and path.is_file():
        raise TrackingError(
            f"MLFLOW_TRACKING_URI is a file's path, {path}: to write to the store in a SQLite file, set it to sqlite:///{path}"
        )
    database = sqlite_file(address)
    if database is not None:
        if make_url(address).query.get("mode") == "ro":  # MLflow would write there all the same
            raise TrackingError(
                f"the tracking store {shown(address)} is for reading only, as its address says (mode=ro): leave that out to write to it"
            )
        try:
            _try_to_write(database)
        except (sqlite3.DatabaseError, OSError) as error:
            if "locked" not in str(error):  # another run is writing, as it may
                reason = "unable to open database file" if isinstance(error, OSError) else error
                raise TrackingError(
                    f"the tracking store {address} cannot be written ({reason}): run in a folder that can, or set MLFLOW_TRACKING_URI"
                ) from None
    return address


def _try_to_write(database: Path) -> None:
    """Begin to write and leave it; a file that is not there yet is not made."""
    if not database.exists():
        with tempfile.TemporaryFile(dir=database.parent):
            return
    with closing(sqlite3.connect(database, timeout=0)) as connection:
        connection.execute("BEGIN IMMEDIATE")


def require_artifact_folder(location: str) -> None:
    """TrackingError if artifacts go to a folder of this machine that cannot be written."""
    parts = urllib.parse.urlsplit(location)
    if parts.scheme not in {"", "file"}:
        return
    folder = Path(urllib.request.url2pathname(parts.path)) if parts.scheme else Path(location)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise TrackingError(
            f"the artifacts' folder {folder} cannot be written ({error.strerror}): run in a folder that can, or choose another experiment "
            "with MLFLOW_EXPERIMENT_NAME"
        ) from None


def require_answer(address: str = "") -> str:
    """The URI of the store in use, or this one, once a tracking server there has given any answer at all, or a database's driver is there."""
    address = address or uri()
    served = address.startswith(("http://", "https://"))
    if not served:
        _require_driver(address)
    reason = _why_no_server(address) if served else _why_no_database(address)
    if reason:
        what = "server" if served else "database"
        raise TrackingError(
            f"the tracking {what} {shown(address)} does not answer ({reason}): start it, or set MLFLOW_TRACKING_URI to one that runs"
        )
    return address


def why_away(locked_seconds: float) -> str:
    """Why the store in use does not answer; empty if it does. A SQLite store may be locked for so long."""
    address = uri()
    if address.startswith(("http://", "https://")):
        return _why_no_server(address)
    database = sqlite_file(address)
    try:
        return _why_no_database(address) if database is None else _why_locked(database, locked_seconds)
    except TrackingError as error:
        return str(error)


def _why_no_server(address: str) -> str:
    """Why a server gives no answer at all."""
    try:
        with urllib.request.urlopen(_health(address), timeout=SERVER_SECONDS):
            return ""
    except urllib.error.HTTPError:
        return ""  # it answers; whether it lets us in is MLflow's to find out
    except (
        OSError,
        http.client.HTTPException,
        UnicodeError,
    ) as error:  # the last two of an address, or an answer, that is no HTTP
        return str(getattr(error, "reason", error)) or type(error).__name__


def _why_no_database(address: str) -> str:
    """Why a database server gives no answer, for some seconds, since it may be starting; TrackingError if it refuses us."""
    try:
        if not address.startswith(SERVED):
            return ""
        engine = create_engine(address, poolclass=NullPool)
        quickly = Retrying(
            retry=retry_if_exception(faults.is_passing),
            wait=wait_fixed(0.5),
            stop=stop_after_delay(STARTING_SECONDS),
            reraise=True,
        )
        quickly(lambda: engine.connect().close())
    except SQLAlchemyError as error:
        if faults.is_passing(error):
            return faults.reason(error)
        raise TrackingError(f"the tracking store {shown(address)} refuses the connection: {faults.reason(error)}") from None
    return ""


def _why_locked(database: Path, seconds: float) -> str:
    if not database.exists():
        return ""
    try:
        with closing(sqlite3.connect(database, timeout=seconds)) as connection:
            connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        return str(error) if faults.BUSY.search(str(error)) else ""
    return ""


def _health(address: str) -> str:
    """Where a server says that it is there. Without its user, since urllib knows none: who may come in is MLflow's to find out."""
    try:
        parts = urllib.parse.urlsplit(address)
        _ = parts.port
    except ValueError:
        raise _illegible(address) from None
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], path=f"{parts.path.rstrip('/')}/health").geturl()


@contextmanager
def told(again: str) -> Iterator[None]:
    """While work is written there: what the store says in the end, after MLflow has asked it again and again, as one TrackingError. `again`: what to do then."""
    try:
        yield
    except (MlflowException, SQLAlchemyError) as error:
        reason = next(iter(str(error).splitlines()), "")
        how = "has stopped answering" if faults.is_passing(error) else "does not take what was to be written"
        raise TrackingError(f"the tracking store {shown(uri())} {how} ({reason}): what was trained is kept; {again}") from error


def _illegible(address: str) -> TrackingError:
    """Such an address is read otherwise than it was meant, and pieces of its password become a host or a port."""
    return TrackingError(
        f"the tracking store {shown(address)} has no address that can be read: in a user or password write %2F for a slash, %3F for a question mark, "
        "%23 for #, %40 for an at sign and %3A for a colon; a port is a number, and a SQLite file is sqlite:///path/to/it"
    )


def _require_driver(address: str) -> None:
    """SQLAlchemy finds a database's driver when it is first asked for it."""
    try:
        make_url(address).get_dialect().import_dbapi()
    except ArgumentError:
        return  # no database, or one that MLflow will refuse in its own words
    except ValueError:  # a port that is no number
        raise _illegible(address) from None
    except ImportError as error:
        raise TrackingError(
            f"the tracking store {shown(address)} needs the Python package {error.name}, which is not installed: install it with pip"
        ) from None
