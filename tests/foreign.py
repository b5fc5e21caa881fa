"""Stores as others leave them: an older MLflow's, one whose writer died, one on a medium that cannot be written, and what is no store at all."""

import hashlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

import mlflow.store.db_migrations
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from mlflow.store.db.utils import InitialBase
from sqlalchemy import create_engine

from regstudy.store import tables

OLDER = "5b0e9adcef9c"
"""The tables of MLflow 2.14.3."""


def older_tables(file: Path, revision: str | None = OLDER) -> Path:
    """A store without runs as an older MLflow makes it, by MLflow's own migrations; None: as before the first of them."""
    engine = create_engine(f"sqlite:///{file}")
    InitialBase.metadata.create_all(engine)
    engine.dispose()
    if revision is not None:
        command.upgrade(_migrations(file), revision)
    return file


def every_revision(file: Path) -> Iterator[str]:
    """Such a store at each revision of its tables, in turn, from MLflow 1.0's to today's."""
    config = _migrations(older_tables(file, None))
    revisions = [held.revision for held in ScriptDirectory.from_config(config).walk_revisions()]
    for revision in reversed(revisions):
        command.upgrade(config, revision)
        yield revision


def _migrations(file: Path) -> Config:
    migrations = Path(mlflow.store.db_migrations.__file__).parent
    config = Config(migrations / "alembic.ini")
    config.set_main_option("script_location", str(migrations))
    config.set_main_option("sqlalchemy.url", f"sqlite:///{file}".replace("%", "%%"))
    return config


def fill(older: Path, current: Path) -> None:
    """What a store of today holds, as far as an older one has the columns for it."""
    with closing(sqlite3.connect(older)) as connection, connection:
        connection.execute("ATTACH ? AS current", [str(current)])
        for table in (*tables.NEEDED, "latest_metrics"):
            there, here = (
                [row[1] for row in connection.execute(f"PRAGMA {schema}.table_info({table})")] for schema in ("current", "main")
            )
            both = ", ".join(name for name in here if name in there)
            if both:
                connection.execute(f"INSERT OR IGNORE INTO main.{table} ({both}) SELECT {both} FROM current.{table}")


def with_log(file: Path) -> None:
    """In WAL mode, its last change in the log only: as a writer that was killed leaves it, or one at work."""
    aside = file.with_name("aside")
    aside.mkdir()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("INSERT INTO experiments (name, lifecycle_stage) VALUES ('in the log', 'active')")
        connection.commit()
        for suffix in ("", "-wal"):
            shutil.copy(f"{file}{suffix}", aside)
    file.unlink()
    for path in aside.iterdir():
        path.rename(file.parent / path.name)
    aside.rmdir()


def half_written(file: Path) -> None:
    """With the journal of a writer that died in the midst of a change, which half undid what was there."""
    aside = file.with_name("aside")
    aside.mkdir()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA cache_size = 5")
        connection.execute("UPDATE tags SET value = 'half' || value")
        for suffix in ("", "-journal"):
            shutil.copy(f"{file}{suffix}", aside)
        connection.rollback()
    for path in aside.iterdir():
        path.replace(file.parent / path.name)
    aside.rmdir()


def another_programs(file: Path) -> None:
    """A database that has nothing to do with MLflow."""
    file.unlink()
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT)")


def older(file: Path) -> None:
    """The same runs in an older MLflow's tables."""
    current = file.rename(file.with_name("current.db"))
    fill(older_tables(file), current)
    current.unlink()


def read_only(file: Path) -> None:
    """Neither the file nor its folder can be written."""
    file.chmod(0o444)
    file.parent.chmod(0o555)


def missing(file: Path) -> None:
    """Not there."""
    file.unlink()


KINDS: Mapping[str, Callable[[Path], None]] = {
    "of today": lambda _: None,
    "older": older,
    "with a log": with_log,
    "half written": half_written,
    "read-only": read_only,
    "another program's": another_programs,
    "empty": lambda file: file.write_bytes(b"") and None,
    "no database": lambda file: file.write_text("a text" * 100) and None,
    "missing": missing,
}


def state(*folders: Path) -> dict[str, str]:
    """Each file and folder below, with the digest of what is in it."""
    found: dict[str, str] = {}
    for folder in folders:
        for place, names, files in os.walk(folder):
            found |= {f"{place}/{name}/": "" for name in names}
            found |= {f"{place}/{name}": hashlib.md5(Path(place, name).read_bytes()).hexdigest() for name in files}
    return found
