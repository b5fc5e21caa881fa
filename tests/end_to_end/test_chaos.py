"""Sixty faults, drawn from a seed, over studies on SQLite, a server and PostgreSQL: each trial is done once, with the numbers of one left in peace."""

import json
import multiprocessing
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

import pytest
from child import command
from conftest import ROOT
from mlflow.entities import Run
from mlflow.tracking import MlflowClient
from test_postgres import as_postgres, free_port
from test_resume import TIMED
from test_studies import workers

from regstudy.schema import TRIAL, Metric, Tag

FAULTS = int(os.environ.get("REGSTUDY_CHAOS_FAULTS", "20"))
"""For each of the three stores."""

MOST_PER_STUDY = 7
MOST_STARTS = 4
"""In peace, after the last fault; the first should do."""

SILENCE = 30.0
LONG_OUTAGE = 35.0
HANGS = 60.0
"""A start that takes so much longer than eight undisturbed studies does not end."""

DESIGN = """\
name: small
about: Does it survive?
overrides: {epochs: 2, dataset: mnist-5k, batch_size: 512, augmentation: none}
configurations: [{l1: 0}, {l1: 0.001}]
seeds: 1
"""


@dataclass
class Start:
    """A command at work, and what it has said so far, each line with its time."""

    process: ForkServerProcess
    reader: threading.Thread
    lines: list[tuple[float, str]] = field(default_factory=list)
    begun: float = field(default_factory=time.monotonic)
    paused: float = 0.0

    @property
    def pid(self) -> int:
        assert self.process.pid
        return self.process.pid

    @property
    def text(self) -> str:
        return "".join(line for _, line in self.lines)

    def silence(self) -> float:
        """The longest time between two of its lines, without what it was stopped for."""
        times = [self.begun, *(when for when, _ in self.lines), time.monotonic()]
        return max(b - a for a, b in pairwise(times)) - self.paused


@dataclass
class Chaos:
    """A store, how it is made to fail, and all that was found to be wrong."""

    folder: Path
    context: ForkServerContext
    uri: str
    draw: random.Random
    fail: Callable[[float], None]
    experiment: str = ""
    planted: set[str] = field(default_factory=set)
    found: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    undisturbed: float = 100.0
    """Seconds that the study takes when it is left in peace, on this machine as busy as it is."""

    def start(self, *arguments: str) -> Start:
        pipe = self.folder / "words"
        pipe.unlink(missing_ok=True)
        os.mkfifo(pipe)
        # Both ends for a moment: so that neither waits for the other, should it die at once.
        words, lines = os.open(pipe, os.O_RDWR), []
        given = [str(self.folder), self.uri, self.experiment, list(arguments)]
        process = self.context.Process(target=command, args=given)
        process.start()
        reader = threading.Thread(target=_read, args=[str(pipe), lines], daemon=True)
        reader.start()
        time.sleep(0.2)
        os.close(words)
        return Start(process, reader, lines)

    def study(self, workers_too: bool) -> Start:
        where = ["--executor", "processes", "--jobs", "2"] if workers_too else ["--executor", "here"]
        return self.start("study", "run", "small.yaml", "--threads", "1", *where)

    def end(self, started: Start) -> int | None:
        """Wait for its end, which must come; judge what it said. The exit status."""
        started.process.join(max(0.0, started.begun + HANGS + 8 * self.undisturbed + started.paused - time.monotonic()))
        silence, status = started.silence(), started.process.exitcode
        if status is None:
            self.complain(f"does not end: {started.text[-600:]}")
        for number in (signal.SIGCONT, signal.SIGKILL) if status is None else ():
            _to_session(started, number)
        started.process.join()
        started.reader.join(3)
        if "Traceback" in started.text:
            self.complain(f"traceback: {started.text[-3000:]}")
        if silence > SILENCE + self.undisturbed:  # training has no words between its trials
            self.complain(f"silent for {silence:.0f} s: {started.text[-600:]}")
        return status

    def complain(self, what: str) -> None:
        self.found.append(f"[{self.experiment}] after {json.dumps(self.counts)}: {what}")


def _read(pipe: str, lines: list[tuple[float, str]]) -> None:
    with Path(pipe).open(encoding="utf-8", errors="replace") as words:
        lines.extend((time.monotonic(), line) for line in words)


def _to_session(started: Start, number: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(started.pid, number)


def _to_one(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


# What goes wrong. Each takes the study that is at work.


def kill_study(chaos: Chaos, started: Start) -> None:
    _to_one(started.pid, signal.SIGKILL)


def kill_all(chaos: Chaos, started: Start) -> None:
    _to_session(started, signal.SIGKILL)


def kill_a_worker(chaos: Chaos, started: Start) -> None:
    for worker in workers(started.process)[:1]:  # pyright: ignore[reportArgumentType]  # it only asks for the ID
        _to_one(worker, signal.SIGKILL)


def interrupt(chaos: Chaos, started: Start) -> None:
    """As a terminal does: all processes in the foreground hear it."""
    _to_session(started, signal.SIGINT)


def stop_and_continue(chaos: Chaos, started: Start) -> None:
    begun, length = time.monotonic(), chaos.draw.uniform(0.5, 3)
    pids = workers(started.process)  # pyright: ignore[reportArgumentType]
    pid = chaos.draw.choice([started.pid, *pids])
    _to_one(pid, signal.SIGSTOP)
    time.sleep(length)
    _to_one(pid, signal.SIGCONT)
    started.paused += time.monotonic() - begun


def store_away(chaos: Chaos, started: Start) -> None:
    chaos.fail(chaos.draw.uniform(1, 5))


def store_away_for_long(chaos: Chaos, started: Start) -> None:
    chaos.fail(LONG_OUTAGE)


def flip_a_bit(chaos: Chaos, started: Start) -> None:
    """In a checkpoint that the next start would go on from: the processes are killed first."""
    folder = chaos.folder / "checkpoints"
    deadline = time.monotonic() + 10
    while not (files := sorted(folder.glob("[0-9a-f]*.safetensors"))) and time.monotonic() < deadline:
        time.sleep(0.02)
    _to_session(started, signal.SIGKILL)
    for path in files[:1]:
        with suppress(FileNotFoundError):
            content = bytearray(path.read_bytes())
            bit = chaos.draw.randrange(len(content) * 8)
            content[bit // 8] ^= 1 << bit % 8
            path.write_bytes(content)


def plant_a_false_finish(chaos: Chaos, started: Start) -> None:
    """What MLflow's own exit hook leaves: a run of this trial FINISHED after one epoch, without its outcome."""
    reference = chaos.draw.choice(sorted(REFERENCE))
    left_out = {Tag.OUTCOME, Tag.OWNER, Tag.COMMAND, Tag.HEARTBEAT}
    tags = {k: v for k, v in REFERENCE[reference].tags.items() if k.startswith("regstudy.") and k not in left_out}
    plant(chaos, tags, {Metric.EPOCHS_DONE: 1})


def plant_a_damaged_run(chaos: Chaos, started: Start) -> None:
    """Somebody's run that says that it is done and lacks all else."""
    tags: dict[str, str] = {
        Tag.KIND: TRIAL,
        Tag.DATA_DIGEST: next(iter(REFERENCE.values())).tags[Tag.DATA_DIGEST],
        Tag.OUTCOME: "completed",
    }
    plant(chaos, tags | chaos.draw.choice([{}, {Tag.CONFIG: "no JSON"}, {Tag.TRIAL_DIGEST: "x", Tag.CONFIG: "{}"}]), {})


def plant(chaos: Chaos, tags: dict[str, str], metrics: dict[str, float]) -> None:
    client = MlflowClient(chaos.uri)
    run_id = client.create_run(experiment_id(chaos), tags=tags).info.run_id
    chaos.planted.add(run_id)
    for name, value in metrics.items():
        client.log_metric(run_id, name, value)
    client.set_terminated(run_id, "FINISHED")


def experiment_id(chaos: Chaos) -> str:
    found = MlflowClient(chaos.uri).get_experiment_by_name(chaos.experiment)
    assert found is not None
    return found.experiment_id


KINDS = (
    kill_study,
    kill_all,
    kill_a_worker,
    interrupt,
    stop_and_continue,
    store_away,
    flip_a_bit,
    plant_a_false_finish,
    plant_a_damaged_run,
)
NEEDS_WORKERS = {kill_a_worker}


# What must hold.


@dataclass(frozen=True)
class Whole:
    """A trial's run that nobody disturbed."""

    tags: dict[str, str]
    history: dict[str, list[tuple[int, float]]]


REFERENCE: dict[str, Whole] = {}
"""By the trials' digests; filled once."""


def history(client: MlflowClient, run: Run) -> dict[str, list[tuple[int, float]]]:
    names = [name for name in run.data.metrics if name not in TIMED]
    return {name: [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, name)] for name in names}


def runs(chaos: Chaos) -> list[Run]:
    return list(MlflowClient(chaos.uri).search_runs([experiment_id(chaos)], f"tags.`{Tag.KIND}` = '{TRIAL}'"))


def complete(run: Run) -> bool:
    return run.info.status == "FINISHED" and Tag.OUTCOME in run.data.tags


def judge_runs(chaos: Chaos) -> None:
    ours = [run for run in runs(chaos) if run.info.run_id not in chaos.planted or Tag.HEARTBEAT in run.data.tags]
    for run in ours:
        if run.info.status == "FINISHED" and not complete(run):
            chaos.complain(f"run {run.info.run_id} is FINISHED without an outcome")
        if run.info.status == "RUNNING":
            chaos.complain(f"run {run.info.run_id} is RUNNING though all is over")
    for digest, whole in REFERENCE.items():
        done = [run for run in ours if run.data.tags.get(Tag.TRIAL_DIGEST) == digest and complete(run)]
        name = whole.tags[Tag.CONFIGURATION]
        if len(done) != 1:
            chaos.complain(f"{name}: {len(done)} finished runs")
        for run in done:
            found = history(MlflowClient(chaos.uri), run)
            other = sorted(key for key in whole.history.keys() | found.keys() if whole.history.get(key) != found.get(key))
            if other:
                key = other[0]
                chaos.complain(f"{name}: other numbers in {other}: {key} {found.get(key)}, not {whole.history.get(key)}")


def judge_status(chaos: Chaos) -> None:
    """A false finish is named as what is left, as long as its trial has no other run."""
    started = chaos.start("study", "status", "small.yaml")
    chaos.end(started)
    best: dict[str, list[Run]] = {}
    for run in runs(chaos):
        best.setdefault(run.data.tags.get(Tag.TRIAL_DIGEST, ""), []).append(run)
    for of_trial in (best.get(digest, []) for digest in REFERENCE):
        false = [run.info.run_id for run in of_trial if run.info.status == "FINISHED" and not complete(run)]
        if len(of_trial) == 1 and false and false[0] not in started.text:
            chaos.complain(f"status does not name the false finish {false[0]}: {started.text[-800:]}")


def disturbed(chaos: Chaos, kinds: list[Callable[[Chaos, Start], None]]) -> None:
    """One study, started again after each fault that ends it; what is left of `kinds` when it is done stays in the list."""
    for _ in range(MOST_PER_STUDY):
        if not kinds:
            break
        started = chaos.study(kinds[-1] in NEEDS_WORKERS or chaos.draw.random() < 0.1)
        started.process.join(chaos.draw.uniform(0.2, chaos.undisturbed / 2))
        while kinds and started.process.is_alive():
            kind = kinds.pop()
            chaos.counts[kind.__name__] = chaos.counts.get(kind.__name__, 0) + 1
            kind(chaos, started)
            started.process.join(chaos.draw.uniform(0.2, chaos.undisturbed / 2))
        status = chaos.end(started)
        if "plant_a_false_finish" in chaos.counts:
            judge_status(chaos)
        if status == 0:
            return


def finish(chaos: Chaos) -> None:
    text = ""
    for _ in range(MOST_STARTS):
        started = chaos.study(workers_too=False)
        status, text = chaos.end(started), started.text
        if status == 0:
            break
    else:
        chaos.complain(f"left in peace {MOST_STARTS} times, the study is not done: {text[-1500:]}")
    judge_runs(chaos)


def unleash(chaos: Chaos, *, long_outage: bool) -> None:
    """All faults, in studies that have an experiment each; then everything that was wrong, at once."""
    draw = chaos.draw
    kinds = [KINDS[i % len(KINDS)] for i in range(FAULTS - long_outage)] + [store_away_for_long] * long_outage
    draw.shuffle(kinds)
    number = 0
    while kinds:
        number += 1
        chaos.experiment = f"chaos-{number}"
        MlflowClient(chaos.uri).create_experiment(chaos.experiment, (chaos.folder / "mlruns" / str(number)).as_uri())
        chaos.counts.clear()
        disturbed(chaos, kinds)
        finish(chaos)
    assert not chaos.found, "\n\n".join([f"{len(chaos.found)} complaints", *chaos.found])


# Where.


@pytest.fixture(scope="module")
def context() -> Iterator[ForkServerContext]:
    """Children fork from a process that has imported everything and computed nothing: that saves seconds per start."""
    made = multiprocessing.get_context("forkserver")
    made.set_forkserver_preload(["digits", "regstudy.run", "mlflow.pytorch", "regstudy.cli", "regstudy.study"])
    forkserver._forkserver._stop()  # another test's has not read the digits
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PYTHONPATH", f"{Path(__file__).parent}:{ROOT}")
        forkserver.ensure_running()
    yield made
    forkserver._forkserver._stop()


@pytest.fixture(scope="module")
def undisturbed(context, tmp_path_factory, migrated_database) -> float:
    """Fill REFERENCE; how long that took, in seconds."""
    folder = tmp_path_factory.mktemp("undisturbed")
    chaos = on_sqlite(context, folder, migrated_database, 0)
    chaos.experiment = "reference"
    MlflowClient(chaos.uri).create_experiment("reference", (folder / "mlruns").as_uri())
    started = chaos.study(workers_too=False)
    assert chaos.end(started) == 0, started.text
    length = time.monotonic() - started.begun
    client = MlflowClient(chaos.uri)
    REFERENCE.update({run.data.tags[Tag.TRIAL_DIGEST]: Whole(run.data.tags, history(client, run)) for run in runs(chaos)})
    assert len(REFERENCE) == 2
    return length


def on_sqlite(context: ForkServerContext, folder: Path, migrated_database: Path, seed: int) -> Chaos:
    shutil.copy(migrated_database, folder / "mlflow.db")
    (folder / "small.yaml").write_text(DESIGN)

    def lock(seconds: float) -> None:
        with closing(sqlite3.connect(folder / "mlflow.db", timeout=10)) as connection:
            with suppress(sqlite3.OperationalError):  # the study is quicker, for ten seconds: no fault then
                connection.execute("BEGIN EXCLUSIVE")
                time.sleep(seconds)
            connection.rollback()

    return Chaos(folder, context, f"sqlite:///{folder}/mlflow.db", random.Random(seed), lock)


class Server:
    """MLflow's server on a SQLite file, at an address that stays while it is killed and started again."""

    def __init__(self, folder: Path, database: str) -> None:
        self.folder, self.database, self.port = folder, database, free_port()
        self.address = f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        line = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port), "--workers", "1"]
        line += ["--backend-store-uri", self.database, "--artifacts-destination", str(self.folder / "artifacts")]
        environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        with (self.folder / "server.log").open("a") as log:
            self.process = subprocess.Popen(
                line, cwd=self.folder, env=environment, stdout=log, stderr=log, start_new_session=True
            )
        for _ in range(600):
            with suppress(OSError), urllib.request.urlopen(f"{self.address}/health", timeout=2):
                return
            time.sleep(0.1)
        raise AssertionError((self.folder / "server.log").read_text()[-2000:])

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def restart(self, seconds: float) -> None:
        self.kill()
        time.sleep(seconds)
        self.start()


class Database:
    """A PostgreSQL that is stopped as a power cut would, and started again."""

    def __init__(self, folder: Path) -> None:
        programs = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
        self.folder, self.port, self.control, self.init = folder, free_port(), programs / "pg_ctl", programs / "initdb"
        self.settings = f"-c listen_addresses=127.0.0.1 -c port={self.port} -c unix_socket_directories={folder}"
        self.uri = f"postgresql+psycopg://regstudy@127.0.0.1:{self.port}/postgres"

    def make(self) -> None:
        if os.getuid() == 0:
            shutil.chown(self.folder, "postgres")
        as_postgres(self.init, "-D", self.folder / "data", "-A", "trust", "-U", "regstudy")

    def start(self) -> None:
        as_postgres(self.control, "-D", self.folder / "data", "-w", "-l", self.folder / "log", "-o", self.settings, "start")

    def stop(self) -> None:
        as_postgres(self.control, "-D", self.folder / "data", "-m", "immediate", "stop")

    def restart(self, seconds: float) -> None:
        self.stop()
        time.sleep(seconds)
        self.start()


@contextmanager
def postgres() -> Iterator[Database]:
    database = Database(Path(tempfile.mkdtemp(prefix="regstudy-chaos-")))
    try:
        database.make()
        database.start()
        yield database
        database.stop()
    finally:
        shutil.rmtree(database.folder, ignore_errors=True)


@pytest.mark.slow
def test_studies_on_sqlite_survive(context, undisturbed, tmp_path, migrated_database):
    chaos = on_sqlite(context, tmp_path, migrated_database, 1)
    chaos.undisturbed = undisturbed
    unleash(chaos, long_outage=True)


@pytest.mark.slow
def test_studies_on_a_server_survive(context, undisturbed, tmp_path, migrated_database):
    chaos = on_sqlite(context, tmp_path, migrated_database, 2)
    served = Server(tmp_path, chaos.uri)
    served.start()
    try:
        chaos.uri, chaos.fail, chaos.undisturbed = served.address, served.restart, undisturbed
        unleash(chaos, long_outage=True)
    finally:
        served.kill()


@pytest.mark.postgres
def test_studies_on_postgresql_survive(context, undisturbed, tmp_path):
    (tmp_path / "small.yaml").write_text(DESIGN)
    with postgres() as database:
        MlflowClient(database.uri).search_experiments()  # makes its tables
        chaos = Chaos(tmp_path, context, database.uri, random.Random(3), database.restart)
        chaos.undisturbed = undisturbed
        unleash(chaos, long_outage=False)
