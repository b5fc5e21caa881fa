"""When runs ran, in words; by what they say, in UTC."""

from datetime import UTC, datetime

import pandas as pd

from regstudy.schema import Summary

SINCE = 10**11
"""Milliseconds since 1970: what is less is the place of a row in a file, and no time."""

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
"""As strftime has them where nobody has set another language."""

Days = tuple[datetime, datetime]


def days(runs: pd.DataFrame) -> Days | None:
    """When the first run began and the last one ended or, where no run says how long it took, began. None if nobody knows."""
    began = runs["start_time"].dropna() if "start_time" in runs else pd.Series(dtype=float)
    if began.empty or began.min() < SINCE:
        return None
    ended = began + 1000 * seconds(runs).reindex(began.index).fillna(0)
    first, last = (datetime.fromtimestamp(float(ms) / 1000, UTC) for ms in (began.min(), ended.max()))
    return first, last


def seconds(runs: pd.DataFrame) -> pd.Series:
    """How long each took; NaN where it does not say."""
    name = Summary.WALL_SECONDS.value
    return runs[name] if name in runs else pd.Series(float("nan"), index=runs.index)


def day(when: datetime) -> str:
    """Such as 9 Nov 2026."""
    return f"{when.day} {MONTHS[when.month - 1]} {when.year}"


def period(known: Days | None) -> str:
    """From the first day to the last; empty if it is not known."""
    if known is None:
        return ""
    first, last = known
    if (first.year, first.month) == (last.year, last.month) and first.day != last.day:
        return f"{first.day} to {day(last)}"
    return " to ".join(dict.fromkeys(map(day, known)))
