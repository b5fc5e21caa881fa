"""Reading a store: ours beside raw SQL and beside one call per run and metric."""

import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks import process

EPOCHS = 40
METRICS = tuple(f"part/metric_{i}" for i in range(8))
ROUNDS = 5
PROCESSES = 3
SAMPLE = 20
"""Runs that are read one call at a time; the whole is that many times as long."""


class Reading(NamedTuple):
    """Seconds for 1,000 runs: ours, raw SQL, one call per run and metric; and, in processes of their own, seconds and MB of 1,000 and 10,000."""

    ours: float
    raw: float
    public: float
    one: tuple[float, float]
    ten: tuple[float, float]


def measure() -> Reading:
    """1,000 runs side by side, then 1,000 and 10,000 by ours in a process each."""
    with tempfile.TemporaryDirectory() as folder:
        small, large = (make(Path(folder) / f"{n}.db", n) for n in (1_000, 10_000))
        return Reading(*side_by_side(small), _by_itself(small), _by_itself(large))


def rows(found: Reading) -> list[tuple[str, str, str]]:
    """The table's rows."""
    runs = f"1,000 runs × {EPOCHS} epochs × {len(METRICS)} metrics, SQLite; median of {ROUNDS} interleaved rounds"
    return [
        ("(h) reading runs and points", f"{found.ours:.2f} s", runs),
        ("(h) the same by raw SQL", f"{found.raw:.2f} s", "as tuples"),
        ("(h) the same by one call per run and metric", f"{found.public:.0f} s", f"MLflow's client, from {SAMPLE} runs"),
        ("(h) ours / raw SQL", f"{found.ours / found.raw:.2f}", "of medians"),
        ("(h) one call each / ours", f"{found.public / found.ours:.0f}", "of medians"),
        (
            "(h) 10,000 runs / 1,000 runs",
            f"{found.ten[0] / found.one[0]:.1f}",
            f"in processes of their own, median of {PROCESSES}",
        ),
        ("(h) peak memory", f"{found.one[1]:.0f} and {found.ten[1]:.0f} MB", "1,000 and 10,000 runs"),
    ]


def make(database: Path, runs: int) -> Path:
    """A store with so many runs, written into MLflow's tables at once."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    SqlAlchemyStore(f"sqlite:///{database}", str(database.parent / "artifacts")).engine.dispose()
    ids = [f"{i:032x}" for i in range(runs)]
    points = [(key, 0.5 + step / 100, 1_000 + step, run, step, 0) for run in ids for key in METRICS for step in range(EPOCHS)]
    latest = [(key, 0.9, 1_000 + EPOCHS, EPOCHS - 1, 0, run) for run in ids for key in METRICS]
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.executemany(
            "INSERT INTO runs (run_uuid, name, status, start_time, lifecycle_stage, experiment_id, source_type, artifact_uri)"
            " VALUES (?, ?, 'FINISHED', ?, 'active', 0, 'LOCAL', '')",
            [(run, run, i) for i, run in enumerate(ids)],
        )
        connection.executemany(
            "INSERT INTO tags (key, value, run_uuid) VALUES (?, ?, ?)", [(f"t{k}", "x", run) for run in ids for k in range(20)]
        )
        connection.executemany(
            "INSERT INTO params (key, value, run_uuid) VALUES (?, ?, ?)",
            [(f"p{k}", "1", run) for run in ids for k in range(15)],
        )
        connection.executemany(
            "INSERT INTO metrics (key, value, timestamp, run_uuid, step, is_nan) VALUES (?, ?, ?, ?, ?, ?)", points
        )
        connection.executemany(
            "INSERT INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid) VALUES (?, ?, ?, ?, ?, ?)", latest
        )
    return database


def side_by_side(database: Path) -> tuple[float, float, float]:
    """Seconds of our reading, of raw SQL, and of the client's calls: medians of interleaved rounds."""
    import mlflow

    uri = f"sqlite:///{database}"
    mlflow.set_tracking_uri(uri)
    client = mlflow.MlflowClient()
    some = [f"{i:032x}" for i in range(SAMPLE)]
    client.get_metric_history(some[0], METRICS[0])
    took: dict[str, list[float]] = {"ours": [], "raw": [], "public": []}
    for _ in range(ROUNDS):
        took["ours"].append(_timed(_ours))
        took["raw"].append(_timed(lambda: _raw(database)))
        calls = _timed(lambda: [client.get_metric_history(run, key) for run in some for key in METRICS])
        took["public"].append(calls * 1_000 / SAMPLE)
    return median(took["ours"]), median(took["raw"]), median(took["public"])


def _ours() -> None:
    from analysis.reading.records import stores

    source = stores.from_store(None)
    found = source.epochs([run.run_id for run in source.runs()], METRICS)
    assert len(found) % (EPOCHS * len(METRICS)) == 0
    assert len(found)


def _raw(database: Path) -> None:
    """Everything that ours reads, as tuples."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("SELECT run_uuid, name, status, start_time FROM runs").fetchall()
        for table in ("tags", "params", "latest_metrics"):
            connection.execute(f"SELECT run_uuid, key, value FROM {table}").fetchall()
        connection.execute(
            "SELECT run_uuid, key, step, value, is_nan, timestamp FROM metrics ORDER BY run_uuid, key, step, timestamp"
        ).fetchall()


def _timed(what: Callable[[], object]) -> float:
    start = time.perf_counter()
    what()
    return time.perf_counter() - start


def _by_itself(database: Path) -> tuple[float, float]:
    """Seconds of one reading, and its process's peak memory in MB: medians."""
    done = [process.run("-m", "benchmarks.reading", f"sqlite:///{database}") for _ in range(PROCESSES)]
    return median(float(one.printed) for one in done), median(one.memory for one in done)


if __name__ == "__main__":
    import mlflow

    mlflow.set_tracking_uri(sys.argv[1])
    print(_timed(_ours))
