"""A study on a Ray cluster of two nodes, both here: a worker and then a node are killed, and every trial is there exactly once."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from conftest import ROOT
from mlflow.tracking import MlflowClient
from test_studies import DESIGN, assert_each_once, trials

from regstudy.commands import cli
from regstudy.design.history import History
from regstudy.schema import STUDY, TRIAL, Tag

pytestmark = pytest.mark.cluster


@pytest.fixture
def cluster(monkeypatch):
    """Two nodes with a core each, on 127.0.0.1 only."""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 1, "node_ip_address": "127.0.0.1", "include_dashboard": False}
    made = Cluster(initialize_head=True, head_node_args=head)
    made.add_node(num_cpus=1, node_ip_address="127.0.0.1", include_dashboard=False)
    yield made
    made.shutdown()


def training() -> list[int]:
    """Ray's workers that are at a trial."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if b"ray::_attempt_quietly" in (path / "cmdline").read_bytes():
                found.append(int(path.name))
        except OSError:
            continue
    return found


def wait_for(condition, what: str) -> None:
    deadline = time.monotonic() + 300  # beside other tests Ray takes its time
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.5)


def test_a_worker_and_a_node_are_killed(workspace, cluster):
    (workspace / "small.yaml").write_text(DESIGN)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "MLFLOW_DISABLE_TELEMETRY": "true"}
    command = [
        sys.executable,
        "-m",
        "regstudy",
        "study",
        "run",
        "small.yaml",
        "--no-report",
        "--executor",
        "ray",
        "--address",
        cluster.address,
    ]
    with subprocess.Popen(
        command, cwd=workspace, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        try:
            _kill_a_worker_and_a_node(cluster)
            output, _ = process.communicate(timeout=600)
        finally:
            process.kill()
    assert process.returncode == 0, output
    assert "its process died" in output
    assert_each_once()


def _kill_a_worker_and_a_node(cluster) -> None:
    wait_for(lambda: len(trials()) >= 2 and training(), "two trials at work")
    os.kill(training()[0], signal.SIGKILL)
    wait_for(lambda: len(training()) >= 2, "a new worker")
    cluster.remove_node(cluster.worker_nodes.copy().pop(), allow_graceful=False)


UNTIL = """\
name: until
about: Is its loss low?
overrides: {epochs: 1, dataset: mnist-5k, batch_size: 512, augmentation: none}
configurations: [{l1: 0}, {l1: 0.001}]
seeds: 2
claims:
  - {id: low, text: its loss is low, contrasts: [{metric: endpoint/test_loss, of: {l1: 0}, target: 9, expect: lower, margin: 1}]}
"""


def test_a_study_goes_on_until_it_is_decided(workspace, cluster, capsys, monkeypatch):
    """Three seeds at once, then one at a time: whatever is at work is counted once, and looked at when its block is whole."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    (workspace / "until.yaml").write_text(UNTIL)
    where = ["--executor", "ray", "--address", cluster.address, "--no-report"]
    assert cli.main(["study", "run", "until.yaml", "--until", "decided", "--max-seeds", "6", *where]) == 0
    said = capsys.readouterr().out
    assert "look at 3 seeds: 0 of 1 claims decided" in said
    assert "ends here: " in said
    runs = MlflowClient().search_runs(["0"])
    done = Counter(run.data.tags[Tag.TRIAL_DIGEST] for run in runs if run.data.tags[Tag.KIND] == TRIAL)
    assert set(done.values()) == {1}
    (study,) = [run for run in runs if run.data.tags[Tag.KIND] == STUDY]
    looks = sorted(event.seeds for event in History.from_tags(study.data.tags).looks)
    assert looks == list(range(3, 3 + len(looks)))
    assert f"look at {looks[-1]} seeds" in said
