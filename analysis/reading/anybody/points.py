"""Which number of a curve counts: the mean of its last points, the best, the least, the largest, or that of a step."""

import re

import pandas as pd

from regstudy.errors import UsageError

AT = re.compile(r"step:(-?[0-9]{1,18})")
VALUES = "last, best, min, max or step:N"


def check_value(text: str, option: str = "--value") -> None:
    """UsageError unless it says which number of a curve counts."""
    if text not in {"last", "best", "min", "max"} and AT.fullmatch(text) is None:
        raise UsageError(f"{option} {text!r}: expected {VALUES}")


def ends(points: pd.DataFrame, value: str, last: int, *, higher: bool) -> pd.DataFrame:
    """Of points in order of steps (run_id, step, value): value and averaged, by run_id; NaN where what is asked for, or the last, is no number.

    What a diverged run was before says nothing about where it went.
    """
    by_run = points.groupby("run_id", sort=False)
    if (at := AT.fullmatch(value)) is not None:
        there = points[points["step"] == int(at[1])].set_index("run_id")["value"]
        return pd.DataFrame({"value": there, "averaged": 1})
    if value == "last":
        tails = by_run.tail(last).groupby("run_id", sort=False)["value"]
        return pd.DataFrame({"value": tails.mean().where(tails.count() == tails.size()), "averaged": tails.size()})
    largest = value == "max" or (value == "best" and higher)
    found = by_run["value"].max() if largest else by_run["value"].min()
    ended = by_run["value"].last(skipna=False).notna()
    return pd.DataFrame({"value": found.where(ended), "averaged": 1})


def taken(value: str) -> str:
    """Which number counts, to follow a metric's name; empty where it is the last."""
    if (at := AT.fullmatch(value)) is not None:
        return f", that of step {int(at[1]):,}"
    words = {"best": ", the best of each run: biased, since its result chose it", "min": ", the least of each run", "max": ", the largest of each run"}  # fmt: skip
    return words.get(value, "")
