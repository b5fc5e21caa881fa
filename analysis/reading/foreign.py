"""Anybody's runs as trials: grouped, blocked and measured by what their own parameters, tags and metrics say. Knows no recipe and no claim."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from regstudy.console.terminal import plural
from regstudy.console.text import visible
from regstudy.design.history import Plan
from regstudy.errors import NothingToAnalyse, UsageError
from regstudy.schema import Tag

from . import filters
from .anybody import claims_file, odd, refused, resumed, values
from .anybody import points as curves
from .anybody.asked import SEED, Asked
from .anybody.claims_file import Asserted
from .anybody.values import Spelling
from .measures import Curve, Measure, Pairing, Scale
from .query import LARGEST, is_done
from .records import stores
from .records.record import Record, Records
from .records.unstored import Unstored
from .trials import AVERAGED, Trials, Words

BLOCKS = {word: word for word in ("seed", "fold", "split", "repeat", "replicate", "subject", "site", "task")} | {
    "state": "seed"
}
"""Words in the name of what pairs runs, by which reports call it: `cv_fold` is a fold, scikit-learn's `random_state` a seed."""

BLOCK, FOLD, RUN = "block", "fold", "run"
HUNDRED = 100.0
SEARCHED, MOSTLY = 20, 0.9
"""Configurations from which, and the share of them that have one run with which, runs are a search's."""


@dataclass(frozen=True)
class _Blocks:
    """What pairs runs: these names; none, for `reason`, if they are two samples. `overlap` as in Pairing."""

    names: tuple[str, ...]
    overlap: float = 0.0
    reason: str = ""


def read(asked: Asked, source: Records | None = None) -> Trials:
    """Read the runs of an experiment or several, or of this source; NothingToAnalyse or UsageError says what is missing."""
    source = source or stores.of_anybody(asked.experiments, asked.files)
    everything = where(source.runs(), asked.where)
    counted = [run for run in everything if counts(run, asked.statuses)]
    ended = sum(run.status in asked.statuses and not counts(run, asked.statuses) for run in everything)
    others = [run for run in everything if run.status not in asked.statuses and not counts(run, asked.statuses)]
    if not counted:
        raise NothingToAnalyse(refused.nothing(source, everything, others, asked))
    above = odd.parents(counted, asked)
    counted = [run for run in counted if run.run_id not in above]
    grouped = [run for run in counted if all(values.of(run, name) is not None for name in asked.group_by)]
    blocks = _blocks(grouped or counted, asked)
    known = [run for run in grouped if all(values.of(run, name) is not None for name in blocks.names)]
    if not known:
        raise UsageError(refused.unknown(counted, asked, blocks.names))
    needed = (*asked.group_by, *blocks.names)
    spelling = Spelling.among(known, needed)
    refused.check_metrics(known, counted, asked, source, needed)
    higher = (asked.better or refused.way(asked.metric, asked)) == "higher"
    runs, points, later = _frames(source, known, asked, blocks, spelling, higher=higher)
    held = {*runs["run_id"], *later}
    paired, called = bool(blocks.names), word(blocks.names)
    repeats = len(runs) - len(runs.drop_duplicates(["configuration", "seed"]))
    notices = [
        f"{plural(ended, 'run')} of regstudy that ended without an outcome, left out" if ended else "",
        *getattr(source, "notices", ()),  # of files
        *odd.not_counted(others, asked),
        f"{plural(len(above), 'run')} in which others are nested that have {visible(asked.metric)} too, left out: what sums these up would count twice" if above else "",
        f"{plural(len(counted) - len(known), 'run')} without {' or '.join(needed)}, left out" if len(known) < len(counted) else "",
        odd.without([run for run in known if run.run_id not in held], asked, f"{visible(asked.metric)}{curves.taken(asked.value) if asked.value.startswith('step') else ''}", spelling),
        resumed.told(len(later)),
        *spelling.told(needed),
        *odd.lengths(points[points["run_id"].isin(runs["run_id"])], visible(asked.metric), asked),
        blocks.reason,
        odd.missing(runs) if paired else "",
        f"{plural(repeats, 'run')} with the group and block of another: the mean of these counts, as one" if repeats else "",
        odd.copies(points, runs, called, paired=paired),
        f"{plural(int(runs['diverged'].sum()), 'run')} whose {visible(asked.metric)} is no number, counted as diverged" if runs["diverged"].any() else "",
        odd.units(runs, asked.metric),
        odd.differing([run for run in known if run.run_id not in later], lambda run: spelling.named(run, asked.group_by), [SEED, *blocks.names], asked.metrics),
        "nothing says whether these runs share their data, code and budget: that is for you to know",
    ]  # fmt: skip
    measure = Measure(asked.metric, visible(asked.metric), decimals=_decimals(runs[asked.metric]), higher_is_better=higher)
    curve = Curve(asked.metric, _file(asked.metric), f"{measure.words} over steps", measure.words, higher_is_better=higher)
    return Trials(
        runs,
        _epochs(points, runs, asked),
        tuple(filter(None, notices)),
        source,
        replace(_words(called, higher=higher, paired=paired), taken=curves.taken(asked.value)),
        (curve,),
        endpoint=measure,
        scale=Scale(higher, asked.margin, bounds=_bounds(asked.metric, runs[asked.metric])),
        plan=asked.plan,
        asserted=_asserted(asked, known, runs, spelling),
        pairing=Pairing(paired, blocks.overlap),
        varied=_varied(known, runs, [SEED, *blocks.names]),
    )


def _varied(known: Sequence[Record], runs: pd.DataFrame, blocks: Sequence[str]) -> pd.DataFrame | None:
    """The parameters that differ between runs that are each a configuration of their own: a search, which no ranking can answer; else None."""
    sizes = runs["configuration"].value_counts()
    if len(sizes) < SEARCHED or (sizes == 1).mean() < MOSTLY:
        return None
    compared = set(runs["run_id"])
    held = pd.DataFrame({run.run_id: dict(run.params) for run in known if run.run_id in compared}).T
    names = [
        name
        for name in held
        if f"params.{name}" not in blocks and len({values.canonical(text) for text in held[name].dropna()}) > 1
    ]
    return held[names]


def counts(run: Record, statuses: Sequence[str]) -> bool:
    """Whether a run is among those that are compared: a trial of ours with its outcome, anybody else's of one of these statuses."""
    return is_done(run) or (not run.tags.get(Tag.KIND) and run.status in statuses)


def where(runs: Sequence[Record], given: Sequence[str], option: str = "--where") -> Sequence[Record]:
    """Those with the values that are asked for; a name without params. or tags. is a parameter's."""
    conditions = filters.parse(given, option)
    names = {name: name if "." in name or name in values.OF_RUNS else f"params.{name}" for name in conditions}
    values.check_names(names.values(), option)
    for name, own in names.items():
        if runs and all(values.of(run, own) is None for run in runs):
            there = sorted({f"params.{key}" for run in runs for key in run.params})
            raise UsageError(f"{option} {name}: no run has {own}; expected names such as {values.listed(there)}")
    return [
        run
        for run in runs
        if all(any(filters.same(values.of(run, names[name]) or "", value) for value in wanted) for name, wanted in conditions.items())
    ]  # fmt: skip


def _blocks(runs: Sequence[Record], asked: Asked) -> _Blocks:
    """What pairs these runs. Nothing does where nobody says what might, or where it is the same in all of several runs."""
    there = any(values.of(run, SEED) is not None for run in runs)
    names = ((SEED,) if there else ()) if asked.block is None else asked.block
    both = sorted(set(names) & set(asked.group_by))
    if both:
        raise UsageError(
            f"{asked.said('block', both[0])}: is in {refused.option('group_by', asked)} too: name what pairs runs of different groups"
        )
    if not names:
        why = f"no run has {SEED}, and no --block says what pairs them" if asked.block is None else "as asked"
        return _Blocks((), reason=f"runs are not paired ({why}): two samples, compared by Welch's t test")
    known = [run for run in runs if all(values.of(run, name) is not None for name in (*names, *asked.group_by))]
    held = {tuple(values.canonical(values.of(run, name) or "") for name in names) for run in known}
    groups = {tuple(values.canonical(values.of(run, name) or "") for name in asked.group_by) for run in known}
    own = {
        (
            tuple(values.canonical(values.of(run, name) or "") for name in asked.group_by),
            values.canonical(values.of(run, names[0]) or ""),
        )
        for run in known
    }
    one_each = len(own) == len(known)  # several of a seed are no samples of their own
    if asked.block is None and one_each and len(own) > len(groups) > 1 and len({block for _, block in own}) == len(own):
        return _Blocks(
            (), reason=f"no two groups share a {names[0]}: runs are not paired, but two samples, compared by Welch's t test"
        )
    if len(held) == 1 and len(known) > len(groups):
        (same,) = held
        what = " and ".join(f"{name} ({value})" for name, value in zip(names, same, strict=True))
        return _Blocks((), reason=f"{what} is the same in all runs, and pairs none: two samples, compared by Welch's t test")
    folds = [name for name in names if word([name]) == FOLD]
    number = max((len({values.canonical(values.of(run, name) or "") for run in known}) for name in folds), default=0)
    if number < 2:
        return _Blocks(names)
    told = f"training sets of {number} folds overlap: the variance of a mean difference is taken as 1/n + 1/{number - 1} of the differences' (Nadeau and Bengio 2003)"
    return _Blocks(names, 1 / (number - 1), told)


def word(names: Sequence[str]) -> str:
    """What a block is called, by the word in its parameter's name that is one for blocks; of several, a block; of none, a run."""
    if not names:
        return RUN
    parts = [re.split(r"[^a-z]+", values.key(name).lower()) for name in names]
    words = {next((BLOCKS[part] for part in own if part in BLOCKS), BLOCK) for own in parts}
    return words.pop() if len(words) == 1 else BLOCK


def _words(block: str, *, higher: bool, paired: bool = True) -> Words:
    """What can be said of anybody's runs."""
    return Words(
        block=block,
        step="step",
        endpoint=f"{'higher' if higher else 'lower'} is better",
        pairing=f"Runs of the same {block} are a pair; configurations are compared by differences within {block}s."
        if paired
        else "Nothing pairs runs of different configurations: they are two samples, compared by Welch's t test, which asks for no common variance.",
    )


def _asserted(asked: Asked, known: list[Record], runs: pd.DataFrame, spelling: Spelling) -> Asserted | None:
    if asked.claims is None:
        return None
    there = dict.fromkeys(runs["configuration"])
    held = {spelling.named(run, asked.group_by): run for run in known}
    texts = {name: {values.key(own): values.of(held[name], own) or "" for own in asked.group_by} for name in there}
    return Asserted(asked.claims, texts)


def _file(metric: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in metric)


def of_scores(scores: pd.DataFrame, *, higher_is_better: bool, margin: float | None, plan: Plan | None = None) -> Trials:
    """Trials of a frame of numbers, a row per block, a column per configuration; NaN is a missing one. UsageError if there are none."""
    _check_scores(scores, margin)
    block, name = scores.index.name or "block", "score"
    named = scores.rename_axis(index="seed", columns="configuration").reset_index()
    long = named.melt("seed", value_name=name).dropna()
    if long.empty or not pd.api.types.is_numeric_dtype(long[name]):
        raise UsageError("scores: expected numbers, a row per block and a column per configuration")
    long = long.assign(configuration=long["configuration"].astype(str), run_id=[str(i) for i in range(len(long))])
    runs = long.assign(**{"run_name": "", "start_time": 0, "diverged": False, AVERAGED: 1})
    epochs = long[["run_id", "configuration", "seed", name]].assign(epoch=0)
    measure = Measure(name, name, decimals=_decimals(runs[name]), higher_is_better=higher_is_better)
    words = replace(_words(word([f"params.{block}"]), higher=higher_is_better), step="")
    scale = Scale(higher_is_better, margin, bounds=_bounds(name, runs[name]))
    curve = Curve(name, name, f"{name} over steps", name, higher_is_better=higher_is_better)
    return Trials(runs, epochs, (), Unstored(), words, (curve,), endpoint=measure, scale=scale, plan=plan)


def _check_scores(scores: pd.DataFrame, margin: float | None) -> None:
    wanted = "a pandas DataFrame, a row per block and a column per configuration"
    if not isinstance(scores, pd.DataFrame):  # pyright: ignore[reportUnnecessaryIsInstance]  # a notebook may pass anything
        raise UsageError(f"scores: expected {wanted}, got {type(scores).__name__}")
    for what, own in (("column", scores.columns), ("row", scores.index)):
        if own.has_duplicates:
            raise UsageError(f"scores: the {what} {str(own[own.duplicated()][0])!r} is there twice: expected {wanted}")
    if margin is not None and not 0 < margin < math.inf:
        raise UsageError(f"margin={margin!r}: expected a number above 0, in the scores' unit")


def _frames(
    source: Records, known: list[Record], asked: Asked, blocks: _Blocks, spelling: Spelling, *, higher: bool
) -> tuple[pd.DataFrame, pd.DataFrame, frozenset[str]]:
    """A row per run with its values, the points of the metric that ranks, and the runs that others go on in."""
    rows = [
        {
            "run_id": run.run_id,
            "run_name": run.name,
            "start_time": run.start_time,
            "configuration": spelling.named(run, asked.group_by),
            "seed": spelling.named(run, blocks.names) if len(blocks.names) > 1 else spelling.value(run, blocks.names[0]) if blocks.names else "",
        }
        for run in known
    ]  # fmt: skip
    runs = pd.DataFrame(rows)
    columns = {claims_file.logged(name): name for name in asked.metrics}
    points = source.epochs(list(runs["run_id"]), list(columns))
    points["metric"] = points["metric"].map(columns)
    points["value"] = points["value"].where(points["value"].abs() < LARGEST)
    later = resumed.into(runs, points[points["metric"] == asked.metric]) if blocks.names else {}
    if later:
        points["run_id"] = points["run_id"].map(later).fillna(points["run_id"])
    each = points.drop_duplicates(["run_id", "metric", "step"], keep="last").sort_values(["run_id", "step"])
    found = {
        str(name): curves.ends(own, asked.value, asked.last, higher=_is_better_higher(str(name), asked, higher=higher))
        for name, own in each.groupby("metric")
    }
    own = found[asked.metric]
    if own.empty:
        raise UsageError(f"{asked.said('value', asked.value)}: no run has a point of {claims_file.logged(asked.metric)} there")
    runs = runs[runs["run_id"].isin(own.index)]
    columns_of = {name: runs["run_id"].map(ends["value"]) for name, ends in found.items()}
    runs = runs.assign(**{AVERAGED: runs["run_id"].map(own["averaged"]), **columns_of})
    runs["diverged"] = runs[asked.metric].isna()
    runs = runs.sort_values(["configuration", "start_time", "run_id"], ignore_index=True)
    if not blocks.names:
        runs["seed"] = (runs.groupby("configuration").cumcount() + 1).astype(str)
    return runs, points[points["metric"] == asked.metric], frozenset(later)


def _is_better_higher(name: str, asked: Asked, *, higher: bool) -> bool:
    """Which end of a metric's curve is its best: of one that is claimed about beside that which ranks, as its own name says."""
    if name == asked.metric or asked.value != "best":
        return higher
    return refused.way(name, asked) == "higher"


def _epochs(points: pd.DataFrame, runs: pd.DataFrame, asked: Asked) -> pd.DataFrame:
    """The points of the metric that ranks, the last of each step, as a frame of trials has them."""
    each = points.drop_duplicates(["run_id", "step"], keep="last").sort_values(["run_id", "step"])
    long = each.rename(columns={"step": "epoch", "value": asked.metric}).drop(columns="metric")
    return long.merge(runs[["run_id", "configuration", "seed"]], on="run_id")


def _bounds(metric: str, values: "pd.Series[float]") -> tuple[float, float]:
    """What an accuracy cannot leave: fractions, or percent."""
    if "acc" not in metric.lower() or values.min() < 0 or values.max() > HUNDRED:
        return -math.inf, math.inf
    return (0.0, 1.0) if values.max() <= 1 else (0.0, HUNDRED)


def _decimals(values: "pd.Series[float]") -> int:
    """So many that a hundredth of the values' spread shows."""
    spread = float(values.std()) if values.notna().sum() > 1 else 0.0
    return min(15, max(2, 2 - math.floor(math.log10(spread)))) if 0 < spread < math.inf else 4
