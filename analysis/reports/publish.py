"""The only module of analysis that writes to the store: a report becomes an artifact of a run, an advised model a version in the registry. Uploads the report's files and no other."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from mlflow.entities import LoggedModelStatus, RunStatus
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.store.db.utils import _get_latest_schema_revision
from mlflow.tracking.context import registry
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NOTE
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from regstudy.errors import TrackingError
from regstudy.schema import REPORT, Tag
from regstudy.store import database, store

from ..files import folders

DATABASES = ("sqlite", "postgresql", "mysql", "mssql")


def publish(report: Path, experiment_id: str, headline: str) -> str:
    """Log a report's folder onto a new run of its own; the run's ID. TrackingError if the store does not take it."""
    with _told():
        tags = registry.resolve_tags(_about(headline))
        run_id = store.client().create_run(experiment_id, tags=tags, run_name="report").info.run_id
        _fill(report, run_id)
    return run_id


def adopt(report: Path, run_id: str, headline: str) -> None:
    """Log a report's folder onto the run that `mlflow run` made; TrackingError if the store does not take it."""
    with _told():
        for name, value in _about(headline).items():
            store.client().set_tag(run_id, name, value)
        _fill(report, run_id)


def attach(report: Path, run_id: str, note: str) -> None:
    """Log a study's report onto the study's own run, in place of an earlier one, and describe the run by it; TrackingError if the store does not take it."""
    with _told():
        _upload(report, run_id)
        store.client().set_tag(run_id, MLFLOW_RUN_NOTE, note)


def register(
    run_id: str, *, experiment_id: str, model: str, alias: str, description: str, tags: Mapping[str, str]
) -> ModelVersion:
    """Make a run's model a version of a registered one, with an alias; TrackingError if the store does not take it, or the run logged none."""
    with _told("nothing is registered, since"):
        client = store.client()
        logged = client.search_logged_models([experiment_id], filter_string=f"source_run_id = '{run_id}'")
        ready = [own for own in logged if own.status == LoggedModelStatus.READY]
        if not ready:
            raise TrackingError(f"run {run_id} has logged no model that can be served: nothing is registered")
        with suppress(MlflowException):  # it is there already
            client.create_registered_model(model)
        version = client.create_model_version(
            model, ready[0].model_uri, run_id, tags=dict(tags), description=description, model_id=ready[0].model_id
        )
        client.set_registered_model_alias(model, alias, version.version)
    return version


def require_current() -> None:
    """TrackingError if MLflow would change the store's tables before it wrote: that is its owner's to decide."""
    uri = store.uri()
    file = store.sqlite_file(uri)
    if not uri.startswith(DATABASES) or (file is not None and not file.is_file()):
        return
    try:
        with database.reading(uri) as connection:
            revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    except TrackingError:
        revision = None
    if revision != _get_latest_schema_revision():
        raise TrackingError(
            f"the tracking store {store.shown(uri)} is of another version of MLflow, which could not open it any more once this one had written to it: "
            "migrate it first, with mlflow db upgrade"
        )


def _about(headline: str) -> dict[str, str]:
    return {Tag.KIND: REPORT, MLFLOW_RUN_NOTE: f"**{headline}**\n\nOpen `report/report.html` under Artifacts."}


def _fill(report: Path, run_id: str) -> None:
    """Log a report's folder and end its run."""
    status = RunStatus.FAILED
    try:
        _upload(report, run_id)
        status = RunStatus.FINISHED
    finally:
        store.client().set_terminated(run_id, RunStatus.to_string(status))


def _upload(report: Path, run_id: str) -> None:
    with folders.report_alone(report.parent) as alone:
        store.client().log_artifacts(run_id, str(alone), "report")


@contextmanager
def _told(beginning: str = "the report is written, but") -> Iterator[None]:
    """One line where the store does not take it; `beginning` says what is so all the same."""
    store.quieten()
    store.require_writable()
    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError) as error:
        reason = next(iter(str(error).splitlines()), "")
        raise TrackingError(f"{beginning} the tracking store {store.shown(store.uri())} did not take it: {reason}") from error
