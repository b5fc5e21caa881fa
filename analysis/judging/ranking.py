"""Configurations in order of their endpoint: each pair is separated, equivalent or unresolved, and what is not known has no rank."""

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..files.rows import rows
from ..reading.measures import PAIRED, Pairing, Scale
from . import statistics
from .looks import NOTHING_FIXED, Looks
from .statistics import LEAST, Estimates, Rule

BEST_FROM = 20
"""Seeds from which a bootstrap over seeds is good enough for the probability of being best."""

MANY = 8
"""Configurations up to which each is compared with each; of more, all with the leader, and their standard deviations are moderated."""


class Relation(StrEnum):
    """What is known of a pair."""

    SEPARATED = "separated"
    EQUIVALENT = "equivalent"
    UNRESOLVED = "unresolved"


DIVERGED, UNTESTED = "diverged", "untested"
"""Where a configuration with such runs stands: after all without; and one that could not be tested against any other, where others could: after these, without a rank."""


@dataclass(frozen=True)
class Ranking:
    """An order, as far as there is one.

    Configurations that could not be tested against any other, where others could, are no part of it: they come after it.

    `table`: one row per configuration, in order of rank and mean: configuration; rank and rank_to, the best and the worst place that it may have; standing: separated if these are
    the same, equivalent if it is shown to be so to all that may share them, unresolved, diverged, or untested; seeds, diverged, mean, sd, low, high (95% t interval of the mean, missing below two seeds, or if they do not
    vary), best (probability; missing below 20 common seeds).
    `pairs`: one row per pair that was compared, the higher in the order first: first, second, seeds (common), mean (first − second), sd, low, high, inner_low, inner_high (at levels 1 − α and 1 − 2α of the pair's own share of α), p,
    p_adjusted (to compare with α), alpha, anytime, relation.
    `compared`: how: "each" with each, with the "reference", or with the "leader". `tests` is how many comparisons share α. `leader`: the first in the order. `leading`: those that none is shown to beat.
    `advised`: those that are shown not to be worse than the leader, and any other they were compared with, by the margin, the simplest first if it is known what simple means.
    `order`: all, by their means, those that could not be tested last.
    """

    table: pd.DataFrame
    pairs: pd.DataFrame
    compared: str
    tests: int
    leader: str
    leading: tuple[str, ...]
    advised: tuple[str, ...]
    reference: str | None = None
    moderated: bool = False
    order: tuple[str, ...] = ()


def rank(
    scores: pd.DataFrame,
    scale: Scale,
    *,
    looked: Looks = NOTHING_FIXED,
    run: pd.DataFrame | None = None,
    diverged: Mapping[str, int] | None = None,
    complexity: Mapping[str, tuple[float, ...]] | None = None,
    reference: str | None = None,
    pairing: Pairing = PAIRED,
) -> Ranking:
    """Rank configurations, the columns of `scores`, by their mean over blocks, its rows; NaN is a missing or diverged run. Unpaired, rows mean nothing.

    A configuration with diverged runs comes after all without. `run` says where there was a run at all (None: where there is a score): a look is at so many blocks. `complexity` sorts from simple to not.
    `reference`: all are compared with it alone.
    """
    lost = {name: (diverged or {}).get(name, 0) for name in map(str, scores.columns)}
    table = _table(scores, lost, scale, pairing)
    order = list(table["configuration"])
    there = (scores.notna() if run is None else run.reindex(columns=scores.columns))[order]
    compared = "reference" if reference else "each" if len(order) <= MANY else "leader"
    tests = len(order) - 1 if reference else len(order) * (len(order) - 1) // 2
    if compared == "leader":
        # Who leads must be somebody who can be tested.
        enough = set(table.loc[table["seeds"] >= LEAST, "configuration"])
        leader = next((name for name in order if name in enough and not lost[name]), order[0])
        order = [leader, *(name for name in order if name != leader)]
    index = _index(order, compared, reference)
    many = len(order) > MANY and pairing == PAIRED
    pairs = _pairs(scores[order], there[order], index, scale, looked, max(1, tests), pairing, borrowing=many)
    untested = _untested(pairs, lost)
    order = sorted(order, key=lambda name: name in untested)
    ranked = [name for name in order if name not in untested]
    better = _known(ranked, pairs, lost, higher_is_better=scale.higher_is_better)
    table = _with_ranks(table.set_index("configuration").loc[order].reset_index(), ranked, pairs, better, lost)
    independent = scores[order] if pairing == PAIRED else scores[order].head(0)
    table["best"] = _probability_best(independent, lost, higher_is_better=scale.higher_is_better)
    table = table.sort_values("rank", kind="stable", ignore_index=True)
    leading = tuple(table.loc[table["rank"] == 1, "configuration"])
    advised = _advised(order, pairs, lost, scale, complexity)
    return Ranking(table, pairs, compared, tests, order[0], leading, advised, reference, many, tuple(order))


def at_margin(ranked: Ranking, scale: Scale, complexity: Mapping[str, tuple[float, ...]] | None = None) -> Ranking:
    """The same, had the margin been this scale's: with other relations and advice. Ranks and standing are left as they are."""
    lost = dict(zip(ranked.table["configuration"], ranked.table["diverged"], strict=True))
    ends = (ranked.pairs[end].to_numpy(float) for end in ("low", "high", "inner_low", "inner_high"))
    relation = _relation(concluded(ranked.pairs), *ends, margin=scale.margin)
    pairs = ranked.pairs.assign(relation=relation)
    return replace(ranked, pairs=pairs, advised=_advised(list(ranked.order), pairs, lost, scale, complexity))


def concluded(pairs: pd.DataFrame) -> NDArray[np.bool_]:
    """Of which pairs anything may be said."""
    return (pairs["p"].notna() & (pairs["seeds"] >= LEAST)).to_numpy(bool)


def _relation(
    said: NDArray[np.bool_],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    inner_low: NDArray[np.float64],
    inner_high: NDArray[np.float64],
    *,
    margin: float | None,
) -> "np.ndarray[Any, Any]":
    """What is known of each pair, by the ends of its intervals: what is too small to matter is equivalent, and separated else."""
    relation: np.ndarray[Any, Any] = np.full(len(said), Relation.UNRESOLVED.value, dtype=object)
    relation[said & ((low > 0) | (high < 0))] = Relation.SEPARATED.value
    if margin is not None:
        relation[said & statistics.is_equivalent(inner_low, inner_high, margin)] = Relation.EQUIVALENT.value
    return relation


def _table(scores: pd.DataFrame, lost: Mapping[str, int], scale: Scale, pairing: Pairing) -> pd.DataFrame:
    described: list[dict[str, object]] = []
    means = _means(scores, scale) if pairing.paired else {str(name): float(mean) for name, mean in scores.mean().items()}
    for name in map(str, scores.columns):
        values = scores[name].dropna().to_numpy(float)
        interval = statistics.mean_interval(values, overlap=pairing.overlap)
        moved = means[name] - interval.mean if len(values) else 0.0
        low, high = scale.bounded(interval.low + moved), scale.bounded(interval.high + moved)
        described.append(
            {"configuration": name, "seeds": len(values), "diverged": lost[name], "mean": means[name], "sd": interval.sd / math.sqrt(1 + interval.n * pairing.overlap), "low": low, "high": high}
        )  # fmt: skip
    table = pd.DataFrame(described)
    worst_last = table["mean"].fillna(-math.inf) if scale.higher_is_better else -table["mean"].fillna(math.inf)
    keys = pd.DataFrame({"diverged": table["diverged"] > 0, "goodness": -worst_last, "name": table["configuration"]})
    return table.loc[keys.sort_values(["diverged", "goodness", "name"]).index].reset_index(drop=True)


def _means(scores: pd.DataFrame, scale: Scale) -> dict[str, float]:
    """Each configuration's mean; where some lack blocks, as far from the mean of the one that has most as in the blocks that the two share: order and pairs agree."""
    most = str(scores.columns[int(scores.notna().sum().to_numpy().argmax())])
    base, plain = scores[most], scores.mean()
    means: dict[str, float] = {}
    for name in scores.columns:
        both = scores[name].notna() & base.notna()
        whole = bool((scores[name].notna() == base.notna()).all()) or not both.any()
        mean = float(plain[name] if whole else plain[most] + (scores[name] - base)[both].mean())
        means[str(name)] = mean if whole else scale.bounded(mean)
    return means


def _index(order: list[str], compared: str, reference: str | None) -> NDArray[np.int64]:
    """Which pairs are compared, as places in the order; the earlier one first."""
    n = len(order)
    if compared == "each":
        found = list(itertools.combinations(range(n), 2))
    else:
        fixed = order.index(reference) if reference else 0
        found = [(min(i, fixed), max(i, fixed)) for i in range(n) if i != fixed]
    return np.array(found, dtype=np.int64).reshape(-1, 2)


def _pairs(
    scores: pd.DataFrame,
    there: pd.DataFrame,
    index: NDArray[np.int64],
    scale: Scale,
    looked: Looks,
    tests: int,
    pairing: Pairing,
    *,
    borrowing: bool,
) -> pd.DataFrame:
    """All at once: arrays of shape (pairs, blocks); `borrowing`: by moderated variances, where the number of blocks was fixed and none is missing."""
    names = [str(name) for name in scores.columns]
    values, runs = scores.to_numpy(float).T, there.to_numpy(bool).T
    first, second = index.T
    together = (runs[first] & runs[second]).sum(-1) if pairing.paired else np.minimum(runs[first].sum(-1), runs[second].sum(-1))
    rule = looked.rule(together, tests)
    found = statistics.compare(values[first], values[second], pairing, resolution=scale.unit.resolution, rule=rule)
    if borrowing and not rule.anytime.any() and np.isfinite(values).all() and values.shape[1] >= LEAST:
        borrowed = moderated(values, index, rule, resolution=scale.unit.resolution)
        found = found if borrowed is None else borrowed
    said, ends = found.decidable & (found.n >= LEAST), (found.low, found.high, found.inner_low, found.inner_high)
    columns: dict[str, Any] = {
        "first": [names[i] for i in index[:, 0]],
        "second": [names[i] for i in index[:, 1]],
        "seeds": found.n,
        "mean": found.mean,
        "sd": found.sd,
        "low": found.low,
        "high": found.high,
        "inner_low": found.inner_low,
        "inner_high": found.inner_high,
        "p": found.p,
        "p_adjusted": np.minimum(1.0, found.p * looked.alpha / rule.alpha),
        "alpha": rule.alpha,
        "anytime": rule.anytime,
        "relation": _relation(said, *ends, margin=scale.margin),
    }
    return pd.DataFrame(columns)


def moderated(
    values: NDArray[np.float64], index: NDArray[np.int64], rule: Rule, *, resolution: float = 0.0
) -> Estimates | None:
    """Differences of configurations, `values` (configurations, blocks) without a gap, `index` (pairs, 2), by variances that are moderated across configurations.

    A configuration's own variance is of what is left of its values without their block's mean. It is drawn towards what all have in common (Smyth 2004), but never
    below what it was: one that is rougher than the rest stays so. A pair's variance is the sum of both, with Satterthwaite's degrees of freedom. `resolution` is the step in which
    the values come: none varies by less than its rounding. None where one does not vary: nothing can be drawn from that, or towards it.
    """
    k, n = values.shape
    left = values - values.mean(0)
    own = left.var(-1, ddof=1) * k / (k - 1)
    own = np.maximum(np.where(np.sqrt(own) <= statistics.SAME * abs(values).max(), 0.0, own), resolution**2 / 12)
    if not own.all():
        return None
    drawn, freedom = statistics.moderated(own, n - 1)
    freedom = np.where(drawn >= own, np.minimum(freedom, (n - 1) * (k - 1)), n - 1)
    drawn = np.maximum(drawn, own)
    first, second = index.T
    variance = drawn[first] + drawn[second]
    together = variance**2 / (drawn[first] ** 2 / freedom[first] + drawn[second] ** 2 / freedom[second])
    mean = values[first].mean(-1) - values[second].mean(-1)
    return statistics.infer(np.full(len(index), n), mean, np.sqrt(variance), rule, freedom=together)


def _untested(pairs: pd.DataFrame, lost: Mapping[str, int]) -> set[str]:
    """Configurations without any test, if there are tests at all; diverged ones have a place."""
    tested = pairs[pairs["p"].notna() & (pairs["seeds"] >= LEAST)]
    if tested.empty:
        return set()
    concerned = {*tested["first"], *tested["second"]}
    return {name for name in {*pairs["first"], *pairs["second"]} if name not in concerned and not lost[name]}


def _known(order: list[str], pairs: pd.DataFrame, lost: Mapping[str, int], *, higher_is_better: bool) -> NDArray[np.bool_]:
    """Which is known to be better than which, (k, k): what is shown, and what follows from it."""
    place = {name: i for i, name in enumerate(order)}
    better = np.zeros((len(order), len(order)), bool)
    for row in rows(pairs[pairs["relation"] == Relation.SEPARATED]):
        first, second = place[row["first"]], place[row["second"]]  # what is separated was tested
        better[(first, second) if (row["mean"] > 0) == higher_is_better else (second, first)] = True
    diverged = np.array([lost[name] > 0 for name in order], bool)
    better[diverged] = False
    better[np.ix_(~diverged, diverged)] = True
    while True:
        further = better | ((better.astype(np.float32) @ better.astype(np.float32)) > 0)
        if (further == better).all():
            return better
        better = further


def _with_ranks(
    table: pd.DataFrame, order: list[str], pairs: pd.DataFrame, better: NDArray[np.bool_], lost: Mapping[str, int]
) -> pd.DataFrame:
    """The table, which begins with `order`, with rank, rank_to and standing."""
    after = len(table) - len(order)
    rank, rank_to = (
        np.append(places, np.full(after, len(table))) for places in (1 + better.sum(0), len(order) - better.sum(1))
    )
    alike = {name: set[str]() for name in order}
    for row in rows(pairs[pairs["relation"] == Relation.EQUIVALENT]):
        alike[row["first"]].add(row["second"])
        alike[row["second"]].add(row["first"])
    standing: list[str] = []
    for i, name in enumerate(order):
        others = {other for j, other in enumerate(order) if j != i and not better[i, j] and not better[j, i]}
        standing.append(
            DIVERGED if lost[name] else Relation.SEPARATED if not others else Relation.EQUIVALENT if others <= alike[name] else Relation.UNRESOLVED
        )  # fmt: skip
    table.insert(1, "rank", rank)
    table.insert(2, "rank_to", rank_to)
    table.insert(3, "standing", [*(str(word) for word in standing), *([UNTESTED] * after)])
    return table


def _advised(
    order: list[str],
    pairs: pd.DataFrame,
    lost: Mapping[str, int],
    scale: Scale,
    complexity: Mapping[str, tuple[float, ...]] | None,
) -> tuple[str, ...]:
    """Those that are shown not to be worse than any that they were compared with by the margin, the leader among these; the simplest first, else in order.

    Without a margin, only who is separated from all others.
    """
    if len(order) < 2 or lost[order[0]] or not concluded(pairs).any():
        return ()
    margin, sign = scale.margin or 0.0, 1 if scale.higher_is_better else -1
    interval = ("low", "high") if scale.margin is None else ("inner_low", "inner_high")
    holds: dict[str, dict[str, bool]] = {name: {} for name in order}
    for row in rows(pairs):
        low, high = sorted(sign * row[end] for end in interval)
        said = math.isfinite(row["p"]) and row["seeds"] >= LEAST
        holds[row["first"]][row["second"]] = said and low > -margin
        holds[row["second"]][row["first"]] = said and -high > -margin
    whole = [name for name in order if not lost[name]]
    leader, rivals = order[0], set(whole[1:])
    if not rivals <= holds[leader].keys():
        return ()  # nobody compared the leader with all others
    standing = [name for name in whole if name == leader or leader in holds[name]]
    standing = [name for name in standing if all(held for other, held in holds[name].items() if other in whole)]
    if leader not in standing:
        return ()
    return tuple(sorted(standing, key=lambda name: complexity[name]) if complexity else standing)


def _probability_best(scores: pd.DataFrame, lost: Mapping[str, int], *, higher_is_better: bool) -> np.ndarray:
    common = scores.dropna()
    if len(common) < BEST_FROM or any(lost.values()):
        return np.full(len(scores.columns), np.nan)
    values = common.to_numpy(float)
    return statistics.probability_best(values if higher_is_better else -values, np.random.default_rng(0))
