"""Processes killed at random, seeded moments: a run and a study go on as if nothing had been."""

import multiprocessing
import os
import random
import signal
import sys
import time

import pytest
from mlflow.tracking import MlflowClient
from test_resume import assert_same

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("REGSTUDY_KILLS", "20"))
CONFIGURATION = ["--dataset", "mnist-5k", "--epochs", "6", "--threads", "1", "--l1", "0.001"]


def command(arguments: list[str]) -> None:
    from regstudy.commands import cli

    sys.exit(cli.main(arguments))


@pytest.fixture(scope="module")
def server():
    """Children fork from a process that has imported everything and computed nothing: that saves seconds per start."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["regstudy.run.trial", "mlflow.pytorch", "regstudy.commands.cli"])
    return context


def start(server, arguments: list[str]) -> multiprocessing.Process:
    process = server.Process(target=command, args=[arguments])
    process.start()
    return process


def only_run() -> str | None:
    runs = MlflowClient().search_runs(["0"], "tags.`regstudy.kind` = 'trial'")
    assert len(runs) <= 1
    return runs[0].info.run_id if runs else None


def test_a_run_killed_at_random_moments(server, workspace, tmp_path_factory, monkeypatch):
    """Each run is killed again and again until it has seen its share of the kills, and then left to finish."""
    whole = start(server, ["train", *CONFIGURATION])
    begun = time.monotonic()
    whole.join()
    length = time.monotonic() - begun
    reference = only_run()
    assert reference is not None
    client = MlflowClient()
    draw, kills, statuses = random.Random(0), 0, []
    while kills < KILLS:
        client.delete_run(reference)  # out of sight, so that there is one run at a time
        run_id = None
        for _ in range(4):
            process = start(server, ["resume", run_id] if run_id else ["train", *CONFIGURATION])
            process.join(draw.uniform(0, length / 2))
            if process.exitcode is None:
                number = (signal.SIGKILL, signal.SIGTERM)[kills % 2]
                os.kill(process.pid, number)
                stopped = time.monotonic()
                process.join()
                assert time.monotonic() - stopped < 30
                statuses.append(process.exitcode)
                kills += 1
            run_id = only_run()
            if run_id and client.get_run(run_id).info.status == "FINISHED":
                break
        process = start(server, ["resume", run_id] if run_id else ["train", *CONFIGURATION])
        process.join()
        run_id = only_run()
        assert run_id is not None
        assert client.get_run(run_id).info.status == "FINISHED"
        client.restore_run(reference)
        assert_same(reference, run_id, tmp_path_factory.mktemp("weights"))
        client.delete_run(run_id)
    assert set(statuses) <= {-signal.SIGKILL, 143, -signal.SIGTERM}
    assert {-signal.SIGKILL, 143} <= set(statuses)
