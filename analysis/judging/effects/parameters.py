"""How a metric follows each parameter over many runs that are each a configuration of their own, as a search leaves them."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# scipy carries no types.

import math
from typing import Any

import numpy as np
import pandas as pd
from scipy import special  # pyright: ignore[reportMissingTypeStubs]  # it has none

from ...reading.anybody.values import is_number
from .. import statistics

COLUMNS = ["parameter", "kind", "runs", "values", "strength", "low", "high", "p", "p_adjusted"]
NUMBER, CATEGORY = "number", "category"
FEWEST, MOST_LEVELS = 10, 20
"""Runs below which nothing is said of a parameter, and values up to which it may be a category."""


def responses(varied: pd.DataFrame, scores: "pd.Series[float]") -> pd.DataFrame:
    """A row per parameter, the clearest first: parameter, kind, runs, values, strength, low, high (95%), p, p_adjusted (Holm's, over all).

    `varied`: a row per run, a column per parameter, texts or None; `scores`: each run's, NaN where it has none. Of a number `strength` is Spearman's rank correlation, with Bonett and Wright's
    interval (2000), of a category with few values the share of the ranks' variance between them beyond chance, η² = (H − k + 1)/(n − k) (Tomczak and Tomczak 2014), with Kruskal and Wallis' test (1952); of others nothing is said.
    """
    there = scores.notna().to_numpy()
    found = [row for name in varied if (row := _response(str(name), varied[name][there], scores[there])) is not None]
    table = pd.DataFrame(found, columns=COLUMNS[:-1])
    table["p_adjusted"] = statistics.holm(table["p"].to_numpy(float)) if len(table) else []
    return table.sort_values(["p", "parameter"], ignore_index=True)


def _response(name: str, values: "pd.Series[Any]", scores: "pd.Series[float]") -> dict[str, object] | None:
    known = values.notna().to_numpy()
    own, y = values[known].astype(str), scores[known].to_numpy(float)
    levels = own.nunique()
    if len(own) < FEWEST or levels < 2:
        return None
    row: dict[str, object] = {"parameter": name, "runs": len(own), "values": levels}
    if levels > 2 and own.map(is_number).all():
        return row | _by_number(own.astype(float).to_numpy(), y)
    return row | _by_category(own, y) if levels <= MOST_LEVELS else None


def _by_number(x: np.ndarray, y: np.ndarray) -> dict[str, object]:
    if np.ptp(y) == 0:
        return {"kind": NUMBER, "strength": math.nan, "low": math.nan, "high": math.nan, "p": math.nan}
    from scipy import stats  # pyright: ignore[reportMissingTypeStubs]  # here: it takes half a second

    rho, p = map(float, stats.spearmanr(x, y))
    half = float(special.ndtri((1 + statistics.LEVEL) / 2)) * math.sqrt((1 + rho**2 / 2) / (len(x) - 3))
    z = math.atanh(min(max(rho, -1 + 1e-12), 1 - 1e-12))
    return {"kind": NUMBER, "strength": rho, "low": math.tanh(z - half), "high": math.tanh(z + half), "p": p}


def _by_category(levels: "pd.Series[str]", y: np.ndarray) -> dict[str, object]:
    from scipy import stats  # pyright: ignore[reportMissingTypeStubs]  # here: it takes half a second

    groups = [y[(levels == level).to_numpy()] for level in sorted(set(levels))]
    if np.ptp(y) == 0:
        strength = p = math.nan
    else:
        h, p = map(float, stats.kruskal(*groups))
        strength = max(0.0, (h - len(groups) + 1) / max(1, len(y) - len(groups)))
    return {"kind": CATEGORY, "strength": strength, "low": math.nan, "high": math.nan, "p": p}
