"""Results in a CSV or Parquet file, read as a store's runs are: a row per run, or long, a row per number."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.csv as arrow
from pandas.api import types

from regstudy.console.text import visible
from regstudy.errors import SnapshotError
from regstudy.schema import MOST_STEPS

from .record import FINISHED, Record

METRIC, VALUE, STEP = "metric", "value", "step"
RUN_ID, RUN_NAME = "run_id", "run_name"
BLANK = ("nan", "na", "none", "null")
"""Cells without a number, beside empty ones."""

MOSTLY = 0.5
"""The share of cells with digits from which a column was meant to be one of numbers."""


@dataclass(frozen=True)
class TableRecords:
    """Runs of files; columns are their parameters, as texts, and numbers their metrics too. `odd` says of columns that are nearly of numbers why they are not, `notices` what could not be read."""

    where: str
    experiment: str
    records: Sequence[Record]
    points: pd.DataFrame
    odd: Mapping[str, str]
    notices: tuple[str, ...] = ()
    experiment_id: str | None = None

    def runs(self) -> Sequence[Record]:
        """All, in the files' order."""
        return self.records

    def epochs(self, run_ids: Sequence[str], metrics: Iterable[str]) -> pd.DataFrame:
        """Long: run_id, metric, step, value."""
        own = self.points["run_id"].isin(list(run_ids)) & self.points["metric"].isin(list(metrics))
        return self.points[own].sort_values(["run_id", "metric", "step"], kind="stable", ignore_index=True)

    def predictions(self, run_id: str) -> pd.DataFrame | None:
        """None."""

    def misclassified(self, run_id: str) -> pd.DataFrame | None:
        """None."""

    def design(self, run_id: str) -> str | None:
        """None."""


def load(paths: Sequence[str]) -> TableRecords:
    """Files of results, as one; SnapshotError says what is wrong with one.

    Long ones have columns `metric` and `value`, perhaps `step`: what their other columns have in common is a run's. Of others each row is a run. `run_id` and `run_name` may be columns.
    """
    frames = {path: _frame(path) for path in paths}
    loaded = [
        _of(path, frame, beginning=f"{place}-" if len(paths) > 1 else "")
        for place, (path, frame) in enumerate(frames.items(), 1)
    ]
    records = [record for held, _ in loaded for record in held]
    seen = [record.run_id for record in records]
    if len(set(seen)) < len(seen):
        raise SnapshotError(
            f"{', '.join(paths)}: run_id {next(one for one in seen if seen.count(one) > 1)!r} is there twice: expected one row per run"
        )
    points = pd.concat([own for _, own in loaded], ignore_index=True)
    odd = {name: told for path, frame in frames.items() for name, told in _odd(path, frame).items()}
    return TableRecords(", ".join(paths), ", ".join(Path(path).stem for path in paths), records, points, odd)


def joined(parts: Sequence[TableRecords]) -> TableRecords:
    """Several as one, in their order; runs of two that have the same ID stay two."""
    if len(parts) == 1:
        return parts[0]
    records = [run._replace(run_id=f"{place}/{run.run_id}") for place, part in enumerate(parts, 1) for run in part.records]
    points = [part.points.assign(run_id=f"{place}/" + part.points["run_id"]) for place, part in enumerate(parts, 1)]
    return TableRecords(
        ", ".join(part.where for part in parts),
        ", ".join(part.experiment for part in parts),
        records,
        pd.concat(points, ignore_index=True),
        {name: told for part in parts for name, told in part.odd.items()},
        tuple(notice for part in parts for notice in part.notices),
    )


def _frame(path: str) -> pd.DataFrame:
    """A file's rows; texts as they stand."""
    try:
        frame = pd.read_parquet(path) if Path(path).suffix.lower() == ".parquet" else _csv(path)
    except UnicodeDecodeError:
        raise SnapshotError(f"{path!r} is not UTF-8: save it as that") from None
    except (OSError, ValueError, csv.Error) as error:  # pyarrow's own are of these
        reason = error.strerror if isinstance(error, OSError) and error.strerror else next(iter(str(error).splitlines()), "")
        raise SnapshotError(f"{path!r} cannot be read: {visible(reason)}") from None
    if frame.empty:
        raise SnapshotError(f"{path!r} holds no row: expected a row per run, with columns for parameters and metrics")
    return frame.rename(columns=str)


def _csv(path: str) -> pd.DataFrame:
    """All cells as texts; ValueError for rows that are longer or shorter than the heading."""
    separator = "\t" if path.lower().endswith(".tsv") else ","
    with Path(path).open(encoding="utf-8-sig", newline="") as file:
        names = next(csv.reader(file, delimiter=separator), [])
        file.read()  # it is UTF-8 to its end
    twice = sorted({name for name in names if names.count(name) > 1})
    if not names or twice:
        wrong = f"the column {visible(twice[0])!r} is there twice" if twice else "there is no heading"
        raise SnapshotError(f"{path!r}: {wrong}: expected a name for each column")
    if len(names) == 1 and any(other in names[0] for other in ";\t,"):
        expected = "commas" if separator == "," else "tabs"
        raise SnapshotError(f"{path!r} has one column, {visible(names[0])!r}: expected {expected} between values")
    kinds = arrow.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False)
    shape = arrow.ParseOptions(delimiter=separator, newlines_in_values=True)
    return arrow.read_csv(path, parse_options=shape, convert_options=kinds).to_pandas()


def _of(path: str, frame: pd.DataFrame, beginning: str) -> tuple[list[Record], pd.DataFrame]:
    texts = frame.map(_text)
    if {METRIC, VALUE} <= set(frame):
        return _long(path, texts, beginning)
    numbers = {
        str(name): own for name in frame if name not in {RUN_ID, RUN_NAME} and (own := _numbers(frame[name])) is not None
    }
    ids = _ids(texts, range(len(frame)), beginning)
    records = [
        _record(path, ids[place], place, texts.iloc[place], {name: float(own.iloc[place]) for name, own in numbers.items() if pd.notna(own.iloc[place])})
        for place in range(len(frame))
    ]  # fmt: skip
    points = pd.DataFrame(
        [(record.run_id, name, 0, value) for record in records for name, value in record.metrics.items()], columns=["run_id", "metric", "step", "value"]
    )  # fmt: skip
    return records, points


def _long(path: str, texts: pd.DataFrame, beginning: str) -> tuple[list[Record], pd.DataFrame]:
    values, steps = _numbers(texts[VALUE]), _numbers(texts[STEP]) if STEP in texts else None
    if values is None or (STEP in texts and steps is None):
        raise SnapshotError(f"{path!r}: expected numbers in the column {VALUE if values is None else STEP}")
    of_run = [name for name in texts if name not in {METRIC, VALUE, STEP}]
    groups = texts.groupby([RUN_ID] if RUN_ID in texts else of_run or [METRIC], sort=False, dropna=False).ngroup()
    first = texts.loc[~groups.duplicated(), of_run]
    ids = _ids(first, range(len(first)), beginning)
    step = texts.groupby([groups, METRIC]).cumcount() if steps is None else _whole(path, steps, texts[STEP])
    points = pd.DataFrame({"run_id": groups.map(dict(enumerate(ids))), "metric": texts[METRIC], "step": step, "value": values})
    last = points.dropna().sort_values("step", kind="stable").groupby(["run_id", "metric"])["value"].last()
    held: dict[str, dict[str, float]] = {run_id: {} for run_id in ids}
    for (run_id, metric), value in last.items():  # pyright: ignore[reportGeneralTypeIssues]  # pandas' index of two levels
        held[run_id][metric] = float(value)
    return [_record(path, ids[place], place, first.iloc[place], held[ids[place]]) for place in range(len(first))], points


def _whole(path: str, steps: "pd.Series[float]", texts: "pd.Series[str]") -> "pd.Series[int]":
    bad = ~((steps % 1 == 0) & (steps.abs() < MOST_STEPS))
    if bad.any():
        place = int(bad.to_numpy().argmax())
        raise SnapshotError(
            f"{path!r}: {visible(texts.iloc[place])!r} in row {place + 1} of the column {STEP} is no step: expected a whole number; 0 for what has none"
        )
    return steps.astype("int64")


def _record(path: str, run_id: str, place: int, row: "pd.Series[str]", metrics: dict[str, float]) -> Record:
    params = {str(name): str(text) for name, text in row.items() if name not in {RUN_ID, RUN_NAME} and text != ""}
    return Record(run_id, str(row.get(RUN_NAME, "")), FINISHED, place, {}, metrics, params, Path(path).stem, path)


def _ids(rows: pd.DataFrame, places: Iterable[int], beginning: str) -> list[str]:
    return (
        [beginning + text for text in rows[RUN_ID]] if RUN_ID in rows else [f"{beginning}row {place + 1}" for place in places]
    )


def _numbers(column: "pd.Series[Any]") -> "pd.Series[float] | None":
    """A column as numbers, blanks as NaN; None if it holds something else, or nothing."""
    if types.is_bool_dtype(column):
        return None
    if types.is_numeric_dtype(column):
        return column.astype(float)
    texts = column.astype(str).str.strip()
    numbers = pd.to_numeric(texts, errors="coerce")
    blank = texts.eq("") | texts.str.lower().isin(BLANK)
    return None if (numbers.isna() & ~blank).any() or blank.all() else numbers.astype(float)


def _odd(path: str, frame: pd.DataFrame) -> dict[str, str]:
    """Columns most of whose cells have digits, with the first that is no number."""
    found: dict[str, str] = {}
    for name in frame:
        texts = frame[name].map(_text).str.strip()
        bad = pd.to_numeric(texts, errors="coerce").isna() & ~texts.eq("") & ~texts.str.lower().isin(BLANK)
        if bad.any() and texts.str.contains(r"\d").mean() > MOSTLY:
            place = int(bad.to_numpy().argmax())
            how = "write it plainly, such as 0.5 or 1900.1, or leave it blank"
            found[str(name)] = f"{visible(texts.iloc[place])!r} in row {place + 1} of {path} is no number: {how}"
    return found


def _text(value: object) -> str:
    if isinstance(value, float):
        return "" if pd.isna(value) else repr(value)
    return "" if value is None or value is pd.NA or value is pd.NaT else str(value)
