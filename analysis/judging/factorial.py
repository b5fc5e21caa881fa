"""Main effects and interaction of a study of two factors at two levels each, by ordinary least squares with the block as a factor."""

from collections.abc import Sequence

import pandas as pd
from statsmodels.formula.api import ols  # pyright: ignore[reportMissingTypeStubs]

FACTORS = ("l1", "l2")
LEVEL = 0.95


def effects(runs: pd.DataFrame, value: str, factors: Sequence[str] = FACTORS) -> pd.DataFrame | None:
    """Effects on the column `value`, one row each: effect, estimate, low, high (95%), p, blocks; None if this is no 2 × 2 study.

    `runs` has columns seed, the factors and the value. Levels are coded −½ and +½: a main effect is the mean change from the lower level to the
    higher, the interaction the difference of differences (Montgomery, Design and Analysis of Experiments, chapter 6). Only blocks that have
    all four cells count; None with fewer than two.
    """
    table = _complete(runs, value, factors)
    if table is None:
        return None
    fit = ols("value ~ first * second + C(block)", table).fit()
    intervals = fit.conf_int(1 - LEVEL)
    names = {"first": factors[0], "second": factors[1], "first:second": " × ".join(factors)}
    rows = [
        {
            "effect": name.upper().replace(" X ", " × "),
            "estimate": float(fit.params[term]),
            "low": float(intervals.loc[term, 0]),
            "high": float(intervals.loc[term, 1]),
            "p": float(fit.pvalues[term]),
            "blocks": int(table["block"].nunique()),
        }
        for term, name in names.items()
    ]
    return pd.DataFrame(rows) if fit.mse_resid > 0 else None


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
