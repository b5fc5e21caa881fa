"""What is odd about anybody's runs, in sentences: what was left out, what differs, what looks like a copy."""

import re
from collections import Counter
from collections.abc import Callable, Sequence

import pandas as pd

from regstudy.console.terminal import plural

from ..records.record import FAILED, FINISHED, KILLED, RUNNING, SCHEDULED, Record
from . import values
from .asked import Asked
from .claims_file import logged
from .values import Spelling

PARENT = "mlflow.parentRunId"
"""MLflow's tag of a run that is nested in another."""

FEW = 4
"""Groups that a notice names."""

CURVE = 3
"""Points from which the same curve twice is no chance."""

OFTEN = 0.25
"""The share of blocks from which the same few numbers again are no chance either."""

WORDS = {FAILED: "that FAILED", KILLED: "KILLED", RUNNING: "still RUNNING", SCHEDULED: "SCHEDULED"}

SHARES = re.compile(r"acc|auc|f1|dice|iou|precision|recall|jaccard", re.IGNORECASE)
"""In names of what is a share, from 0 to 1 or in percent."""

HUNDRED = 100.0


def not_counted(runs: Sequence[Record], asked: Asked) -> list[str]:
    """Runs of other statuses, by their groups: those that are left may be the lucky ones."""
    told: list[str] = []
    for status in sorted({run.status for run in runs}):
        own = [run for run in runs if run.status == status]
        spelling = Spelling.among(own, asked.group_by)
        whole = [run for run in own if all(values.of(run, name) is not None for name in asked.group_by)]
        groups = Counter(spelling.named(run, asked.group_by) for run in whole)
        some = f" ({_by_group(groups)})" if groups else ""
        what = WORDS.get(status, f"of status {status}")
        told.append(f"{plural(len(own), 'run')} {what}, left out{some}: --status {status} counts them too")
    return told


def parents(runs: Sequence[Record], asked: Asked) -> set[str]:
    """IDs of runs that others are nested in which have the same metric and the same values of these names: they sum these up, and would count twice."""
    groups = {
        run.run_id: tuple(values.canonical(values.of(run, name) or "") for name in asked.group_by)
        for run in runs
        if logged(asked.metric) in run.metrics and all(values.of(run, name) is not None for name in asked.group_by)
    }
    nested = [(run.tags[PARENT], groups[run.run_id]) for run in runs if PARENT in run.tags and run.run_id in groups]
    return {parent for parent, group in nested if groups.get(parent) == group}


def without(runs: Sequence[Record], asked: Asked, what: str, spelling: Spelling) -> str:
    """Runs that lack what is compared, by their groups."""
    if not runs:
        return ""
    return f"{plural(len(runs), 'run')} without {what}, left out ({_by_group(Counter(spelling.named(run, asked.group_by) for run in runs))})"


def missing(runs: pd.DataFrame) -> str:
    """Blocks that not all groups have: there, nothing is paired."""
    blocks = runs.groupby("configuration", sort=False)["seed"].agg(set)
    everything = set().union(*blocks)
    lacking = [
        f"{name} lacks {values.listed(sorted(everything - own, key=values.in_order))}"
        for name, own in blocks.items()
        if own != everything
    ]
    more = f"; and {len(lacking) - FEW} more lack some" if len(lacking) > FEW else ""
    alone = len(blocks) > 1 and sum(map(len, blocks)) == len(everything)
    remedy = "; no two groups share one: with --block none they are two samples" if alone else ""
    moved = "; means are as far from each other as in the blocks that are shared" if len(blocks) > 1 and not alone else ""
    return f"blocks differ: {'; '.join(lacking[:FEW])}{more}{moved}{remedy}" if lacking else ""


def units(runs: pd.DataFrame, metric: str) -> str:
    """Shares of which some may be in percent."""
    held = runs[metric].dropna()
    percent = int(((held > 1) & (held <= HUNDRED)).sum())
    if not SHARES.search(metric) or not 0 < percent < len(held) or held.min() < 0 or held.max() > HUNDRED:
        return ""
    return f"{plural(percent, 'run')} of {len(held):,} have {metric} above 1, the others at most 1: percent among fractions? Then nothing here holds"


def differing(known: Sequence[Record], name_of: Callable[[Record], str], blocks: Sequence[str], metrics: Sequence[str]) -> str:
    """Parameters that differ between runs of one group, or that only some have, and that do not pair them: perhaps the groups are too large."""
    groups: dict[str, list[Record]] = {}
    for run in known:
        groups.setdefault(name_of(run), []).append(run)
    names: set[str] = set()
    for own in groups.values():
        for name in {f"params.{name}" for run in own for name in run.params} | {values.EXPERIMENT, values.STORE}:
            text = [values.of(run, name) for run in own]
            names |= {name} if len({own and values.canonical(own) for own in text}) > 1 else set()
    told = sorted(names - set(blocks) - {f"params.{name}" for name in metrics})  # a file's columns of numbers are both
    if not told:
        return ""
    return f"within a group {values.listed(told)} differ: name in --group-by what matters, in --block what pairs runs"


def lengths(points: pd.DataFrame, metric: str, asked: Asked) -> list[str]:
    """Curves of unlike length, and shorter than what is averaged; several points at a step."""
    sizes = points.drop_duplicates(["run_id", "step"]).groupby("run_id").size()
    again = len(points) - int(sizes.sum())
    told = [f"{plural(again, 'point')} of {metric} at a step that has a later one, left out"] if again else []
    if sizes.min() < sizes.max():
        few = int((sizes < asked.last).sum()) if asked.value == "last" else 0
        short = f"; of {plural(few, 'run')} fewer than {asked.last} are averaged" if few and sizes.max() > 1 else ""
        told.append(f"runs have from {sizes.min():,} to {sizes.max():,} points of {metric}{short}")
    return told


def copies(points: pd.DataFrame, runs: pd.DataFrame, block: str, *, paired: bool) -> str:
    """Blocks, or runs, whose numbers are all those of another: logged again, they are no repeats. And configurations that have the same numbers."""
    runs = runs[~runs["diverged"]]
    curves = points.groupby("run_id", sort=False)["value"].agg(tuple)
    own = runs.assign(curve=runs["run_id"].map(curves))
    long = bool(curves.map(len).min() >= CURVE) if len(curves) else False
    if paired:
        held = [
            frozenset(zip(rows["configuration"], rows["curve"], strict=True)) for _, rows in own.groupby("seed", sort=False)
        ]
        again, of = len(held) - len(set(held)), len(held)
        every = own.groupby("seed")["configuration"].nunique().min() > 1
    else:
        again, of = int(own.duplicated(["configuration", "curve"]).sum()), len(own)
        every = True
    if not again or not every or not (long or again >= OFTEN * of):
        return _twins(own) if paired else ""
    what = "copies are no repeats" if long else "if they are copies, they are no repeats"
    return f"{again} of {of} {block}s hold the same values as another: {what}"


def _twins(own: pd.DataFrame) -> str:
    """Two configurations with the same numbers in every block."""
    first: dict[object, str] = {}
    for name, rows in own.groupby("configuration", sort=False):
        numbers = frozenset(zip(rows["seed"], rows["curve"], strict=True))
        other = first.setdefault(numbers, str(name))
        if other != name and len(rows) >= CURVE:
            return f"{other} and {name} have the same numbers in all {len(rows)}: does what tells them apart do anything?"
    return ""


def _by_group(groups: "Counter[str]") -> str:
    more = f"; {len(groups) - FEW} further groups" if len(groups) > FEW else ""
    return "; ".join(f"{name}: {n}" for name, n in groups.most_common(FEW)) + more


def one_status(asked: Asked) -> str:
    """How runs that count are called in messages."""
    return "finished run" if asked.statuses == (FINISHED,) else f"run that is {' or '.join(asked.statuses)}"
