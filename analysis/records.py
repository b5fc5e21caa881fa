"""Where runs are read from: MLflow's store, or snapshots of it. Both give the same records; nothing is written here."""

import os
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
from mlflow.entities import Experiment, Run
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from sqlalchemy.exc import SQLAlchemyError

from analysis import http, snapshot, sql
from analysis.snapshot import Record, Records
from regstudy import store
from regstudy.errors import NothingToAnalyse, TrackingError
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
        uri, experiment_id = mlflow.get_tracking_uri(), str(self.experiment_id)
        return sql.runs(uri, experiment_id) if self._by_sql else _public_runs(experiment_id)

    def epochs(self, run_ids: Sequence[str], metrics: Iterable[str]) -> pd.DataFrame:
        """By SQL from a database, in bulk from a server, else run by run; the same rows in the same order."""
        uri, names = mlflow.get_tracking_uri(), list(metrics)
        if self._by_sql:
            return _sql_points(uri, run_ids, names)
        found = http.points(uri, run_ids, names) if uri.startswith("http") else None
        return _ordered(_public_points(run_ids, names) if found is None else found)

    @cached_property
    def _by_sql(self) -> bool:
        return sql.can_read(mlflow.get_tracking_uri())

    def predictions(self, run_id: str) -> pd.DataFrame | None:
        """From the run's artifact."""
        return self._table(run_id, Artifact.PREDICTIONS)

    def misclassified(self, run_id: str) -> pd.DataFrame | None:
        """From the run's artifact."""
        return self._table(run_id, Artifact.MISCLASSIFIED)

    def design(self, run_id: str) -> str | None:
        """From the run's artifact."""
        content = self._file(run_id, DESIGN_FILE)
        return None if content is None else content.decode(errors="replace")

    def _table(self, run_id: str, name: str) -> pd.DataFrame | None:
        content = self._file(run_id, name)
        return None if content is None else snapshot.from_parquet(content)

    def _file(self, run_id: str, name: str) -> bytes | None:
        with tempfile.TemporaryDirectory() as folder:
            try:
                return Path(MlflowClient().download_artifacts(run_id, name, folder)).read_bytes()
            except (MlflowException, OSError):
                return None


def _public_runs(experiment_id: str) -> list[Record]:
    """As MLflow's client gives them, page by page."""
    client, token = MlflowClient(), None
    found: list[Record] = []
    while True:
        page = client.search_runs([experiment_id], max_results=PAGE, order_by=["attributes.start_time"], page_token=token)
        found += [_record(run) for run in page]
        token = page.token
        if not token:
            return sorted(found, key=lambda record: (record.start_time, record.run_id))


def _record(run: Run) -> Record:
    info, data = run.info, run.data
    return Record(info.run_id, info.run_name or "", info.status, info.start_time, data.tags, data.metrics, data.params)


def _sql_points(uri: str, run_ids: Sequence[str], names: Sequence[str]) -> pd.DataFrame:
    """Ordered part by part, since runs come in their order: as long per run for ten thousand as for one thousand."""
    return pd.concat([_ordered(part) for part in sql.points(uri, sorted(run_ids), names)], ignore_index=True)


def _public_points(run_ids: Sequence[str], names: Sequence[str]) -> pd.DataFrame:
    """As MLflow's client gives them, run by run and metric by metric."""
    client = MlflowClient()
    points = [
        (run_id, name, point.step, point.value, point.timestamp)
        for run_id in run_ids
        for name in names
        for point in client.get_metric_history(run_id, name)
    ]
    return pd.DataFrame(points, columns=["run_id", "metric", "step", "value", "timestamp"])


def _ordered(points: pd.DataFrame) -> pd.DataFrame:
    """By run, metric, step and time, so that the last of a step is the latest, wherever it was read from."""
    names = {column: pd.Categorical(points[column]) for column in ("run_id", "metric")}
    numbers = points[["step", "timestamp", "value"]].astype({"step": "int64", "timestamp": "int64", "value": "float64"})
    keys = (numbers["value"], numbers["timestamp"], numbers["step"], names["metric"].codes, names["run_id"].codes)
    order = np.lexsort([np.asarray(key) for key in keys])
    texts = {column: np.asarray(held.categories, object)[held.codes[order]] for column, held in names.items()}
    return pd.DataFrame(texts | {column: numbers[column].to_numpy()[order] for column in ("step", "value")}).astype(
        {"run_id": "str", "metric": "str"}
    )


def from_store(experiment: str | None) -> StoreRecords:
    """An experiment by name, else MLflow's own choice; NothingToAnalyse if there is no such store or experiment."""
    store.quieten()
    uri = store.require_answer()
    database = store.sqlite_file(uri)
    if database is not None and not database.is_file():
        # Asking MLflow would create the database.
        raise NothingToAnalyse(f"there is no tracking store {uri} yet: first run, in this folder, {FIRST_RUN}")
    try:
        found = _experiment(experiment, store.shown(uri))
    except (MlflowException, SQLAlchemyError) as error:
        reason = next(iter(str(error).splitlines()), "")
        raise TrackingError(f"the tracking store {store.shown(uri)} cannot be read: {reason}") from error
    return StoreRecords(store.shown(uri), found.name, found.experiment_id)


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
