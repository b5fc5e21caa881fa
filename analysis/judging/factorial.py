"""Main effects and interaction of a study of two factors at two levels each, by ordinary least squares with the block as a factor.

The layout is balanced, so the least-squares estimates are means; their sums are rounded once, so that every machine gives the same digits.
"""

import math
from collections.abc import Sequence
from math import fsum

import pandas as pd
from scipy import stats  # pyright: ignore[reportMissingTypeStubs]  # it has none

FACTORS = ("l1", "l2")
LEVEL = 0.95
SCALE = {"first": 2, "second": 2, "both": 1}
"""What a block's signed sum of four cells is divided by: a main effect is a difference of means of two, the interaction one of differences."""


def effects(runs: pd.DataFrame, value: str, factors: Sequence[str] = FACTORS) -> pd.DataFrame | None:
    """Effects on the column `value`, one row each: effect, estimate, low, high (95%), p, blocks; None if this is no 2 × 2 study.

    `runs` has columns seed, the factors and the value. Levels are coded −½ and +½: a main effect is the mean change from the lower level to the
    higher, the interaction the difference of differences (Montgomery, Design and Analysis of Experiments, chapter 6). Only blocks that have
    all four cells count; None with fewer than two.
    """
    table = _complete(runs, value, factors)
    if table is None:
        return None
    by_block = [own for _, own in table.groupby("block")]
    estimates = {term: _mean([fsum(_signs(own, term) * own["value"]) for own in by_block]) / SCALE[term] for term in SCALE}
    residual = _residual_mean_square(by_block, estimates)
    if residual == 0:
        return None
    names = {"first": factors[0], "second": factors[1], "both": " × ".join(factors)}
    rows = [
        {"effect": names[term].upper().replace(" X ", " × ")}
        | _inference(estimate, 2 * math.sqrt(residual / len(by_block)) / SCALE[term], 3 * (len(by_block) - 1))
        | {"blocks": len(by_block)}
        for term, estimate in estimates.items()
    ]
    return pd.DataFrame(rows)


def _signs(block: pd.DataFrame, term: str) -> "pd.Series[float]":
    """Of the four cells, ±1."""
    first, second = 2 * block["first"], 2 * block["second"]
    return {"first": first, "second": second, "both": first * second}[term]


def _residual_mean_square(by_block: list[pd.DataFrame], estimates: dict[str, float]) -> float:
    squares = []
    for own in by_block:
        fitted = _mean(own["value"]) + sum(_signs(own, term) * SCALE[term] * estimates[term] / 4 for term in SCALE)
        squares += list((own["value"] - fitted) ** 2)
    return fsum(squares) / (3 * (len(by_block) - 1))


def _inference(estimate: float, error: float, freedom: int) -> dict[str, float]:
    half = float(stats.t.ppf((1 + LEVEL) / 2, freedom)) * error
    p = 2 * float(stats.t.sf(abs(estimate) / error, freedom))
    return {"estimate": estimate, "low": estimate - half, "high": estimate + half, "p": p}


def _mean(values: "Sequence[float] | pd.Series[float]") -> float:
    return fsum(values) / len(values)


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
