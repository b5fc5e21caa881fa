"""Points of metrics by SQL from MLflow's own tables: hundreds of times as fast as one call per run and metric. Reads only."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import bindparam, text

from regstudy.store import database
from regstudy.store.tables import Tables

TOGETHER = 500
"""Runs in a query: SQLite takes 32,766 parameters, other databases fewer."""

# COALESCE keeps SQLite from the index that begins with the key, by which it would look at every run each time.
POINTS = (
    "SELECT m.run_uuid, m.key, {step}, m.value, {is_nan}, {timestamp} FROM metrics m "
    "WHERE m.run_uuid IN :runs AND COALESCE(m.key, '') IN :keys"
)


def points(tables: Tables, run_ids: Sequence[str], metrics: Sequence[str]) -> Iterator[pd.DataFrame]:
    """Every point of these metrics, some runs at a time in the order given: run_id, metric, step, value, timestamp."""
    columns = {name: tables.column("m", "metrics", name) for name in ("step", "is_nan", "timestamp")}
    lists = (bindparam("runs", expanding=True), bindparam("keys", expanding=True))
    query = text(POINTS.format(**columns)).bindparams(*lists)
    yield _frame([], run_ids, metrics)
    with database.reading(tables.uri) as connection:
        for start in range(0, len(run_ids) if metrics else 0, TOGETHER):
            some = list(run_ids[start : start + TOGETHER])
            result = connection.execute(query, {"runs": some, "keys": list(metrics)})
            # Plain tuples: SQLAlchemy's rows would take as long again.
            yield _frame(result.cursor.fetchall(), some, metrics)  # pyright: ignore[reportOptionalMemberAccess]  # a query has one


def _frame(rows: Sequence[Sequence[Any]], run_ids: Sequence[str], metrics: Sequence[str]) -> pd.DataFrame:
    """Names become categories, a number each, which sort and compare ten times as fast."""

    def column(place: int, kind: type) -> np.ndarray:
        return np.fromiter((row[place] for row in rows), kind, len(rows))

    def categories(place: int, known: Sequence[str]) -> pd.Categorical:
        ordered = sorted(set(known))
        code = {name: number for number, name in enumerate(ordered)}
        codes = np.fromiter((code[row[place]] for row in rows), np.int32, len(rows))
        return pd.Categorical.from_codes(codes, pd.Index(ordered, dtype=object))  # pyright: ignore[reportCallIssue, reportArgumentType]  # categories are

    try:
        value = column(3, np.float64)
    except (TypeError, ValueError):  # SQLite takes text in a column of numbers: no measurement
        value = np.array([row[3] if isinstance(row[3], (int, float)) else np.nan for row in rows], np.float64)
    value[column(4, np.bool_)] = np.nan
    names = {"run_id": categories(0, run_ids), "metric": categories(1, metrics)}
    return pd.DataFrame(names | {"step": column(2, np.int64), "value": value, "timestamp": column(5, np.int64)})
