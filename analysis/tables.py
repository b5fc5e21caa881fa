"""Tables for the terminal."""

import math

import pandas as pd
from rich.console import Console
from rich.table import Table

from analysis.query import Trials


def show_ranking(table: pd.DataFrame, trials: Trials) -> None:
    """Print the ranking; nothing is emphasised, since no test has been made."""
    n = int(trials.runs["test_images"].iloc[0])
    shown = Table(
        title=f"{trials.source.experiment}: {trials.runs['dataset'].iloc[0]}", title_justify="left", box=None, pad_edge=False
    )
    shown.add_column("configuration")
    for heading in ("seeds", "test accuracy", "SD", f"wrong of {n:,}", "test loss", "best epoch (biased)"):
        shown.add_column(heading, justify="right")
    for row in table.to_dict("records"):
        shown.add_row(
            str(row["configuration"]),
            str(row["seeds"]) + (f" + {row['diverged']} diverged" if row["diverged"] else ""),
            _or_diverged(row["accuracy"], ".2%"),
            f"{row['sd']:.2%}" if row["seeds"] > 1 else "–",
            _or_diverged(row["errors"], ".1f"),
            _or_diverged(row["loss"], ".4f"),
            _or_diverged(row["best_epoch_accuracy_biased"], ".2%"),
        )
    Console().print(shown)


def _or_diverged(number: float, shape: str) -> str:
    return format(number, shape) if math.isfinite(number) else "diverged"
