"""What was recorded stays what it is: after a field was added, after the numerics version was raised, and where a later version has recorded more."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tarfile
from contextlib import closing
from pathlib import Path

import mlflow
import pyarrow.parquet as pq
import pytest
from conftest import ROOT

from analysis.commands import cli
from analysis.reading import query
from analysis.reading.query import Wanted
from regstudy import config
from regstudy.config import RunConfig
from regstudy.design import design_file
from regstudy.design.trial import trial_digest
from regstudy.schema import Tag

SNAPSHOTS = sorted(
    path.parent for path in (ROOT / "results").glob("*/*/manifest.json") if (path.parent / "runs.parquet").exists()
)
REPORTS = [ROOT / "results" / name / "report" for name in ("published", "sweep-l2")]
"""The one with most claims and the one with most configurations; that today's version verifies all is tested elsewhere."""
ADDED = '    device: Literal["auto"'
FIELD = '    label_smoothing: Fraction = Field(default=0.0, description="of the labels")\n'


@pytest.mark.parametrize("snapshot", SNAPSHOTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_committed_runs_have_the_digests_that_they_were_given(snapshot):
    runs = [run for run in pq.read_table(snapshot / "runs.parquet").to_pylist() if run[f"tags.{Tag.TRIAL_DIGEST}"]]
    assert runs
    for run in runs:
        own = RunConfig.from_record(run[f"tags.{Tag.CONFIG}"])
        assert own.digest() == run[f"tags.{Tag.CONFIG_DIGEST}"]
        assert own.configuration_digest() == run[f"tags.{Tag.CONFIGURATION_DIGEST}"]
        numerics, data = run[f"tags.{Tag.NUMERICS_VERSION}"], run[f"tags.{Tag.DATA_DIGEST}"]
        assert trial_digest(own, data, numerics) == run[f"tags.{Tag.TRIAL_DIGEST}"]


@pytest.mark.parametrize("snapshot", SNAPSHOTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_committed_studies_have_the_digests_that_they_were_given(snapshot):
    designs = json.loads((snapshot / "studies.json").read_text())
    studies = {run["run_id"]: run for run in pq.read_table(snapshot / "runs.parquet").to_pylist()}
    assert designs
    for run_id, text in designs.items():
        assert design_file.parse(text, "design").digest == studies[run_id][f"tags.{Tag.STUDY_DIGEST}"]


@pytest.fixture
def later(tmp_path) -> Path:
    """The project as a later version might be: one more field, and other numerics."""
    folder = tmp_path / "later"
    for package in ("regstudy", "analysis"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    source = (folder / "regstudy" / "config.py").read_text()
    assert ADDED in source
    (folder / "regstudy" / "config.py").write_text(source.replace(ADDED, FIELD + ADDED))
    source = (folder / "regstudy" / "schema.py").read_text()
    (folder / "regstudy" / "schema.py").write_text(source.replace("NUMERICS_VERSION = 2", "NUMERICS_VERSION = 3"))
    return folder


@pytest.fixture
def old_store(tmp_path) -> Path:
    """What commit cc3e9fc wrote: a study of two configurations and two seeds, stopped after three of its four trials."""
    folder = tmp_path / "old"
    with tarfile.open(ROOT / "tests" / "stores" / "cc3e9fc.tar.xz") as packed:
        packed.extractall(folder, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))  # since Python 3.11.4
    with closing(sqlite3.connect(folder / "mlflow.db")) as connection, connection:
        for table, column in (("runs", "artifact_uri"), ("experiments", "artifact_location")):
            connection.execute(f"UPDATE {table} SET {column} = replace({column}, '/nowhere', ?)", [str(folder)])
    (folder / "small.yaml").write_text((next(folder.glob("mlruns/0/*/artifacts/design.yaml"))).read_text())
    return folder


def run(package: Path, folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(package), "REGSTUDY_DATA": "/nonexistent"}
    environment.pop("MLFLOW_TRACKING_URI", None)  # another test's: the store is to be the folder's
    return subprocess.run(
        [sys.executable, "-P", "-m", *command], check=False, cwd=folder, env=environment, text=True, capture_output=True
    )


EACH = """
import sys
from analysis.commands import cli
sys.exit(max(cli.main(["verify", report]) for report in sys.argv[1:]))
"""


@pytest.mark.slow
def test_a_later_version_verifies_committed_reports(later):
    environment = os.environ | {"PYTHONPATH": str(later)}
    environment.pop("MLFLOW_TRACKING_URI", None)
    command = [sys.executable, "-P", "-c", EACH, *(str(report.relative_to(ROOT)) for report in REPORTS)]
    done = subprocess.run(command, check=False, cwd=ROOT, env=environment, text=True, capture_output=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("every file is what") == len(REPORTS)


@pytest.mark.slow
def test_todays_version_reads_the_old_store_and_goes_on_with_its_study(old_store):
    before = run(ROOT, old_store, "analysis", "rank", "--study", "small", "--allow", "seeds")
    assert before.returncode == 0, before.stderr
    done = run(ROOT, old_store, "regstudy", "study", "run", "small.yaml", "--executor", "here", "--threads", "1", "--no-report")
    assert done.returncode == 0, done.stderr
    assert "so far: 3 done" in done.stdout
    with closing(sqlite3.connect(old_store / "mlflow.db")) as connection:
        done_trials = connection.execute("SELECT count(*) FROM tags WHERE key = ?", [Tag.OUTCOME]).fetchone()
        assert done_trials == (4,)


@pytest.mark.slow
def test_a_later_version_reads_the_old_store_and_says_what_it_cannot_go_on_with(old_store, later):
    ranked = run(later, old_store, "analysis", "rank", "--study", "small", "--allow", "seeds")
    assert ranked.returncode == 0, ranked.stderr
    assert "L1 0.001" in ranked.stdout
    status = run(later, old_store, "regstudy", "study", "status", "small.yaml")
    assert "3 trials of these configurations and seeds are done with numerics version 2, and this is 3" in status.stdout


def test_runs_of_two_numerics_versions_are_refused_by_name(own_copy, capsys):
    with closing(sqlite3.connect("mlflow.db")) as connection, connection:
        some = "SELECT run_uuid FROM params WHERE key = 'seed' AND value = '1'"
        connection.execute(f"UPDATE tags SET value = '3' WHERE key = ? AND run_uuid IN ({some})", [Tag.NUMERICS_VERSION])
    assert cli.main(["rank"]) == 2
    assert "numerics differ: 2 (" in capsys.readouterr().err
    assert cli.main(["rank", "--allow", "numerics", "--allow", "seeds"]) == 0


def record(change: dict[str, object], run_id: str) -> None:
    client = mlflow.MlflowClient()
    config = json.loads(client.get_run(run_id).data.tags[Tag.CONFIG])
    client.set_tag(run_id, Tag.CONFIG, json.dumps(config | change, sort_keys=True, separators=(",", ":")))


def ours(l1: float) -> list[str]:
    runs = mlflow.MlflowClient().search_runs(["0"], "tags.`regstudy.kind` = 'trial'")
    return [run.info.run_id for run in runs if float(run.data.params["l1"]) == l1]


def test_a_field_of_a_later_version_is_a_difference_with_a_name(own_copy, capsys):
    for run_id in ours(0.001):
        record({"kernel_dropout": 0.1, "schedule_steps": [6, 12]}, run_id)
    assert cli.main(["rank"]) == 2
    told = capsys.readouterr().err
    assert "fields that this version does not know: kernel_dropout differs: 0.1 (L1 0.001, kernel_dropout 0.1" in told
    assert "not recorded (none)" in told
    assert told.count("\n") == 1
    assert cli.main(["rank", "--allow", "unknown"]) == 0
    assert "kernel_dropout 0.1, schedule_steps [6,12]" in " ".join(capsys.readouterr().out.split())


def test_a_field_of_a_later_version_that_is_the_same_everywhere_stands_in_nobodys_way(own_copy):
    for l1 in (0.0, 0.001):
        for run_id in ours(l1):
            record({"kernel_dropout": 0.1}, run_id)
    trials = query.read(Wanted())
    assert set(trials.runs["configuration"]) == {"none", "L1 0.001"}


def test_a_run_with_a_field_of_a_later_version_is_not_continued_here(own_copy):
    (run_id, _) = ours(0.001)
    record({"kernel_dropout": 0.1}, run_id)
    text = mlflow.MlflowClient().get_run(run_id).data.tags[Tag.CONFIG]
    with pytest.raises(config.ConfigError, match="kernel_dropout"):
        RunConfig.from_record(text)
