"""Whether a text of a report is the one expected, character by character; the first difference if it is not.

What machines and libraries may make otherwise is let differ, and nothing else: the last digits of long numbers, a hundredth of a point where something
is drawn, and how an image is packed. No text is parsed: between those pieces every character counts, so what a browser makes of it is the same.
"""

import base64
import binascii
import math
import re
from collections.abc import Callable
from urllib.parse import unquote

from regstudy.console.text import visible

from . import drawings, pictures

CLOSE = 1e-9
"""Relative difference that another version of a library may make in the last digits."""

UNSEEN_LENGTH = 0.011
"""In points: figures hold hundredths, and which, the last digits decide."""

PIECE = re.compile(
    r"""
    data:image/png;base64,(?P<png>[A-Za-z0-9+/=\s]*)
    | data:text/csv;charset=utf-8,(?P<csv>[^"]*)
    | data:image/svg\+xml;charset=utf-8,(?P<svg>[^"]*)
    | \s(?:d|transform|points|viewBox|[xy][12]?|c[xy]|r|width|height)="(?P<place>[^"<>&]*)"
    | (?P<number>-?\d+(?:\.\d+)?(?:e[-+]\d+)?)
    """,
    re.VERBOSE,
)
LONG = re.compile(r"-?\d+(?:\.\d{9,}(?:e[-+]\d+)?|(?:\.\d+)?e[-+]\d+)")
NUMBER = re.compile(r"-?\d*\.?\d+(?:e[-+]?\d+)?")
BEFORE, AFTER = 32, 48
"""Characters around a difference that are shown."""


def difference(there: str, expected: str, *, with_drawings: bool = True) -> str:
    """Where two texts first differ, and in what; empty if nowhere. Without drawings, of these their words alone are compared, and that nothing in them acts."""
    if not with_drawings:
        try:
            there, expected = drawings.in_words(there), drawings.in_words(expected)
        except ValueError as error:
            return str(error)
    at, other = _parting(there, expected, with_drawings)
    return "" if at is None else _told(there, expected, at, other)


def _parting(there: str, expected: str, with_drawings: bool) -> tuple[int | None, int]:
    """Where the two part, in each; None if nowhere."""
    at = other = 0
    pieces, wanted = [*PIECE.finditer(there)], [*PIECE.finditer(expected)]
    for one, two in zip(pieces, wanted, strict=False):
        if there[at : one.start()] != expected[other : two.start()] or not _is_alike(one, two, with_drawings):
            return at, other
        at, other = one.end(), two.end()
    is_same = len(pieces) == len(wanted) and there[at:] == expected[other:]
    return (None if is_same else at), other


def _is_alike(one: re.Match[str], two: re.Match[str], with_drawings: bool) -> bool:
    if one[0] == two[0]:
        return True
    kind = one.lastgroup
    if kind is None or kind != two.lastgroup or _beginning(one, kind) != _beginning(two, kind):
        return False
    if kind in {"csv", "svg"}:
        return not difference(unquote(one[kind]), unquote(two[kind]), with_drawings=with_drawings)
    alike: dict[str, Callable[[str, str], bool]] = {"png": _same_picture, "place": _same_place, "number": _is_same_number}
    return alike[kind](one[kind], two[kind])


def _beginning(piece: re.Match[str], kind: str) -> str:
    """What says what it is: an attribute's name."""
    return piece[0][: piece.start(kind) - piece.start()]


def _is_same_number(one: str, other: str) -> bool:
    """Whether two numbers differ in no more than the last of many digits."""
    if one == other:
        return True
    return bool(LONG.fullmatch(one) or LONG.fullmatch(other)) and math.isclose(
        float(one), float(other), rel_tol=CLOSE, abs_tol=1e-15
    )


def _same_place(one: str, other: str) -> bool:
    if NUMBER.split(one) != NUMBER.split(other):
        return False
    pairs = zip(NUMBER.findall(one), NUMBER.findall(other), strict=True)
    return all(abs(float(a) - float(b)) <= UNSEEN_LENGTH for a, b in pairs)


def _same_picture(one: str, other: str) -> bool:
    try:
        return not pictures.png_difference(base64.b64decode(one), base64.b64decode(other))
    except binascii.Error:
        return False


def _told(there: str, expected: str, at: int, other: int) -> str:
    """The first differing character's line, and what is around it in both."""
    while at < len(there) and other < len(expected) and there[at] == expected[other]:
        at, other = at + 1, other + 1
    unlike = [
        f"U+{ord(text[place]):04X}" if place < len(text) else "the end" for text, place in ((there, at), (expected, other))
    ]
    are_plain = (
        there[at : at + 1].isascii() and expected[other : other + 1].isascii() and at < len(there) and other < len(expected)
    )
    codes = "" if are_plain else f" ({unlike[0]}, expected {unlike[1]})"
    line = there.count("\n", 0, at) + 1
    return f"line {line}: {_around(there, at)}, expected {_around(expected, other)}{codes}"


def _around(text: str, at: int) -> str:
    start = max(text.rfind("\n", 0, at) + 1, at - BEFORE)
    return f"‘{visible(text[start : at + AFTER])}’" if start < len(text) else "the end"
