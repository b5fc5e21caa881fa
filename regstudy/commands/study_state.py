"""How far a study is, what is left of it and how long that takes: as text and as JSON."""

import argparse
import json
import os
import subprocess
from statistics import fmean
from typing import TYPE_CHECKING

from regstudy.console import invocation, screen, terminal
from regstudy.console.document import Document
from regstudy.console.terminal import in_words, plural
from regstudy.design.design import described
from regstudy.design.trial import Trial
from regstudy.schema import NUMERICS_VERSION, Tag

if TYPE_CHECKING:
    from regstudy.study.coordinator import How
    from regstudy.study.plan import Pace, Plan

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


def say_plan(planned: "Plan", how: "How") -> None:
    """What there is to do, where, and how long it will take."""
    todo, counts = planned.unfinished(), planned.counts()
    design = planned.design
    terminal.say(
        f"study {design.name}: {described(design)} = {plural(len(planned.trials), 'trial')} of "
        f"{' or '.join(map(str, _lengths(planned)))} epochs on {planned.dataset}"
    )
    there = [f"{counts[state]} {words}" for state, words in STATES.items() if counts[state]]
    terminal.say(f"so far: {', '.join(there)}")
    if not todo:
        terminal.say("nothing is left to run")
        return
    where = {"here": "in this process", "processes": plural(how.jobs or 1, "process").replace("processs", "processes")}
    place = where.get(str(how.executor), f"Ray{' at ' + how.address if how.address else ''}")
    terminal.say(f"left: {plural(len(todo), 'trial')}, {place}, {plural(how.threads or 1, 'thread')} each{_time(planned, how)}")


def _lengths(planned: "Plan") -> list[int]:
    return sorted({trial.config.epochs for trial in planned.trials})


def facts(planned: "Plan") -> Document:
    """A study and how far it is, as JSON."""
    counts = planned.counts()
    return {
        "study": planned.design.name,
        "dataset": planned.dataset,
        "seeds": planned.design.seeds,
        "epochs": _lengths(planned),
        "trials": len(planned.trials),
        "states": {state: counts[state] for state in STATES},
        "configurations": [
            {"configuration": name, **{state: states.count(state) for state in STATES}}
            for name, states in _states(planned).items()
        ],
    }


def left(planned: "Plan", how: "How") -> Document:
    """What is left, where it would run, and how long it takes, as JSON."""
    todo, jobs, threads = planned.unfinished(), how.jobs or 1, how.threads or 1
    pace, source = _pace(planned, how) if todo else (None, None)
    return {
        "trials_left": len(todo),
        "epochs_left": planned.epochs_left(),
        "executor": how.executor,
        "jobs": jobs,
        "threads": threads,
        "seconds": pace.seconds(planned.epochs_left(), len(todo), jobs) if pace else 0.0,
        "seconds_per_epoch": pace.epoch if pace else None,
        "pace_source": source,
    }


def power(planned: "Plan", how: "How", given: argparse.Namespace) -> object:
    """What so many seeds can find is the other package's to say, or to give as JSON; how long a seed takes is known here."""
    design = planned.design
    trials = [trial for trial in planned.trials if trial.config.seed == design.seeds[0]]
    pace, _ = _pace(planned, how)
    seconds = pace.seconds(sum(trial.config.epochs for trial in trials), len(trials), how.jobs or 1)
    more = [*(["--sd", given.sd] if given.sd else []), "--json" if given.json else "--embedded"]
    images = str(planned.sources[0].test_images)
    command = invocation.reading("power", given.design, "--seed-seconds", f"{seconds:.1f}", "--test-images", images, *more)
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE if given.json else None, env=as_wide())
    if done.returncode == REFUSED:
        raise SystemExit(REFUSED)
    return json.loads(done.stdout) if given.json and done.stdout else None


def as_wide() -> dict[str, str]:
    """The environment of a process whose tables stand below ours."""
    width = terminal.width()
    return {**os.environ, **({} if width is None else {"COLUMNS": str(width)})}


def _pace(planned: "Plan", how: "How") -> "tuple[Pace, str]":
    """How long epochs and trials take here, and how that is known."""
    from regstudy.study.plan import Pace

    threads = how.threads or 1
    pace = planned.pace(threads)
    if pace is not None:
        return pace, "by the runs so far"
    from regstudy.study import speed

    first = [next(trial for trial in planned.trials if planned.source(trial) == source) for source in planned.sources]
    configs = [trial.config.model_copy(update={"device": how.device}) for trial in first]
    each = [speed.epoch_seconds(planned.source(trial), config, threads) for trial, config in zip(first, configs, strict=True)]
    return Pace(fmean(each), TRIAL_SECONDS), "measured just now"


def _time(planned: "Plan", how: "How") -> str:
    """How long what is left will take; not for Ray, whose machines nobody has measured from here."""
    if how.executor == "ray":
        return ""
    pace, source = _pace(planned, how)
    seconds = pace.seconds(planned.epochs_left(), len(planned.unfinished()), how.jobs or 1)
    return f"; about {in_words(seconds)} ({pace.epoch:.1f} s per epoch, {source})"


def _states(planned: "Plan") -> dict[str, list[str]]:
    """Its trials' states by configuration."""
    by_configuration: dict[str, list[str]] = {}
    for trial in planned.trials:
        by_configuration.setdefault(trial.configuration, []).append(planned.state(trial))
    return by_configuration


def status(planned: "Plan") -> Document:
    """How far it is, trial by trial, as JSON."""
    return facts(planned) | {
        "each": [_trial(planned, trial) for trial in planned.trials],
        "done_with_other_epochs": planned.of_other_lengths(),
        "done_with_other_numerics": planned.of_other_numerics(),
    }


def say_status(planned: "Plan") -> None:
    """How far it is, configuration by configuration; what each state means, and what to do."""
    design, counts = planned.design, planned.counts()
    terminal.say(f"study {design.name} on {planned.dataset}: {described(design)}")
    table = screen.Table()
    table.column("configuration")
    for state, words in STATES.items():
        if counts[state]:
            table.column(words.partition(":")[0], justify="right")
    for name, states in _states(planned).items():
        table.row(name, *(str(states.count(state) or "") for state in STATES if counts[state]))
    table.show()
    for trial in planned.trials:
        entry = planned.entries.get(trial.digest)
        if entry and entry.state in {"running", "stale", "unfinished", "killed", "failed"}:
            reason = entry.tags.get(Tag.FAILURE, "")
            terminal.say(
                f"  {STATES[entry.state].partition(':')[0]}: {trial.configuration}, seed {trial.config.seed}, epoch "
                f"{entry.epochs_done} of {trial.config.epochs}, run {entry.run_id}{': ' + reason if reason else ''}"
            )
    _say_others(planned)


def _trial(planned: "Plan", trial: Trial) -> Document:
    """One trial and its run, if it has one, as JSON."""
    entry = planned.entries.get(trial.digest)
    return {
        "configuration": trial.configuration,
        "dataset": trial.config.dataset,
        "seed": trial.config.seed,
        "state": planned.state(trial),
        "epochs": trial.config.epochs,
        "epochs_done": entry.epochs_done if entry else 0,
        "run_id": entry.run_id if entry else None,
        "failure": entry.tags.get(Tag.FAILURE) if entry else None,
    }


def _say_others(planned: "Plan") -> None:
    """Trials that this very study cannot count, though they are much like its own."""
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
