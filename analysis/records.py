"""Where runs are read from: MLflow's store, or snapshots of it. Both give the same records; nothing is written here."""

import os
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from mlflow.entities import Experiment
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from analysis import snapshot
from analysis.snapshot import Record, Records
from regstudy import store
from regstudy.errors import NothingToAnalyse
from regstudy.schema import DESIGN_FILE, Artifact

PAGE = 1000
FIRST_RUN = "python -m regstudy train --l1 0.001"


@dataclass(frozen=True)
class StoreRecords:
    """An experiment of MLflow's store."""

    where: str
    experiment: str
    experiment_id: str | None

    def runs(self) -> Sequence[Record]:
        """All runs of the experiment, oldest first."""
        client, token = MlflowClient(), None
        found: list[Record] = []
        while True:
            page = client.search_runs(
                [str(self.experiment_id)], max_results=PAGE, order_by=["attributes.start_time"], page_token=token
            )
            found += [
                Record(
                    run.info.run_id,
                    run.info.run_name or "",
                    run.info.status,
                    run.info.start_time,
                    run.data.tags,
                    run.data.metrics,
                    run.data.params,
                )
                for run in page
            ]
            token = page.token
            if not token:
                return found

    def epochs(self, run_ids: Sequence[str], metrics: Iterable[str]) -> pd.DataFrame:
        """As MLflow's client gives them, run by run and metric by metric."""
        client, names = MlflowClient(), list(metrics)
        points = [
            (run_id, name, point.step, point.value)
            for run_id in run_ids
            for name in names
            for point in client.get_metric_history(run_id, name)
        ]
        return pd.DataFrame(points, columns=["run_id", "metric", "step", "value"])

    def predictions(self, run_id: str) -> pd.DataFrame | None:
        """From the run's artifact."""
        return self._table(run_id, Artifact.PREDICTIONS)

    def misclassified(self, run_id: str) -> pd.DataFrame | None:
        """From the run's artifact."""
        return self._table(run_id, Artifact.MISCLASSIFIED)

    def design(self, run_id: str) -> str | None:
        """From the run's artifact."""
        content = self._file(run_id, DESIGN_FILE)
        return None if content is None else content.decode()

    def _table(self, run_id: str, name: str) -> pd.DataFrame | None:
        content = self._file(run_id, name)
        return None if content is None else snapshot.from_parquet(content)

    def _file(self, run_id: str, name: str) -> bytes | None:
        with tempfile.TemporaryDirectory() as folder:
            try:
                return Path(MlflowClient().download_artifacts(run_id, name, folder)).read_bytes()
            except (MlflowException, OSError):
                return None


def from_store(experiment: str | None) -> StoreRecords:
    """An experiment by name, else MLflow's own choice; NothingToAnalyse if there is no such store or experiment."""
    store.quieten()
    uri = store.require_answer()
    database = store.sqlite_file(uri)
    if database is not None and not database.is_file():
        # Asking MLflow would create the database.
        raise NothingToAnalyse(f"there is no tracking store {uri} yet: first run, in this folder, {FIRST_RUN}")
    found = _experiment(experiment, uri)
    return StoreRecords(uri, found.name, found.experiment_id)


def from_snapshots(folders: Sequence[str]) -> Records:
    """One or several snapshots, as one store."""
    return snapshot.load([Path(folder) for folder in folders])


def _experiment(name: str | None, uri: str) -> Experiment:
    """By name, else MLflow's own choice: its environment variables, else its default experiment."""
    client, experiment_id = MlflowClient(), os.environ.get("MLFLOW_EXPERIMENT_ID")
    wanted = name or os.environ.get("MLFLOW_EXPERIMENT_NAME")
    if wanted is None and experiment_id:
        return client.get_experiment(experiment_id)
    found = client.get_experiment_by_name(wanted or "Default")
    if found is None:
        known = ", ".join(repr(e.name) for e in client.search_experiments())
        raise NothingToAnalyse(
            f"experiment {wanted or 'Default'!r} is not in the store {uri}, which has {known}: name one of them"
        )
    return found
