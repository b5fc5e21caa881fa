"""Stores that go away while a run is trained, and first starts all at once: PostgreSQL and a SQLite file, with real processes."""

import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import forked
import mlflow
import pytest
from at_once import first_start
from conftest import ROOT
from mlflow.tracking import MlflowClient

TRAIN = ["regstudy", "train", "--dataset", "mnist-5k", "--epochs", "4", "--threads", "1"]


def start(command: list[str], uri: str) -> subprocess.Popen[str]:
    """From a shell."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "MLFLOW_TRACKING_URI": uri}
    command = [sys.executable, "-m", *command]
    return subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def until_training(client: MlflowClient) -> None:
    deadline = time.monotonic() + 120
    while not any("train/loss" in run.data.metrics for run in client.search_runs(["0"])):
        assert time.monotonic() < deadline
        time.sleep(0.2)


def assert_whole(client: MlflowClient) -> None:
    """One run, FINISHED, with each epoch's loss once."""
    (run,) = client.search_runs(["0"])
    assert run.info.status == "FINISHED"
    assert [point.step for point in client.get_metric_history(run.info.run_id, "train/loss")] == [0, 1, 2, 3]


@pytest.mark.slow
def test_a_run_goes_on_after_its_file_was_locked_for_longer_than_mlflow_waits(workspace):
    process = start(TRAIN, mlflow.get_tracking_uri())
    until_training(MlflowClient())
    with closing(sqlite3.connect("mlflow.db", timeout=60)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        time.sleep(25)
    said, _ = process.communicate(timeout=600)
    assert process.returncode == 0, said
    assert said.count("does not answer") == said.count("answers again") == 1
    assert "Traceback" not in said
    assert_whole(MlflowClient())


@pytest.mark.postgres
def test_a_run_goes_on_after_its_database_was_started_again(database, postgres, workspace):
    client = MlflowClient(database)
    process = forked.start(*TRAIN, MLFLOW_TRACKING_URI=database)
    until_training(client)
    postgres.restart(0, "fast")
    said, _ = process.communicate(timeout=600)
    assert process.returncode == 0, said
    assert said.count("does not answer") <= 1
    assert "Traceback" not in said
    assert len(said.splitlines()) < 20
    assert_whole(client)


@pytest.mark.postgres
def test_sixteen_first_starts_on_an_empty_database(database, workspace):
    context = forked.context()  # sixteen that import it would not come at once
    answers = context.SimpleQueue()
    processes = [context.Process(target=first_start, args=[database, answers]) for _ in range(16)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(300)
    assert [process.exitcode for process in processes] == [0] * 16
    assert {answers.get() for _ in processes} == {"0"}


@pytest.mark.postgres
def test_an_unknown_database_is_one_line_at_once(postgres, workspace):
    process = forked.start("analysis", "rank", MLFLOW_TRACKING_URI=postgres.uri("nonesuch"))
    said, _ = process.communicate(timeout=600)
    assert process.returncode == 2
    assert said.count("\n") == 1
    assert 'database "nonesuch" does not exist' in said
    assert process.lines[0][0] - process.begun < 30
