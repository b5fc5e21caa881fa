"""What goes wrong while a study is at work, and what is heard of it: faults for test_chaos, each of which takes the study that is at work."""

import json
import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from multiprocessing.process import BaseProcess
from pathlib import Path

import forked
from mlflow.tracking import MlflowClient
from test_studies import workers

from regstudy.schema import TRIAL, Metric, Tag

LONG_OUTAGE = 35.0
SILENCE = 30.0 + LONG_OUTAGE
"""An outage is told of once, so all of a long one may be silent."""
HANGS = 60.0
"""A start that takes so much longer than eight undisturbed studies does not end."""

DESIGN = """\
name: small
about: Does it survive?
overrides: {epochs: 4, dataset: arrays:few.npz}
configurations: [{l1: 0}, {l1: 0.001}]
seeds: 1
"""


@dataclass(frozen=True)
class Whole:
    """A trial's run that nobody disturbed."""

    tags: dict[str, str]
    history: dict[str, list[tuple[int, float]]]


REFERENCE: dict[str, Whole] = {}
"""By the trials' digests; filled once."""


@dataclass
class Start:
    """A command at work, and for how long it was stopped."""

    command: forked.Forked
    paused: float = 0.0

    @property
    def process(self) -> BaseProcess:
        return self.command.process

    @property
    def pid(self) -> int:
        return self.command.pid

    @property
    def text(self) -> str:
        return self.command.text

    def silence(self) -> float:
        """The longest time between two of its lines, without what it was stopped for."""
        times = [self.command.begun, *(when for when, _ in self.command.lines), time.monotonic()]
        return max(b - a for a, b in pairwise(times)) - self.paused


@dataclass
class Chaos:
    """A store, how it is made to fail, and all that was found to be wrong."""

    folder: Path
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
        own = {"MLFLOW_EXPERIMENT_NAME": self.experiment, "MLFLOW_TRACKING_URI": self.uri, "TMPDIR": str(self.folder)}
        own["REGSTUDY_CHECKPOINTS"] = str(self.folder / "checkpoints")
        return Start(forked.start("regstudy", *arguments, folder=self.folder, measured=False, **own))

    def study(self, workers_too: bool) -> Start:
        where = ["--executor", "processes", "--jobs", "2"] if workers_too else ["--executor", "here"]
        return self.start("study", "run", "small.yaml", "--threads", "1", "--no-report", *where)

    def end(self, started: Start) -> int | None:
        """Wait for its end, which must come; judge what it said. The exit status."""
        started.process.join(max(0.0, started.command.begun + HANGS + 8 * self.undisturbed + started.paused - time.monotonic()))
        silence, status = started.silence(), started.process.exitcode
        if status is None:
            self.complain(f"does not end: {started.text[-600:]}")
        for number in (signal.SIGCONT, signal.SIGKILL) if status is None else ():
            _to_session(started, number)
        started.process.join()
        started.command.reader.join(3)
        if "Traceback" in started.text:
            self.complain(f"traceback: {started.text[-3000:]}")
        # Training has no words between its trials, and beside other tests takes longer than when it was measured.
        if silence > SILENCE + 2 * self.undisturbed:
            self.complain(f"silent for {silence:.0f} s: {started.text[-600:]}")
        return status

    def complain(self, what: str) -> None:
        self.found.append(f"[{self.experiment}] after {json.dumps(self.counts)}: {what}")


def _to_session(started: Start, number: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(started.pid, number)


def _to_one(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


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


def store_away(chaos: Chaos, started: Start, seconds: float = 0.0) -> None:
    begun, length = time.monotonic(), seconds or chaos.draw.uniform(1, 5)
    chaos.fail(length)
    # A server that starts again on a busy machine takes its time: no silence of the study's.
    started.paused += time.monotonic() - begun - length


def store_away_for_long(chaos: Chaos, started: Start) -> None:
    store_away(chaos, started, LONG_OUTAGE)


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
