"""Frames to plain rows, and to CSV that no spreadsheet takes for formulas."""

import re
from collections.abc import Iterable
from typing import Any

import pandas as pd

from regstudy.console.text import visible

FORMULA = re.compile(r"'*\s*[=+\-@＝＋－＠]")
NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?|[-+]?inf|[-+]?nan", re.IGNORECASE)


def rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """A frame's rows as dictionaries by column name."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def visible_names(names: Iterable[object]) -> dict[object, object]:
    """By name, how it can be shown anywhere; two names stay two."""
    shown: dict[object, object] = {}
    for name in names:
        text = visible(name) if isinstance(name, str) else name
        shown[name] = f"{text} ({len(shown) + 1})" if text in shown.values() else text
    return shown


def csv(frame: pd.DataFrame) -> str:
    """A frame as CSV. Numbers stay numbers, whatever their sign; a text that a spreadsheet would take for a formula gets an apostrophe before it.

    The apostrophe is what spreadsheets themselves put before text. To have the text back, take one away where `= + - @`, or another
    apostrophe before these, follows. What cannot be seen, such as an escape sequence or a newline, is written as its escape.
    """
    texts = frame.select_dtypes(exclude=["number", "bool"]).columns
    safe = frame.assign(**{name: frame[name].map(_cell) for name in texts}).rename(columns=_cell)
    return safe.to_csv(index=False, lineterminator="\n")


def _cell(value: object) -> object:
    if not isinstance(value, str):
        return value
    text = visible(value)
    return f"'{text}" if FORMULA.match(text) and not NUMBER.fullmatch(text) else text
