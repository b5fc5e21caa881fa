"""What MLflow's own pages show: names of metrics, models, runs; descriptions of studies and experiments; system metrics on request."""

import math
import sqlite3
import sys
from contextlib import closing
from dataclasses import replace

import few
import mlflow
import pandas as pd
import pytest
from conftest import train
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.data.meta_dataset import MetaDataset
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NOTE

from analysis.commands import cli
from analysis.judging import findings
from analysis.reading import foreign, query
from analysis.reading.anybody.asked import Asked
from analysis.reading.query import Wanted
from analysis.reports import note
from regstudy.commands import cli as regstudy_cli
from regstudy.config import RunConfig
from regstudy.console import invocation
from regstudy.design import design_file
from regstudy.schema import STORED_AS, STUDY, SYSTEM, Metric, Summary, Tag
from regstudy.study import coordinator, plan
from regstudy.study.coordinator import How
from regstudy.tracking import ledger
from regstudy.tracking.model_names import model_name
from regstudy.tracking.recorder import TrackedRun

DESIGN = """\
name: named
about: Does it work?
overrides: {epochs: 1, dataset: mnist-5k}
configurations:
  - {name: the baseline, l1: 0}
  - {name: ours, l1: 0.001}
seeds: 2
reference: the baseline
claims:
  - id: better
    text: Ours is better
    contrasts:
      - {metric: endpoint/test_accuracy, of: ours, against: the baseline, expect: higher, margin: 0.05}
"""
PAGE = "/#/experiments/0/runs?workflowType=machine_learning"


def sections(run: mlflow.entities.Run) -> list[str]:
    """As MLflow sorts them."""
    return sorted({name.partition("/")[0] for name in run.data.metrics})


def with_old_names(database: str = "mlflow.db") -> None:
    """As an earlier version left it."""
    with closing(sqlite3.connect(database)) as connection, connection:
        for table in ("metrics", "latest_metrics"):
            for first, stored in STORED_AS.items():
                connection.execute(f"UPDATE {table} SET key = ? WHERE key = ?", [first, stored])


def test_charts_begin_with_the_endpoint_and_end_with_what_was_chosen_by_its_result(trained):
    for run in MlflowClient(f"sqlite:///{trained}/mlflow.db").search_runs(["0"]):
        assert sections(run)[0] == "endpoint"
        assert sections(run)[-1] == "with_hindsight"
        shown = sorted(name for name in run.data.metrics if name.startswith("endpoint/"))
        assert shown == [Summary.ENDPOINT_TEST_ACCURACY, Summary.ENDPOINT_TEST_LOSS]


def test_runs_say_the_same_by_the_names_of_earlier_versions(own_copy, capsys):
    today = query.read(Wanted())
    assert today.runs[Summary.BEST_TEST_ACCURACY].notna().all()
    with_old_names()
    old = query.read(Wanted())
    pd.testing.assert_frame_equal(today.runs, old.runs, check_exact=True)
    pd.testing.assert_frame_equal(today.epochs, old.epochs, check_exact=True)
    capsys.readouterr()


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("name", [Summary.CALIBRATION_BRIER.value, STORED_AS[Summary.CALIBRATION_BRIER]])
def test_any_run_is_compared_by_either_name(own_copy, old, name):
    if old:
        with_old_names()
    compared = foreign.read(Asked(name, ("params.l1",), better="lower")).runs.set_index("run_id")[name]
    brier = query.read(Wanted()).runs.set_index("run_id")[Summary.CALIBRATION_BRIER]
    assert len(compared) == 4
    assert compared.to_dict() == brier.to_dict()


def test_a_name_of_ours_is_a_name_of_its_own_in_anybodys_run(workspace, capsys):
    client = MlflowClient()
    for x in (0, 1):
        for seed in range(2):
            run_id = client.create_run("0").info.run_id
            for name, value in {"x": x, "seed": seed}.items():
                client.log_param(run_id, name, value)
            client.log_metric(run_id, "calibration/brier_score", 0.25 + x + seed)
            client.log_metric(run_id, "probabilities/brier_score", 77.0)
            client.set_terminated(run_id)
    compare = ["compare", "--group-by", "params.x", "--better", "lower", "--metric"]
    assert cli.main([*compare, "calibration/brier_score"]) == 0
    assert "77" not in capsys.readouterr().out


def test_what_an_earlier_version_logged_is_not_logged_by_another_name(workspace):
    """A run that it left between its numbers and its outcome is continued."""
    client = MlflowClient()
    run_id = client.create_run("0").info.run_id
    model = client.create_logged_model("0", "m", run_id).model_id
    data = MetaDataset(CodeDatasetSource({}), name="mnist-5k", digest="digest")
    there = frozenset({(Summary.BEST_EPOCH.value, 0)})
    tracked = TrackedRun(run_id, "0", model, data, there, lambda: None)
    tracked.log_epoch({Summary.BEST_EPOCH: 0, Summary.BEST_TEST_ACCURACY: 0.9, Metric.TEST_LOSS: 1.0}, 0)
    assert client.get_run(run_id).data.metrics == {STORED_AS[Summary.BEST_TEST_ACCURACY]: 0.9, "test/loss": 1.0}


def test_a_claim_may_speak_of_a_metric_by_the_name_that_mlflow_shows():
    by_first, by_stored = (
        design_file.parse(DESIGN.replace("endpoint/test_accuracy", name), "d")
        for name in (Summary.BEST_TEST_ACCURACY, STORED_AS[Summary.BEST_TEST_ACCURACY])
    )
    assert by_stored.digest == by_first.digest


@pytest.mark.parametrize(
    ("called", "name"),
    [
        ("L1 0.001", "cnn-l1-1e-3-seed-2"),
        ("L1 0.001 + L2 0.0005, lr 0.025", "cnn-l1-1e-3-l2-5e-4-lr-25e-3-seed-2"),
        ("none", "cnn-none-seed-2"),
        ("L1 1e-05", "cnn-l1-1e-05-seed-2"),
        ("L1 1.5e-05", "cnn-l1-15e-6-seed-2"),
        ("ours v1.2.3", "cnn-ours-v1-2-3-seed-2"),
        ("cutout 8, ema 1.50", "cnn-cutout-8-ema-15e-1-seed-2"),
        ("x" * 300, f"cnn-{'x' * 89}-seed-2"),
    ],
)
def test_a_models_name_says_its_configuration_in_the_characters_that_mlflow_takes(called, name):
    given = model_name(RunConfig(seed=2), called)
    assert given == name
    assert not {*"/:.%\"'"} & {*given}


def test_the_page_of_training_runs_is_named_for_every_store(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(invocation.CALL, "python")
    here = f"sqlite:///{tmp_path}/mlflow.db"
    assert invocation.training_runs("http://127.0.0.1:5001/", "7") == (
        "http://127.0.0.1:5001/#/experiments/7/runs?workflowType=machine_learning"
    )
    assert invocation.training_runs(here, "0") == f"mlflow ui, then http://127.0.0.1:5000{PAGE}"
    assert invocation.training_runs("sqlite:////x/y.db", "0").startswith(
        "mlflow ui --backend-store-uri sqlite:////x/y.db, then "
    )


def studied() -> str:
    """Run the study of the trained store's four runs, of which none is left to do; its run's ID."""
    return coordinator.run(plan.make(design_file.parse(DESIGN, "named"), None), How("here", 1, 1))


def described(run_id: str) -> str:
    return MlflowClient().get_run(run_id).data.tags[MLFLOW_RUN_NOTE]


@pytest.mark.slow
def test_a_studys_names_are_what_its_configurations_are_called_everywhere_in_it(own_copy, capsys):
    (own_copy / "named.yaml").write_text(DESIGN)
    run_id = studied()
    assert {"mean/the baseline", "mean/ours"} <= MlflowClient().get_run(run_id).data.metrics.keys()
    assert regstudy_cli.main(["study", "status", "named.yaml"]) == 0
    said = capsys.readouterr().out
    assert "the baseline" in said
    assert f"its runs in MLflow: mlflow ui, then http://127.0.0.1:5000{PAGE}" in said
    assert cli.main(["rank", "--study", "named"]) == 0
    assert "the baseline" in capsys.readouterr().out
    assert cli.main(["compare", "the baseline", "ours", "--study", "named"]) == 0
    found = findings.find(query.read(Wanted(study="named")))
    assert {pair for row in found.ranking.pairs[["first", "second"]].to_numpy() for pair in row} == {"the baseline", "ours"}
    assert found.judged[0].deciding is not None
    assert set(query.read(Wanted()).runs["configuration"]) == {"none", "L1 0.001"}, "elsewhere they are what they were"


@pytest.mark.slow
def test_a_studys_run_opens_with_its_verdicts_and_its_ranking_until_its_numbers_change(own_copy, instead_of_writing, capsys):
    run_id = studied()
    text = described(run_id)
    assert "| configuration | mean of `endpoint/test_accuracy` (%) | SD over seeds (points) | n |" in text
    with instead_of_writing():
        assert cli.main(["report", "--study", "named", "--output="]) == 0, capsys.readouterr().err
    opened = described(run_id)
    lines = opened.splitlines()
    assert lines[0].startswith("**2 configurations, ")
    assert lines[2].startswith("| claim | verdict | estimate ")
    assert lines[4].startswith("| Ours is better | ")
    assert "| rank | configuration | seeds | test accuracy \\(%\\) | 95% interval" in opened
    assert "biased" not in opened
    assert "Does it work?" in opened
    studied()
    assert described(run_id) == opened, "nothing has changed since"
    train(l1=0.0, seed=2)
    train(l1=0.001, seed=2)
    grown = design_file.parse(DESIGN, "named").with_changes(seeds=range(3), epochs=None, dataset=None)
    coordinator.run(plan.make(grown, None), How("here", 1, 1))
    assert described(run_id) != opened, "verdicts on fewer seeds are no longer the study's"
    assert "| 3 |" in described(run_id)


def test_a_description_is_no_longer_than_mlflow_takes(own_copy):
    studied()
    trials = query.read(Wanted(study="named"))
    study = replace(trials.study, design=trials.study.design.model_copy(update={"about": "Why? " * 3_000}))
    text = note.of_study(findings.find(replace(trials, study=study)))
    assert len(text) == 8_000
    assert "| ours |" in text


def test_an_experiment_is_described_unless_somebody_has(workspace):
    client = MlflowClient()
    experiment_id = ledger.experiment()
    assert "**regstudy**" in client.get_experiment(experiment_id).tags[MLFLOW_RUN_NOTE]
    client.set_experiment_tag(experiment_id, MLFLOW_RUN_NOTE, "Ours, since May")
    assert ledger.experiment() == experiment_id
    assert client.get_experiment(experiment_id).tags[MLFLOW_RUN_NOTE] == "Ours, since May"


@pytest.mark.parametrize("command", [["train"], ["study", "run", "named.yaml", "--executor", "here", "--no-report"]])
def test_without_psutil_a_line_says_what_to_install(workspace, monkeypatch, capsys, command, unmeasured):
    (workspace / "named.yaml").write_text(DESIGN)
    monkeypatch.setitem(sys.modules, "psutil", None)  # as if it were not there
    monkeypatch.setenv("REGSTUDY_DATA", str(workspace))
    given = [*command, "--dataset", "mnist-5k"] if command == ["train"] else command
    assert regstudy_cli.main([*given, "--system-metrics"]) == 2
    said = capsys.readouterr().err
    assert "psutil, which is not installed: pip install psutil" in said
    assert not MlflowClient().search_runs(["0"])


@pytest.mark.slow
def test_system_metrics_are_logged_on_request_and_change_no_number(workspace, monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.2")
    few.put(workspace, DESIGN.replace("mnist-5k", few.DATASET))
    common = ["--dataset", few.DATASET, "--epochs", "1", "--threads", "1"]
    assert regstudy_cli.main(["train", *common, "--system-metrics"]) == 0
    assert regstudy_cli.main(["train", *common]) == 0
    without, measured = (run.data for run in MlflowClient().search_runs(["0"]))
    assert measured.metrics[f"{SYSTEM}cpu_utilization_percentage"] >= 0
    assert not [name for name in without.metrics if name.startswith(SYSTEM)]
    same = [name for name in without.metrics if not name.startswith("time/")]
    assert all(measured.metrics[name] == without.metrics[name] for name in same if math.isfinite(without.metrics[name]))
    assert measured.tags[Tag.TRIAL_DIGEST] == without.tags[Tag.TRIAL_DIGEST]
    assert cli.main(["snapshot", "kept"]) == 0
    columns = pd.read_parquet(workspace / "kept" / "runs.parquet").columns
    assert not [name for name in columns if SYSTEM in name]
    run = ["study", "run", "small.yaml", "--jobs", "2", "--threads", "1", "--seeds", "1,", "--no-report", "--system-metrics"]
    assert regstudy_cli.main(run) == 0, capsys.readouterr().err
    trials = MlflowClient().search_runs(["0"], f"tags.`{Tag.STUDY}` = 'named' and tags.`{Tag.KIND}` != '{STUDY}'")
    assert len(trials) == 2
    assert all(f"{SYSTEM}cpu_utilization_percentage" in trial.data.metrics for trial in trials)
    assert {trial.info.run_name.split(" · ")[0] for trial in trials} == {"the baseline", "ours"}
