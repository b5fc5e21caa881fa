"""Effects as contrasts within the block, tested over blocks: main effects and interaction of two factors at two levels each, and of a difference with a data set."""

from collections.abc import Sequence
from math import fsum

import numpy as np
import pandas as pd

from . import statistics
from .looks import NOTHING_FIXED, Looks
from .statistics import BY_ITSELF, Estimate, Rule

FACTORS = ("l1", "l2")
DIVISOR = {"first": 2, "second": 2, "both": 1}
"""What a block's signed sum of four cells is divided by: a main effect is a difference of means of two, the interaction one of differences."""


def effects(
    runs: pd.DataFrame, value: str, factors: Sequence[str] = FACTORS, looked: Looks = NOTHING_FIXED
) -> pd.DataFrame | None:
    """Effects on the column `value`, one row each: effect, estimate, low, high (at level 1 − α of an effect's share of α), p, p_adjusted, alpha, anytime, blocks; None if this is no 2 × 2 study.

    `runs` has columns seed, the factors and the value. Levels are coded −½ and +½: a main effect is the mean change from the lower level to the
    higher, the interaction the difference of differences (Montgomery, Design and Analysis of Experiments, chapter 6), in each block, whose own value it is: effects need not
    vary alike. Only blocks that have all four cells count; None with fewer than two, or if nothing varies.
    """
    table = _complete(runs, value, factors)
    if table is None:
        return None
    by_block = [own for _, own in table.groupby("block")]
    rule = looked.rule(len(by_block), len(DIVISOR))
    names = {"first": factors[0], "second": factors[1], "both": " × ".join(factors)}
    rows: list[dict[str, object]] = []
    for term, divisor in DIVISOR.items():
        own = [fsum(_signs(block, term) * block["value"]) / divisor for block in by_block]
        found = statistics.estimate(own, [0.0] * len(own), rule=rule)
        if not found.decidable:
            return None
        effect = names[term].upper().replace(" X ", " × ")
        counted = min(1.0, found.p * looked.alpha / float(rule.alpha))
        tested = {"low": found.low, "high": found.high, "p": found.p, "p_adjusted": counted}
        rows.append(
            {
                "effect": effect,
                "estimate": found.mean,
                **tested,
                "alpha": float(rule.alpha),
                "anytime": bool(rule.anytime),
                "blocks": found.n,
            }
        )
    return pd.DataFrame(rows)


def with_data(
    on: pd.DataFrame, minus: pd.DataFrame, *, ratio: bool = False, resolution: float = 0.0, rule: Rule = BY_ITSELF
) -> Estimate:
    """How much larger a difference between two configurations is on one data set than on another: a value per block, (first − second) on the one minus the same on the other.

    Frames have a row per block and two columns, the configurations; only blocks that all four cells have count. With `ratio`, of logarithms, which gives that of a ratio of ratios: an
    interaction in a metric's own unit may be only its scale. Two data sets say nothing of harder data in general.
    """

    def differences(scores: pd.DataFrame) -> "pd.Series[float]":
        values = scores.where(scores > 0).transform(np.log) if ratio else scores
        return values.iloc[:, 0] - values.iloc[:, 1]

    first, second = differences(on).align(differences(minus), join="inner")
    return statistics.estimate(first, second, resolution=0.0 if ratio else resolution, rule=rule)


def _signs(block: pd.DataFrame, term: str) -> "pd.Series[float]":
    """Of the four cells, ±1."""
    first, second = 2 * block["first"], 2 * block["second"]
    return {"first": first, "second": second, "both": first * second}[term]


def _complete(runs: pd.DataFrame, value: str, factors: Sequence[str]) -> pd.DataFrame | None:
    levels = [sorted(runs[factor].unique()) for factor in factors]
    if [len(found) for found in levels] != [2, 2] or runs["configuration"].nunique() != 4:
        return None
    coded = {
        "block": runs["seed"],
        "value": runs[value],
        "first": runs[factors[0]].map({levels[0][0]: -0.5, levels[0][1]: 0.5}),
        "second": runs[factors[1]].map({levels[1][0]: -0.5, levels[1][1]: 0.5}),
    }
    table = pd.DataFrame(coded).dropna()
    whole = table.groupby("block")["value"].transform("size") == 4
    table = table[whole]
    return table if table["block"].nunique() >= 2 else None
