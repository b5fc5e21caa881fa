"""A process that is stopped for minutes, while another machine takes its run over, and then wakes: with real processes."""

import os
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import forked
import mlflow
import pytest
from conftest import train, use_store
from forked import Forked
from mlflow.tracking import MlflowClient
from test_resume import assert_equal, facts

from regstudy.schema import TRIAL, Metric, Tag

pytestmark = pytest.mark.slow

DESIGN = """\
name: small
about: Who writes?
overrides: {epochs: 5, dataset: mnist-5k}
configurations: [{l1: 0}]
seeds: 1
"""
STUDY = ["study", "run", "small.yaml", "--threads", "1", "--executor", "here", "--no-report"]


def on_a_machine(folder: Path, name: str, checkpoints: str, *arguments: str) -> Forked:
    """A command on what counts as a machine: what lies in one folder of locks."""
    own = {"REGSTUDY_LOCKS": str(folder / f"locks of {name}"), "REGSTUDY_CHECKPOINTS": str(folder / checkpoints)}
    return forked.start("regstudy", *arguments, folder=folder, measured=False, **own)


def trials() -> list:
    return list(MlflowClient().search_runs(["0"], f"tags.`{Tag.KIND}` = '{TRIAL}'"))


def is_locked() -> bool:
    with closing(sqlite3.connect("mlflow.db", timeout=0.2)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return True
        connection.rollback()
        return False


def asleep(process: Forked) -> str:
    """Stop a process that has trained an epoch, and let so much time pass for its run that it counts as dead; the run's ID."""
    deadline = time.monotonic() + 120
    while not (found := [run for run in trials() if Metric.EPOCHS_DONE in run.data.metrics]):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGSTOP)
    while is_locked():  # stopped in the midst of writing, it would keep everybody from the store
        assert time.monotonic() < deadline
        os.kill(process.pid, signal.SIGCONT)
        time.sleep(0.05)
        os.kill(process.pid, signal.SIGSTOP)
    run_id = found[0].info.run_id
    MlflowClient().set_tag(run_id, Tag.HEARTBEAT, f"{time.time() - 180:.0f}")
    return run_id


def woken(process: Forked) -> str:
    os.kill(process.pid, signal.SIGCONT)
    return process.communicate(timeout=600)[0]


def points(run_id: str) -> dict[str, list[int]]:
    client = MlflowClient()
    names = client.get_run(run_id).data.metrics
    return {name: [point.step for point in client.get_metric_history(run_id, name)] for name in names}


@pytest.fixture(scope="module")
def whole(tmp_path_factory, migrated_database):
    """The history and weights of a run that nobody disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as monkeypatch:
        use_store(folder, migrated_database, monkeypatch)
        found = facts(train(epochs=5, threads=1), folder)
    mlflow.set_tracking_uri(None)  # pyright: ignore[reportArgumentType]  # None unsets it
    return found


@pytest.mark.parametrize("wakes", ["while the other trains", "when the other is done"])
def test_a_run_that_another_machine_continues_is_written_by_that_one_alone(whole, workspace, tmp_path_factory, wakes):
    (workspace / "small.yaml").write_text(DESIGN)
    first = on_a_machine(workspace, "first", "checkpoints", *STUDY)
    run_id = asleep(first)
    second = on_a_machine(workspace, "second", "checkpoints", *STUDY)
    if wakes == "while the other trains":
        while MlflowClient().get_run(run_id).data.tags[Tag.HEARTBEAT] < f"{time.time() - 90:.0f}":
            assert second.poll() is None
            time.sleep(0.1)
        heard = woken(first)
        assert second.communicate(timeout=600)[0].count("Traceback") == 0
    else:
        said = second.communicate(timeout=600)[0]
        assert second.returncode == 0, said
        heard = woken(first)
    assert (first.returncode, second.returncode) == (0, 0), heard
    assert "Traceback" not in heard
    (run,) = trials()
    assert (run.info.run_id, run.info.status) == (run_id, "FINISHED")
    doubled = {name: steps for name, steps in points(run_id).items() if len(steps) != len(set(steps))}
    assert not doubled
    assert points(run_id)[Metric.TEST_ACCURACY] == [0, 1, 2, 3, 4]
    assert_equal(whole, facts(run_id, tmp_path_factory.mktemp("weights")))


def test_a_trial_that_another_machine_starts_anew_is_finished_once(workspace):
    (workspace / "small.yaml").write_text(DESIGN)
    first = on_a_machine(workspace, "first", "checkpoints of first", *STUDY)
    run_id = asleep(first)
    second = on_a_machine(workspace, "second", "checkpoints of second", *STUDY)
    said = second.communicate(timeout=600)[0]
    assert second.returncode == 0, said
    before = points(run_id)
    heard = woken(first)
    assert first.returncode == 0, heard
    assert "Traceback" not in heard
    assert points(run_id) == before
    assert {run.info.run_id: run.info.status for run in trials()}[run_id] == "KILLED"
    assert sorted(run.info.status for run in trials()) == ["FINISHED", "KILLED"]


def test_a_run_by_hand_that_another_machine_continues_says_so_and_leaves(workspace):
    options = ["--dataset", "mnist-5k", "--epochs", "5", "--threads", "1"]
    first = on_a_machine(workspace, "first", "checkpoints", "train", *options)
    run_id = asleep(first)
    second = on_a_machine(workspace, "second", "checkpoints", "resume", run_id)
    said = second.communicate(timeout=600)[0]
    assert second.returncode == 0, said
    heard = woken(first)
    assert first.returncode == 2
    assert heard.splitlines()[-1].endswith("it leaves, and writes nothing more")
    assert "Traceback" not in heard
    assert MlflowClient().get_run(run_id).info.status == "FINISHED"
    assert points(run_id)[Metric.TEST_ACCURACY] == [0, 1, 2, 3, 4]
