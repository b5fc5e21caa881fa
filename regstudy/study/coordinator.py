"""Running what is left of a study: round after round, until every trial is done or has failed too often."""

import math
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace

from regstudy.config import RunConfig
from regstudy.console import terminal
from regstudy.design import history
from regstudy.design.trial import Trial
from regstudy.errors import StudyError, UsageError
from regstudy.machine import cores, devices, locks
from regstudy.patience import patience
from regstudy.run.task import Assignment
from regstudy.schema import Tag
from regstudy.store import store
from regstudy.study import executors
from regstudy.study.display import Watch
from regstudy.study.executors import End, Place
from regstudy.study.plan import Plan
from regstudy.tracking import checkpoint, ledger, study_run

ATTEMPTS = 3
"""How often a trial that fails is tried in one start of the study."""

POLL_SECONDS = 2.0

DESCRIBED_SECONDS = 10.0
"""The note names every configuration: of a thousand it is not written after each trial."""

Grow = Callable[[Plan, str, Callable[[str], None]], Plan | None]
"""From a plan whose trials are done, the ID of the study's run and a way to say a line, to a larger plan; None if that is all."""

WAITING = "trials that are under way wait too"
AGAIN = "start the study again once it does"
REMEDY = "what was trained is kept: start the study again once it does"


@dataclass(frozen=True)
class How:
    """How a study is run: where, how many trials at a time, with how many threads each; None: as suits machine and study. Whether machines are measured meanwhile.

    `at_a_time` is filled in: to how many trials at a time a cluster is held; None: as many as it has room for.
    """

    executor: str | None = None
    jobs: int | None = None
    threads: int | None = None
    gpus: float = 0.0
    address: str | None = None
    device: str = "auto"
    system_metrics: bool = False
    at_a_time: int | None = None


def resolve(how: How, todo: int) -> How:
    """Fill in what is left open: as many trials at a time as there are cores, which together are faster than one on all of them."""
    if how.executor not in {None, "here", "processes", "ray"}:
        raise UsageError(f"--executor: expected here, processes or ray, got {how.executor!r}")
    RunConfig.from_text({"device": how.device})
    if how.executor == "ray":
        executors.require_answer(how.address)
    usable, of_cpus = cores.usable(), how.executor == "ray" or devices.chosen(how.device) == devices.CPU
    jobs = how.jobs or (usable // (how.threads or 1) if of_cpus and how.executor != "here" else 1)
    jobs = max(1, min(jobs, todo))
    if how.executor == "here" and jobs > 1:
        raise UsageError(f"--jobs {jobs}: the executor 'here' runs one trial at a time; choose processes")
    threads = how.threads or (1 if how.executor == "ray" else max(1, usable // jobs))
    executor = how.executor or ("processes" if jobs > 1 else "here")
    return replace(how, executor=executor, jobs=jobs, threads=threads, at_a_time=how.jobs if executor == "ray" else None)


def run(planned: Plan, how: How, grow: Grow | None = None) -> str:
    """Run what is left; the ID of the study's own run. StudyError names what could not be finished.

    `grow`, if it is given, says after all trials of the plan are done what the plan is then: larger, or None.
    """
    if how.executor != "ray":  # whose workers have folders of their own
        checkpoint.require_folder()
    adopted = os.environ.pop("MLFLOW_RUN_ID", None)  # else the first trial would take it for its own
    run_id = study_run.open_run(
        planned.experiment_id,
        planned.design,
        planned.data_tags(),
        _plan(planned, sequential=grow is not None),
        until=grow is not None,
    )
    if adopted:
        study_run.mark_start(adopted, run_id, planned.design.name)
    settled = grow is None and not planned.unfinished() and study_run.says(run_id, len(planned.trials))
    with patience.working(WAITING, REMEDY), store.told(AGAIN), study_run.ended_properly(run_id):
        if study_run.history(run_id).until:  # what was decided has no further seeds: later blocks are never whole
            planned = planned.begun(study_run.seeds(run_id))
        _keep_design(planned, run_id)
        planned, errors = _run_until_done(planned, run_id, how, grow)
        after = planned.again()
        _settle(after)
        whole = _keep_design(after, run_id)
        Record(run_id).write(whole, describe=not settled)
        study_run.look(run_id, whole.complete_blocks())
        study_run.close(run_id, complete=not after.unfinished())
    if errors:
        trial = next(trial for trial in planned.trials if trial.digest in errors)
        raise StudyError(
            f"{terminal.plural(len(errors), 'trial')} of {len(after.trials)} failed {ATTEMPTS} times or cannot be run; the first, "
            f"{trial.configuration} with seed {trial.config.seed}: {errors[trial.digest]}"
        )
    return run_id


def _plan(planned: Plan, *, sequential: bool) -> history.Plan:
    """What this start plans, should it be the study's first."""
    done = len(planned.trials) - len(planned.unfinished())
    return history.Plan(None if sequential else len(planned.design.seeds), sequential=sequential, done_before=done)


def _settle(planned: Plan) -> None:
    """A trial that is done is no longer claimed by anybody: whoever runs its study puts right what the store calls it."""
    for trial in planned.trials:
        entry = planned.entries.get(trial.digest)
        if entry is not None:
            ledger.settle(entry)


def train(given: Assignment) -> str | None:
    """Train a trial, in whichever process."""
    from regstudy.run.trial import run_trial  # here: only processes that train need torch

    return run_trial(given)


class Record:
    """What the study's run says of how far the study is. After a trial only its own configuration is written anew, and the note now and then."""

    def __init__(self, run_id: str) -> None:
        self._run_id, self._described = run_id, -math.inf

    def write(self, planned: Plan, configuration: str | None = None, *, describe: bool = True) -> None:
        """As the plan is now; `configuration`: nothing else has changed since. Not to `describe` leaves the note as a report has written it."""
        grouped = {name: [entry for entry in entries if entry] for name, entries in planned.by_configuration().items()}
        done = sum(entry.finished for entries in grouped.values() for entry in entries)
        changed = grouped if configuration is None else {configuration: grouped[configuration]}
        study_run.log_progress(self._run_id, planned.design, changed, done, len(planned.trials))
        if describe and (configuration is None or time.monotonic() - self._described > DESCRIBED_SECONDS):
            study_run.describe(self._run_id, planned.design, grouped)
            self._described = time.monotonic()


def _keep_design(planned: Plan, run_id: str) -> Plan:
    """Write the design onto the study's run; the plan with what other starts of the study have completed, which stays part of it."""
    whole = planned.with_complete(planned.other_blocks(study_run.seeds(run_id)))
    study_run.write_design(run_id, whole.design)
    return whole


def _run_until_done(planned: Plan, run_id: str, how: How, grow: Grow | None) -> tuple[Plan, dict[str, str]]:
    """Run what is left, and what `grow` adds. The plan as it is then; trials that failed, by digest, and why."""
    if not planned.unfinished() and grow is None:
        return planned, {}
    with ExitStack() as stack:
        place = stack.enter_context(_place(how))
        watch = stack.enter_context(Watch(planned, live=how.executor != "here"))
        rounds = _Rounds(run_id, how, place, watch)
        planned = rounds.run(planned)
        while grow is not None and not rounds.errors and (larger := grow(planned, run_id, watch.say)) is not None:
            planned = larger.again()
            _keep_design(planned, run_id)
            watch.grow(planned)
            planned = rounds.run(planned)
        return planned, rounds.errors


@dataclass
class _Rounds:
    """One start's work on a study: how often each trial was tried, and why those failed that are given up, by their digests."""

    run_id: str
    how: How
    place: Place
    watch: Watch
    attempts: Counter[str] = field(default_factory=Counter)
    errors: dict[str, str] = field(default_factory=dict)
    told: bool = False

    def run(self, planned: Plan) -> Plan:
        """Round after round: what another process was at may have been left by it meanwhile. The plan as it is then."""
        tags = {Tag.STUDY: planned.design.name, Tag.STUDY_DIGEST: planned.design.digest, "mlflow.parentRunId": self.run_id}
        tags |= {Tag.OWNER: f"{locks.machine()}/{os.getpid()}/{time.time():.0f}"}
        others, record = planned.other_blocks(study_run.seeds(self.run_id)), Record(self.run_id)
        while todo := [t for t in planned.unfinished() if t.digest not in self.errors]:
            free = [trial for trial in todo if planned.state(trial) != "running"]
            if not free and not self.told:
                self.watch.say(f"waiting for {terminal.plural(len(todo), 'trial')} that another process is at")
                self.told = True
            _say_damage(planned, free, self.watch)
            progress = False
            for trial, end in _collect(self.place, [_assignment(trial, planned, tags, self.how) for trial in free]):
                progress = progress or bool(end.run_id or end.error)
                self._count(trial, end)
                planned = planned.after(trial)
                record.write(planned.with_complete(others), trial.configuration)
                self.watch.update(planned, trial, end)
            if not progress:
                time.sleep(POLL_SECONDS)  # all that is left is in other hands
            planned = planned.again()
        return planned

    def _count(self, trial: Trial, end: End) -> None:
        self.attempts[trial.digest] += 1
        if end.error and (not end.mendable or self.attempts[trial.digest] >= ATTEMPTS):
            self.errors[trial.digest] = end.error
        elif end.error:
            self.watch.say(f"{trial.configuration}, seed {trial.config.seed}: {end.error}; it will be tried again")


def _say_damage(planned: Plan, trials: list[Trial], watch: Watch) -> None:
    """Damaged checkpoints are set aside by whoever claims the trial, but here they can be named."""
    for trial in trials:
        entry = planned.entries.get(trial.digest)
        line = ledger.without_damage(entry) if entry else ""
        if line:
            watch.say(f"{trial.configuration}, seed {trial.config.seed}: {line}")


def _collect(place: Place, assignments: list[Assignment]) -> Iterator[tuple[Trial, End]]:
    """Hand out what the place takes at a time, in order, and give each trial's end as it comes."""
    waiting: dict[Future[End], Assignment] = {}
    queue = iter(assignments)
    while True:
        while place.width is None or len(waiting) < place.width:
            given = next(queue, None)
            if given is None:
                break
            waiting[place.submit(given)] = given
        if not waiting:
            return
        done, _ = wait(waiting, return_when=FIRST_COMPLETED)
        for future in done:
            yield waiting.pop(future).trial, _end(future)


def _end(future: "Future[End]") -> End:
    """How it ended; a process that died has no words of its own."""
    try:
        return future.result()
    except Exception as error:  # noqa: BLE001  # each library has its own for a process that died
        return End(None, f"its process died ({type(error).__name__}: {next(iter(str(error).splitlines()), '')})")


def _place(how: How) -> AbstractContextManager[Place]:
    if how.executor == "ray":
        return executors.ray_tasks(train, how.address, how.threads or 1, how.gpus, how.at_a_time)
    return executors.processes(train, how.jobs or 1) if how.executor == "processes" else executors.here(train)


def _assignment(trial: Trial, planned: Plan, tags: dict[str, str], how: How) -> Assignment:
    threads = how.threads or 1
    source = planned.source(trial)
    root = None if source.root is None else str(source.root)
    config = trial.config.model_copy(update={"device": how.device, "threads": threads, "data_root": root})
    own = Trial(config, trial.configuration, trial.data_digest)
    return Assignment(own, source, store.uri(), planned.experiment_id, tags, threads, how.system_metrics)
