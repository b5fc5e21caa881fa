"""A folder of a tracker's runs: which files are whose, and their runs as records."""

import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from regstudy.console.text import visible
from regstudy.errors import SnapshotError

from ....files import places
from ..record import Record
from ..table import TableRecords
from . import event_files, wandb_files
from .found import Found

EXPECTED = f"files of results ({', '.join(places.TABLES)}), or a folder with what TensorBoard (*tfevents*) or Weights & Biases (*{places.WANDB}) wrote"


def load(path: str) -> TableRecords:
    """The runs in a folder, or of one file; SnapshotError if there are none that can be read."""
    root = Path(path)
    if not root.exists():
        raise SnapshotError(f"there is no {path!r}: expected {EXPECTED}")
    logs, events = _files(root)
    held = {file.parent for file in logs}
    own = [file for file in events if not held.intersection(file.parents)]  # W&B copies event files beside its own
    if logs and own:
        raise SnapshotError(
            f"{path!r} holds runs of both Weights & Biases ({logs[0]}) and TensorBoard ({own[0]}): name a folder of one of them"
        )
    if not (logs or own):
        raise SnapshotError(f"{path!r}: expected {EXPECTED}")
    base = root if root.is_dir() else root.parent
    found = wandb_files.read(logs) if logs else event_files.read(own, base)
    if not found.records:
        raise SnapshotError(f"{path!r}: {visible('; '.join(found.notices)) or 'no run is in it'}")
    return _records(path, found)


def _files(root: Path) -> tuple[list[Path], list[Path]]:
    """W&B's and TensorBoard's files, in order; links to folders (latest-run) are what is there anyway."""
    walked = [Path(folder) / name for folder, _, names in os.walk(root) for name in names]
    every = sorted(walked) if root.is_dir() else [root]
    logs = [file for file in every if file.name.endswith(places.WANDB)]
    return logs, [file for file in every if places.EVENTS in file.name and file not in logs]


def _records(path: str, found: Found) -> TableRecords:
    points = pd.DataFrame(found.points, columns=["run_id", "metric", "step", "value"])
    points = points.astype({"run_id": "str", "metric": "str", "step": "int64", "value": "float64"})
    last = points.sort_values("step", kind="stable").groupby(["run_id", "metric"], sort=False)["value"].last()
    metrics: dict[str, dict[str, float]] = {}
    for (run_id, metric), value in last.items():  # pyright: ignore[reportGeneralTypeIssues]  # pandas' index of two levels
        metrics.setdefault(run_id, {})[metric] = float(value)
    records = [run._replace(metrics=metrics.get(run.run_id, {})) for run in found.records]
    return TableRecords(path, _experiment(path, records), records, points, {}, found.notices)


def _experiment(path: str, records: Sequence[Record]) -> str:
    names = list(dict.fromkeys(run.experiment for run in records if run.experiment))
    return " and ".join(names) or Path(path).resolve().name
