"""`mlflow run` itself, as a user calls it, in this environment: what ends FINISHED, what FAILED, and what is said."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import mlflow
import pytest
from conftest import ROOT, train

from regstudy.schema import Tag

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that is not the project's, to call from. Folders of the user's that are named as ours are must not be taken for them."""
    made = tmp_path_factory.mktemp("elsewhere")
    for name in ("regstudy", "analysis"):
        (made / name).mkdir()
        (made / name / "__init__.py").write_text("raise SystemExit('not ours')")
    return made


MLFLOW_RUN = [sys.executable, "-m", "mlflow", "run", str(ROOT)]


def surroundings() -> dict[str, str]:
    """A user's shell: this environment is on its path, and nothing that other tests set."""
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    # mlflow.set_tracking_uri() of other tests sets it, and the store is to be the folder's.
    environment.pop("MLFLOW_TRACKING_URI", None)
    return environment


def mlflow_run(folder: Path, *parameters: str, entry: str = "main") -> subprocess.CompletedProcess[str]:
    given = [word for parameter in parameters for word in ("-P", parameter)]
    command = [*MLFLOW_RUN, "-e", entry, "--env-manager", "local", *given]
    return subprocess.run(command, cwd=folder, env=surroundings(), capture_output=True, text=True, check=False)


def shell(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A line that the user pastes."""
    return subprocess.run(["bash", "-c", command], cwd=folder, env=surroundings(), capture_output=True, text=True, check=False)


def newest(folder: Path) -> mlflow.entities.Run:
    return mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db").search_runs(["0"], order_by=["attributes.start_time DESC"])[0]


def test_good_parameters_end_finished_and_what_is_printed_works_in_the_users_folder_and_shell(folder):
    done = mlflow_run(folder, "l1=1e-3", "epochs=1", "dataset=mnist-5k", "lr=0.01", "batch_size=256")
    assert done.returncode == 0, done.stderr
    run = newest(folder)
    assert run.info.status == "FINISHED"
    assert run.data.params["l1"] == "1e-3"
    assert run.info.run_name == "L1 0.001 · seed 0 · epochs 1 · batch_size 256 · lr 0.01 · mnist-5k", "undeclared fields arrive"
    told = dict(line.split(": ", 1) for line in done.stdout.splitlines() if line.startswith(("next: ", "look at your runs: ")))
    command, (interface, _, page) = told["next"], told["look at your runs"].partition(", then ")
    assert " report --where " in command
    pasted = shell(command.replace(" report ", " rank "), folder)  # the same, and quicker: what is written is the next test's
    assert pasted.returncode == 0, pasted.stderr
    assert "One configuration: there is nothing to compare it with yet" in pasted.stdout
    assert interface.endswith(f"mlflow ui --backend-store-uri sqlite:///{folder}/mlflow.db")
    assert page == "http://127.0.0.1:5000/#/experiments/0/runs?workflowType=machine_learning"


@pytest.mark.parametrize(
    ("parameter", "words"),
    [
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
    """And those that were not made by `mlflow run`: one of L1 0.001 again, spelt otherwise."""
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    for l1 in (0.001, 0.0):
        train(l1=l1, lr=0.01, batch_size=256)
    mlflow.set_tracking_uri(None)  # pyright: ignore[reportArgumentType]  # None unsets it
    project = {path: path.stat().st_mtime_ns for path in [*ROOT.iterdir(), *(ROOT / "report").rglob("*")]}
    done = mlflow_run(folder, entry="report")
    assert done.returncode == 0, done.stderr
    assert {path: path.stat().st_mtime_ns for path in [*ROOT.iterdir(), *(ROOT / "report").rglob("*")]} == project
    assert f"report/report.html among the artifacts of run {newest(folder).info.run_id}" in done.stdout + done.stderr
    client = mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db")
    kept = Path(client.download_artifacts(newest(folder).info.run_id, "report", str(tmp_path)))
    assert (kept / "report.html").is_file()
    assert newest(folder).data.tags[Tag.KIND] == "report"
    text = (kept / "report.md").read_text()
    assert "L1 0.001" in text
    assert "none" in text
    assert "1 run with the configuration and seed of another, counted once" in text.replace("\\", "")


def test_the_report_entry_point_writes_where_it_is_told(folder):
    """As far as it is the entry point's: the place that is given is the one that is refused; test_report writes to one."""
    (folder / "taken").write_text("mine")
    done = mlflow_run(folder, f"output={folder}/taken", entry="report")
    assert done.returncode != 0
    assert f"{folder}/taken is a file: name a folder to write the report into" in done.stdout + done.stderr
    assert newest(folder).info.status == "FAILED"


def test_a_study_that_is_stopped_goes_on_by_the_command_that_it_says(tmp_path):
    """In an experiment of its own, from another folder."""
    design = tmp_path / "a design.yaml"
    design.write_text("name: long\nabout: x\nconfigurations: [{l1: 0}]\nseeds: 1\noverrides: {dataset: mnist-5k, epochs: 3}\n")
    command = [
        *MLFLOW_RUN,
        "-e",
        "study",
        "--env-manager",
        "local",
        "--experiment-name",
        "mine",
        "-P",
        f"design={design}",
        "-P",
        "jobs=1",
    ]
    environment = surroundings()
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            # Once: a slow machine says more than one line of an epoch, and a second Ctrl+C ends at once.
            if line.startswith("epoch 1/") and "epoch 1/" not in said:
                os.killpg(process.pid, signal.SIGINT)
            said += line
    (again,) = [line.partition("Go on with: ")[2] for line in said.splitlines() if "Go on with: " in line]
    pasted = shell(f"{again} --no-report", tmp_path)
    assert pasted.returncode == 0, pasted.stderr
    assert "done: all 1 trial of the study long" in pasted.stdout
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    (trial,) = client.search_runs([client.get_experiment_by_name("mine").experiment_id], f"tags.`{Tag.KIND}` = 'trial'")
    assert trial.info.status == "FINISHED"
    assert trial.info.run_name.endswith("mnist-5k")
