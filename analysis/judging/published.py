"""What the published study reported of single runs: its numbers stand beside ours. Accuracies in percent, epochs counted from 0."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from regstudy.config import RunConfig
from regstudy.schema import Metric, Summary

from ..reading.trials import Trials
from . import statistics

CONFIGURATION = {
    name: value for name, value in RunConfig(dataset="mnist").identity().items() if name not in {"l1", "l2", "seed"}
}
"""What all of its runs have in common: the recipe to the letter. Ours that differ in any of it are of another study."""


@dataclass(frozen=True)
class Reported:
    """One run of the published study: its highest test accuracy over 40 epochs, its highest training accuracy, and when each was reached."""

    study: str
    l1: float
    l2: float
    test_accuracy: float
    test_epoch: int
    train_accuracy: float
    train_epoch: int


REPORTED = (
    Reported("V1", 0, 0, 99.47, 25, 99.49, 37),
    Reported("V1", 0.001, 0, 99.45, 28, 99.46, 38),
    Reported("V1", 0, 0.0005, 99.47, 19, 99.13, 35),
    Reported("V1", 0.001, 0.0005, 99.30, 12, 99.12, 39),
    Reported("V2", 0, 0, 99.47, 38, 99.50, 33),
    Reported("V2", 0.0005, 0, 99.43, 39, 99.48, 38),
    Reported("V2", 0, 0.0001, 99.43, 27, 99.39, 38),
    Reported("V2", 0.0005, 0.0001, 99.42, 33, 99.39, 27),
)


DESIGN = "published"
"""The shipped design of its first version."""

APART = ", as many as the best epochs of none and L1 0.001 are apart in the study that this one repeats"
"""Of a lead of two test images; said in the report of its own design and in no other."""

PERCENT = 100
BEST, TRAINING = Summary.BEST_TEST_ACCURACY.value, Metric.TRAIN_ACCURACY.value
NUMBERS = {
    "test accuracy (%)": ("test_accuracy", BEST, PERCENT),
    "its epoch": ("test_epoch", Summary.BEST_EPOCH.value, 1),
    "training accuracy (%)": ("train_accuracy", "best_train_accuracy", PERCENT),
    "its epoch, of training": ("train_epoch", "best_train_epoch", 1),
}
"""What was reported: its name here, there, the column of our runs that is the same statistic, and the factor to its unit."""


def beside(trials: Trials) -> pd.DataFrame:
    """Each published number beside the same statistic of our runs of that configuration; empty if there are none.

    Columns: study, configuration, number, published, seeds, mean, sd, lowest, highest, low, high: our 95% prediction interval for a single
    run, and inside: whether the published value lies in it. Both are missing below two seeds and for epochs, which are bounded and skewed: no t
    interval holds for them. Accuracies in percent, epochs counted from 0.
    """
    if not trials.has(*CONFIGURATION, "l1", "l2", BEST):
        return pd.DataFrame()
    runs = trials.runs.merge(_best_in_training(trials.epochs), left_on="run_id", right_index=True)
    return pd.DataFrame([row for reported in REPORTED for row in _beside(reported, runs)])


def _best_in_training(epochs: pd.DataFrame) -> pd.DataFrame:
    """Each run's first epoch with the highest training accuracy."""
    known = epochs[epochs[TRAINING].notna()].sort_values(["run_id", "epoch"])
    best = known.loc[known.groupby("run_id")[TRAINING].idxmax()].set_index("run_id")
    return best[[TRAINING, "epoch"]].set_axis(["best_train_accuracy", "best_train_epoch"], axis=1)


def _beside(reported: Reported, runs: pd.DataFrame) -> list[dict[str, object]]:
    wanted = {**CONFIGURATION, "l1": reported.l1, "l2": reported.l2}
    same = np.logical_and.reduce([runs[name] == value for name, value in wanted.items()])
    own = runs[same & runs[BEST].notna()]
    if own.empty or len(own["configuration"].unique()) > 1:
        return []
    rows: list[dict[str, object]] = []
    for number, (theirs, column, factor) in NUMBERS.items():
        published, ours = getattr(reported, theirs), factor * own[column].dropna().to_numpy(float)
        if not len(ours):
            continue
        low, high = np.clip(statistics.prediction_interval(ours), 0, PERCENT) if factor == PERCENT else (math.nan, math.nan)
        rows.append(
            {
                "study": reported.study,
                "configuration": own["configuration"].iloc[0],
                "number": number,
                "published": published,
                "seeds": len(ours),
                "mean": ours.mean(),
                "sd": ours.std(ddof=1) if len(ours) > 1 else None,
                "lowest": ours.min(),
                "highest": ours.max(),
                "low": low,
                "high": high,
                "inside": bool(low <= published <= high) if math.isfinite(low) else None,
            }
        )
    return rows
