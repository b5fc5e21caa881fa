"""Which trials the store holds, in what state, and who is at work on them. Claims a trial for one process, so that none is run twice.

A process at work holds a lock that ends with it, for those on the same machine, and beats: it writes the time onto its run again and
again, for those elsewhere.
"""

import hashlib
import math
import os
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import mlflow
from mlflow.entities import Experiment, LifecycleStage, Run, RunStatus, RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from mlflow.tracking.context.registry import resolve_tags
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NAME
from sqlalchemy.exc import SQLAlchemyError

from regstudy.console import terminal
from regstudy.console.terminal import Interrupted
from regstudy.errors import LostRun, ResumeError, TrackingError
from regstudy.machine import locks
from regstudy.schema import COMPLETED, DIVERGED, NUMERICS_VERSION, TRIAL, Metric, Tag, by_either_name
from regstudy.store import experiments, new_store, reading, store, tables
from regstudy.tracking import adopted, checkpoint, introduction

BEAT_SECONDS = 10.0
STALE_SECONDS = 60.0
"""A run elsewhere that has not written the time for so long is dead; clocks of machines must agree to half of that."""

START_SECONDS = 2.0
"""A run on this machine may exist for an instant before its lock."""

CLAIM = "regstudy.claim.{}"
"""Parameter of a run that is taken over: a store takes a parameter's value once, so that only one process can."""

ATTEMPTS = 10
PAGE = 1000
FINISHED, RUNNING = RunStatus.to_string(RunStatus.FINISHED), RunStatus.to_string(RunStatus.RUNNING)


@dataclass(frozen=True)
class Entry:
    """A trial's run, as the store has it."""

    run_id: str
    trial: str
    state: str  # done, diverged, running, stale, unfinished, failed, killed
    status: str
    epochs_done: int
    metrics: Mapping[str, float]
    tags: Mapping[str, str]

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return self.state in FINAL


FINAL = ("done", "diverged")
ORDER = (*FINAL, "running", "stale", "unfinished", "killed", "failed")
"""The best state that a trial's runs are in is the trial's."""


def experiment() -> str:
    """The experiment of the run that `mlflow run` has made, else the one that MLflow itself would log to, by its variables or its default.

    Asking makes a new store's tables, and an experiment that is named and not there; TrackingError if it cannot be written to.
    """
    try:
        tables.require_current(store.uri())
        adopted_to = adopted.experiment_id()
        if reading.is_new(store.uri()):
            experiments.choose(experiments.NEW, store.uri())  # what is refused makes no store
        new_store.make()
        client = store.client()
        found = client.get_experiment(adopted_to) if adopted_to else _named(client)
    except (MlflowException, SQLAlchemyError, OSError) as error:
        reason = next(iter(str(error).splitlines()), "")
        raise TrackingError(f"the tracking store {store.shown(store.uri())} cannot be used: {reason}") from error
    store.require_artifact_folder(found.artifact_location)
    introduction.introduce(found)
    return found.experiment_id


def _named(client: MlflowClient) -> Experiment:
    uri = store.uri()
    chosen = experiments.choose(reading.open_store(uri).experiments(), uri)
    return client.get_experiment(chosen.experiment_id) if chosen else _made(client, experiments.wanted_name())


def _made(client: MlflowClient, name: str) -> Experiment:
    """A new experiment, or another process's that was quicker."""
    with suppress(MlflowException):
        client.create_experiment(name)
    found = client.get_experiment_by_name(name)
    if found is None:
        raise MlflowException(f"experiment {name!r} cannot be made; if it was deleted, restore it or choose another name")
    return found


def create(experiment_id: str, name: str, tags: Mapping[str, str]) -> str:
    """Make a run, as MLflow itself does: with who, from what source; its ID. It is RUNNING, and no active run of MLflow's."""
    known = resolve_tags({**tags, MLFLOW_RUN_NAME: name})
    return store.client().create_run(experiment_id, tags=known, run_name=name).info.run_id


def set_tags(run_id: str, tags: Mapping[str, str]) -> None:
    """Write tags onto a run, in one call."""
    store.client().log_batch(run_id, tags=[RunTag(name, value) for name, value in tags.items()])


def entries(experiment_id: str, data_digest: str) -> dict[str, Entry]:
    """All trials on this data that the store knows of, by their digest; of several runs of one, the one that got furthest."""
    return furthest(_search(experiment_id, f"tags.`{Tag.KIND}` = '{TRIAL}' and tags.`{Tag.DATA_DIGEST}` = '{data_digest}'"))


def furthest(runs: Iterable[Run]) -> dict[str, Entry]:
    """The trials of these runs, by their digest; of several runs of one, the one that got furthest."""
    best: dict[str, Entry] = {}
    for entry in map(_entry, runs):
        rival = best.get(entry.trial)
        if rival is None or _rank(entry) < _rank(rival):
            best[entry.trial] = entry
    return best


def running(experiment_id: str, data_digest: str) -> list[Entry]:
    """The trials on this data that some process is at work on."""
    kind = f"tags.`{Tag.KIND}` = '{TRIAL}' and tags.`{Tag.DATA_DIGEST}` = '{data_digest}' and attributes.status = '{RUNNING}'"
    return [entry for entry in map(_entry, _search(experiment_id, kind)) if entry.state == "running"]


def find(experiment_id: str, trial: str) -> list[Entry]:
    """All runs of one trial, the one that got furthest first."""
    return sorted(map(_entry, _search(experiment_id, f"tags.`{Tag.TRIAL_DIGEST}` = '{trial}'")), key=_rank)


@contextmanager
def claimed(experiment_id: str, trial: str, name: str, tags: dict[str, str]) -> Iterator[str | None]:
    """Have the trial to oneself while inside; None if it is done, or another process is at it.

    Gives the ID of the run to fill, new or to be continued.
    """
    with locks.held(_trial_lock(experiment_id, trial)) as first_here:
        try:
            run_id = _claim(experiment_id, trial, name, tags) if first_here else None
        except (Interrupted, KeyboardInterrupt):
            _end_nobodys(experiment_id, trial)
            raise
        yield run_id


@contextmanager
def at_work(run_id: str) -> Iterator[Callable[[], None]]:
    """Be known as the process that is at work on this run; gives what raises LostRun once another process has taken it over."""
    client, stop = store.client(), threading.Event()
    mine = _claims(client.get_run(run_id))

    def require_own() -> None:
        run = client.get_run(run_id)
        if run.info.status != RUNNING or run.data.tags.get(Tag.OUTCOME) in {COMPLETED, DIVERGED} or _claims(run) != mine:
            stop.set()
            raise LostRun(
                f"run {run_id} was taken over while this process slept, or was ended by somebody: it leaves, and writes nothing more"
            )

    def beat() -> None:
        while True:
            with suppress(
                MlflowException, SQLAlchemyError, TrackingError, OSError
            ):  # a store that is away for a while costs a beat, not the run
                require_own()
                client.set_tag(run_id, Tag.HEARTBEAT, f"{time.time():.0f}")
            if stop.wait(BEAT_SECONDS):
                return

    client.set_tag(run_id, Tag.MACHINE, locks.machine())
    with locks.held(_run_lock(run_id)):
        thread = threading.Thread(target=_until_lost, args=[beat], daemon=True)
        thread.start()
        try:
            yield require_own
        finally:
            stop.set()
            thread.join(1)


def _until_lost(beat: Callable[[], None]) -> None:
    with suppress(LostRun):  # whoever trains finds out before it writes
        beat()


def _claims(run: Run) -> tuple[str, ...]:
    """Who has taken a run over, the last one last; empty where nobody has."""
    prefix = CLAIM.format("")
    numbered = {name.removeprefix(prefix): value for name, value in run.data.params.items() if name.startswith(prefix)}
    return tuple(numbered[number] for number in sorted(filter(str.isdecimal, numbered), key=int))


def is_alive(run: Run) -> bool:
    """Whether a process is at work on a run that the store calls RUNNING."""
    age = time.time() - _number(run.data.tags.get(Tag.HEARTBEAT), (run.info.start_time or 0) / 1000)
    here = locks.machine()
    if here and run.data.tags.get(Tag.MACHINE, here) == here:
        return locks.is_held(_run_lock(run.info.run_id)) or age < START_SECONDS
    return age < STALE_SECONDS


def _number(text: object, otherwise: float) -> float:
    """A finite number, as a store has it; what is none, since anybody may write there, is the other."""
    try:
        number = float(str(text))
    except ValueError:
        return otherwise
    return number if math.isfinite(number) else otherwise


def settle(entry: Entry) -> None:
    """A trial that is done is FINISHED: put right what a store that was away did not take."""
    if entry.finished and entry.status != FINISHED:
        store.client().set_terminated(entry.run_id, FINISHED)


def resumable(run_id: str) -> Entry:
    """A run that was stopped and can be continued here; ResumeError says why not."""
    try:
        run = store.client().get_run(run_id)
        if run.info.lifecycle_stage != LifecycleStage.ACTIVE:
            raise ResumeError(f"run {run_id} cannot be continued: it is deleted; restore it in MLflow's UI first")
        entry = _entry(run)
        if entry.state == "running":  # or it died a moment after it had said that it lives
            time.sleep(START_SECONDS + 1)  # the time is written in whole seconds
            entry = _entry(store.client().get_run(run_id))
    except MlflowException:
        raise ResumeError(
            f"there is no run {run_id!r} in the store {store.shown(store.uri())}: look its ID up in MLflow's UI"
        ) from None
    settle(entry)
    reason = _why_not(entry)
    if reason:
        raise ResumeError(f"run {run_id} cannot be continued: {reason}")
    return entry


def take_over(entry: Entry) -> None:
    """Make a stopped run the active one; ResumeError if another process was quicker."""
    if not _take_over(entry, {Tag.MACHINE: locks.machine()}):
        raise ResumeError(f"run {entry.run_id} cannot be continued: another process has just taken it over")


def _why_not(entry: Entry) -> str:
    if entry.tags.get(Tag.KIND) != TRIAL or not entry.trial:
        return "it is no training run of regstudy, or one made before runs could be continued"
    if entry.finished:
        return "it is finished"
    if entry.state == "running":
        return "a process is at work on it"
    if entry.tags.get(Tag.NUMERICS_VERSION) != str(NUMERICS_VERSION):
        return f"it was made with numerics version {entry.tags.get(Tag.NUMERICS_VERSION)}, and this is {NUMERICS_VERSION}"
    if not _can_go_on(entry):
        return "its checkpoint is not on this machine (REGSTUDY_CHECKPOINTS names the folder); start it anew"
    damage = checkpoint.damage(entry.run_id)
    return f"its checkpoint {checkpoint.where(entry.run_id)} {damage}; {_anew(entry)}" if damage else ""


def _anew(entry: Entry) -> str:
    if Tag.STUDY in entry.tags:
        return f"start the study {entry.tags[Tag.STUDY]} again, which sets it aside and trains the trial anew"
    return f"start it anew: {entry.tags.get(Tag.COMMAND, 'python -m regstudy train')}"


def without_damage(entry: Entry) -> str:
    """Set a dead run's damaged checkpoint aside, and give the run up if it has epochs; what was done, in a line, empty if nothing."""
    damage = checkpoint.damage(entry.run_id)
    if not damage:
        return ""
    path = checkpoint.where(entry.run_id)
    try:
        kept = checkpoint.set_aside(entry.run_id)
    except FileNotFoundError:
        return ""  # another process was quicker
    told = f"the checkpoint {path} {damage}; it is kept as {kept.name}, and the trial starts anew"
    if entry.epochs_done:
        client = store.client()
        client.set_tag(entry.run_id, Tag.FAILURE, f"its checkpoint {damage}"[: store.MAX_REASON])
        client.set_terminated(entry.run_id, RunStatus.to_string(RunStatus.KILLED))
    return told


def only_one(experiment_id: str, query: str, create: Callable[[], str]) -> str:
    """The run that fits a query, made if there is none; though several processes ask at once, one remains.

    Whoever has made one looks again, and withdraws it if there is another: both may, and try again after different pauses.
    """
    client = store.client()
    for _ in range(ATTEMPTS):
        found = _search(experiment_id, query)
        if found:
            return min(found, key=lambda run: (run.info.start_time, run.info.run_id)).info.run_id
        own = create()
        if [run.info.run_id for run in _search(experiment_id, query)] == [own]:
            return own
        client.delete_run(own)
        _pause()
    raise MlflowException(f"no agreement about the run of {query} after {ATTEMPTS} attempts")


def _claim(experiment_id: str, trial: str, name: str, tags: dict[str, str]) -> str | None:
    for _ in range(ATTEMPTS):
        runs = find(experiment_id, trial)
        for entry in runs:
            settle(entry)
        if any(entry.finished or (entry.state == "running" and not _was_ours(entry, tags)) for entry in runs):
            return None
        told = [line for line in map(without_damage, runs) if line]
        if told:
            terminal.warn("\n".join(told))
            continue  # what these runs are has changed
        dead = next((entry for entry in runs if _can_go_on(entry)), None)
        if dead is not None:
            if _take_over(dead, tags):
                return dead.run_id
            continue
        for entry in runs:
            _give_up(entry)
        own = create(experiment_id, name, tags)
        others = [entry for entry in find(experiment_id, trial) if entry.run_id != own]
        if not any(entry.finished or entry.state == "running" for entry in others):
            return own
        store.client().set_terminated(own, RunStatus.to_string(RunStatus.KILLED))
        store.client().delete_run(own)
        _pause()
    return None


def _end_nobodys(experiment_id: str, trial: str) -> None:
    """A run that was just made or taken over, and that nobody is at work on: told to stop, this process leaves none RUNNING."""
    with suppress(MlflowException, SQLAlchemyError, TrackingError):
        for entry in find(experiment_id, trial):
            here = entry.tags.get(Tag.MACHINE) == locks.machine()
            if here and entry.status == RUNNING and not entry.finished and not locks.is_held(_run_lock(entry.run_id)):
                set_tags(entry.run_id, {Tag.FAILURE: "stopped before it began"})
                store.client().set_terminated(entry.run_id, RunStatus.to_string(RunStatus.KILLED))


def _was_ours(entry: Entry, tags: Mapping[str, str]) -> bool:
    """The same `study run` asks for it again: it knows that the process which was at it has died, on whatever machine."""
    return Tag.OWNER in tags and entry.tags.get(Tag.OWNER) == tags[Tag.OWNER]


def _can_go_on(entry: Entry) -> bool:
    """With its checkpoint, or with nothing logged yet: then no epoch would be missing or doubled."""
    return checkpoint.exists(entry.run_id) or entry.epochs_done == 0


def _take_over(entry: Entry, tags: Mapping[str, str]) -> bool:
    run = store.client().get_run(entry.run_id)
    number = len(_claims(run))
    try:
        # A value of one's own: equal ones would not clash.
        store.client().log_param(
            entry.run_id, CLAIM.format(number), f"{time.time():.6f} {os.getpid()} {random.SystemRandom().getrandbits(64):x}"
        )
    except MlflowException:
        return False
    store.client().update_run(entry.run_id, RUNNING)
    set_tags(entry.run_id, {**tags, Tag.HEARTBEAT: f"{time.time():.0f}"})
    if Tag.FAILURE in run.data.tags:
        store.client().delete_tag(entry.run_id, Tag.FAILURE)
    return True


def _give_up(entry: Entry) -> None:
    """A dead run whose checkpoint is elsewhere stays as it is, but is not left RUNNING."""
    if entry.state in {"running", "stale", "unfinished"}:
        client = store.client()
        client.set_tag(
            entry.run_id, Tag.FAILURE, "its process died, and its checkpoint is not on the machine that ran the trial again"
        )
        client.set_terminated(entry.run_id, RunStatus.to_string(RunStatus.KILLED))


def _entry(run: Run) -> Entry:
    tags, status = run.data.tags, run.info.status
    done = int(_number(run.data.metrics.get(Metric.EPOCHS_DONE), 0))
    return Entry(
        run.info.run_id, tags.get(Tag.TRIAL_DIGEST, ""), _state(run), status, done, by_either_name(run.data.metrics), tags
    )


def _state(run: Run) -> str:
    """The outcome decides, which is written last; without it nothing is done, whatever the store calls the run."""
    outcome, status = run.data.tags.get(Tag.OUTCOME), run.info.status
    if outcome in {COMPLETED, DIVERGED}:
        return "diverged" if outcome == DIVERGED else "done"
    if status == FINISHED:
        return "unfinished"
    if status == RUNNING:
        return "running" if is_alive(run) else "stale"
    return "killed" if status == RunStatus.to_string(RunStatus.KILLED) else "failed"


def _rank(entry: Entry) -> tuple[int, int, str]:
    return ORDER.index(entry.state), -entry.epochs_done, entry.run_id


def _search(experiment_id: str, query: str) -> Sequence[Run]:
    client, runs, token = store.client(), [], None
    while True:
        page = client.search_runs([experiment_id], query, max_results=PAGE, page_token=token)
        runs += page
        token = page.token
        if not token:
            return runs


def _run_lock(run_id: str) -> Path:
    return locks.folder("runs") / f"{checkpoint.file_name(run_id)}.lock"


def _trial_lock(experiment_id: str, trial: str) -> Path:
    """Of the trial in this store: another store may want a run of its own."""
    where = hashlib.sha256(f"{mlflow.get_tracking_uri()} {experiment_id} {trial}".encode()).hexdigest()
    return locks.folder("trials") / f"{where}.lock"


def _pause() -> None:
    time.sleep(random.SystemRandom().uniform(0.05, 1.0))
