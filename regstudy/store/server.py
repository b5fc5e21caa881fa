"""MLflow's tracking server, asked by MLflow's own client, which changes nothing there by asking. Opens no database."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from mlflow.entities import Run, ViewType
from mlflow.exceptions import MlflowException
from mlflow.store.entities import PagedList

from regstudy.errors import TrackingError
from regstudy.patience.patient import PatientClient
from regstudy.store.stored import RunState, StoredExperiment, StoredRun

PAGE = 1000
Found = TypeVar("Found")


@dataclass(frozen=True)
class Server:
    """A tracking server, or a service that speaks its language."""

    uri: str

    def experiments(self) -> list[StoredExperiment]:
        """All experiments, deleted ones too."""
        client = PatientClient(self.uri)
        pages = _all_of(lambda token: client.search_experiments(view_type=ViewType.ALL, max_results=PAGE, page_token=token))
        found = [StoredExperiment(held.experiment_id, held.name, held.lifecycle_stage == "deleted") for held in pages]
        return sorted(found, key=lambda held: (len(held.experiment_id), held.experiment_id))

    def runs(self, experiment_id: str) -> list[StoredRun]:
        """All runs of an experiment that are not deleted, oldest first."""
        client, order = PatientClient(self.uri), ["attributes.start_time"]
        found = map(
            _run, _all_of(lambda token: client.search_runs([experiment_id], max_results=PAGE, order_by=order, page_token=token))
        )
        return sorted(found, key=lambda run: (run.start_time, run.run_id))

    def run_state(self, run_id: str) -> RunState | None:
        """How a run stands; None if there is none."""
        try:
            run = PatientClient(self.uri).get_run(run_id)
        except MlflowException as error:
            if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
                return None
            raise
        info = run.info
        return RunState(info.experiment_id, info.status, info.lifecycle_stage == "deleted", run.data.tags)

    def points(self, run_ids: Sequence[str], metrics: Sequence[str]) -> list[tuple[str, str, int, float, int]]:
        """Every point of these metrics, asked for run by run: run, metric, step, value, time."""
        client = PatientClient(self.uri)
        return [
            (run_id, name, point.step, point.value, point.timestamp)
            for run_id in run_ids
            for name in metrics
            for point in client.get_metric_history(run_id, name)
        ]


def _all_of(ask: Callable[[str | None], PagedList[Found]]) -> Iterator[Found]:
    """What a server gives page by page; TrackingError if it does not get on."""
    token = None
    while True:
        page = ask(token)
        yield from page
        if not page.token:
            return
        if page.token == token:
            raise TrackingError("the tracking server gives the same page again and again: upgrade it, or name another store")
        token = page.token


def _run(run: Run) -> StoredRun:
    info, data = run.info, run.data
    return StoredRun(
        info.run_id,
        info.run_name or "",
        info.status,
        info.start_time,
        data.tags,
        data.metrics,
        data.params,
        info.artifact_uri or "",
    )
