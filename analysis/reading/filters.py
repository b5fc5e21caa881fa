"""Plain filters on a run's fields: FIELD=VALUE, several values with commas, numbers compared as numbers.

A value that has commas itself stands in double quotes, and a quote in it is doubled, as in CSV: opt="adam, fused". Elsewhere quotes are characters like others.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from regstudy.config import quoted
from regstudy.errors import UsageError

PIECE = re.compile(r'("(?:[^"]|"")*"|[^,]*),')
"""A value in quotes, or one without commas, and the comma that ends it."""


def parse(given: Sequence[str], option: str = "--where") -> dict[str, tuple[str, ...]]:
    """From 'FIELD=VALUE[,VALUE …]' to the values by field; UsageError names one that is not of this form, or is there twice."""
    found: dict[str, tuple[str, ...]] = {}
    for condition in given:
        field, equals, values = condition.partition("=")
        if not (field and equals and values):
            raise UsageError(f"{option} {quoted(condition)}: expected FIELD=VALUE, such as epochs=40 or seed=0,1,2")
        if field in found:
            raise UsageError(f"{option} {field} is there twice: give its values with commas, {field}=A,B")
        found[field] = tuple(_split(values))
    return found


def _split(values: str) -> list[str]:
    """The values between commas. One in quotes that needs none may be meant with them: a text that was logged so."""
    return [value for piece in PIECE.finditer(f"{values},") for value in _meant(piece[1])]


def _meant(piece: str) -> list[str]:
    if len(piece) < 2 or not piece.startswith('"') or not piece.endswith('"'):
        return [piece]
    inner = piece[1:-1].replace('""', '"')
    return [inner] if "," in inner else [inner, piece]


def as_given(value: object) -> str:
    """A value as FIELD=VALUE says it: exactly this one."""
    text = str(value)
    return '"{}"'.format(text.replace('"', '""')) if "," in text or text.startswith('"') or not text else text


def holds(conditions: Mapping[str, Sequence[str]], fields: Mapping[str, Any]) -> bool:
    """Whether a run's fields have one of the values asked for; UsageError names a field that there is none of."""
    for field, values in conditions.items():
        if field not in fields:
            raise UsageError(f"--where {field}: runs have no such field; expected one of {', '.join(fields)}")
        if not any(same(fields[field], value) for value in values):
            return False
    return True


def same(value: object, text: str) -> bool:
    """Whether a field's value is what the text says; 0.001 and 1e-3 are the same number, nan and nan the same word."""
    try:
        return str(value) == text or float(str(value)) == float(text)
    except ValueError:
        return False
