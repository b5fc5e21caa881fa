"""Shared fixtures: real MLflow on SQLite, real digits. The database is migrated once per session and copied per test."""

import io
import os
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

# Before torch is loaded: processes that share the cores, as tests side by side do, would take them from each other by waiting busily.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import servers
import torch
from filelock import FileLock
from hypothesis import settings
from sqlalchemy import Connection, Engine, event

# Before mlflow is imported anywhere: no telemetry, and nothing of a surrounding `mlflow run`; nor a surrounding terminal's width.
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
for _name in ("MLFLOW_RUN_ID", "MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID", "COLUMNS"):
    os.environ.pop(_name, None)

import mlflow
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

from analysis.commands import cli
from analysis.files import folders
from analysis.judging.findings import Findings
from analysis.reports import report
from analysis.showing import plots
from regstudy.config import RunConfig
from regstudy.console import terminal
from regstudy.data import finding
from regstudy.run.trial import run
from regstudy.store import store
from regstudy.study import speed

ROOT = Path(__file__).parent.parent

terminal.collect_rarely()

# The same examples each time, and no time limit on a machine that others use too.
settings.register_profile("regstudy", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("regstudy")


@event.listens_for(Engine, "engine_connect")
def _no_waiting_for_the_disk(connection: Connection) -> None:
    """MLflow's stores need not outlive a power cut here; half of a store's time is this wait. Connections of reading, which name no file, stay as they are."""
    database = connection.engine.url.database
    if connection.dialect.name == "sqlite" and database and not database.startswith("file:"):
        with suppress(sqlite3.Error):  # what is no store is told by who reads it
            connection.connection.driver_connection.execute("PRAGMA synchronous = OFF")  # pyright: ignore[reportOptionalMemberAccess]  # it is connected


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """A run's numbers depend on the number of threads; the tests fix it. One: several that wait for each other, beside other tests, take many times as long."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def own_environment() -> Iterator[None]:
    """What the code under test sets for its process, an interrupted one's impatience say, ends with the test."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Tests neither see nor fill the user's cache."""
    cache = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    return cache / "regstudy"


@pytest.fixture
def unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan takes an epoch to last a second: it would train for some, which other tests are about."""
    monkeypatch.setattr(speed, "epoch_seconds", lambda *_: 1.0)


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that one of the processes that test side by side fills, for all of them. For reading only."""
    beside = factory.getbasetemp().parent if "PYTEST_XDIST_WORKER" in os.environ else factory.getbasetemp()
    folder, done = beside / f"once-{name}", beside / f"once-{name}.done"
    with FileLock(beside / f"once-{name}.lock"):
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            done.touch()
    return folder


@pytest.fixture(scope="session")
def migrated_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's tables in a SQLite database without runs; making them takes seconds."""

    def make(folder: Path) -> None:
        store.quieten()
        SqlAlchemyStore(f"sqlite:///{folder}/mlflow.db", str(folder / "mlruns")).engine.dispose()

    return made_once(tmp_path_factory, "migrated", make) / "mlflow.db"


def use_store(folder: Path, database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a folder the user's: a store of its own in it, found as MLflow finds its default."""
    shutil.copy(database, folder / "mlflow.db")
    with closing(sqlite3.connect(folder / "mlflow.db")) as connection, connection:
        connection.execute("UPDATE experiments SET artifact_location = ?", [str(folder / "mlruns" / "0")])
    use_place(folder, monkeypatch)


def use_place(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a folder with a store the user's."""
    monkeypatch.chdir(folder)
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, migrated_database: Path) -> Iterator[Path]:
    """A user's folder with a store without runs."""
    use_store(tmp_path, migrated_database, monkeypatch)
    yield tmp_path
    while mlflow.active_run():
        mlflow.end_run("KILLED")
    mlflow.set_tracking_uri(None)  # pyright: ignore[reportArgumentType]  # None unsets it


@pytest.fixture(scope="session")
def postgres() -> Iterator[servers.Postgres]:
    """One PostgreSQL for all tests that need one."""
    with servers.postgres() as server:
        yield server


@pytest.fixture
def database(postgres: servers.Postgres, request: pytest.FixtureRequest, workspace: Path) -> str:
    """The URI of a new, empty database in it."""
    import psycopg

    name = re.sub(r"\W+", "_", request.node.name)[-60:]
    with psycopg.connect(f"postgresql://{postgres.place}/postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return postgres.uri(name)


SMALL = {"dataset": "mnist-5k", "epochs": 1, "threads": 1}


def train(**values: object) -> str:
    """One short real run in this process; its ID."""
    config = RunConfig.model_validate(SMALL | values)
    return run(config, finding.find(config))


def copy_store(there: Path, here: Path) -> None:
    """A store and its artifacts: nothing of the copy leads back."""
    shutil.copytree(there, here, dirs_exist_ok=True)
    with closing(sqlite3.connect(here / "mlflow.db")) as connection, connection:
        for table, column in (
            ("experiments", "artifact_location"),
            ("runs", "artifact_uri"),
            ("logged_models", "artifact_location"),
        ):
            connection.execute(f"UPDATE {table} SET {column} = replace({column}, ?, ?)", [str(there), str(here)])


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory: pytest.TempPathFactory, migrated_database: Path) -> Path:
    """A folder whose store holds four real runs: none and L1 0.001, seeds 0 and 1. For reading only, but copies of the store write artifacts there."""

    def make(folder: Path) -> None:
        with pytest.MonkeyPatch.context() as monkeypatch:
            use_store(folder, migrated_database, monkeypatch)
            for seed in (0, 1):
                for l1 in (0.0, 0.001):
                    train(l1=l1, seed=seed)
        mlflow.set_tracking_uri(None)  # pyright: ignore[reportArgumentType]  # None unsets it

    folder = tmp_path_factory.mktemp("trained")
    copy_store(made_once(tmp_path_factory, "trained", make), folder)
    return folder


@pytest.fixture
def trained(trained_once: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """That folder, as the user's. For reading only."""
    use_place(trained_once, monkeypatch)
    yield trained_once
    mlflow.set_tracking_uri(None)  # pyright: ignore[reportArgumentType]  # None unsets it


@dataclass(frozen=True)
class Reported:
    """A user's folder with a report in it, `report`; what the command printed, and the store's file before it."""

    folder: Path
    printed: str
    warned: str
    store_before: bytes

    @property
    def report(self) -> Path:
        """The report's folder."""
        return self.folder / "report"

    @property
    def uri(self) -> str:
        """The store that it is of."""
        return f"sqlite:///{self.folder}/mlflow.db"


@pytest.fixture(scope="session")
def reported(trained_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Reported:
    """What `analysis report` writes of the trained store: once, since that takes seconds. For reading only."""
    folder = tmp_path_factory.mktemp("reported")
    shutil.copy(trained_once / "mlflow.db", folder / "mlflow.db")
    before = (folder / "mlflow.db").read_bytes()
    printed, warned = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as monkeypatch, redirect_stdout(printed), redirect_stderr(warned):
        monkeypatch.chdir(folder)
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlflow.db")
        mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
        assert cli.main(["report"]) == 0
    mlflow.set_tracking_uri(None)  # pyright: ignore[reportArgumentType]  # None unsets it
    return Reported(folder, printed.getvalue(), warned.getvalue(), before)


@pytest.fixture
def instead_of_writing(reported: Reported) -> Callable[[], AbstractContextManager[list[Findings]]]:
    """While inside, commands that write a report put that one there: for tests of what they do before and after. Gives the findings that they had."""

    @contextmanager
    def instead() -> Iterator[list[Findings]]:
        had: list[Findings] = []

        def put(found: Findings, folder: Path, *_how: object) -> Path:
            had.append(found)
            manifest = shutil.ignore_patterns(folders.REPORT_MANIFEST)
            with folders.replacing_report(folder, plots.drawn_with()) as new:
                shutil.copytree(reported.report, new, dirs_exist_ok=True, ignore=manifest)
            return folder / "report.html"

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(report, "write", put)
            yield had

    return instead


@pytest.fixture
def own_copy(trained_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The trained store, to be changed; artifacts stay where they are."""
    shutil.copy(trained_once / "mlflow.db", tmp_path / "mlflow.db")
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    yield tmp_path
    mlflow.set_tracking_uri(None)  # pyright: ignore[reportArgumentType]  # None unsets it
