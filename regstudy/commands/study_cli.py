"""The commands `study plan`, `study run` and `study status`: their options, and what they print."""

import argparse
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from regstudy.config import THREADS
from regstudy.console import invocation, screen, streams, terminal
from regstudy.console.terminal import in_words, plural
from regstudy.design import design_file
from regstudy.design.design import MOST_TRIALS, Design, described
from regstudy.errors import UsageError
from regstudy.schema import NUMERICS_VERSION, Tag

if TYPE_CHECKING:
    from regstudy.study.coordinator import How
    from regstudy.study.plan import Pace, Plan
    from regstudy.study.until import Limits

REFUSED = 2
"""The exit status of bad input, which was said already."""

TRIAL_SECONDS = 5.0
"""What a trial takes beside its epochs, before any was seen to."""

STATES = {
    "done": "done",
    "diverged": "diverged (done)",
    "running": "running",
    "stale": "stale: left by a process that died",
    "unfinished": "unfinished: called finished, without an outcome",
    "killed": "stopped",
    "failed": "failed",
    "missing": "missing",
}


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
    planned = (plan.make if given.action == "run" else plan.look)(design, given.data_root or None)
    for warning in planned.warnings:
        terminal.warn(f"WARNING: {warning}")
    if given.action == "status":
        _say_status(planned, _again(given))
        return
    how = coordinator.resolve(_how(given), max(len(planned.unfinished()), len(design.cells()) if limits else 0))
    _say_plan(planned, how)
    if given.action == "plan":
        _say_power(planned, how, given)
    if limits:
        terminal.say(f"then block by block, until every claim has a verdict: {until.limits_in_words(limits)}")
    if given.action == "run":
        _run(given, planned, how, limits)


def _run(given: argparse.Namespace, planned: "Plan", how: "How", limits: "Limits | None") -> None:
    from regstudy.study import coordinator, until

    name, anything, under_mlflow = planned.design.name, bool(planned.unfinished()) or limits, "MLFLOW_RUN_ID" in os.environ
    grow = until.grower(limits, how.jobs or 1, how.threads or 1) if limits else None
    try:
        run_id = coordinator.run(planned, how, grow)
    except terminal.Interrupted:
        terminal.say(f"stopped; what was trained is kept. Go on with: {_again(given)}")
        raise
    terminal.say(
        f"done: the study {name}" if limits else f"done: all {plural(len(planned.trials), 'trial')} of the study {name}"
    )
    _say_where(planned)
    if given.no_report:
        terminal.say(f"report: python -m analysis report --study {run_id}")
        return
    _report(name, run_id, anew=bool(anything), under_mlflow=under_mlflow)


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
    if not all(part.strip().isascii() and part.strip().isdigit() for part in parts):
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


def _say_plan(planned: "Plan", how: "How") -> None:
    todo, counts = planned.unfinished(), planned.counts()
    design = planned.design
    epochs = sorted({trial.config.epochs for trial in planned.trials})
    terminal.say(
        f"study {design.name}: {described(design)} = {plural(len(planned.trials), 'trial')} of "
        f"{' or '.join(map(str, epochs))} epochs on {planned.dataset}"
    )
    there = [f"{counts[state]} {words}" for state, words in STATES.items() if counts[state]]
    terminal.say(f"so far: {', '.join(there)}")
    if not todo:
        terminal.say("nothing is left to run")
        return
    where = {"here": "in this process", "processes": plural(how.jobs or 1, "process").replace("processs", "processes")}
    place = where.get(str(how.executor), f"Ray{' at ' + how.address if how.address else ''}")
    terminal.say(f"left: {plural(len(todo), 'trial')}, {place}, {plural(how.threads or 1, 'thread')} each{_time(planned, how)}")


def _say_power(planned: "Plan", how: "How", given: argparse.Namespace) -> None:
    """What so many seeds can find is the other package's to say; how long a seed takes is known here."""
    design = planned.design
    trials = [trial for trial in planned.trials if trial.config.seed == design.seeds[0]]
    pace, _ = _pace(planned, how.threads or 1)
    seconds = pace.seconds(sum(trial.config.epochs for trial in trials), len(trials), how.jobs or 1)
    sd = ["--sd", given.sd] if given.sd else []
    command = invocation.reading(
        "power", given.design, "--seed-seconds", f"{seconds:.1f}", "--test-images", str(planned.sources[0].test_images), *sd
    )
    if subprocess.run(command, check=False).returncode == REFUSED:
        raise SystemExit(REFUSED)


def _pace(planned: "Plan", threads: int) -> "tuple[Pace, str]":
    """How long epochs and trials take here, and how that is known."""
    from regstudy.study.plan import Pace

    pace = planned.pace(threads)
    if pace is not None:
        return pace, "by the runs so far"
    from regstudy.study import speed

    first = [next(trial for trial in planned.trials if planned.source(trial) == source) for source in planned.sources]
    each = [speed.epoch_seconds(planned.source(trial), trial.config, threads) for trial in first]
    return Pace(fmean(each), TRIAL_SECONDS), "measured just now"


def _time(planned: "Plan", how: "How") -> str:
    """How long what is left will take; not for Ray, whose machines nobody has measured from here."""
    if how.executor == "ray":
        return ""
    pace, source = _pace(planned, how.threads or 1)
    seconds = pace.seconds(planned.epochs_left(), len(planned.unfinished()), how.jobs or 1)
    return f"; about {in_words(seconds)} ({pace.epoch:.1f} s per epoch, {source})"


def _again(given: argparse.Namespace) -> str:
    """The command that runs the very study that was asked about."""
    root = given.data_root and invocation.path(given.data_root)
    options = {"--seeds": given.seeds, "--epochs": given.epochs, "--dataset": given.dataset, "--data-root": root}
    said = [word for option, value in options.items() if value for word in (option, value)]
    said += [word for value in given.set for word in ("--set", value)]
    limits = {"--until": "until", "--max-seeds": "max_seeds", "--budget": "budget"}
    said += [word for option, name in limits.items() if getattr(given, name, "") for word in (option, getattr(given, name))]
    return shlex.join(["python", "-m", "regstudy", "study", "run", invocation.path(given.design), *said])


def _say_status(planned: "Plan", again: str) -> None:
    """Seeds as columns, configurations as rows; then what each state means, and what to do."""
    design, counts = planned.design, planned.counts()
    terminal.say(f"study {design.name} on {planned.dataset}: {described(design)}")
    table = screen.Table(header_style="")
    table.column("configuration")
    for state, words in STATES.items():
        if counts[state]:
            table.column(words.partition(":")[0], justify="right")
    by_configuration: dict[str, list[str]] = {}
    for trial in planned.trials:
        by_configuration.setdefault(trial.configuration, []).append(planned.state(trial))
    for name, states in by_configuration.items():
        table.row(name, *(str(states.count(state) or "") for state in STATES if counts[state]))
    table.show(None if sys.stdout.isatty() else 120)
    for trial in planned.trials:
        entry = planned.entries.get(trial.digest)
        if entry and entry.state in {"running", "stale", "unfinished", "killed", "failed"}:
            reason = entry.tags.get(Tag.FAILURE, "")
            terminal.say(
                f"  {STATES[entry.state].partition(':')[0]}: {trial.configuration}, seed {trial.config.seed}, epoch "
                f"{entry.epochs_done} of {trial.config.epochs}, run {entry.run_id}{': ' + reason if reason else ''}"
            )
    _say_where(planned)
    if planned.unfinished():
        terminal.say(f"go on with: {again}")
    for epochs, trials in sorted(planned.of_other_lengths().items()):
        are = "is" if trials == 1 else "are"
        terminal.say(
            f"{plural(trials, 'trial')} of these configurations and seeds {are} done with {plural(epochs, 'epoch')}: "
            f"to count those, --epochs {epochs}"
        )
    for version, trials in sorted(planned.of_other_numerics().items()):
        are = "is" if trials == 1 else "are"
        terminal.say(
            f"{plural(trials, 'trial')} of these configurations and seeds {are} done with numerics version {version}, and this is "
            f"{NUMERICS_VERSION}, which gives other numbers: the analysis reads those, and refuses to mix them"
        )


def _say_where(planned: "Plan") -> None:
    """Where MLflow shows the runs, if there are any."""
    if not planned.experiment_id:
        return
    from regstudy.store import store

    terminal.say(f"its runs in MLflow: {invocation.training_runs(store.uri(), planned.experiment_id)}")


def _report(name: str, run_id: str, *, anew: bool, under_mlflow: bool = False) -> None:
    """The report is the other package's: the store is all that the two share. Not written again where no trial is new."""
    folder = Path("report") / name
    page = folder / "report.html"
    if under_mlflow and not _is_called_from_here(page, run_id):
        subprocess.run(invocation.reading("report", "--study", run_id, "--output="), check=False)
        return
    if not anew and page.is_file() and run_id in page.read_text(encoding="utf-8"):  # another study may have the name
        terminal.say(f"report, from before: {page.absolute().as_uri()}")
        return
    command = invocation.reading("report", "--study", run_id, "--output", str(folder))
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL if streams.is_lost() else None)


def _is_called_from_here(page: Path, run_id: str) -> bool:
    """Whether a report in this folder is the caller's: `mlflow run` works in the project's, from wherever it is called."""
    from regstudy.store import store

    database = store.sqlite_file(store.uri())
    if database is not None:  # MLflow's default is in the caller's folder
        return database.parent.resolve() == Path.cwd()
    return not page.is_file() or run_id in page.read_text(encoding="utf-8")
