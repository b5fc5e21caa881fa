"""What the published study reported of single runs: its numbers stand beside ours. Test accuracies in percent, epochs counted from 0."""

from dataclasses import dataclass

import pandas as pd

from analysis import statistics

DATASET, RECIPE, EPOCHS = "mnist", "published", 40


@dataclass(frozen=True)
class Reported:
    """One run of the published study: its highest test accuracy over 40 epochs, and the highest training accuracy."""

    study: str
    l1: float
    l2: float
    test_accuracy: float
    epoch: int
    train_accuracy: float


REPORTED = (
    Reported("V1", 0, 0, 99.47, 25, 99.49),
    Reported("V1", 0.001, 0, 99.45, 28, 99.46),
    Reported("V1", 0, 0.0005, 99.47, 19, 99.13),
    Reported("V1", 0.001, 0.0005, 99.30, 12, 99.12),
    Reported("V2", 0, 0, 99.47, 38, 99.50),
    Reported("V2", 0.0005, 0, 99.43, 39, 99.48),
    Reported("V2", 0, 0.0001, 99.43, 27, 99.39),
    Reported("V2", 0.0005, 0.0001, 99.42, 33, 99.39),
)


def beside(runs: pd.DataFrame) -> pd.DataFrame:
    """Each published number beside the same statistic, the best epoch's test accuracy, of our runs of that configuration; empty if there are none.

    Columns: study, configuration, published (%), seeds, mean, sd, lowest, highest (%), low, high: our 95% prediction interval for a single run, and
    inside: whether the published value lies in it (missing below two seeds).
    """
    rows = [row for reported in REPORTED if (row := _beside(reported, runs)) is not None]
    return pd.DataFrame(rows)


def _beside(reported: Reported, runs: pd.DataFrame) -> dict[str, object] | None:
    same = (runs["l1"] == reported.l1) & (runs["l2"] == reported.l2) & (runs["epochs"] == EPOCHS)
    own = runs[same & (runs["dataset"] == DATASET) & (runs["recipe"] == RECIPE)]
    own = own[own["best_accuracy"].notna()]
    if own.empty or len(own["configuration"].unique()) > 1:
        return None
    best = 100 * own["best_accuracy"].to_numpy(float)
    low, high = statistics.prediction_interval(best)
    return {
        "study": reported.study,
        "configuration": own["configuration"].iloc[0],
        "published": reported.test_accuracy,
        "seeds": len(best),
        "mean": best.mean(),
        "sd": best.std(ddof=1) if len(best) > 1 else None,
        "lowest": best.min(),
        "highest": best.max(),
        "low": low,
        "high": high,
        "inside": bool(low <= reported.test_accuracy <= high) if len(best) > 1 else None,
    }
