"""The guide's examples for GitHub Actions and GitLab: valid by the services' schemas, and their scripts run as they stand, in a clone of a project with a store of its own."""

import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import yaml
from conftest import ROOT
from test_anybodys_blocks import log

GITHUB, GITLAB = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "guides" / "gate.md").read_text(), re.DOTALL)
NUMBER = "7"

TRAIN = """
import argparse, random
import mlflow

parser = argparse.ArgumentParser()
parser.add_argument("--seed", type=int)
parser.add_argument("--tag")
given = parser.parse_args()
with mlflow.start_run(tags=dict([given.tag.split("=")])):
    mlflow.log_param("seed", given.seed)
    mlflow.log_metric("val_acc", LEVEL + random.Random(given.seed).gauss(0, 0.001))
"""


@pytest.mark.parametrize(
    ("text", "schema", "wrong"),
    [
        (GITHUB, ["vendor.github-workflows"], ("runs-on", "runs_on")),
        (GITLAB, ["vendor.gitlab-ci", "--data-transform", "gitlab-ci"], ("when: always", "when: ever")),
    ],
)
def test_the_examples_are_what_the_services_read(tmp_path, text, schema, wrong):
    for content, status in ((text, 0), (text.replace(*wrong), 1)):
        (tmp_path / "file.yml").write_text(content)
        words = ["check-jsonschema", "--builtin-schema", *schema, "file.yml"]
        assert subprocess.run(words, cwd=tmp_path, check=False, capture_output=True).returncode == status


@pytest.fixture
def project(workspace):
    """A clone of a project that trains; the store has the baseline's runs. Gives how its shell runs a script, in the environment that a service makes."""
    origin = workspace / "origin"
    origin.mkdir()
    programs = workspace / "programs"
    programs.mkdir()
    code = "import sys; from analysis.commands.program import main; sys.exit(main())"
    for name, script in {
        "pip": 'test "$*" = "install regstudy"',  # it is, from this checkout
        "regstudy": f"exec {sys.executable} -c '{code}' \"$@\"",
        "python": f'exec {sys.executable} "$@"',
    }.items():
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)
    rng = np.random.default_rng(1)
    for seed in range(8):
        import mlflow

        run_id = log({"seed": seed}, {"val_acc": 0.9 + rng.normal(0, 0.001)})
        mlflow.MlflowClient().set_tag(run_id, "branch", "main")

    def clone(level: float) -> Path:
        (origin / "train.py").write_text(TRAIN.replace("LEVEL", str(level)))
        author = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        for words in (["init", "--quiet"], ["add", "train.py"], [*author, "commit", "--quiet", "-m", "a change"]):
            subprocess.run(["git", *words], cwd=origin, check=True)
        subprocess.run(["git", "clone", "--quiet", "origin", "clone"], cwd=workspace, check=True)
        return workspace / "clone"

    return clone


def shell(script: str, folder: Path, **more: str) -> int:
    """As both services run one: bash that ends at what fails."""
    programs = folder.parent / "programs"
    environment = os.environ | {"PATH": f"{programs}:/usr/bin:/bin", "PYTHONPATH": str(ROOT), **more}
    return subprocess.run(["bash", "-eo", "pipefail", "-c", script], cwd=folder, env=environment, check=False).returncode


@pytest.mark.slow
def test_githubs_steps_fail_for_what_is_worse(project, workspace):
    folder = project(0.88)
    known = {"github.event.number": NUMBER, "secrets.MLFLOW_TRACKING_URI": f"sqlite:///{workspace}/mlflow.db"}

    def filled(text: str) -> str:
        return re.sub(r"\$\{\{ (.*?) \}\}", lambda found: known[found[1]], text)

    (job,) = yaml.safe_load(GITHUB)["jobs"].values()
    variables = {name: filled(value) for name, value in job["env"].items()} | {
        "GITHUB_STEP_SUMMARY": str(workspace / "shown.md")
    }
    failed = 0
    for step in job["steps"]:
        if "run" in step and (not failed or step.get("if") == "always()"):
            failed = shell(filled(step["run"]), folder, **variables) or failed
    assert failed == 1
    assert "**Candidate against baseline: worse**" in (workspace / "shown.md").read_text()


@pytest.mark.slow
def test_gitlabs_script_passes_what_is_as_good(project, workspace):
    folder = project(0.9)
    (job,) = yaml.safe_load(GITLAB).values()
    store = f"sqlite:///{workspace}/mlflow.db"
    assert shell("\n".join(job["script"]), folder, CI_MERGE_REQUEST_IID=NUMBER, MLFLOW_TRACKING_URI=store) == 0
    suite = ET.parse(folder / job["artifacts"]["reports"]["junit"]).getroot()
    assert (suite.get("failures"), suite.get("skipped")) == ("0", "0")
