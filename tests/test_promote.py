"""The advised model goes into the registry, with its verdict, and answers; nothing goes where nothing is shown."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import mlflow
import pytest
import servers

from analysis.commands import cli
from regstudy.commands import cli as regstudy_cli

DESIGN = """\
name: plain
about: Is a hundredth of the learning rate worse?
overrides: {epochs: 1, dataset: mnist-5k, batch_size: 100, augmentation: none}
configurations: [{lr: 0.1}, {lr: 0.001}]
seeds: SEEDS
margin: 1
"""


@pytest.fixture
def study(workspace, capsys):
    """Runs the study with so many seeds."""

    def run(seeds):
        (workspace / "plain.yaml").write_text(DESIGN.replace("SEEDS", str(seeds)))
        assert regstudy_cli.main(["study", "run", "plain.yaml", "--executor", "here", "--threads", "1", "--no-report"]) == 0
        capsys.readouterr()

    return run


@pytest.mark.slow
def test_nothing_is_registered_where_nothing_is_shown(study, capsys):
    study(1)
    assert cli.main(["promote", "--study", "plain"]) == 2
    assert "nothing is registered, since nothing is shown" in capsys.readouterr().err
    assert not mlflow.MlflowClient().search_registered_models()
    assert cli.main(["promote"]) == 2
    assert "promote needs --study" in capsys.readouterr().err


@pytest.mark.slow
def test_the_advised_model_is_registered_and_answers(study, workspace, capsys):
    study(3)
    for version in ("1", "2"):
        assert cli.main(["promote", "--study", "plain", "--alias", "champion"]) == 0
        said = capsys.readouterr().out
        assert f"regstudy-plain version {version}, alias champion: none, lr 0.1" in said
    held = mlflow.MlflowClient().get_model_version_by_alias("regstudy-plain", "champion")
    assert str(held.version) == "2"
    assert held.description.startswith("Use none, lr 0.1")
    assert held.tags["regstudy.configuration"] == "none, lr 0.1"
    assert mlflow.get_run(held.run_id).data.params["seed"] == "0"
    port = str(servers.free_port())
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "models",
        "serve",
        "-m",
        "models:/regstudy-plain@champion",
        "--env-manager",
        "local",
        "-p",
        port,
    ]
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # of which MLflow starts its server
    environment = os.environ | {"MLFLOW_TRACKING_URI": mlflow.get_tracking_uri(), "PATH": programs}
    with (workspace / "log").open("w") as log:
        server = subprocess.Popen(
            [*command, "-h", "127.0.0.1"], env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        answer = json.loads(answered(f"http://127.0.0.1:{port}/invocations", server))
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()
    (first, second) = answer["predictions"]
    assert len(first) == len(second) == 10


def answered(address, server):
    """What it says of two blank images, once it answers."""
    body = json.dumps({"inputs": [[[0] * 28] * 28] * 2}).encode()
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and server.poll() is None:
        with suppress(OSError):
            asked = urllib.request.Request(address, body, {"Content-Type": "application/json"})
            with urllib.request.urlopen(asked, timeout=30) as response:
                return response.read()
        time.sleep(0.5)
    raise AssertionError("it does not answer")
