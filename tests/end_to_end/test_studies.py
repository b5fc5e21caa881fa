"""Studies as commands, in processes that are killed, started twice, or all at once on a new store: every trial there exactly once."""

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import mlflow
import pytest
import torch
from conftest import ROOT, train
from mlflow.tracking import MlflowClient
from test_resume import assert_same

from regstudy.data import sources
from regstudy.schema import TRIAL, Metric, Tag
from regstudy.tracking import ledger

DESIGN = """\
name: small
about: Does it survive?
overrides: {epochs: 4, dataset: mnist-5k}
grid: {l1: [0, 0.001], l2: [0, 0.0005]}
seeds: 1
"""
SHORT = DESIGN.replace("mnist-5k", "mnist-5k, batch_size: 512, augmentation: none")
"""Where nobody has to be met in the midst of training."""

FIRST_STARTS = int(os.environ.get("REGSTUDY_FIRST_STARTS", "10"))
"""How often eight processes start at once on a new store."""


def study(folder: Path, *options: str) -> subprocess.Popen[str]:
    """`study run` in a session of its own, so that all its processes can be found."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "MLFLOW_DISABLE_TELEMETRY": "true"}
    command = [sys.executable, "-m", "regstudy", "study", "run", "small.yaml", "--no-report", *options]
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def trials() -> list[mlflow.entities.Run]:
    return list(MlflowClient().search_runs(["0"], f"tags.`{Tag.KIND}` = '{TRIAL}'"))


def workers(process: subprocess.Popen[str]) -> list[int]:
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
    states = {entry.state for entry in ledger.entries("0", sources.DIGESTS["mnist-5k"]).values()}
    return "running" in states and "stale" not in states


def assert_each_once() -> None:
    found = trials()
    assert Counter(run.data.tags[Tag.CONFIGURATION] for run in found) == dict.fromkeys(
        ("none", "L1 0.001", "L2 0.0005", "L1 0.001 + L2 0.0005"), 1
    )
    assert {run.info.status for run in MlflowClient().search_runs(["0"])} == {"FINISHED"}
    for run in found:
        steps = [point.step for point in MlflowClient().get_metric_history(run.info.run_id, Metric.TEST_ACCURACY)]
        assert steps == [0, 1, 2, 3]


@pytest.mark.slow
def test_a_study_whose_processes_are_killed(workspace, tmp_path_factory):
    """Workers, and the study itself: with SIGKILL, which nobody hears, and with SIGTERM."""
    (workspace / "small.yaml").write_text(DESIGN)
    draw = random.Random(1)
    for kill in ("worker", "study", "terminate"):
        process = study(workspace, "--jobs", "2", "--threads", "1")
        while process.poll() is None and not at_work_on_all_that_was_left():
            time.sleep(0.2)
        try:
            process.wait(draw.uniform(0, 5))
        except subprocess.TimeoutExpired:
            _kill(kill, process, draw)
        process.communicate()
    last = study(workspace, "--executor", "here", "--threads", "1")
    output, _ = last.communicate()
    assert last.returncode == 0, output
    assert_each_once()
    continued = [run for run in trials() if ledger.CLAIM.format(0) in run.data.params]
    for run in continued or trials():
        config = {name: float(run.data.params[name]) for name in ("l1", "l2")}
        whole = train(**config, epochs=4, threads=1)
        assert_same(whole, run.info.run_id, tmp_path_factory.mktemp("weights"))


def _kill(what: str, process: subprocess.Popen[str], draw: random.Random) -> None:
    if what == "worker":
        for worker in draw.sample(workers(process), 1):
            os.kill(worker, signal.SIGKILL)
        process.kill()  # what it would do next is another test's
    elif what == "study":
        process.kill()
    else:
        process.terminate()
        assert process.wait(30) == 143
        assert "RUNNING" not in {run.info.status for run in trials()}


@pytest.mark.slow
def test_a_worker_that_dies_costs_the_study_nothing(workspace):
    (workspace / "small.yaml").write_text(DESIGN)
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
    (workspace / "small.yaml").write_text(SHORT)
    both = [study(workspace, *where, "--threads", "1") for where in (("--jobs", "2"), ("--executor", "here"))]
    outputs = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert_each_once()
    assert len(MlflowClient().search_runs(["0"], f"tags.`{Tag.KIND}` = 'study'")) == 1


def log_a_run(number: int, folder: str) -> None:
    """What a training process does to the store, without the training."""
    from regstudy.config import RunConfig
    from regstudy.data.datasets import Split, Splits
    from regstudy.design.design import Trial
    from regstudy.store import store
    from regstudy.tracking import recorder

    os.chdir(folder)
    store.use(f"sqlite:///{folder}/mlflow.db")
    config = RunConfig(dataset="mnist-5k", seed=number)
    run_id = recorder.start("a run", recorder.identity(config, Trial(config, "none", "digest")))
    with recorder.at_work(run_id) as require_own:
        few = Split(torch.zeros(3, 28, 28, dtype=torch.uint8), torch.zeros(3, dtype=torch.int64))
        tracked = recorder.describe(run_id, config, Splits("mnist-5k", few, None, few, "digest", "digest"), {}, require_own)
        for epoch in range(6):
            tracked.log_epoch(dict.fromkeys(Metric, epoch + 0.5), epoch)


@pytest.mark.slow
def test_eight_processes_at_once_on_a_new_store(tmp_path):
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["regstudy.run.trial", "mlflow.pytorch", "regstudy.commands.cli"])
    for attempt in range(FIRST_STARTS):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        processes = [context.Process(target=log_a_run, args=[number, str(folder)]) for number in range(8)]
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
                assert [(point.step, point.value) for point in points] == [(epoch, epoch + 0.5) for epoch in range(6)]


@pytest.mark.slow
def test_only_what_is_missing_is_run(workspace):
    (workspace / "small.yaml").write_text(SHORT.replace("epochs: 4", "epochs: 1").replace(", l2: [0, 0.0005]", ""))

    def run(*options: str) -> str:
        process = study(workspace, *options, "--executor", "here", "--threads", "1")
        output, _ = process.communicate()
        assert process.returncode == 0, output
        return output

    assert "so far: 2 missing" in run()
    assert len(trials()) == 2
    assert "so far: 2 done\nnothing is left to run" in run()
    assert len(trials()) == 2
    assert "so far: 2 done, 2 missing" in run("--seeds", "2")
    assert len(trials()) == 4
