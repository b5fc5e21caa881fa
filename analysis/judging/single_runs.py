"""What single runs, judged by the best epoch, would have concluded of several configurations, and of one against itself."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from regstudy.schema import Summary

from ..reading.measures import Scale
from ..reading.trials import TEST_IMAGES
from . import statistics
from .statistics import Rule

TIED = "tied"
ROUNDING = 1e-9
SPLIT_FROM, SPLITS = 10, 10_000
"""Runs from which a configuration is split into two groups, and how often."""

TWO_IMAGES = 2
BEST = Summary.BEST_TEST_ACCURACY.value


@dataclass(frozen=True)
class Contest:
    """Winners of one-seed contests: by the best epoch, with any lead; `clear`: how often the winner leads by two test images or more.

    `itself`: each configuration of at least ten runs against itself: configuration and what `against_itself` gives.
    """

    table: pd.DataFrame
    clear: float
    itself: pd.DataFrame


def contest(runs: pd.DataFrame, key: str, scale: Scale, alpha: float) -> Contest | None:
    """Of runs that have the accuracy of their best epoch, on so many test images, and the endpoint in the column `key`; None of fewer than two configurations."""
    best = {
        str(name): own[BEST].dropna().to_numpy(float)
        for name, own in runs.groupby("configuration", sort=False)
        if own[BEST].notna().any()
    }
    if len(best) < 2:
        return None
    two_images = TWO_IMAGES / int(runs[TEST_IMAGES].iloc[0])
    lead = wins(best, two_images)
    itself: list[dict[str, object]] = []
    for name, own in runs[runs[key].notna()].groupby("configuration", sort=False):
        scores, epochs = (own[column].to_numpy(float) for column in (key, BEST))
        split = against_itself(scores, epochs, scale, alpha, two_images, np.random.default_rng(0))
        if split is not None:
            itself.append({"configuration": str(name), **split})
    return Contest(wins(best), float(1 - lead["share"].iloc[-1]), pd.DataFrame(itself))


def wins(scores: Mapping[str, np.ndarray], lead: float = 0.0) -> pd.DataFrame:
    """How often each configuration wins if one of its scores is drawn, independently of the others'; exact, no simulation.

    `scores`: name to shape (n,), higher is better. A win needs more than every other, and at least `lead` more. Gives columns configuration
    and share; the last row, named 'tied', is the share of contests that nobody wins.
    """
    shares = {name: _share(name, scores, lead) for name in scores}
    return pd.DataFrame({"configuration": [*shares, TIED], "share": [*shares.values(), max(0.0, 1 - sum(shares.values()))]})


def against_itself(
    scores: np.ndarray, best: np.ndarray, scale: Scale, alpha: float, lead: float, rng: np.random.Generator
) -> dict[str, float] | None:
    """An A/A test: runs of one configuration, split at random into two equal groups many times, as if they were two configurations.

    `scores` and `best` (each run's endpoint and its best epoch's score, higher is better) of shape (n,). Gives shares of splits: `separated`
    and `equivalent` by the ranking's rule (paired t test; pairs are random too), and `named`: of contests of one run against another by the
    best epoch, exact, how many have a lead of at least `lead`. None below ten runs.
    """
    n = len(scores)
    if n < SPLIT_FROM:
        return None
    half = n // 2
    drawn = rng.permuted(np.tile(scores, (SPLITS, 1)), axis=1)
    rule = Rule(np.array(alpha), np.array(False))
    found = statistics.paired(drawn[:, :half], drawn[:, half : 2 * half], resolution=scale.unit.resolution, rule=rule)
    equivalent = (
        statistics.is_equivalent(found.inner_low, found.inner_high, scale.margin)
        if scale.margin is not None
        else np.zeros(SPLITS, bool)
    )
    apart = abs(best[:, None] - best[None, :])[np.triu_indices(n, 1)]
    return {
        "runs": n,
        "group": half,
        "separated": float(((found.p < alpha) & ~equivalent).mean()),
        "equivalent": float(equivalent.mean()),
        "named": float((apart >= lead - ROUNDING).mean()),
    }


def _share(name: str, scores: Mapping[str, np.ndarray], lead: float) -> float:
    """Mean over its own scores of the product, over the others, of the share that lies below by the lead."""
    own = scores[name][:, None]
    needed = max(lead, 2 * ROUNDING) - ROUNDING
    below = [(own - other[None, :] >= needed).mean(1) for rival, other in scores.items() if rival != name]
    return float(np.prod(below, axis=0).mean()) if below else 1.0
