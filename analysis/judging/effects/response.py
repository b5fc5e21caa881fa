"""How the endpoint follows the strength of one regulariser, all else equal."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from regstudy.config import strengths

from ...reading.measures import Scale
from .. import statistics
from .factorial import FIELDS


@dataclass(frozen=True)
class Response:
    """How the endpoint follows one factor, all else equal: `scores` value, seed, score; `summary` value, seeds, mean, low, high."""

    factor: str
    scores: pd.DataFrame
    summary: pd.DataFrame


def responses(runs: pd.DataFrame, key: str, scale: Scale) -> tuple[Response, ...]:
    """For each regulariser with three strengths or more, of the runs that are otherwise like the simplest."""
    found: list[Response] = []
    varying = [name for name in FIELDS if name in runs and len(set(runs[name])) > 1]
    base = runs.sort_values([name for name in strengths() if name in runs], kind="stable").iloc[0]
    for factor in (name for name in strengths() if name in varying):
        alike = [runs[other] == base[other] for other in varying if other != factor]
        own = runs[np.logical_and.reduce([runs[key].notna(), *alike])]
        if own[factor].nunique() < 3:
            continue
        scores = pd.DataFrame({"value": own[factor], "seed": own["seed"], "score": own[key]}).reset_index(drop=True)
        found.append(Response(factor, scores, _summarised(scores, scale)))
    return tuple(found)


def _summarised(scores: pd.DataFrame, scale: Scale) -> pd.DataFrame:
    summary = []
    for value, own in scores.groupby("value"):
        interval = statistics.mean_interval(own["score"].to_numpy(float))
        ends = {"low": scale.bounded(interval.low), "high": scale.bounded(interval.high)}
        summary.append({"value": value, "seeds": interval.n, "mean": interval.mean, **ends})
    return pd.DataFrame(summary)
