"""A study that goes on until it is decided: what is looked at after each block, what goes on, and when it ends.

The judgement is the analysis's, which is asked by a process of its own: the store is all that the two packages share.
"""

import json
import math
import re
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count, islice

from regstudy.console import invocation
from regstudy.console.terminal import in_words, plural
from regstudy.errors import StudyError, UsageError
from regstudy.study.plan import Plan
from regstudy.tracking import study_run

FIRST = 3
"""Seeds before the first look: of fewer nothing is concluded."""

MOST = 60
"""Seeds at which it ends, if nothing else is said."""

HOPELESS_FROM = 10
"""Seeds from which a claim is given up that would need more than a thousand: from fewer, a standard deviation may be far too large."""

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True)
class Limits:
    """Where it ends though not all is decided: a number of seeds, or of seconds."""

    seeds: int = MOST
    seconds: float = math.inf
    begun: float = field(default_factory=time.monotonic)


@dataclass(frozen=True)
class Decision:
    """What `python -m analysis decided` says."""

    seeds: int
    decided: tuple[str, ...]
    open: tuple[str, ...]
    further: int | None
    needed: frozenset[str]


def limits(wanted: str, most: int | None = None, budget: str = "") -> Limits:
    """Where a study that goes on until it is `wanted`, which can only be decided, ends all the same; UsageError says what was expected."""
    if wanted != "decided":
        raise UsageError(f"--until: expected decided, got {wanted!r}")
    if most is not None and most < FIRST:
        raise UsageError(f"--max-seeds: expected a whole number from {FIRST} on, got {most}")
    return Limits(most or MOST, seconds(budget) if budget else math.inf)


def seconds(text: str) -> float:
    """`90m`, `2h` or `1.5d` in seconds; UsageError says what was expected."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text)
    if found is None or float(found[1]) == 0:
        raise UsageError(f"--budget: expected a time such as 90m, 2h or 1d, got {text!r}")
    return float(found[1]) * UNITS[found[2]]


def grower(limits: Limits, jobs: int, threads: int) -> Callable[[Plan, str, Callable[[str], None]], Plan | None]:
    """Look at the study, say what is open, and give its next blocks; None where it ends."""

    def grow(planned: Plan, run_id: str, say: Callable[[str], None]) -> Plan | None:
        decision = ask(run_id)
        study_run.look(run_id, decision.seeds)
        say(told(decision))
        end = reason_to_end(decision, limits)
        larger = None if end else _next(planned, decision, limits, jobs)
        if larger is not None and not _fits(larger, limits, jobs, threads):
            end, larger = "the next block would not fit into the time that was given", None
        if end:
            say(f"ends here: {end}")
        return larger

    return grow


def ask(run_id: str) -> Decision:
    """What of the study is decided, by the analysis."""
    done = subprocess.run(invocation.reading("decided", "--study", run_id), check=False, capture_output=True, text=True)
    if done.returncode:
        raise StudyError(f"the study could not be judged: {done.stderr.strip() or f'status {done.returncode}'}")
    given = json.loads(done.stdout)
    return Decision(given["seeds"], tuple(given["decided"]), tuple(given["open"]), given["further"], frozenset(given["needed"]))


def told(decision: Decision) -> str:
    """A look, in a line."""
    whole = len(decision.decided) + len(decision.open)
    line = f"look at {plural(decision.seeds, 'seed')}: {len(decision.decided)} of {plural(whole, 'claim')} decided"
    if not decision.open:
        return line
    more = "more than 1,000 further seeds" if decision.further is None else f"about {plural(decision.further, 'further seed')}"
    trials = "" if decision.further is None else f", {plural(decision.further * len(decision.needed), 'trial')}"
    return f"{line}; open: {'; '.join(decision.open)}; will probably take {more}{trials}"


def reason_to_end(decision: Decision, limits: Limits) -> str:
    """Why the study ends at this look; empty if it goes on."""
    if not decision.open:
        return "every claim has a verdict"
    if not decision.needed:
        return "further seeds can change nothing: what is open cannot be judged"
    if decision.seeds >= limits.seeds:
        return f"{plural(limits.seeds, 'seed')} are the most (--max-seeds)"
    if decision.further is None and decision.seeds >= HOPELESS_FROM:
        return "what is open would need more than 1,000 further seeds"
    return ""


def _next(planned: Plan, decision: Decision, limits: Limits, jobs: int) -> Plan:
    """What is missing of blocks that were begun; else the next blocks, so many that no process is without work."""
    there: dict[int, set[str]] = {seed: set() for seed in planned.design.seeds}
    for trial in planned.trials:
        there[trial.config.seed].add(trial.config.configuration_digest())
    begun = [seed for seed, own in there.items() if own & decision.needed and not decision.needed <= own]
    if begun:
        return planned.grown(begun, decision.needed)
    blocks = min(max(1, jobs // len(decision.needed)), limits.seeds - decision.seeds)
    return planned.grown(list(islice((seed for seed in count() if seed not in there), blocks)), decision.needed)


def _fits(larger: Plan, limits: Limits, jobs: int, threads: int) -> bool:
    """Whether what is left then will be done in time, by the pace so far."""
    pace = larger.pace(threads)
    needed = 0.0 if pace is None else pace.seconds(larger.epochs_left(), len(larger.unfinished()), jobs)
    return time.monotonic() - limits.begun + needed <= limits.seconds


def limits_in_words(limits: Limits) -> str:
    """The limits, for the line before the start."""
    most = f"at most {plural(limits.seeds, 'seed')}"
    return most if math.isinf(limits.seconds) else f"{most}, {in_words(limits.seconds)}"
