"""What is wrong in a design file, in words: of pydantic's errors the first, as a person would say it."""

from pydantic import BaseModel, ValidationError

from regstudy.config import quoted
from regstudy.design.claim import Claim, Contrast
from regstudy.design.fields import Place


def first_reason(error: ValidationError, top: type[BaseModel]) -> tuple[Place, str]:
    """Where in the file, and what is wrong there, in words; `top` is what the file is."""
    first = error.errors(include_url=False)[0]
    place: Place = first.get("ctx", {}).get("place", first["loc"])
    place = tuple(part for part in place if "[" not in str(part))  # pydantic names one of several types so
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "value_error":
        message += f", got {quoted(first['input'])}"
    field = ".".join(str(part) for part in place)
    if first["type"] == "extra_forbidden":
        message = f"unknown field, expected one of {', '.join(_siblings(place, top))}"
    elif first["type"] == "missing":
        message = "is missing"
    elif first["type"] in {"tuple_type", "list_type"}:
        message = f"expected a list, such as [0, 0.001], got {quoted(first['input'])}"
    elif first["type"] == "literal_error":
        message = f"expected {first.get('ctx', {}).get('expected')}, got {quoted(first['input'])}"
    elif first["type"] == "too_short":
        message = "expected at least one value, got none"
    elif first["type"] not in {"value_error", "design"}:
        message = f"{message[0].lower()}{message[1:]}, got {quoted(first['input'])}"
    return place, f"{field}: {message}" if field else message


def _siblings(place: Place, top: type[BaseModel]) -> list[str]:
    owner = Contrast if "contrasts" in place else Claim if "claims" in place else top
    return list(owner.model_fields)
