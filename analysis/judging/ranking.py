"""Configurations in order of their endpoint, with ties: each pair is separated, equivalent or unresolved, and only a separation parts ranks."""

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd

from ..files.rows import rows
from ..reading.measures import Scale
from . import statistics

BEST_FROM = 20
"""Seeds from which a bootstrap over seeds is good enough for the probability of being best."""


class Relation(StrEnum):
    """What is known of a pair."""

    SEPARATED = "separated"
    EQUIVALENT = "equivalent"
    UNRESOLVED = "unresolved"


@dataclass(frozen=True)
class Ranking:
    """An order with ties.

    `table`: one row per configuration, by rank, then by mean: configuration, rank, shared, seeds, diverged, mean, sd, low, high (95% t interval of the mean;
    missing below two seeds, or if they do not vary), best (probability; missing below 20 common seeds).
    `pairs`: one row per pair, the higher in the order first: first, second, seeds (common), mean (first − second), sd, low, high (95%), p,
    p_adjusted (Holm, over all pairs), relation.
    `leading`: those that no other is separated from for the better, in order; `simplest` of them, if it is known what simple means.
    """

    table: pd.DataFrame
    pairs: pd.DataFrame
    leading: tuple[str, ...]
    simplest: str | None


def rank(
    scores: pd.DataFrame,
    scale: Scale,
    *,
    alpha: float = 0.05,
    diverged: Mapping[str, int] | None = None,
    complexity: Mapping[str, tuple[float, ...]] | None = None,
) -> Ranking:
    """Rank configurations, the columns of `scores`, by their mean over blocks, its rows; NaN is a missing or diverged run.

    A configuration with diverged runs comes after all without. `complexity` sorts from simple to not.
    """
    lost = {name: (diverged or {}).get(name, 0) for name in map(str, scores.columns)}
    table = _table(scores, lost, higher_is_better=scale.higher_is_better)
    order = list(table["configuration"])
    pairs = _pairs(scores[order], scale, alpha)
    ranks = _ranks(order, pairs, lost, higher_is_better=scale.higher_is_better)
    leading = tuple(name for name in order if ranks[name] == 1)
    table.insert(1, "rank", [ranks[name] for name in order])
    table.insert(2, "shared", [list(ranks.values()).count(ranks[name]) > 1 for name in order])
    table["best"] = _probability_best(scores[order], lost, higher_is_better=scale.higher_is_better)
    table = table.sort_values("rank", kind="stable", ignore_index=True)  # who varies more may be beaten by fewer
    simplest = min(leading, key=lambda name: complexity[name]) if complexity else None
    return Ranking(table, pairs, leading, simplest)


def _table(scores: pd.DataFrame, lost: Mapping[str, int], *, higher_is_better: bool) -> pd.DataFrame:
    described: list[dict[str, object]] = []
    for name in map(str, scores.columns):
        values = scores[name].dropna().to_numpy(float)
        interval = statistics.mean_interval(values)
        spread = {"sd": interval.sd, "low": interval.low, "high": interval.high}
        described.append({"configuration": name, "seeds": len(values), "diverged": lost[name], "mean": interval.mean, **spread})
    table = pd.DataFrame(described)
    worst_last = table["mean"].fillna(-math.inf) if higher_is_better else -table["mean"].fillna(math.inf)
    keys = pd.DataFrame({"diverged": table["diverged"] > 0, "goodness": -worst_last, "name": table["configuration"]})
    return table.loc[keys.sort_values(["diverged", "goodness", "name"]).index].reset_index(drop=True)


def _pairs(scores: pd.DataFrame, scale: Scale, alpha: float) -> pd.DataFrame:
    """All pairs at once: arrays of shape (pairs, blocks)."""
    names = [str(name) for name in scores.columns]
    index = np.array(list(itertools.combinations(range(len(names)), 2)), dtype=int).reshape(-1, 2)
    values = scores.to_numpy(float).T
    found = statistics.paired(values[index[:, 0]], values[index[:, 1]], resolution=scale.unit.resolution)
    adjusted = statistics.holm(found.p)
    relation: np.ndarray[Any, Any] = np.full(len(index), Relation.UNRESOLVED.value, dtype=object)
    relation[adjusted < alpha] = Relation.SEPARATED.value
    if scale.margin is not None:
        relation[statistics.is_equivalent(found.low90, found.high90, scale.margin)] = Relation.EQUIVALENT.value
    columns: dict[str, Any] = {
        "first": [names[i] for i in index[:, 0]],
        "second": [names[i] for i in index[:, 1]],
        "seeds": found.n,
        "mean": found.mean,
        "sd": found.sd,
        "low": found.low,
        "high": found.high,
        "p": found.p,
        "p_adjusted": adjusted,
        "relation": relation,
    }
    return pd.DataFrame(columns)


def _ranks(order: list[str], pairs: pd.DataFrame, lost: Mapping[str, int], *, higher_is_better: bool) -> dict[str, int]:
    """One more than the number of configurations that are separated from it for the better; diverged ones after all others."""
    whole = [name for name in order if not lost[name]]
    beaten = dict.fromkeys(order, 0)
    for row in rows(pairs[pairs["relation"] == Relation.SEPARATED]):
        first_is_better = (row["mean"] > 0) == higher_is_better
        better, worse = (row["first"], row["second"]) if first_is_better else (row["second"], row["first"])
        if not lost[better]:
            beaten[worse] += 1
    return {name: 1 + (len(whole) if lost[name] else beaten[name]) for name in order}


def _probability_best(scores: pd.DataFrame, lost: Mapping[str, int], *, higher_is_better: bool) -> np.ndarray:
    common = scores.dropna()
    if len(common) < BEST_FROM or any(lost.values()):
        return np.full(len(scores.columns), np.nan)
    values = common.to_numpy(float)
    return statistics.probability_best(values if higher_is_better else -values, np.random.default_rng(0))
