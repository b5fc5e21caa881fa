"""A store's database, opened so that reading it changes nothing: no table is made or migrated, no file appears beside it. Refuses to write."""

import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mlflow.store.db.utils import create_sqlalchemy_engine
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from regstudy.errors import TrackingError
from regstudy.patience import patience
from regstudy.store import store

KINDS = ("sqlite", "postgresql", "mysql", "mssql")
READ_ONLY = {
    "postgresql": ("SET default_transaction_read_only = on", "SET lock_timeout = '20s'"),
    "mysql": ("SET SESSION TRANSACTION READ ONLY", "SET SESSION lock_wait_timeout = 20"),
}
"""What a server of a database is told first: to wait for a locked table no longer than for a locked file."""

WAIT_SECONDS = 20.0
"""For a SQLite file that another process has locked, as long as MLflow itself waits."""

WAL = b"\x02\x02"
"""Bytes 18 and 19 of a SQLite file whose changes go to a log beside it first."""

SQLITE = b"SQLite format 3\0"
"""How a SQLite file begins."""

ATTEMPTS, PAUSE_SECONDS = 50, 0.1


def is_database(uri: str) -> bool:
    """Whether a store's URI is that of a database."""
    return urlsplit(uri).scheme.partition("+")[0] in KINDS


def is_sqlite(file: Path) -> bool:
    """Whether a file is a SQLite database, by its first bytes."""
    if not file.is_file():
        return False
    with file.open("rb") as opened:
        return opened.read(len(SQLITE)) == SQLITE


@contextmanager
def reading(uri: str) -> Iterator[Connection]:
    """A connection that cannot write; TrackingError if the database cannot be read, now or while inside."""
    try:
        with ExitStack() as stack:
            engine = _engine(uri, stack)
            stack.callback(engine.dispose)
            yield stack.enter_context(patience.ask(lambda: _looked_at(engine)))
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        reason = next(iter(str(error).splitlines()), "")
        raise TrackingError(f"the tracking store {store.shown(uri)} cannot be read: {reason}") from error


def _looked_at(engine: Engine) -> Connection:
    """A connection that was answered: a SQLite file may be locked."""
    connection = engine.connect()
    try:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("SELECT 1 FROM sqlite_master").first()
            connection.rollback()
    except BaseException:
        connection.close()
        raise
    return connection


def _engine(uri: str, stack: ExitStack) -> Engine:
    file = store.sqlite_file(uri)
    if file is not None:
        return _of_file(file.resolve(), stack)
    engine = create_sqlalchemy_engine(uri)
    if commands := READ_ONLY.get(engine.dialect.name):
        event.listen(engine, "connect", lambda connection, _: _tell(connection, commands))
    return engine


def _tell(connection: Any, commands: Sequence[str]) -> None:  # each driver has its own connection
    with closing(connection.cursor()) as cursor:
        for command in commands:
            cursor.execute(command)
    connection.commit()


def _of_file(file: Path, stack: ExitStack) -> Engine:
    if not _can_be_read_in_place(file):
        file = _copy(file, Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="regstudy-reading-"))))
        return create_engine("sqlite://", creator=lambda: sqlite3.connect(file, check_same_thread=False), poolclass=NullPool)
    return create_engine("sqlite://", creator=lambda: _read_only(file, WAIT_SECONDS), poolclass=NullPool)


def _read_only(file: Path, wait: float) -> sqlite3.Connection:
    return sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=wait, check_same_thread=False)


def _can_be_read_in_place(file: Path) -> bool:
    """Not with a log of changes, for which even a reader makes files; nor if a writer died midway, which has to be undone first."""
    with file.open("rb") as opened:
        header = opened.read(20)
    if header[18:20] == WAL or _beside(file, "-wal").exists():
        return False
    if not _beside(file, "-journal").exists():
        return True
    try:
        with closing(_read_only(file, 0)) as connection:
            connection.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.OperationalError as error:
        return error.sqlite_errorname not in {"SQLITE_READONLY_ROLLBACK", "SQLITE_CANTOPEN"}
    return True


def _copy(file: Path, folder: Path) -> Path:
    """The file and the log beside it as they were at one moment: copied again if somebody wrote meanwhile."""
    for attempt in range(ATTEMPTS):
        place, before = folder / str(attempt), _state(file)
        place.mkdir()
        try:
            for path in before:
                shutil.copyfile(path, place / path.name)
        except FileNotFoundError:  # the log, which its last writer removes
            before = {}
        if before == _state(file):
            return place / file.name
        shutil.rmtree(place)
        time.sleep(PAUSE_SECONDS)
    raise OSError("it is being written to all the time; try again later")


def _state(file: Path) -> dict[Path, tuple[int, int]]:
    """Size and time of the last change of the file and its logs."""
    there = {path: path.stat() for path in (file, _beside(file, "-wal"), _beside(file, "-journal")) if path.exists()}
    return {path: (stat.st_size, stat.st_mtime_ns) for path, stat in there.items()}


def _beside(file: Path, suffix: str) -> Path:
    return file.with_name(file.name + suffix)
