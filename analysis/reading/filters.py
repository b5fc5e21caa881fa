"""Plain filters on a run's fields: FIELD=VALUE, several values with commas, numbers compared as numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

from regstudy.config import quoted
from regstudy.errors import UsageError


def parse(given: Sequence[str], option: str = "--where") -> dict[str, tuple[str, ...]]:
    """From 'FIELD=VALUE[,VALUE …]' to the values by field; UsageError names one that is not of this form, or is there twice."""
    found: dict[str, tuple[str, ...]] = {}
    for condition in given:
        field, equals, values = condition.partition("=")
        if not (field and equals and values):
            raise UsageError(f"{option} {quoted(condition)}: expected FIELD=VALUE, such as epochs=40 or seed=0,1,2")
        if field in found:
            raise UsageError(f"{option} {field} is there twice: give its values with commas, {field}=A,B")
        found[field] = tuple(values.split(","))
    return found


def holds(conditions: Mapping[str, Sequence[str]], fields: Mapping[str, Any]) -> bool:
    """Whether a run's fields have one of the values asked for; UsageError names a field that there is none of."""
    for field, values in conditions.items():
        if field not in fields:
            raise UsageError(f"--where {field}: runs have no such field; expected one of {', '.join(fields)}")
        if not any(same(fields[field], value) for value in values):
            return False
    return True


def same(value: object, text: str) -> bool:
    """Whether a field's value is what the text says; 0.001 and 1e-3 are the same number."""
    try:
        return float(str(value)) == float(text)
    except ValueError:
        return str(value) == text
