"""Runs that go on where another run ended, as whoever resumes a training leaves them: one run, not two repeats."""

import pandas as pd

from regstudy.console.terminal import plural

NEXT = 2
"""Of a curve's usual distances between two points, so many may lie between its end and the start of what goes on."""


def into(runs: pd.DataFrame, points: pd.DataFrame) -> dict[str, str]:
    """The ID of each run that goes on, and that of the first which it goes on from.

    Only where all runs of a group and block are one curve after the other, of two points or more each: of several repeats nobody knows which was resumed.
    """
    spans = points.groupby("run_id")["step"].agg(first="min", last="max", points="nunique")
    own = runs.join(spans, on="run_id", how="inner")
    found: dict[str, str] = {}
    for _, cell in own.groupby(["configuration", "seed"], sort=False):
        if len(cell) > 1 and _is_one(cell := cell.sort_values("first")):
            head, *rest = cell["run_id"]
            found |= dict.fromkeys(rest, head)
    return found


def _is_one(cell: pd.DataFrame) -> bool:
    distance = (cell["last"] - cell["first"]) / (cell["points"] - 1).clip(lower=1)
    gap = cell["first"].shift(-1) - cell["last"]
    between = gap[:-1]
    return bool((cell["points"] > 1).all() and (between > 0).all() and (between <= NEXT * distance[:-1]).all())


def told(number: int) -> str:
    """What was done, as a notice."""
    return (
        f"{plural(number, 'run')} going on where another of the same group and block ended, counted as one with it"
        if number
        else ""
    )
