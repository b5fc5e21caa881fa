"""What every reader of records keeps to, as a check to be run on one that holds known runs: `check(reader, runs, points)`. For tests; a reader of your own passes it too.

Whatever is not kept is an AssertionError that says what. Checks reading alone: how a reader is opened is its own affair.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from .record import STATUSES, Record, Records

COLUMNS = ["run_id", "metric", "step", "value"]
LARGEST = np.finfo(float).max
"""What MLflow's tables keep for infinity."""

NOWHERE = "a metric that no run has"


def check(reader: Records, runs: Sequence[Record], points: pd.DataFrame) -> None:
    """That a reader gives exactly these runs, oldest first, and these points of them; `points` has run_id, metric, step and value, the latest of a step last."""
    _check_runs(reader, runs)
    _check_points(reader, [run.run_id for run in runs], points)
    _check_artifacts(reader, runs)
    _must(all(isinstance(text, str) and text for text in (reader.where, reader.experiment)), "where and experiment are texts")
    _must(isinstance(reader.experiment_id, str | None), "experiment_id is a text or None")
    _check_runs(reader, runs)  # read again, they are the same


def _check_runs(reader: Records, runs: Sequence[Record]) -> None:
    found = reader.runs()
    _must(
        [run.run_id for run in found] == [run.run_id for run in runs],
        f"the runs, without deleted ones, oldest first: expected {[run.run_id for run in runs]}, got {[run.run_id for run in found]}",
    )
    for run, expected in zip(found, runs, strict=True):
        _must(run.status in STATUSES, f"run {run.run_id}: its status is MLflow's, got {run.status!r}")
        _must(
            all(isinstance(text, str) for pair in (*run.params.items(), *run.tags.items()) for text in pair),
            f"run {run.run_id}: parameters and tags are texts",
        )
        for name in Record._fields:
            one, other = getattr(run, name), getattr(expected, name)
            same = _same_numbers(one, other) if name == "metrics" else one == other
            _must(same, f"run {run.run_id}: its {name}: expected {other!r}, got {one!r}")


def _check_points(reader: Records, run_ids: Sequence[str], points: pd.DataFrame) -> None:
    names = sorted(set(points["metric"]))
    found = reader.epochs(run_ids, iter(names))
    _must(list(found.columns) == COLUMNS, f"the points' columns: expected {COLUMNS}, got {list(found.columns)}")
    _must(found["step"].dtype == np.int64, f"steps are whole numbers, got {found['step'].dtype}")
    _must(found["value"].dtype == np.float64, f"values are numbers, got {found['value'].dtype}")
    _must(len(found) == len(points), f"expected {len(points)} points, got {len(found)}")
    for run_id in run_ids:
        for name in names:
            _must_be_same(_of(found, run_id, name), _of(points, run_id, name), f"{name} of run {run_id}")
    for some in (run_ids[:1], run_ids[::-1]):
        own = reader.epochs(some, names[:1])
        _must(set(own["run_id"]) <= set(some), "points of the runs that are asked for, and of no other")
        _must(set(own["metric"]) <= set(names[:1]), "points of the metrics that are asked for, and of no other")
        _must(len(own) == sum(len(_of(points, run_id, names[0])) for run_id in some), "in whatever order runs are asked for")
    for ids, asked in (([], names), (run_ids, []), (run_ids, [NOWHERE])):
        none = reader.epochs(ids, asked)
        _must(none.empty and list(none.columns) == COLUMNS, f"no point of {len(ids)} runs and {asked}, but the same columns")


def _check_artifacts(reader: Records, runs: Sequence[Record]) -> None:
    for run in runs[:1]:
        for held in (reader.predictions(run.run_id), reader.misclassified(run.run_id)):
            _must(isinstance(held, pd.DataFrame | None), "predictions and errors are a frame, or None")
        _must(isinstance(reader.design(run.run_id), str | None), "a design is a text, or None")


def _of(points: pd.DataFrame, run_id: str, metric: str) -> pd.DataFrame:
    return points[(points["run_id"] == run_id) & (points["metric"] == metric)]


def _must_be_same(found: pd.DataFrame, expected: pd.DataFrame, what: str) -> None:
    told = f"expected {expected[['step', 'value']].to_numpy().tolist()}, got {found[['step', 'value']].to_numpy().tolist()}"
    _must(list(found["step"]) == list(expected["step"]), f"{what}: its steps in order: {told}")
    same = all(_same(*pair) for pair in zip(found["value"], expected["value"], strict=True))
    _must(same, f"{what}: its values, the latest of a step last: {told}")


def _same_numbers(one: Mapping[str, float], other: Mapping[str, float]) -> bool:
    return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in one)


def _same(one: float, other: float) -> bool:
    """NaN is NaN, and infinity what MLflow's tables keep for it."""
    if math.isnan(one) or math.isnan(other):
        return math.isnan(one) and math.isnan(other)
    return float(np.clip(one, -LARGEST, LARGEST)) == float(np.clip(other, -LARGEST, LARGEST))


def _must(holds: Any, told: str) -> None:
    if not holds:
        raise AssertionError(told)
