"""A study on a Ray cluster of two nodes, both here: a worker and then a node are killed, and every trial is there exactly once."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import ROOT
from test_studies import DESIGN, assert_each_once, trials

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
            # Ray hands a driver to either of two nodes with one address, and it is lost with that: this one was there before the second.
            wait_for(training, "a trial at work")
            cluster.add_node(num_cpus=1, node_ip_address="127.0.0.1", include_dashboard=False)
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
