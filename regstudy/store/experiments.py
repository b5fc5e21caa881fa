"""Which of a store's experiments is meant, by MLflow's variables or its default. Makes none."""

import os
from collections.abc import Sequence

from regstudy.errors import TrackingError
from regstudy.store import store
from regstudy.store.stored import StoredExperiment

NAME, ID = "MLFLOW_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID"
DEFAULT = "Default"
NEW = (StoredExperiment("0", DEFAULT, deleted=False),)
"""What a new store will have."""

NAMED = 8
"""Experiments that a message names."""


def wanted_name(given: str | None = None) -> str:
    """The name that an option or MLflow's variable gives, else that of MLflow's default."""
    return given or os.environ.get(NAME) or DEFAULT


def choose(known: Sequence[StoredExperiment], uri: str, given: str | None = None) -> StoredExperiment | None:
    """The experiment that is meant; None if none has the name. TrackingError for a deleted one, and for an ID that none has."""
    number = "" if given else os.environ.get(ID, "")
    named = given or os.environ.get(NAME)
    by_number = [held for held in known if held.experiment_id == number]
    if number and not by_number:
        raise TrackingError(
            f"{ID} names experiment {number!r}, which is not in the store {store.shown(uri)}, which has {listed(known)}: "
            f"unset {ID}, or name one of them"
        )
    by_name = [held for held in known if held.name == wanted_name(given)]
    if number and named and by_number != by_name and "MLFLOW_RUN_ID" not in os.environ:
        raise TrackingError(f"{NAME} ({named!r}) and {ID} ({number!r}) name two experiments: unset one of them")
    return _one(by_number if number else by_name, uri)


def _one(found: Sequence[StoredExperiment], uri: str) -> StoredExperiment | None:
    """The only one, and no deleted one."""
    there = [held for held in found if not held.deleted] or found
    if len(there) > 1:
        numbers = ", ".join(held.experiment_id for held in there)
        raise TrackingError(
            f"{len(there)} experiments of the store {store.shown(uri)} are named {there[0].name!r} (IDs {numbers}): name one with {ID}"
        )
    if there and there[0].deleted:
        name, number = there[0].name, there[0].experiment_id
        raise TrackingError(
            f"experiment {name!r} of the store {store.shown(uri)} is deleted: restore it with mlflow experiments restore -x {number}, or name another "
            f"with {NAME}"
        )
    return there[0] if there else None


def listed(known: Sequence[StoredExperiment]) -> str:
    """The names of those that are there, with their IDs."""
    there = [held for held in known if not held.deleted]
    names = ", ".join(f"{held.name!r} (ID {held.experiment_id})" for held in there[:NAMED])
    more = f" and {len(there) - NAMED} more" if len(there) > NAMED else ""
    return f"{names}{more}" if there else "none"
