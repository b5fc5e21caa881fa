"""An experiment of an MLflow store, whichever kind the store is of. Loads MLflow, which takes longer than a snapshot takes to read."""

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.utils.file_utils import local_file_uri_to_path
from mlflow.utils.uri import is_local_uri

from regstudy.errors import FIRST_RUN, NothingToAnalyse, TrackingError
from regstudy.patience.patient import PatientClient
from regstudy.schema import DESIGN_FILE, OTHER_NAMES, TRIAL, Artifact, Tag, by_either_name
from regstudy.store import experiments, reading, store
from regstudy.store.filestore import FileStore
from regstudy.store.server import Server
from regstudy.store.stored import StoredExperiment, StoredRun
from regstudy.store.tables import Tables

from ...files import places
from . import rest, snapshot, sql
from .record import Record

DEFAULT = "mlflow.db"
"""MLflow's own store in the folder that one is in."""

COLUMNS = ["run_id", "metric", "step", "value", "timestamp"]


@dataclass(frozen=True)
class StoreRecords:
    """An experiment of an MLflow store; `others` are the names of its other experiments, `store` is what the user calls it where there may be several."""

    where: str
    experiment: str
    experiment_id: str | None
    held: Tables | FileStore | Server
    others: Sequence[str] = ()
    store: str = ""

    @property
    def notices(self) -> Sequence[str]:
        """What was left out of a folder of files."""
        return self.held.notices(str(self.experiment_id)) if isinstance(self.held, FileStore) else ()

    def runs(self) -> Sequence[Record]:
        """All runs of the experiment, oldest first."""
        return [
            Record(*run[:-1], self.experiment, self.store)._replace(
                metrics=by_either_name(run.metrics) if _is_ours(run) else run.metrics
            )
            for run in self._runs.values()
        ]

    def epochs(self, run_ids: Sequence[str], metrics: Iterable[str]) -> pd.DataFrame:
        """By SQL from a database, from the files of a folder, in bulk from a server; the same rows in the same order."""
        names = list(metrics)
        others = {other: name for name in names if (other := OTHER_NAMES.get(name)) is not None and other not in names}
        if others and not any(_is_ours(self._runs[run_id]) for run_id in run_ids):
            others = {}
        with _one_line(self.where):
            points = _points(self.held, run_ids, [*names, *others])
        return points.assign(metric=points["metric"].replace(others)) if others else points

    @cached_property
    def _runs(self) -> dict[str, StoredRun]:
        with _one_line(self.where):
            return {run.run_id: run for run in self.held.runs(str(self.experiment_id))}

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
        """An artifact from where the run says that it is; a server is asked for it. None if it is not there."""
        where = self._runs[run_id].artifact_uri if run_id in self._runs else ""
        with tempfile.TemporaryDirectory() as folder:
            try:
                if isinstance(self.held, Server):
                    return Path(PatientClient(self.held.uri).download_artifacts(run_id, name, folder)).read_bytes()
                if is_local_uri(where):
                    return (Path(local_file_uri_to_path(where)) / name).read_bytes()
                return Path(get_artifact_repository(where).download_artifacts(name, folder)).read_bytes()
            except (MlflowException, OSError):
                return None
            except ImportError as error:
                raise TrackingError(
                    f"the artifacts at {store.shown(where)} need the Python package {error.name}, which is not installed: install it with pip"
                ) from None
            except Exception as error:  # each object store's library has errors of its own
                reason = next(iter(str(error).splitlines()), "")
                raise TrackingError(
                    f"the artifacts at {store.shown(where)} cannot be read ({type(error).__name__}: {reason})"
                ) from error


def _is_ours(run: StoredRun) -> bool:
    return run.tags.get(Tag.KIND) == TRIAL


def _points(held: Tables | FileStore | Server, run_ids: Sequence[str], names: Sequence[str]) -> pd.DataFrame:
    if isinstance(held, Tables):
        return _sql_points(held, run_ids, names)
    if isinstance(held, FileStore):
        rows = [(run, name, *point) for run in run_ids for name in names for point in held.points(run, name)]
        return _ordered(pd.DataFrame(rows, columns=COLUMNS))
    return _ordered(_server_points(held, run_ids, names))


def _sql_points(tables: Tables, run_ids: Sequence[str], names: Sequence[str]) -> pd.DataFrame:
    """Ordered part by part, since runs come in their order: as long per run for ten thousand as for one thousand."""
    return pd.concat([_ordered(part) for part in sql.points(tables, sorted(run_ids), names)], ignore_index=True)


def _server_points(server: Server, run_ids: Sequence[str], names: Sequence[str]) -> pd.DataFrame:
    """In bulk, or as MLflow's client gives them, run by run and metric by metric."""
    found = rest.points(server.uri, run_ids, names)
    return pd.DataFrame(server.points(run_ids, names), columns=COLUMNS) if found is None else found


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


def opened(experiment: str | None, place: str = "") -> StoreRecords:
    """An experiment by name, else MLflow's own choice, of the store in use, or of the one at a place: a SQLite file, a folder or an address.

    NothingToAnalyse or TrackingError if there is no such store or experiment. Nothing there is changed.
    """
    store.quieten()
    if not place:
        return _chosen(experiment, store.require_answer())
    called, uri = store.shown(place), places.uri(place)
    if reading.is_missing(uri):
        raise NothingToAnalyse(f"--from {called}: there is no such store")
    try:
        return replace(_chosen(experiment, store.require_answer(uri)), store=called)
    except TrackingError as error:
        raise TrackingError(f"--from {called}: {str(error).replace('set MLFLOW_TRACKING_URI to', 'name')}") from None


def experiment_names() -> list[str]:
    """Those of the store in use, but deleted ones; NothingToAnalyse if there is no such store."""
    store.quieten()
    _, _, known = _opened(store.require_answer())
    return list(dict.fromkeys(one.name for one in known if not one.deleted))


def _chosen(experiment: str | None, uri: str) -> StoreRecords:
    where, held, known = _opened(uri)
    found = experiments.choose(known, where, experiment)
    if found is None:
        raise NothingToAnalyse(
            f"experiment {experiments.wanted_name(experiment)!r} is not in the store {where}, which has {experiments.listed(known)}: "
            "name one of them"
        )
    others = [one.name for one in known if not one.deleted and one != found]
    return StoreRecords(where, found.name, found.experiment_id, held, others)


def _opened(uri: str) -> tuple[str, Tables | FileStore | Server, Sequence[StoredExperiment]]:
    """The store's address as it is shown, the store, and its experiments."""
    if reading.is_missing(uri):
        file = store.sqlite_file(uri)
        is_default = file is not None and file.absolute() == Path.cwd() / DEFAULT
        remedy = (
            f"first run, in this folder, {FIRST_RUN}"
            if is_default
            else "look at MLFLOW_TRACKING_URI, or name the store with --from"
        )
        raise NothingToAnalyse(f"there is no tracking store {store.shown(uri)} yet: {remedy}")
    where = store.shown(reading.address(uri))
    with _one_line(where):
        held = reading.open_store(uri)
        return where, held, held.experiments()


@contextmanager
def _one_line(where: str) -> Iterator[None]:
    """What a server's client says when it is not answered, in one line."""
    try:
        yield
    except MlflowException as error:
        reason = next(iter(str(error).splitlines()), "")
        raise TrackingError(f"the tracking store {where} cannot be read: {reason}") from error
