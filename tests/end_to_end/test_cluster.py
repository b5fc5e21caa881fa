"""A study on a Ray cluster of two nodes, both here: a worker and then a node are killed, and every trial is there exactly once."""

import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import few
import pytest
from conftest import ROOT
from mlflow.tracking import MlflowClient
from test_studies import DESIGN, assert_each_once, trials

from regstudy.design.history import History
from regstudy.schema import STUDY, TRIAL, Tag

pytestmark = pytest.mark.cluster


@pytest.fixture
def cluster(monkeypatch):
    """One node with a core, on 127.0.0.1 only."""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 1, "node_ip_address": "127.0.0.1", "include_dashboard": False}
    made = Cluster(initialize_head=True, head_node_args=head)
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
    deadline = time.monotonic() + 600  # beside other tests Ray takes its time
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.5)


def study(address: str, design: str, *options: str) -> subprocess.Popen[str]:
    """`study run` on the cluster, as users start it: in a process of its own."""
    few.put(Path(), design)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "MLFLOW_DISABLE_TELEMETRY": "true"}
    command = [sys.executable, "-m", "regstudy", "study", "run", "small.yaml", "--no-report", *options]
    where = ["--executor", "ray", "--address", address]
    return subprocess.Popen([*command, *where], env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def output_of(process: subprocess.Popen[str]) -> str:
    output, _ = process.communicate(timeout=1200)
    assert process.returncode == 0, output
    return output


def test_a_worker_and_a_node_are_killed(workspace, cluster):
    with study(cluster.address, DESIGN) as process:
        try:
            # Ray hands a driver to either of two nodes with one address, and it is lost with that: this one was there before the second.
            wait_for(training, "a trial at work")
            cluster.add_node(num_cpus=1, node_ip_address="127.0.0.1", include_dashboard=False)
            _kill_a_worker_and_a_node(cluster)
            output = output_of(process)
        finally:
            process.kill()
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
overrides: {epochs: 1, dataset: arrays:few.npz}
configurations: [{l1: 0}, {l1: 0.001}]
seeds: 2
claims:
  - {id: low, text: its loss is low, contrasts: [{metric: endpoint/test_loss, of: {l1: 0}, target: 9, expect: lower, margin: 1}]}
  - {id: costs, text: L1 raises the loss, contrasts: [{metric: endpoint/test_loss, of: {l1: 0.001}, against: {l1: 0}, expect: higher, margin: 0.0001}]}
"""


def test_a_study_goes_on_until_it_is_decided(workspace, cluster):
    """Three seeds at once, then one at a time: each trial is there once, each look is recorded once, at a whole block."""
    with study(cluster.address, UNTIL, "--until", "decided", "--max-seeds", "4") as process:
        try:
            said = output_of(process)
        finally:
            process.kill()
    assert re.findall(r"look at (\d) seeds", said) == ["3", "4"], said
    assert "ends here: 4 seeds are the most" in said, said
    runs = MlflowClient().search_runs(["0"])
    done = Counter(run.data.tags[Tag.TRIAL_DIGEST] for run in runs if run.data.tags[Tag.KIND] == TRIAL)
    assert set(done.values()) == {1}
    (kept,) = [run for run in runs if run.data.tags[Tag.KIND] == STUDY]
    looks = sorted(event.seeds for event in History.from_tags(kept.data.tags).looks)
    assert looks == [3, 4]
