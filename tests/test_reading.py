"""SQL, files, a server's bulk endpoint and MLflow's own client give the same frame, on a store that is not tidy, whatever version made it."""

import math
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import foreign
import mlflow
import pandas as pd
import pytest
from mlflow.entities import Metric
from servers import serving

from analysis.reading.records import mlflow_store, rest, sql, stores
from regstudy.errors import TrackingError
from regstudy.store import database, store, tables
from regstudy.store.server import Server


@pytest.fixture
def untidy(workspace):
    return make_untidy()


def make_untidy() -> list[str]:
    """Doubled steps, NaN, infinity, other metrics, a run without any, a deleted run, runs of another experiment."""
    client = mlflow.MlflowClient()
    ids = [client.create_run("0", start_time=1_000 + i, tags={"t": str(i)}).info.run_id for i in range(4)]
    for i, run_id in enumerate(ids[:3]):
        client.log_param(run_id, "lr", i)
        points = [Metric("a/b", step + i, 100 + step, step) for step in range(5)]
        client.log_batch(run_id, [*points, *(Metric("unasked", 1.0, 100, step) for step in range(5))])
    client.log_metric(ids[0], "a/b", 99.0, timestamp=500, step=2)
    client.log_metric(ids[0], "a/b", -1.0, timestamp=50, step=2)
    client.log_metric(ids[1], "c", math.nan, timestamp=1, step=0)
    client.log_metric(ids[1], "c", math.inf, timestamp=2, step=1)
    gone = client.create_run("0").info.run_id
    client.log_metric(gone, "a/b", 7.0)
    client.delete_run(gone)
    other = client.create_run(client.create_experiment("other")).info.run_id
    client.log_metric(other, "a/b", 8.0)
    return ids


def ordered(points: pd.DataFrame) -> pd.DataFrame:
    """Points as they are to be read: by run, metric, step and time; the last of a step is the latest."""
    points = points.astype({"run_id": "str", "metric": "str"})
    keys = ["run_id", "metric", "step", "timestamp", "value"]
    return points.sort_values(keys, ignore_index=True)[["run_id", "metric", "step", "value"]]


def public(ids, names):
    """As MLflow's client gives them, run by run and metric by metric."""
    return ordered(pd.DataFrame(Server(mlflow.get_tracking_uri()).points(ids, names), columns=mlflow_store.COLUMNS))


def by_sql(held, ids, names):
    return mlflow_store.StoreRecords("here", "Default", "0", held).epochs(ids, names)


@pytest.mark.parametrize("together", [sql.TOGETHER, 3, 1])
def test_sql_gives_what_the_client_gives_however_many_runs_it_reads_together(untidy, monkeypatch, together):
    monkeypatch.setattr(sql, "TOGETHER", together)
    found = by_sql(tables.open_tables(mlflow.get_tracking_uri()), untidy, ["a/b", "c"])
    pd.testing.assert_frame_equal(found, public(untidy, ["a/b", "c"]), check_exact=True)
    assert found.loc[(found["run_id"] == untidy[0]) & (found["step"] == 2), "value"].tolist() == [-1.0, 2.0, 99.0]
    assert set(found["metric"]) == {"a/b", "c"}


def test_runs_by_sql_are_the_clients(untidy):
    uri = mlflow.get_tracking_uri()
    one, other = tables.open_tables(uri).runs("0"), Server(uri).runs("0")
    assert [run.run_id for run in one] == untidy
    for ours, theirs in zip(one, other, strict=True):
        assert ours._replace(metrics={}) == theirs._replace(metrics={}), "with its artifacts' place"
        assert repr(sorted(ours.metrics.items())) == repr(sorted((k, float(v)) for k, v in theirs.metrics.items()))


def test_reading_cannot_write(untidy):
    with pytest.raises(TrackingError, match="readonly"), database.reading(mlflow.get_tracking_uri()) as connection:
        connection.exec_driver_sql("DELETE FROM runs")


def test_a_table_without_a_column_that_is_needed_is_named(workspace):
    with closing(sqlite3.connect(workspace / "mlflow.db")) as connection, connection:
        connection.execute("ALTER TABLE params RENAME COLUMN value TO text")
    with pytest.raises(TrackingError, match=r"none that this version of regstudy can read \(there is no params.value\)"):
        stores.from_store(None)


def test_a_name_that_two_experiments_have_is_asked_about(workspace):
    with closing(sqlite3.connect(workspace / "mlflow.db")) as connection, connection:
        connection.execute(
            "INSERT INTO experiments (experiment_id, name, lifecycle_stage, workspace) VALUES (7, 'Default', 'active', 'team')"
        )
    with pytest.raises(
        TrackingError, match=r"2 experiments .* are named 'Default' \(IDs 0, 7\): name one with MLFLOW_EXPERIMENT_ID"
    ):
        stores.from_store(None)


@pytest.mark.parametrize("name", ["100%", "a?b", "a#b", "with space", "é ü", "a%20b", "a&uri=true"])
@pytest.mark.parametrize("kind", ["of today", "with a log"])
def test_a_path_is_read_as_it_is_spelt(workspace, migrated_database, monkeypatch, name, kind):
    (workspace / name).mkdir()
    shutil.copy(migrated_database, workspace / name / "mlflow.db")
    foreign.KINDS[kind](workspace / name / "mlflow.db")
    before = foreign.state(workspace)
    monkeypatch.chdir(workspace / name)
    mlflow.set_tracking_uri("sqlite:///mlflow.db")
    assert stores.from_store(None).experiment == "Default"
    assert foreign.state(workspace) == before


def test_what_is_in_the_log_only_is_read(workspace):
    foreign.with_log(workspace / "mlflow.db")
    assert stores.from_store("in the log").runs() == []


def test_what_a_dead_writer_left_half_done_is_not_read(untidy, workspace):
    whole = tables.open_tables(mlflow.get_tracking_uri()).runs("0")
    foreign.half_written(workspace / "mlflow.db")
    assert tables.open_tables(mlflow.get_tracking_uri()).runs("0") == whole


def test_a_store_that_is_written_to_meanwhile_is_read_at_one_moment(workspace):
    """Two runs in each transaction: an odd number of them was never there."""
    file, uri = workspace / "mlflow.db", mlflow.get_tracking_uri()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    write = f"""
import sqlite3, time
connection = sqlite3.connect({str(file)!r})
for number in range(100_000):
    for half in "ab":
        connection.execute("INSERT INTO runs (run_uuid, status, start_time, lifecycle_stage, experiment_id) VALUES (?, 'RUNNING', ?, 'active', 0)", [f"{{number}}{{half}}", number])
    connection.commit()
    time.sleep(0.02)
"""
    writer = subprocess.Popen([sys.executable, "-c", write])
    try:
        counts = []
        deadline = time.monotonic() + 20
        while len(set(counts)) < 5:
            assert time.monotonic() < deadline
            counts.append(len(tables.open_tables(uri).runs("0")))
    finally:
        writer.kill()
        writer.wait()
    assert all(count % 2 == 0 for count in counts)


@pytest.mark.parametrize("spelling", ["{}", "file://{}", "relative"])
def test_artifacts_are_read_from_where_the_run_says(untidy, workspace, spelling):
    place = workspace / "relative" / "artifacts"
    place.mkdir(parents=True)
    (place / "design.yaml").write_text("a design")
    address = "relative/artifacts" if spelling == "relative" else spelling.format(place)
    with closing(sqlite3.connect(workspace / "mlflow.db")) as connection, connection:
        connection.execute("UPDATE runs SET artifact_uri = ? WHERE run_uuid = ?", [address, untidy[0]])
    source = stores.from_store(None)
    assert source.design(untidy[0]) == "a design"
    assert source.design(untidy[1]) is None


def test_artifacts_that_need_a_package_or_a_server_say_so(untidy, workspace):
    with closing(sqlite3.connect(workspace / "mlflow.db")) as connection, connection:
        for run_id, address in zip(untidy, ("sftp://nowhere.invalid/run", "mlflow-artifacts:/0/run/artifacts"), strict=False):
            connection.execute("UPDATE runs SET artifact_uri = ? WHERE run_uuid = ?", [address, run_id])
    source = stores.from_store(None)
    with pytest.raises(TrackingError, match=r"the artifacts at sftp://nowhere\.invalid/run "):
        source.predictions(untidy[0])
    assert source.predictions(untidy[1]) is None, "only the server could tell"


@pytest.mark.slow
def test_a_server_gives_the_same_in_bulk_however_it_cuts(untidy, workspace, monkeypatch):
    expected = public(untidy, ["a/b", "c"])
    with serving(mlflow.get_tracking_uri(), workspace) as address:
        mlflow.set_tracking_uri(address)
        store.quieten()
        pd.testing.assert_frame_equal(ordered(rest.points(address, untidy, ["a/b", "c"])), expected, check_exact=True)
        asked = []
        request = rest.http_request
        # An answer that reaches the limit may have been cut: halves are asked for until none does.
        monkeypatch.setattr(rest, "MOST_POINTS", 8)
        monkeypatch.setattr(
            rest, "http_request", lambda *given, params: asked.append(len(params) - 1) or request(*given, params=params)
        )
        pd.testing.assert_frame_equal(ordered(rest.points(address, untidy, ["a/b", "c"])), expected, check_exact=True)
        assert asked[:3] == [4, 2, 1]
        monkeypatch.setattr(rest, "MOST_POINTS", 3)
        assert rest.points(address, untidy, ["a/b"]) is None, "one history may have been cut: the client reads it"
        pd.testing.assert_frame_equal(stores.from_store(None).epochs(untidy, ["a/b", "c"]), expected, check_exact=True)
