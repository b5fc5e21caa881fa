"""How a new store comes to be: MLflow's tables, made by one process while others wait. Repairs what a process that died has left half made.

Refuses to touch tables that hold anything of anybody's.
"""

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlflow.tracking import MlflowClient
from sqlalchemy import Connection, create_engine, inspect, text
from sqlalchemy.pool import NullPool

from regstudy.console.terminal import warn
from regstudy.errors import TrackingError
from regstudy.machine import locks
from regstudy.patience import patience
from regstudy.store import database, store, tables

TAKE_LOCK = {
    "postgresql": "SELECT pg_try_advisory_lock(7261548037)",
    "mysql": "SELECT GET_LOCK('regstudy makes tables', 0)",
    "mariadb": "SELECT GET_LOCK('regstudy makes tables', 0)",
}
"""A lock that ends with its connection."""

MAKER = "another process that makes the store's tables"
PAUSE_SECONDS = 0.2
QUIET_SECONDS = 3.0
"""Whoever is making tables writes more often."""

SEEDED = frozenset({"alembic_version", "workspaces"})
"""Tables that migrations fill by themselves."""


def make() -> None:
    """Make a new store's tables, one process at a time: several at once would break them for good."""
    uri = store.uri()
    file = store.sqlite_file(uri)
    if file is not None:
        _make_in_file(file, uri)
    elif database.is_database(uri) and tables.is_new(uri):
        with _held(uri):
            if tables.is_new(uri):
                _ask_mlflow()


def _ask_mlflow() -> None:
    patience.ask(
        lambda: MlflowClient().search_experiments(max_results=1), slow=f"making the tables of {store.shown(store.uri())}"
    )


def _make_in_file(file: Path, uri: str) -> None:
    if _is_whole(file, uri):
        return
    name = hashlib.sha256(str(file.absolute()).encode()).hexdigest()
    with locks.waited_for(locks.folder("stores") / f"{name}.lock", MAKER):
        if not _is_whole(file, uri) and not _is_made_meanwhile(file, uri):
            _remove_leftover(file, uri)
            _ask_mlflow()


def _is_whole(file: Path, uri: str) -> bool:
    """Whether MLflow has finished making the tables: the default experiment comes last. Waits for a file that is locked."""
    return file.exists() and bool(file.stat().st_size) and not tables.is_new(uri)


def _is_made_meanwhile(file: Path, uri: str) -> bool:
    """Whether somebody who knows nothing of our locks, such as MLflow's own pages, finishes them while we look."""
    while file.exists() and file.stat().st_size and time.time() - _last_written(file) < QUIET_SECONDS:
        time.sleep(PAUSE_SECONDS)
        if _is_whole(file, uri):
            return True
    return False


def _last_written(file: Path) -> float:
    there = [path.stat().st_mtime for path in (file, _journal(file)) if path.exists()]
    return max(there, default=0.0)


def _journal(file: Path) -> Path:
    return file.with_name(file.name + "-journal")


def _remove_leftover(file: Path, uri: str) -> None:
    """Nothing, an empty file, or tables without rows; TrackingError if there is anything else."""
    if not file.exists() or not file.stat().st_size:
        return
    with database.reading(uri) as connection:
        kept = _filled(connection)
    if kept:
        raise TrackingError(
            f"the tables of the store {store.shown(uri)} were left half made by a process that died, and {', '.join(kept)} are not empty: "
            "move the file away, or set MLFLOW_TRACKING_URI to another store"
        )
    file.unlink()
    _journal(file).unlink(missing_ok=True)
    warn(f"the store {store.shown(uri)} was left half made by a process that died, and held nothing: it is made anew")


def _filled(connection: Connection) -> list[str]:
    quoted = connection.dialect.identifier_preparer.quote
    names = [name for name in inspect(connection).get_table_names() if name not in SEEDED]
    return [name for name in names if connection.exec_driver_sql(f"SELECT 1 FROM {quoted(name)} LIMIT 1").first()]  # noqa: S608  # the database's own name


@contextmanager
def _held(uri: str) -> Iterator[None]:
    """The database's own lock, since makers may be on other machines."""
    engine = create_engine(uri, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with patience.ask(engine.connect) as connection:
        begun, told = time.monotonic(), False
        command = TAKE_LOCK.get(engine.dialect.name)
        while command and not connection.execute(text(command)).scalar():
            waited = time.monotonic() - begun
            if waited > locks.TOLD_SECONDS and not told:
                warn(f"waiting for {MAKER}")
                told = True
            if waited > patience.seconds():
                raise TrackingError(
                    f"{MAKER} has been at it for too long in {store.shown(uri)}: end it if it hangs, and try again"
                )
            time.sleep(PAUSE_SECONDS)
        yield
