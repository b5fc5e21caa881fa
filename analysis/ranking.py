"""Configurations in order of their endpoint. States means, spreads and numbers of seeds; does not say that a difference is real."""

import numpy as np
import pandas as pd
from scipy import stats

LEVEL = 0.95
COLUMNS = (
    "configuration",
    "seeds",
    "accuracy",
    "sd",
    "low",
    "high",
    "errors",
    "loss",
    "best_epoch_accuracy_biased",
    "epochs_averaged",
    "diverged",
)


def rank(runs: pd.DataFrame) -> pd.DataFrame:
    """One row per configuration, best endpoint first; `seeds` is how many are in the means.

    `accuracy`, `loss`: means over seeds of the mean over each run's last epochs. `sd`: of the seeds' accuracies, missing for one seed; so
    are `low` and `high`, the 95% t interval of the mean.
    `errors`: the accuracy as wrong test images. `best_epoch_accuracy_biased`: mean over seeds of the highest accuracy of any epoch, which
    was chosen on the test images and so is too high. `diverged`: seeds whose run left the numbers; they are in no mean, and a configuration
    with such a seed ranks behind those without.
    """
    grouped = runs.groupby("configuration", sort=False)
    table = pd.DataFrame(
        {
            "seeds": grouped["accuracy"].count(),
            "accuracy": grouped["accuracy"].mean(),
            "sd": grouped["accuracy"].std(ddof=1),
            "errors": (1 - grouped["accuracy"].mean()) * grouped["test_images"].first(),
            "loss": grouped["loss"].mean(),
            "best_epoch_accuracy_biased": grouped["best_accuracy"].mean(),
            "epochs_averaged": grouped["averaged"].min(),
            "diverged": grouped["diverged"].sum(),
        }
    ).reset_index()
    by = ["diverged", "accuracy", "loss", "configuration"]
    half = stats.t.ppf((1 + LEVEL) / 2, table["seeds"].clip(lower=2) - 1) * table["sd"] / np.sqrt(table["seeds"].clip(lower=1))
    table = table.assign(low=table["accuracy"] - half, high=table["accuracy"] + half)
    return table.sort_values(by, ascending=[True, False, True, True], ignore_index=True)[list(COLUMNS)]


def standing(table: pd.DataFrame) -> str:
    """What the ranking allows to be said, in one sentence."""
    fewest, most = int(table["seeds"].min()), int(table["seeds"].max())
    if len(table) == 1:
        return "One configuration: there is nothing to compare it with yet."
    if fewest == 1:
        who = "each configuration" if most == 1 else "at least one configuration"
        return f"One seed for {who} allows no conclusion: the order below may be chance."
    seeds = f"{fewest}" if fewest == most else f"{fewest} to {most}"
    return f"{seeds} seeds per configuration: means and spreads, not tests; the order below may be chance."
