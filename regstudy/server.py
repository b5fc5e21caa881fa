"""MLflow's tracking server, asked by MLflow's own client, which changes nothing there by asking. Opens no database."""

from collections.abc import Sequence
from dataclasses import dataclass

from mlflow.entities import Run, ViewType
from mlflow.exceptions import MlflowException

from regstudy.patient import PatientClient
from regstudy.stored import RunState, StoredExperiment, StoredRun

PAGE = 1000


@dataclass(frozen=True)
class Server:
    """A tracking server, or a service that speaks its language."""

    uri: str

    def experiments(self) -> list[StoredExperiment]:
        """All experiments, deleted ones too."""
        client, token = PatientClient(self.uri), None
        found: list[StoredExperiment] = []
        while True:
            page = client.search_experiments(view_type=ViewType.ALL, max_results=PAGE, page_token=token)
            found += [StoredExperiment(held.experiment_id, held.name, held.lifecycle_stage == "deleted") for held in page]
            token, asked = page.token, token
            if not token or token == asked:
                return sorted(found, key=lambda held: (len(held.experiment_id), held.experiment_id))

    def runs(self, experiment_id: str) -> list[StoredRun]:
        """All runs of an experiment that are not deleted, oldest first."""
        client, token = PatientClient(self.uri), None
        found: list[StoredRun] = []
        while True:
            page = client.search_runs([experiment_id], max_results=PAGE, order_by=["attributes.start_time"], page_token=token)
            found += [_run(run) for run in page]
            token, asked = page.token, token
            if not token or token == asked:
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
