"""What the digests of configurations and designs cover, for ever: committed snapshots, other people's stores and running studies depend on it.

A field of the first release is always covered. One that was added later is left out while it has its default, which must be the value that gives
the numbers that were given before it existed: then what was recorded without it keeps its digest.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, cast

from pydantic import BaseModel

FIRST_FIELDS: Mapping[str, frozenset[str]] = {
    name: frozenset(fields.split())
    for name, fields in {
        "RunConfig": "l1 l2 seed epochs recipe dataset data_root batch_size lr momentum schedule dropout augmentation validation_size "
        "l1_kind l1_scope l2_scope device threads",
        "Design": "name about recipe overrides configurations grid seeds endpoint margin alpha claims",
        "Claim": "id text contrasts together",
        "Contrast": "metric of against expect scale margin",
    }.items()
}
"""By the name of their class: the fields of the first release. Never changed."""


def lasting(value: object) -> object:
    """A value as digests see it: of models the fields of the first release, and those of later ones that are not as before."""
    if isinstance(value, BaseModel) and type(value).__name__ not in FIRST_FIELDS:
        return lasting(value.model_dump())  # of a class that came later all fields are covered
    if isinstance(value, BaseModel):
        first, fields = FIRST_FIELDS[type(value).__name__], type(value).model_fields
        held = {name: getattr(value, name) for name in fields}
        return {name: lasting(held[name]) for name in fields if name in first or held[name] != fields[name].get_default()}
    if isinstance(value, Mapping):
        return {name: lasting(held) for name, held in cast("Mapping[str, object]", value).items()}
    if isinstance(value, (list, tuple)):
        return [lasting(held) for held in cast("list[object]", value)]
    return value


def later_defaults(model: type[BaseModel]) -> dict[str, Any]:
    """The fields that came after the first release, with what they are where nothing was recorded."""
    first = FIRST_FIELDS[model.__name__]
    return {name: field.get_default() for name, field in model.model_fields.items() if name not in first}


def canonical(value: object) -> str:
    """JSON in one spelling: sorted keys, no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def sha256(value: object) -> str:
    """SHA-256, in hex, of a value's one spelling."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()
