"""How both packages open MLflow's store: quietly, at once, or not at all; and how a new one comes to be."""

import hashlib
import logging
import os
import sqlite3
import tempfile
import urllib.error
import urllib.parse
import urllib.request
import warnings
from contextlib import closing
from pathlib import Path

import mlflow
from filelock import FileLock
from mlflow.entities import RunStatus
from mlflow.tracking import MlflowClient
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from regstudy import locks
from regstudy.errors import TrackingError
from regstudy.schema import Tag

MAX_REASON = 500
"""Characters of a reason that are kept."""

SERVER_SECONDS = 5.0
"""How long a tracking server may take to show that it is there; MLflow itself would retry for minutes."""


def uri() -> str:
    """The absolute URI of the store in use: MLFLOW_TRACKING_URI, else MLflow's default in this folder."""
    return mlflow.get_tracking_uri()


def shown(uri: str) -> str:
    """A store's URI as others may see it: without user and password."""
    parts = urllib.parse.urlsplit(uri)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl() if "@" in parts.netloc else uri


def use(uri: str) -> None:
    """Work on this store from now on."""
    mlflow.set_tracking_uri(uri)


def client() -> MlflowClient:
    """The one way to write to the store in use."""
    return MlflowClient()


def sqlite_file(uri: str) -> Path | None:
    """The database file of a SQLite store, read from the URI as SQLAlchemy does; None for other stores."""
    if not uri.startswith("sqlite"):
        return None
    database = make_url(uri).database
    return Path(database) if database else None


def quieten() -> None:
    """MLflow's and alembic's chatter about their own affairs is not what the user asked for."""
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    for name in ("alembic", "mlflow"):
        logging.getLogger(name).setLevel(logging.ERROR)
    # MLflow's use of SQLAlchemy, at its first database access.
    warnings.filterwarnings("ignore", "The ``noload`` loader strategy", Warning)


def require_writable() -> str:
    """The store's URI, once it can be written as far as can be told at once; MLflow itself would retry for minutes."""
    address = require_answer()
    database = sqlite_file(address)
    if database is not None:
        try:
            with closing(sqlite3.connect(database)) as connection:
                connection.execute("BEGIN IMMEDIATE")
        except sqlite3.DatabaseError as error:
            if "locked" not in str(error):  # another run is writing, as it may
                raise TrackingError(
                    f"the tracking store {address} cannot be written ({error}): "
                    "run in a folder that can, or set MLFLOW_TRACKING_URI"
                ) from None
    return address


def make_tables() -> None:
    """Make a new SQLite store's tables, one process at a time: several at once would break it for good."""
    database = sqlite_file(uri())
    if database is None or _has_tables(database):
        return
    name = hashlib.sha256(str(database.absolute()).encode()).hexdigest()
    with FileLock(locks.folder("stores") / f"{name}.lock"):
        if not _has_tables(database):
            mlflow.MlflowClient().search_experiments(max_results=1)


def _has_tables(database: Path) -> bool:
    """Whether MLflow has finished making them: the default experiment comes last."""
    try:
        with closing(sqlite3.connect(f"file:{urllib.parse.quote(str(database))}?mode=ro", uri=True)) as connection:
            return bool(connection.execute("SELECT 1 FROM experiments LIMIT 1").fetchone())
    except sqlite3.DatabaseError:
        return False


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


def require_answer() -> str:
    """The store's URI, once a tracking server there has given any answer at all, or a database's driver is there."""
    address = uri()
    if not address.startswith(("http://", "https://")):
        _require_driver(address)
        return address
    try:
        # Who may come in is MLflow's to find out; an address with a user in it is none that urllib knows.
        with urllib.request.urlopen(f"{shown(address).rstrip('/')}/health", timeout=SERVER_SECONDS):
            return address
    except urllib.error.HTTPError:
        return address  # it answers; whether it lets us in is MLflow's to find out
    except OSError as error:
        reason = getattr(error, "reason", error)
        raise TrackingError(
            f"the tracking server {shown(address)} does not answer ({reason}): start it, or set MLFLOW_TRACKING_URI to one that runs"
        ) from None


def fail_adopted_run(reason: str) -> None:
    """Under `mlflow run`: say on the run that it made why nothing came of it, and end it FAILED."""
    adopted = os.environ.pop("MLFLOW_RUN_ID", None)
    if adopted:
        quieten()
        client().set_tag(adopted, Tag.FAILURE, reason[:MAX_REASON])
        client().set_terminated(adopted, RunStatus.to_string(RunStatus.FAILED))


def _require_driver(address: str) -> None:
    """SQLAlchemy finds a database's driver when it is first asked for it."""
    try:
        make_url(address).get_dialect().import_dbapi()
    except ArgumentError:
        return  # no database, or one that MLflow will refuse in its own words
    except ImportError as error:
        raise TrackingError(
            f"the tracking store {shown(address)} needs the Python package {error.name}, which is not installed: install it with pip"
        ) from None
