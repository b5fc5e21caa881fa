"""The commands `study plan`, `study run` and `study status`: their options, and what they print."""

import argparse
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from regstudy.commands import study_state
from regstudy.config import THREADS
from regstudy.console import document, invocation, streams, terminal
from regstudy.console.document import Document
from regstudy.console.terminal import plural
from regstudy.design import design_file
from regstudy.design.design import Design
from regstudy.design.fields import MOST_TRIALS
from regstudy.errors import StudyError, UsageError
from regstudy.schema import Tag

if TYPE_CHECKING:
    from regstudy.study.coordinator import How
    from regstudy.study.plan import Plan
    from regstudy.study.until import Limits

AS_ASKED = (
    *("--seeds", "--epochs", "--dataset", "--until", "--max-seeds", "--budget"),
    *("--executor", "--address", "--jobs", "--threads", "--gpus", "--device", "--system-metrics", "--no-report"),
)
"""Options that the command for going on repeats."""

STDERR = 2
"""Its descriptor, for other processes."""


def command(given: argparse.Namespace) -> None:
    """Run one of the study commands."""
    if given.action == "schema":
        for line in json.dumps(design_file.json_schema(), indent=2).splitlines():
            terminal.say(line)
        return
    design = _design(given)
    from regstudy.study import coordinator, plan, until

    limits = _limits(given)
    if limits:
        design = design.with_changes(seeds=range(until.FIRST), epochs=None, dataset=None)
    failure: StudyError | None = None
    with document.alone(given.json):
        planned = (plan.make if given.action == "run" else plan.look)(design, given.data_root or None)
        for warning in planned.warnings:
            terminal.warn(f"WARNING: {warning}")
        if given.action == "status":
            told = _status(planned, given)
        else:
            how = coordinator.resolve(_how(given), max(len(planned.unfinished()), len(design.cells()) if limits else 0))
            study_state.say_plan(planned, how)
            told, failure = (_plan(planned, how, given), None) if given.action == "plan" else _run(given, planned, how, limits)
    if given.json:
        document.give({**told, "notices": planned.warnings})
    if failure is not None:
        raise failure


def _plan(planned: "Plan", how: "How", given: argparse.Namespace) -> Document:
    """What would run, and what it could find."""
    power = study_state.power(planned, how, given)
    if given.json:
        return {**study_state.facts(planned), **study_state.left(planned, how), "power": power}
    _say_next(planned, given)
    return {}


def _status(planned: "Plan", given: argparse.Namespace) -> Document:
    if given.json:
        return study_state.status(planned)
    study_state.say_status(planned)
    _say_where(planned)
    _say_next(planned, given)
    return {}


def _run(given: argparse.Namespace, planned: "Plan", how: "How", limits: "Limits | None") -> tuple[Document, StudyError | None]:
    """What is done then, and why there is no report, if one was wanted."""
    from regstudy.study import coordinator, until

    name, anything, under_mlflow = planned.design.name, bool(planned.unfinished()) or limits, "MLFLOW_RUN_ID" in os.environ
    if limits:
        terminal.say(f"then block by block, until every claim has a verdict: {until.limits_in_words(limits)}")
    grow = until.grower(limits, how.jobs or 1, how.threads or 1) if limits else None
    try:
        run_id = coordinator.run(planned, how, grow)
    except terminal.Interrupted:
        terminal.say("stopped; what was trained is kept")
        terminal.say_command("Go on with", _again(given))
        raise
    terminal.say(
        f"done: the study {name}" if limits else f"done: all {plural(len(planned.trials), 'trial')} of the study {name}"
    )
    page, failure = None, None
    _say_where(planned)
    if given.no_report:
        terminal.say_next(f"python -m analysis report --study {run_id}")
    else:
        try:
            page = _report(name, run_id, anew=bool(anything), under_mlflow=under_mlflow)
        except StudyError as error:
            failure = error
    return (_ended(planned, run_id, page) if given.json else {}), failure


def _ended(planned: "Plan", run_id: str, page: Path | None) -> Document:
    """How far the study is now, with the seeds that it took as it needed them, as JSON."""
    from regstudy.tracking import study_run

    after = planned.again().begun(study_run.seeds(run_id))
    return {**study_state.facts(after), "run_id": run_id, "report": None if page is None else str(page.absolute())}


def _design(given: argparse.Namespace) -> Design:
    design = design_file.load(given.design)
    values = dict(_assigned(text) for part in given.set for text in part.split(","))
    changes = {
        "seeds": _seeds(given.seeds),
        "epochs": terminal.whole_number(given.epochs, "--epochs", MOST_TRIALS),
        "dataset": given.dataset or None,
    }
    return design.with_values(values).with_changes(**changes)


def _limits(given: argparse.Namespace) -> "Limits | None":
    """Where a study that goes on until it is decided ends; None for one that does not. Refuses what cannot be, before anything is done."""
    from regstudy.study import until

    if given.action != "run":
        return None
    if given.system_metrics:
        from regstudy.tracking import machine_metrics

        machine_metrics.require()
    asked = {"--max-seeds": given.max_seeds, "--budget": given.budget}
    if not given.until:
        for option, value in asked.items():
            if value:
                raise UsageError(f"{option} {value}: is for --until decided; add it, or leave {option} out")
        return None
    if given.seeds:
        raise UsageError(f"--seeds {given.seeds}: --until decided takes seeds as it needs them; give one of the two")
    most = terminal.whole_number(given.max_seeds, "--max-seeds", MOST_TRIALS, f"a whole number from {until.FIRST} on")
    return until.limits(given.until, most, given.budget)


def _assigned(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise UsageError(f"--set: expected FIELD=VALUE, for example l1=0.001, got {text!r}")
    return name.strip(), value.strip()


def _seeds(text: str) -> list[int] | None:
    """`5` is five seeds, `1,2,7` are these three, `7,` is this one."""
    if not text:
        return None
    wrong = UsageError(f"--seeds: expected a number of seeds ≥ 1, or a list such as 1,2,7, got {text!r}")
    parts = text.removesuffix(",").split(",")
    if not all(part.strip().isascii() and part.strip().isdigit() and len(part) <= terminal.DIGITS for part in parts):
        raise wrong
    numbers = [int(part) for part in parts]
    if "," in text:
        return numbers
    if numbers[0] < 1 or numbers[0] > MOST_TRIALS:
        raise wrong
    return list(range(numbers[0]))


def _share_of_gpu(text: str) -> float:
    try:
        number = float(text or 0)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 64:
        raise UsageError(f"--gpus: expected a number from 0 to 64, or a fraction such as 0.5, got {text!r}")
    return number


def _how(given: argparse.Namespace) -> "How":
    from regstudy.study.coordinator import How

    jobs = terminal.whole_number(given.jobs, "--jobs", MOST_TRIALS)
    threads = terminal.whole_number(given.threads, "--threads", THREADS, f"a whole number from 1 to {THREADS:,}")
    if given.action == "plan":
        return How(jobs=jobs, threads=threads)
    gpus = _share_of_gpu(given.gpus)
    for option, value in {"--address": given.address, "--gpus": given.gpus}.items():
        if value and given.executor != "ray":
            raise UsageError(f"{option} {value}: is for Ray; add --executor ray, or leave it out")
    return How(given.executor or None, jobs, threads, gpus, given.address or None, given.device, given.system_metrics)


def _again(given: argparse.Namespace) -> str:
    """The command that runs the very study that was asked about."""
    root = given.data_root and invocation.path(given.data_root)
    said = [*_said("--data-root", root), *(word for value in given.set for word in ("--set", value))]
    for option in AS_ASKED:
        said += _said(option, getattr(given, option.removeprefix("--").replace("-", "_"), ""))
    return shlex.join(["python", "-m", "regstudy", "study", "run", invocation.path(given.design), *said])


def _said(option: str, value: object) -> list[str]:
    """An option as it was given; nothing where it was not."""
    return [option] if value is True else [option, str(value)] if value and (option, value) != ("--device", "auto") else []


def _say_next(planned: "Plan", given: argparse.Namespace) -> None:
    """Run what is left, which makes the report where nothing is; else see what the study says, if the store has it."""
    name = planned.design.name
    own = any(entry.tags.get(Tag.STUDY) == name for entry in planned.entries.values())  # its trials may be other studies'
    report = shlex.join(["python", "-m", "analysis", "report", "--study", name])
    terminal.say_next(report if own and not planned.unfinished() else _again(given))


def _say_where(planned: "Plan") -> None:
    """Where MLflow shows the runs, if there are any."""
    if not planned.experiment_id:
        return
    from regstudy.store import store

    terminal.say(f"its runs in MLflow: {invocation.training_runs(store.uri(), planned.experiment_id)}")


def _report(name: str, run_id: str, *, anew: bool, under_mlflow: bool = False) -> Path | None:
    """The report is the other package's: the store is all that the two share. Not written again where no trial is new. Its page, if it lies in this folder."""
    folder = Path("report") / name
    page = folder / "report.html"
    if under_mlflow and not _is_called_from_here(page, run_id):
        _make(invocation.reading("report", "--study", run_id, "--output="), run_id)
        terminal.say_next(f"python -m analysis rank --study {run_id}")
        return None
    if not anew and _is_of(page, run_id):
        terminal.say(f"report, from before: {page.absolute().as_uri()}")
        terminal.say_next(shlex.join(["python", "-m", "analysis", "verify", str(folder)]))
        return page
    _make(invocation.reading("report", "--study", run_id, "--output", str(folder)), run_id)  # which says itself what comes next
    return page if _is_of(page, run_id) else None


def _make(command: list[str], run_id: str) -> None:
    """The report, by a process of its own; StudyError if that says that it cannot: whoever asked for no report is told nothing."""
    if subprocess.run(command, check=False, stdout=_heard(), env=study_state.as_wide()).returncode:
        raise StudyError(
            f"the study is done, its report is not made, for the reason above; python -m analysis report --study {run_id} makes it"
        )


def _is_of(page: Path, run_id: str) -> bool:
    """Whether a report is this study's: another may have the name."""
    return page.is_file() and run_id in page.read_text(encoding="utf-8", errors="replace")


def _heard() -> int | None:
    """Where what another process says goes: with ours, to stderr beside a document, nowhere if nobody hears."""
    if streams.is_lost():
        return subprocess.DEVNULL
    return STDERR if sys.stdout is sys.stderr else None


def _is_called_from_here(page: Path, run_id: str) -> bool:
    """Whether a report in this folder is the caller's: `mlflow run` works in the project's, from wherever it is called."""
    from regstudy.store import store

    database = store.sqlite_file(store.uri())
    if database is not None:  # MLflow's default is in the caller's folder
        return database.parent.resolve() == Path.cwd()
    return not page.is_file() or _is_of(page, run_id)
