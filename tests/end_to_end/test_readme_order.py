"""The README's commands in the README's order, as a newcomer gives them, with fewer seeds and epochs."""

from pathlib import Path

import forked
import mlflow
import pytest

from analysis.commands import cli
from regstudy.commands import cli as regstudy_cli
from regstudy.schema import REPORT, STUDY, Tag

pytestmark = pytest.mark.slow
STUDY_RUN = ("regstudy", "study", "run", "published", "--epochs", "1", "--dataset", "mnist-5k", "--jobs", "1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the demo has run."""
    place = tmp_path_factory.mktemp("readme")
    run(place, *STUDY_RUN, "--seeds", "2")
    return place


def run(folder: Path, *command: str) -> None:
    """In a process of its own: trials are to have the threads that a user's have."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
        process = forked.start(*command, folder=folder)
    said, _ = process.communicate()
    assert process.returncode == 0, said


@pytest.fixture
def in_folder(folder, monkeypatch):
    """All but studies are called in this process: that the packages can be run as modules is test_terminal's."""
    monkeypatch.chdir(folder)
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    yield
    mlflow.set_tracking_uri(None)  # pyright: ignore[reportArgumentType]  # None unsets it


def test_every_command_of_the_readme_works_after_those_before_it(folder, in_folder, capsys):
    for seed in ("0", "1"):
        options = ["--l1", "0.0001", "--seed", seed, "--epochs", "1", "--dataset", "mnist-5k", "--threads", "1"]
        assert regstudy_cli.main(["train", *options]) == 0, capsys.readouterr()
    for command in (
        "rank",
        "compare none|L1 0.0001",
        "claims --study published",
        "report",
        "verify report",
        "verify report/published",
    ):
        first, *rest = command.split("|")
        assert cli.main([*first.split(), *rest]) == 0, (command, capsys.readouterr())
    assert "L1 0.0001" in (folder / "report" / "report.md").read_text()
    assert "L1 0.0001" not in (folder / "report" / "published" / "report.md").read_text()
    client = mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db")
    assert list(client.search_runs(["0"], f"tags.`{Tag.KIND}` = '{REPORT}'")) == [], "nobody asked for a run of the report's"
    (study,) = client.search_runs(["0"], f"tags.`{Tag.KIND}` = '{STUDY}'")
    assert "report/report.html" in [file.path for file in client.list_artifacts(study.info.run_id, "report")]


def test_a_study_that_has_grown_leaves_its_earlier_report_true(folder, in_folder, capsys):
    run(folder, *STUDY_RUN, "--seeds", "3", "--no-report")
    capsys.readouterr()
    assert cli.main(["verify", "report/published"]) == 0, capsys.readouterr()
    told = capsys.readouterr().out
    assert "note: the store has grown" in told
    assert "the report's command now finds 4 runs more" in told
