"""The public face: names that others build on, loaded when they are used, and what they give in a notebook."""

import os
import subprocess
import sys

import few
import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from scipy import stats

import analysis as an
import regstudy as rs
from analysis.judging import findings
from analysis.reading import errors
from regstudy.console import terminal
from regstudy.errors import ConfigError, NothingToAnalyse, UsageError

SMALL = {"dataset": "mnist-5k", "epochs": 1, "threads": 1}


def test_exported_members():
    assert rs.__all__ == ["Config", "Design", "RegstudyError", "Run", "Study", "plan_study", "resume", "run_study", "train"]
    assert an.__all__ == [
        "Judgement", "Pair", "Ranking", "Trials", "compare", "judge", "rank", "rank_scores", "read", "read_runs", "report", "verify",
    ]  # fmt: skip
    for package in (rs, an):
        assert {*package.__all__} <= {*dir(package)}
        assert all(getattr(package, name) is not None for name in package.__all__)
        with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
            package.nothing  # noqa: B018  # asking is what is tested


@pytest.mark.parametrize(
    "code", ["import regstudy, analysis", "import regstudy; regstudy.Config(); regstudy.Design.load('published')"]
)
def test_importing_loads_neither_torch_nor_mlflow(code):
    told = subprocess.run(
        [sys.executable, "-c", f"{code}; import sys; print(*sys.modules)"], cwd=ROOT, text=True, capture_output=True, check=True
    )
    loaded = {*told.stdout.split()}
    assert not loaded & {"torch", "mlflow", "matplotlib", "pandas"}
    assert "regstudy" in loaded


@pytest.mark.slow
def test_a_snapshot_is_ranked_without_mlflow_and_rarely_looked_through_for_garbage():
    """Both are most of what a short command takes."""
    code = "import gc, runpy, sys\ntry: runpy.run_module('analysis', run_name='__main__')\nfinally: print('mlflow' in sys.modules, gc.get_threshold()[0])"
    words = ["rank", "--from", str(ROOT / "results" / "sweep-l1" / "blocks-5-6")]
    told = subprocess.run([sys.executable, "-c", code, *words], cwd=ROOT, text=True, capture_output=True, check=True)
    assert told.stdout.splitlines()[-1] == f"False {terminal.BETWEEN_COLLECTIONS}"


@pytest.mark.slow
def test_a_configuration_is_trained_and_shows_itself(workspace):
    run = rs.train(rs.Config(l1=1e-3, **SMALL), seed=1)
    assert (run.config.l1, run.config.seed) == (1e-3, 1)
    assert run.metrics["errors/misclassified"] > 0
    assert f"run {run.run_id}" in str(run)
    assert f"<td>{run.metrics['endpoint/test_accuracy']:.2%}</td>" in run._repr_html_()


@pytest.mark.parametrize(
    ("values", "told"),
    [({"l1": -1}, "l1: expected a finite number ≥ 0, got -1"), ({"l3": 1}, "unknown parameter 'l3': expected one of l1,")],
)
def test_what_cannot_be_trained_is_one_line(values, told):
    with pytest.raises(ConfigError) as caught:
        rs.train(**values)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_recipe_keeps_its_defaults_when_a_value_changes():
    assert rs.Config(recipe="corrected").changed(seed=3) == rs.Config(recipe="corrected", seed=3)
    assert rs.Config(l1=0.1).changed(recipe="corrected").l1_kind == "proximal"


@pytest.mark.slow
def test_a_study_from_its_design_to_its_report(workspace, instead_of_writing):
    """What the report is like, and that it is verified: test_notebook; of anybody's runs: test_others."""
    design = rs.Design.load("published")
    assert "9" in design._repr_html_()
    few.put(workspace)
    study = rs.run_study(design, seeds=2, epochs=1, dataset=few.DATASET, jobs=2, threads=1)
    assert list(study.trials["state"]) == ["done"] * 8
    assert "8 done" in study._repr_html_()
    wider = rs.plan_study("published", seeds=[0, 1, 7], epochs=1, dataset=few.DATASET)
    assert str(wider) == "study published: 12 trials: 8 done, 4 missing"
    trials = an.read("published")
    assert "L2 0.0005" in trials._repr_html_()
    assert an.judge(trials).verdicts["claim"].nunique() == 9
    assert an.read(where={"l1": [0, 0.001], "l2": 0}, allow=["seeds"]).runs["configuration"].unique().tolist() == [
        "none",
        "L1 0.001",
    ]
    with instead_of_writing() as had:
        page = an.report(trials, "report")
    assert page.is_file()
    assert had[0].trials.runs["run_id"].tolist() == trials.runs["run_id"].tolist()


@pytest.mark.slow
def test_a_script_that_is_not_guarded_against_its_own_processes_runs_once(workspace):
    few.put(
        workspace,
        "name: two\nabout: x\nconfigurations: [{l1: 0}, {l1: 0.001}]\nseeds: 1\noverrides: {dataset: arrays:few.npz}\n",
    )
    (workspace / "mine.py").write_text(
        "print('once')\nimport regstudy as rs\nrs.run_study('small.yaml', epochs=1, jobs=2, threads=1)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    told = subprocess.run(
        [sys.executable, "mine.py"], cwd=workspace, env=environment, text=True, capture_output=True, check=True
    )
    assert told.stdout.count("once") == 1


@pytest.mark.slow
def test_trials_are_ranked_and_compared_as_the_commands_do(trained):
    trials = an.read()
    ranked = an.rank(trials)
    pd.testing.assert_frame_equal(ranked.pairs, findings.find(trials, errors.read(trials)).ranking.pairs)
    assert ranked.leading == ("L1 0.001", "none") or ranked.leading == ("none", "L1 0.001")
    assert "Two seeds for each configuration allow no conclusion" in str(ranked)
    pair = an.compare(trials, "none", "L1 0.001")
    assert pair.table["measure"].iloc[0] == "test accuracy (%)"
    assert "3 common seeds that differ are needed" in str(pair)
    with pytest.raises(UsageError, match="'nobody' is no configuration of these runs"):
        an.compare(trials, "none", "nobody")
    with pytest.raises(NothingToAnalyse, match="claims belong to a study"):
        an.judge(trials)


def test_any_frame_of_scores_is_ranked():
    draw = np.random.default_rng(0)
    scores = pd.DataFrame({"a": draw.normal(0, 1, 8), "<b>": draw.normal(3, 1, 8)}).rename_axis("fold")
    ranked = an.rank_scores(scores, margin=0.01)
    assert ranked.leading == ("<b>",)
    test = stats.ttest_rel(scores["<b>"], scores["a"])
    assert ranked.pairs["p"].iloc[0] == pytest.approx(test.pvalue)
    assert "8 folds each" in str(ranked)
    assert "&lt;b&gt;" in ranked._repr_html_()
    assert an.rank_scores(scores, higher_is_better=False).leading == ("a",)
    with pytest.raises(UsageError, match="expected numbers, a row per block"):
        an.rank_scores(pd.DataFrame({"a": ["x"]}))


@pytest.fixture
def anybodys(workspace) -> an.Trials:
    import mlflow

    for lr in (0.1, 0.2):
        for seed in range(3):
            with mlflow.start_run():
                mlflow.log_params({"lr": lr, "seed": seed})
                mlflow.log_metric("val_acc", lr + seed / 100)
    return an.read_runs("val_acc", "params.lr", margin=0.01)


def test_anybodys_runs_are_read(anybodys):
    assert an.rank(anybodys).table["mean"].tolist() == pytest.approx([0.21, 0.11])
