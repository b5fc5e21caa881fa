"""MLflow's old store, a folder of files, read as files: MLflow itself would make what it misses there. Writes nothing."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import yaml
from mlflow.entities import RunStatus
from mlflow.utils.file_utils import local_file_uri_to_path

from regstudy.console.terminal import plural
from regstudy.design import plain_yaml
from regstudy.errors import TrackingError
from regstudy.store.stored import RunState, StoredExperiment, StoredRun

META, TRASH = "meta.yaml", ".trash"
LARGEST = 2**63
NAMED = 3
"""Runs that a notice names."""

STATUSES = frozenset(RunStatus.to_string(status) for status in RunStatus.all_status())
RUN_ID = re.compile(r"[a-zA-Z0-9][\w-]{0,255}", re.ASCII)
"""The shape of what may be a run's folder."""


@dataclass(frozen=True)
class FileStore:
    """A folder with a folder per experiment, and in that one per run."""

    folder: Path

    def experiments(self) -> list[StoredExperiment]:
        """All experiments, deleted ones too."""
        return [
            StoredExperiment(folder.name, str(about["name"]), deleted or about.get("lifecycle_stage") == "deleted")
            for folder, about, deleted in self._experiments()
        ]

    def runs(self, experiment_id: str) -> list[StoredRun]:
        """All runs of an experiment that are not deleted, oldest first."""
        found = [
            _run(folder, about)
            for experiment, _, _ in self._experiments()
            if experiment.name == experiment_id
            for folder, about in _with_meta(experiment)
            if about.get("lifecycle_stage", "active") == "active" and _is_its_own(folder, about)
        ]
        return sorted(found, key=lambda run: (run.start_time, run.run_id))

    def notices(self, experiment_id: str) -> list[str]:
        """Folders of runs that are not read: their descriptions cannot be, or say that they are another run's or experiment's."""
        folders = [experiment for experiment, _, _ in self._experiments() if experiment.name == experiment_id]
        runs = [folder for experiment in folders for folder in sorted(experiment.iterdir()) if (folder / META).is_file()]
        odd = [folder.name for folder in runs if (about := _meta(folder)) is None or not _is_its_own(folder, about)]
        which = f"{', '.join(odd[:NAMED])}{' and more' if len(odd) > NAMED else ''}"
        return (
            [f"{plural(len(odd), 'run')} whose {META} cannot be read, or is another run's or experiment's, left out ({which})"]
            if odd
            else []
        )

    def run_state(self, run_id: str) -> RunState | None:
        """How a run stands; None if there is none."""
        for experiment, _, deleted in self._experiments() if RUN_ID.fullmatch(run_id) else ():
            about = _meta(experiment / run_id)
            if about is not None:
                gone = deleted or about.get("lifecycle_stage", "active") == "deleted"
                return RunState(experiment.name, _status(about), gone, _texts(experiment / run_id / "tags"))
        return None

    def points(self, run_id: str, metric: str) -> list[tuple[int, float, int]]:
        """Step, value and time of each point of a run's metric."""
        places = [experiment / run_id / "metrics" / metric for experiment, _, _ in self._experiments()]
        return next((_points(place) for place in places if place.is_file()), [])

    def _experiments(self) -> Iterator[tuple[Path, dict[str, Any], bool]]:
        """Folder, description, and whether it is in the trash."""
        for place in (self.folder, self.folder / TRASH):
            yield from ((folder, about, place.name == TRASH) for folder, about in _with_meta(place) if "name" in about)


def folder_of(uri: str) -> Path | None:
    """The folder that a URI names; None if it names something else."""
    return (
        Path(local_file_uri_to_path(uri)).absolute() if urlsplit(uri).scheme in {"", "file"} and uri != "databricks" else None
    )


def open_folder(folder: Path) -> FileStore:
    """The store in a folder; TrackingError says what is there instead."""
    if folder.is_file():
        raise TrackingError(
            f"{folder} is a file, and no SQLite database: set MLFLOW_TRACKING_URI to a database, a folder or a server"
        )
    found = FileStore(folder)
    if not found.experiments():
        raise TrackingError(
            f"the folder {folder} is no MLflow store (no {META} below it): set MLFLOW_TRACKING_URI to one, such as "
            f"sqlite:///{folder / 'mlflow.db'} for a SQLite file there"
        )
    return found


def _is_its_own(folder: Path, about: dict[str, Any]) -> bool:
    """Whether a run's description is of this folder: a copy has the original's."""
    run_id, experiment_id = (
        str(about.get(name, about.get(other, own)))
        for name, other, own in (("run_id", "run_uuid", folder.name), ("experiment_id", "experiment_id", folder.parent.name))
    )
    return (run_id, experiment_id) == (folder.name, folder.parent.name)


def _run(folder: Path, about: dict[str, Any]) -> StoredRun:
    tags, metrics = _texts(folder / "tags"), folder / "metrics"
    own = folder / "artifacts"
    return StoredRun(
        folder.name,
        about.get("run_name") or tags.get("mlflow.runName", ""),
        _status(about),
        _start(about),
        tags,
        {path.relative_to(metrics).as_posix(): _latest(path) for path in _files(metrics) if path.stat().st_size},
        _texts(folder / "params"),
        # The store may have been moved or copied since it was written.
        own.as_uri() if own.is_dir() else str(about.get("artifact_uri") or ""),
    )


def _status(about: dict[str, Any]) -> str:
    """As MLflow calls it; what it does not know counts as failed."""
    status = about.get("status", RunStatus.RUNNING)
    if str(status) in STATUSES:
        return str(status)
    try:
        return RunStatus.to_string(status)
    except Exception:  # noqa: BLE001  # MLflow raises nothing narrower
        return RunStatus.to_string(RunStatus.FAILED)


def _start(about: dict[str, Any]) -> int:
    """In milliseconds; 0 where the run does not say."""
    start = about.get("start_time")
    return start if isinstance(start, int) and 0 <= start < LARGEST else 0


def _latest(path: Path) -> float:
    return max((step, time, value) for step, value, time in _points(path))[2]


def _points(path: Path) -> list[tuple[int, float, int]]:
    """Lines of time and value, since MLflow 1.0 the step, and what more a later one may add."""
    rows = [line.split() for line in _text(path).splitlines() if line.strip()]
    try:
        points = [(int(row[2]) if len(row) > 2 else 0, float(row[1]), int(row[0])) for row in rows]
        np.array([(step, time) for step, _, time in points], np.int64)  # as frames hold them
    except (ValueError, IndexError, OverflowError):
        raise TrackingError(f"{path} is not as MLflow writes a metric, a line of time, value and step per point") from None
    return points


def _texts(folder: Path) -> dict[str, str]:
    """The content of each file, by its path below the folder: a name may have slashes."""
    return {path.relative_to(folder).as_posix(): _text(path) for path in _files(folder)}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise TrackingError(f"{path} cannot be read ({error})") from None


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _with_meta(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The folders below that describe themselves."""
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        about = _meta(path) if path.name != TRASH else None
        if about is not None:
            yield path, about


def _meta(folder: Path) -> dict[str, Any] | None:
    """A folder's description; None if it has none that can be understood."""
    try:
        about = plain_yaml.read((folder / META).read_text(encoding="utf-8"))[1]
    except (OSError, ValueError, yaml.YAMLError):
        return None
    return about if isinstance(about, dict) else None
