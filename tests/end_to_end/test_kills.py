"""Processes killed at random, seeded moments: a run and a study go on as if nothing had been."""

import os
import random
import signal
import time
from multiprocessing.process import BaseProcess

import few
import forked
import pytest
from mlflow.tracking import MlflowClient
from test_resume import assert_same

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("REGSTUDY_KILLS", "20"))
CONFIGURATION = ["--dataset", few.DATASET, "--epochs", "8", "--threads", "1", "--l1", "0.001"]


def start(run_id: str | None) -> BaseProcess:
    """The run anew, or the one that there is from where it was."""
    return forked.start("regstudy", *(["resume", run_id] if run_id else ["train", *CONFIGURATION])).process


def only_run() -> str | None:
    runs = MlflowClient().search_runs(["0"], "tags.`regstudy.kind` = 'trial'")
    assert len(runs) <= 1
    return runs[0].info.run_id if runs else None


def test_a_run_killed_at_random_moments(workspace, tmp_path_factory, monkeypatch):
    """Each run is killed again and again until it has seen its share of the kills, and then left to finish."""
    few.put(workspace)
    whole = start(None)
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
            process = start(run_id)
            process.join(draw.uniform(0, length / 2))
            if process.exitcode is None:
                number = (signal.SIGKILL, signal.SIGTERM)[kills % 2]
                os.kill(process.pid, number)
                stopped = time.monotonic()
                process.join()
                assert time.monotonic() - stopped < 30
                if process.exitcode == 0:  # the signal came when all was done: then all is there, and it was no kill
                    assert client.get_run(only_run() or "none").info.status == "FINISHED"
                else:
                    statuses.append(process.exitcode)
                    kills += 1
            run_id = only_run()
            if run_id and client.get_run(run_id).info.status == "FINISHED":
                break
        process = start(run_id)
        process.join()
        run_id = only_run()
        assert run_id is not None
        assert client.get_run(run_id).info.status == "FINISHED"
        client.restore_run(reference)
        assert_same(reference, run_id, tmp_path_factory.mktemp("weights"))
        client.delete_run(run_id)
    assert set(statuses) <= {-signal.SIGKILL, 143, -signal.SIGTERM}
    assert {-signal.SIGKILL, 143} <= set(statuses)
