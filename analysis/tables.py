"""Tables for the terminal."""

import math

import pandas as pd
from rich.console import Console
from rich.table import Table

from analysis.query import Trials


def show_ranking(table: pd.DataFrame, trials: Trials) -> None:
    """Print the ranking; nothing is emphasised, since no test has been made."""
    n = int(trials.runs["test_images"].iloc[0])
    title = (
        f"{trials.source.experiment}: {trials.runs['dataset'].iloc[0]}, {n:,} test images; ± is the 95% interval of the mean"
    )
    shown = Table(title=title, title_justify="left", box=None, pad_edge=False)
    shown.add_column("configuration", no_wrap=True)
    for heading in ("seeds", "accuracy (%)", "SD", "wrong", "test loss", "best epoch,\nbiased"):
        shown.add_column(heading, justify="right")
    for row in table.to_dict("records"):
        several = row["seeds"] > 1
        shown.add_row(
            str(row["configuration"]),
            str(row["seeds"]) + (f" + {row['diverged']} diverged" if row["diverged"] else ""),
            _or_diverged(100 * row["accuracy"], ".2f") + (f" ± {50 * (row['high'] - row['low']):.2f}" if several else ""),
            f"{100 * row['sd']:.2f}" if several else "–",
            _or_diverged(row["errors"], ".1f"),
            _or_diverged(row["loss"], ".4f"),
            _or_diverged(100 * row["best_epoch_accuracy_biased"], ".2f"),
        )
    Console().print(shown)


def _or_diverged(number: float, shape: str) -> str:
    return format(number, shape) if math.isfinite(number) else "diverged"
