"""The words of a design file: what a configuration's fields, names and seeds may be, and where in the file a mistake is."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, cast

from pydantic import BeforeValidator, Field, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

from regstudy.config import FILLED_IN, SEEDS, WHERE_NOT_WHAT, RunConfig, anchored

MOST_TRIALS = 100_000
"""More is a slip of the pen: a grid with a value too many on each axis."""

NOT_HERE = frozenset({"recipe", "seed", "data_root", "device", "threads"}) | FILLED_IN
"""Fields that no configuration of a design sets: said once for all of them, or where it is run."""

OF_ALL = NOT_HERE | {"dataset"} | (WHERE_NOT_WHAT - {"recipe"})
"""Fields in which the configurations of a design, or of a search, cannot differ."""

Place = tuple[int | str, ...]
"""Where something stands in a design file: keys and positions from the top."""


def _scalar(given: object) -> object:
    if isinstance(given, (int, float, str)) and not isinstance(given, bool):
        return given
    raise ValueError("expected a number or a word")


def _open_or_scalar(given: object) -> object:
    return None if given is None else _scalar(given)


_SCALAR_SCHEMA = {"type": ["number", "string"]}
Value = Annotated[Any, BeforeValidator(_scalar), WithJsonSchema(_SCALAR_SCHEMA)]
"""A field's value as YAML gives it; RunConfig says what each field takes."""

Setting = Annotated[Any, BeforeValidator(_open_or_scalar), WithJsonSchema({"type": ["number", "string", "null"]})]
"""A value, or null: left open until the study is run."""

Fields = Annotated[dict[str, Setting], Field(min_length=1)]
Called = Annotated[str, StringConstraints(min_length=1)]
"""A configuration by the name that the design gives it."""

NAME = "name"
"""The one key of a configuration here that is no field of it: what it is called, whatever its values."""

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=60)]
Margin = Annotated[float, Field(gt=0, allow_inf_nan=False)]
"""The smallest difference that matters."""

_SEEDS_SCHEMA = {
    "anyOf": [{"type": "integer", "minimum": 1}, {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1}]
}


def _seed_list(given: object) -> object:
    """A number n of seeds means 0 to n − 1."""
    if isinstance(given, int) and not isinstance(given, bool) and 0 < given <= MOST_TRIALS:
        return list(range(given))
    if isinstance(given, (list, tuple)) and given:
        return cast("object", given)
    raise ValueError(f"expected a number of seeds from 1 to {MOST_TRIALS:,}, or a list of seeds")


Seed = Annotated[int, Field(ge=0, lt=SEEDS, strict=True)]
Seeds = Annotated[tuple[Seed, ...], BeforeValidator(_seed_list), WithJsonSchema(_SEEDS_SCHEMA)]


def anchored_fields(fields: Mapping[Any, Any], folder: Path | None) -> dict[Any, Any]:
    """These with what they name of the user's own by whole paths, from this folder on (None: where the user is)."""
    return {name: anchored(value, folder) if isinstance(value, str) else value for name, value in fields.items()}


def at(place: Place, message: str) -> PydanticCustomError:
    """An error of the design as a whole that belongs to one place in it."""
    return PydanticCustomError("design", "{message}", {"message": message, "place": place})


def check_fields(fields: Mapping[str, Any], place: Place, reserved: frozenset[str]) -> None:
    """Hold each of these to be a configuration's field that is not reserved."""
    for name in fields:
        if name not in RunConfig.model_fields or name in reserved:
            known = ", ".join(field for field in RunConfig.model_fields if field not in reserved)
            raise at((*place, name), f"expected one of {known}")
