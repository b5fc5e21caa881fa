"""Studies as commands, in processes that are killed, started twice, or all at once on a new store: every trial there exactly once."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import few
import forked
import mlflow
import pytest
from at_once import EPOCHS, log_a_run
from conftest import ROOT, train
from forked import Forked
from mlflow.tracking import MlflowClient
from test_resume import assert_same

from regstudy.schema import TRIAL, Metric, Tag
from regstudy.tracking import ledger

DESIGN = """\
name: small
about: Does it survive?
overrides: {epochs: 8, dataset: arrays:few.npz}
grid: {l1: [0, 0.001], l2: [0, 0.0005]}
seeds: 1
"""
"""Of more epochs than need be, so that somebody can be met in the midst of training."""

FIRST_STARTS = int(os.environ.get("REGSTUDY_FIRST_STARTS", "10"))
"""How often eight processes start at once on a new store."""


RUN = ["regstudy", "study", "run", "small.yaml", "--no-report"]


def study(folder: Path, *options: str) -> Forked:
    """`study run` in a session of its own, so that all its processes can be found."""
    return forked.start(*RUN, *options, folder=folder, measured=False)


def study_from_a_shell(folder: Path, *options: str) -> subprocess.Popen[str]:
    """The same, not forked: imports and measuring as they are."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "MLFLOW_DISABLE_TELEMETRY": "true"}
    command = [sys.executable, "-m", *RUN, *options]
    return subprocess.Popen(command, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def trials() -> list[mlflow.entities.Run]:
    return list(MlflowClient().search_runs(["0"], f"tags.`{Tag.KIND}` = '{TRIAL}'"))


def workers(process: Forked) -> list[int]:
    """The processes of its session that train."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if os.getsid(int(path.name)) == process.pid and b"spawn_main" in (path / "cmdline").read_bytes():
                found.append(int(path.name))
        except OSError:
            continue
    return found


def at_work_on_all_that_was_left() -> bool:
    states = {entry.state for entry in ledger.entries("0", trials()[0].data.tags[Tag.DATA_DIGEST]).values()} if trials() else {}
    return "running" in states and "stale" not in states


def assert_each_once() -> None:
    found = trials()
    assert Counter(run.data.tags[Tag.CONFIGURATION] for run in found) == dict.fromkeys(
        ("none", "L1 0.001", "L2 0.0005", "L1 0.001 + L2 0.0005"), 1
    )
    assert {run.info.status for run in MlflowClient().search_runs(["0"])} == {"FINISHED"}
    for run in found:
        steps = [point.step for point in MlflowClient().get_metric_history(run.info.run_id, Metric.TEST_ACCURACY)]
        assert steps == list(range(8))


@pytest.mark.slow
def test_a_study_whose_processes_are_killed(workspace, tmp_path_factory):
    """With SIGKILL, which nobody hears, and with SIGTERM; a worker alone is the next test's, and chaos's."""
    few.put(workspace, DESIGN)
    draw = random.Random(1)
    for number in (signal.SIGKILL, signal.SIGTERM):
        process = study(workspace, "--jobs", "2", "--threads", "1")
        while process.poll() is None and not at_work_on_all_that_was_left():
            time.sleep(0.2)
        try:
            process.wait(draw.uniform(0, 5))
        except subprocess.TimeoutExpired:
            _stop(process, number)
        process.communicate()
    last = study(workspace, "--executor", "here", "--threads", "1")
    output, _ = last.communicate()
    assert last.returncode == 0, output
    assert_each_once()
    continued = [run for run in trials() if ledger.CLAIM.format(0) in run.data.params]
    for run in continued or trials():
        config = {name: float(run.data.params[name]) for name in ("l1", "l2")}
        whole = train(**config, epochs=8, threads=1, dataset=few.DATASET)
        assert_same(whole, run.info.run_id, tmp_path_factory.mktemp("weights"))


def _stop(process: Forked, number: signal.Signals) -> None:
    os.kill(process.pid, number)
    if number == signal.SIGTERM:
        assert process.wait(30) == 143
        assert "RUNNING" not in {run.info.status for run in trials()}


@pytest.mark.slow
def test_a_worker_that_dies_costs_the_study_nothing(workspace):
    few.put(workspace, DESIGN)
    process = study(workspace, "--jobs", "2", "--threads", "1")
    deadline = time.monotonic() + 60
    while len(trials()) < 2 and time.monotonic() < deadline:
        time.sleep(0.5)
    os.kill(workers(process)[0], signal.SIGKILL)
    output, _ = process.communicate()
    assert process.returncode == 0, output
    assert "its process died" in output
    assert_each_once()


@pytest.mark.slow
def test_two_studies_started_together_do_no_trial_twice(workspace):
    few.put(workspace, DESIGN)
    both = [
        study_from_a_shell(workspace, "--executor", "processes", "--jobs", "1", "--threads", "1"),
        study(workspace, "--executor", "here", "--threads", "1"),
    ]
    outputs = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert_each_once()
    assert len(MlflowClient().search_runs(["0"], f"tags.`{Tag.KIND}` = 'study'")) == 1


@pytest.mark.slow
def test_eight_processes_at_once_on_a_new_store(tmp_path):
    for attempt in range(FIRST_STARTS):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        processes = [forked.context().Process(target=log_a_run, args=[number, str(folder)]) for number in range(8)]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        assert [process.exitcode for process in processes] == [0] * 8
        client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
        found = client.search_runs(["0"])
        assert all(run.inputs.dataset_inputs for run in found)
        assert [run.info.status for run in found] == ["FINISHED"] * 8
        for run in found:
            for name in Metric:
                points = client.get_metric_history(run.info.run_id, name)
                assert [(point.step, point.value) for point in points] == [(epoch, epoch + 0.5) for epoch in range(EPOCHS)]


@pytest.mark.slow
def test_only_what_is_missing_is_run(workspace):
    few.put(workspace, DESIGN.replace("epochs: 8", "epochs: 1").replace(", l2: [0, 0.0005]", ""))

    def run(*options: str, start: Callable[..., Forked | subprocess.Popen[str]] = study) -> str:
        process = start(workspace, *options, "--executor", "here", "--threads", "1")
        output, _ = process.communicate()
        assert process.returncode == 0, output
        return output

    assert "so far: 2 missing" in run(start=study_from_a_shell)
    assert len(trials()) == 2
    assert "so far: 2 done\nnothing is left to run" in run()
    assert len(trials()) == 2
    assert "so far: 2 done, 2 missing" in run("--seeds", "2")
    assert len(trials()) == 4
