"""How both packages open MLflow's store: quietly, at once, or not at all; and how a new one comes to be."""

import hashlib
import logging
import os
import sqlite3
import urllib.error
import urllib.parse
import urllib.request
import warnings
from contextlib import closing
from pathlib import Path

import mlflow
from filelock import FileLock
from sqlalchemy.engine import make_url

from regstudy import locks
from regstudy.errors import TrackingError

SERVER_SECONDS = 5.0
"""How long a tracking server may take to show that it is there; MLflow itself would retry for minutes."""


def uri() -> str:
    """The absolute URI of the store in use: MLFLOW_TRACKING_URI, else MLflow's default in this folder."""
    return mlflow.get_tracking_uri()


def use(uri: str) -> None:
    """Work on this store from now on."""
    mlflow.set_tracking_uri(uri)


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
        except sqlite3.OperationalError as error:
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
    except sqlite3.OperationalError:
        return False


def require_answer() -> str:
    """The store's URI, once a tracking server there has given any answer at all."""
    address = uri()
    if not address.startswith(("http://", "https://")):
        return address
    try:
        with urllib.request.urlopen(f"{address.rstrip('/')}/health", timeout=SERVER_SECONDS):
            return address
    except urllib.error.HTTPError:
        return address  # it answers; whether it lets us in is MLflow's to find out
    except OSError as error:
        reason = getattr(error, "reason", error)
        raise TrackingError(
            f"the tracking server {address} does not answer ({reason}): start it, or set MLFLOW_TRACKING_URI to one that runs"
        ) from None
