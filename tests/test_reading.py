"""SQL, a server's bulk endpoint and MLflow's own client give the same frame, on a store that is not tidy."""

import math
import socket
import subprocess
import sys
import time
import urllib.request

import mlflow
import pandas as pd
import pytest

from analysis import http, records, sql
from regstudy import database, store, tables
from regstudy.errors import TrackingError
from regstudy.server import Server


@pytest.fixture
def untidy(workspace):
    return make_untidy()


def make_untidy() -> list[str]:
    """Doubled steps, NaN, infinity, other metrics, a run without any, a deleted run, runs of another experiment."""
    client = mlflow.MlflowClient()
    ids = [client.create_run("0", start_time=1_000 + i, tags={"t": str(i)}).info.run_id for i in range(4)]
    for i, run_id in enumerate(ids[:3]):
        client.log_param(run_id, "lr", i)
        for step in range(5):
            client.log_metric(run_id, "a/b", step + i, timestamp=100 + step, step=step)
            client.log_metric(run_id, "unasked", 1.0, timestamp=100, step=step)
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


def public(ids, names):
    return records._ordered(records._public_points(ids, names))


@pytest.mark.parametrize("together", [sql.TOGETHER, 3, 1])
def test_sql_gives_what_the_client_gives_however_many_runs_it_reads_together(untidy, monkeypatch, together):
    monkeypatch.setattr(sql, "TOGETHER", together)
    found = records._sql_points(tables.open_tables(mlflow.get_tracking_uri()), untidy, ["a/b", "c"])
    pd.testing.assert_frame_equal(found, public(untidy, ["a/b", "c"]), check_exact=True)
    assert found.loc[(found["run_id"] == untidy[0]) & (found["step"] == 2), "value"].tolist() == [-1.0, 2.0, 99.0]
    assert set(found["metric"]) == {"a/b", "c"}


def test_runs_by_sql_are_the_clients(untidy):
    uri = mlflow.get_tracking_uri()
    one, other = tables.open_tables(uri).runs("0"), Server(uri).runs("0")
    assert [run.run_id for run in one] == untidy
    for ours, theirs in zip(one, other, strict=True):
        assert ours._replace(metrics={}) == theirs._replace(metrics={})
        assert repr(sorted(ours.metrics.items())) == repr(sorted((k, float(v)) for k, v in theirs.metrics.items()))


def test_nothing_asked_is_nothing_given(untidy):
    for ids, names in (([], ["a/b"]), (untidy, []), (untidy, ["nonesuch"])):
        found = records._sql_points(tables.open_tables(mlflow.get_tracking_uri()), ids, names)
        assert found.empty
        assert list(found.columns) == ["run_id", "metric", "step", "value"]


def test_reading_cannot_write(untidy):
    with pytest.raises(TrackingError, match="readonly"), database.reading(mlflow.get_tracking_uri()) as connection:
        connection.exec_driver_sql("DELETE FROM runs")


@pytest.mark.slow
def test_a_server_gives_the_same_in_bulk_however_it_cuts(untidy, workspace, monkeypatch):
    expected = public(untidy, ["a/b", "c"])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", mlflow.get_tracking_uri(), "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]  # fmt: skip
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{address}/health", timeout=2)
                break
            except OSError:
                time.sleep(0.2)
        mlflow.set_tracking_uri(address)
        store.quieten()
        pd.testing.assert_frame_equal(records._ordered(http.points(address, untidy, ["a/b", "c"])), expected, check_exact=True)
        asked = []
        original = http._ask
        # An answer that reaches the limit may have been cut: halves are asked for until none does.
        monkeypatch.setattr(http, "MOST_POINTS", 8)
        monkeypatch.setattr(http, "_ask", lambda uri, ids, metric: asked.append(len(ids)) or original(uri, ids, metric))
        pd.testing.assert_frame_equal(records._ordered(http.points(address, untidy, ["a/b", "c"])), expected, check_exact=True)
        assert asked[:3] == [4, 2, 1]
        monkeypatch.setattr(http, "MOST_POINTS", 3)
        assert http.points(address, untidy, ["a/b"]) is None, "one history may have been cut: the client reads it"
        pd.testing.assert_frame_equal(records.from_store(None).epochs(untidy, ["a/b", "c"]), expected, check_exact=True)
    finally:
        server.terminate()
        server.wait(20)
