"""The run that `mlflow run` has made for this command: which it is, and how it ends if nothing comes of it. Refuses one that is somebody else's."""

import os
from contextlib import suppress

from mlflow.entities import RunStatus
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from regstudy.errors import RegstudyError, TrackingError
from regstudy.schema import Tag
from regstudy.store import reading, store, tables
from regstudy.store.stored import RunState

VARIABLE = "MLFLOW_RUN_ID"
OPEN = ("RUNNING", "SCHEDULED")


def run_id() -> str | None:
    """Its ID, None if there is none; TrackingError if MLflow's variable names one that is not to be filled."""
    adopted = _adopted()
    return None if adopted is None else adopted[0]


def experiment_id() -> str | None:
    """Its experiment's ID, None if there is no such run; TrackingError as above."""
    adopted = _adopted()
    return None if adopted is None else adopted[1].experiment_id


def fail(reason: str) -> None:
    """Say on the run why nothing came of it, and end it FAILED, as far as that can be done."""
    store.quieten()
    with suppress(RegstudyError, MlflowException, SQLAlchemyError, OSError):
        adopted = run_id()
        tables.require_current(store.uri())
        if adopted is not None:
            store.client().set_tag(adopted, Tag.FAILURE, reason[: store.MAX_REASON])
            store.client().set_terminated(adopted, RunStatus.to_string(RunStatus.FAILED))


def _adopted() -> tuple[str, RunState] | None:
    named, uri = os.environ.get(VARIABLE), store.uri()
    if not named:
        return None
    state = None if reading.is_missing(uri) else reading.open_store(uri).run_state(named)
    reason = _why_not(state, named, uri)
    if state is None or reason:
        raise TrackingError(
            f"{VARIABLE} names run {named!r}, which {reason}: mlflow run sets it for a run that it has made; if it is left over from something else, "
            f"unset {VARIABLE}"
        )
    return named, state


def _why_not(state: RunState | None, named: str, uri: str) -> str:
    if state is None:
        return f"is not in the store {store.shown(uri)}"
    if state.deleted:
        return f"is deleted (mlflow runs restore --run-id {named} would bring it back)"
    if state.status not in OPEN:
        return f"has ended ({state.status})"
    if Tag.KIND in state.tags:
        return "holds something of regstudy already"
    return ""
