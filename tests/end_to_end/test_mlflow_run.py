"""`mlflow run` itself, as a user calls it, in this environment: what ends FINISHED, what FAILED, and what is said."""

import os
import subprocess
import sys
from pathlib import Path

import mlflow
import pytest
from conftest import ROOT

from regstudy.schema import Tag

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that is not the project's, to call from."""
    return tmp_path_factory.mktemp("elsewhere")


def mlflow_run(folder: Path, *parameters: str, entry: str = "main") -> subprocess.CompletedProcess[str]:
    given = [word for parameter in parameters for word in ("-P", parameter)]
    command = [sys.executable, "-m", "mlflow", "run", str(ROOT), "-e", entry, "--env-manager", "local", *given]
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    # mlflow.set_tracking_uri() of other tests sets it, and the store is to be the folder's.
    environment.pop("MLFLOW_TRACKING_URI", None)
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def newest(folder: Path) -> mlflow.entities.Run:
    return mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db").search_runs(["0"], order_by=["attributes.start_time DESC"])[0]


@pytest.mark.parametrize("l1", ["0.001", "1e-3", "0"])
def test_good_parameters_end_finished(folder, l1):
    done = mlflow_run(folder, f"l1={l1}", "epochs=1", "dataset=mnist-5k")
    assert done.returncode == 0, done.stderr
    run = newest(folder)
    assert run.info.status == "FINISHED"
    assert run.data.params["l1"] == l1
    assert run.info.run_name == f"l1={float(l1):g} l2=0 seed=0 epochs=1 mnist-5k"


def test_undeclared_fields_arrive(folder):
    done = mlflow_run(folder, "epochs=1", "dataset=mnist-5k", "lr=0.01", "batch_size=256")
    assert done.returncode == 0, done.stderr
    assert newest(folder).info.run_name == "l1=0 l2=0 seed=0 epochs=1 batch_size=256 lr=0.01 mnist-5k"


@pytest.mark.parametrize(
    ("parameter", "words"),
    [
        ("l1=abc", "l1: expected a finite number ≥ 0, got 'abc'"),
        ("l1=-1", "l1: expected a finite number ≥ 0, got '-1'"),
        ("bogus=1", "unrecognized arguments: --bogus 1"),
    ],
)
def test_bad_parameters_end_failed_with_one_line_of_ours(folder, parameter, words):
    done = mlflow_run(folder, parameter, "dataset=mnist-5k")
    assert done.returncode != 0
    said = [line for line in (done.stdout + done.stderr).splitlines() if "regstudy: error" in line]
    assert len(said) == 1
    assert said[0].startswith(f"python -m regstudy: error: {words}")
    assert "Traceback" not in done.stdout + done.stderr
    run = newest(folder)
    assert run.info.status == "FAILED"
    assert run.data.tags[Tag.FAILURE].startswith(words)


def test_the_report_entry_point_sees_them_all_and_writes_nothing_into_the_project(folder, tmp_path):
    project = {path: path.stat().st_mtime_ns for path in [*ROOT.iterdir(), *(ROOT / "report").rglob("*")]}
    done = mlflow_run(folder, entry="report")
    assert done.returncode == 0, done.stderr
    assert {path: path.stat().st_mtime_ns for path in [*ROOT.iterdir(), *(ROOT / "report").rglob("*")]} == project
    assert f"report/report.html among the artifacts of run {newest(folder).info.run_id}" in done.stdout + done.stderr
    client = mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db")
    kept = Path(client.download_artifacts(newest(folder).info.run_id, "report", str(tmp_path)))
    assert (kept / "report.html").is_file()
    assert newest(folder).data.tags[Tag.KIND] == "report"


def test_the_report_entry_point_writes_where_it_is_told(folder):
    done = mlflow_run(folder, f"output={folder}/report", entry="report")
    assert done.returncode == 0, done.stderr
    text = (folder / "report" / "report.md").read_text()
    assert "L1 0.001" in text
    assert "none" in text
    assert "1 run with the configuration and seed of another, counted once" in text.replace("\\", "")
    assert newest(folder).data.tags[Tag.KIND] == "report"
