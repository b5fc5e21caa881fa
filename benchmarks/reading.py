"""Reading a store: ours beside raw SQL and beside one call per run and metric. `python -m benchmarks.reading` prints a table."""

import json
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from statistics import median

EPOCHS = 40
METRICS = tuple(f"part/metric_{i}" for i in range(8))
ROUNDS = 5
SAMPLE = 20
"""Runs that are read one call at a time; the whole is that many times as long."""


def main() -> None:
    """Measure 1,000 runs side by side, then 10,000 by ours; or, in a process of its own, one reading."""
    if sys.argv[1:]:
        print(json.dumps(_read_once(sys.argv[1])))
        return
    with tempfile.TemporaryDirectory() as folder:
        small, large = (make(Path(folder) / f"{n}.db", n) for n in (1_000, 10_000))
        ours, raw, public = side_by_side(small)
        (one, memory_one), (ten, memory_ten) = (_in_a_process(database) for database in (small, large))
    print("| 1,000 runs × 40 epochs × 8 metrics, SQLite | |\n|---|---:|")
    print(
        f"| ours, runs and points | {ours:.2f} s |\n| raw SQL | {raw:.2f} s |\n| one call per run and metric, from {SAMPLE} runs | {public:.0f} s |"
    )
    print(f"| ours / raw SQL | {ours / raw:.2f} |\n| one call each / ours | {public / ours:.0f} |")
    print(f"| 10,000 runs / 1,000 runs, in processes of their own | {ten / one:.1f} |")
    print(f"| peak memory, 1,000 and 10,000 runs | {memory_one:.0f} and {memory_ten:.0f} MB |")


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
    from analysis import records

    source = records.from_store(None)
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


def _read_once(database: str) -> tuple[float, float]:
    """Seconds of one reading in this process, and its peak memory in MB."""
    import mlflow

    mlflow.set_tracking_uri(f"sqlite:///{database}")
    return _timed(_ours), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _in_a_process(database: Path) -> tuple[float, float]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.reading", str(database)],
        env=os.environ,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    seconds, megabytes = json.loads(done.stdout.splitlines()[-1])
    return seconds, megabytes


if __name__ == "__main__":
    main()
