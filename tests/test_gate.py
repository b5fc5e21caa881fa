"""The gate for pull requests: its four exit statuses, what it writes, and how often it is wrong over a year."""

import json
import re
import shlex
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import ROOT
from scipy import stats
from test_anybodys_blocks import log

from analysis.commands import cli
from analysis.commands.gate import Verdict, estimate, verdict
from analysis.commands.options.parsed import parse
from analysis.judging import looks
from analysis.judging.looks import Looks
from analysis.reading import foreign

GATE = ["gate", "--baseline", "tags.branch=main", "--candidate", "tags.branch=pr", "--metric", "acc", "--margin", "0.01"]


@pytest.fixture
def branches(workspace):
    """Logs so many seeds of both branches, the second better by so much."""

    def make(better, seeds=8, sd=0.003, **more):
        import mlflow

        rng = np.random.default_rng(3)
        for seed in range(seeds):
            hard = rng.normal(0, 0.02)
            for branch, mean in (("main", 0.9), ("pr", 0.9 + better)):
                run_id = log({"seed": seed} | more, {"acc": mean + hard + rng.normal(0, sd)})
                mlflow.MlflowClient().set_tag(run_id, "branch", branch)

    return make


@pytest.mark.parametrize(
    ("better", "seeds", "status", "word"),
    [
        (0.0, 8, 0, "not worse"),
        (0.02, 8, 0, "not worse"),
        (-0.02, 8, 1, "worse"),
        (-0.02, 2, 3, "open"),
        (-0.006, 4, 3, "open"),
    ],
)
def test_each_exit_status(branches, capsys, better, seeds, status, word):
    branches(better, seeds)
    assert cli.main(GATE) == status
    said = capsys.readouterr().out
    assert said.startswith(f"acc: {word}; ")
    assert ("will probably decide" in said) == (status == 3)


def test_what_cannot_be_read_is_status_2(branches, capsys):
    branches(0.0, 3)
    for options, told in (
        (["--baseline", "tags.branch=nightly"], "--baseline tags.branch=main tags.branch=nightly"),
        (["--metric", "f1"], "--metric 'f1': no run has it; expected one of acc"),
        (["--margin", "-1"], "--margin -1: expected a number above 0"),
        (["--alpha", "2"], "--alpha 2: expected a number between 0 and 0.5"),
        (["--seeds-left", "-1"], "--seeds-left -1: expected a number from 0 on"),
        (["--candidate", "seed"], "--candidate 'seed': expected FIELD=VALUE"),
        (["--value", "median"], "--value 'median': expected last"),
        (["--summary", "half.md", "--json", "nowhere/there.json"], "'nowhere/there.json' cannot be written"),
    ):
        assert cli.main([*GATE, *options]) == 2, options
        said = capsys.readouterr().err
        assert told in said or "is there twice" in said
        assert said.count("\n") == 1
    assert not Path("half.md").exists()
    assert cli.main(["gate", "--baseline", "seed=0", "--candidate", "seed=0", "--metric", "acc", "--margin", "0.1"]) == 2
    assert "is both the baseline's and the candidate's" in capsys.readouterr().err
    assert cli.main(["gate", "--baseline", "seed=0", "--candidate", "seed=1", "--metric", "acc"]) == 2
    assert "gate needs --margin" in capsys.readouterr().err


def test_numbers_are_scipys(branches, workspace):
    branches(-0.02)
    assert cli.main([*GATE, "--json", "gate.json", "--junit", "gate.xml", "--summary", "gate.md"]) == 1
    (judged,) = json.loads((workspace / "gate.json").read_text())["metrics"]
    import mlflow

    runs = mlflow.search_runs(["0"]).pivot(index="params.seed", columns="tags.branch", values="metrics.acc")
    test = stats.ttest_rel(runs["pr"], runs["main"])
    low, high = test.confidence_interval(0.982)  # nine tenths of α, where all is as planned
    assert [judged["low"], judged["high"]] == pytest.approx([low, high])
    assert judged["verdict"] == "worse"
    (case,) = ET.parse("gate.xml").getroot()
    assert case.find("failure").get("message").startswith("acc: worse")
    text = (workspace / "gate.md").read_text()
    assert "**Candidate against baseline: worse**" in text
    assert "| acc | ✗ worse |" in text


def test_what_is_no_number_is_null_and_not_shown(branches, workspace):
    branches(0.0, 2)
    assert cli.main([*GATE, "--json", "gate.json", "--summary", "gate.md"]) == 3
    (judged,) = json.loads((workspace / "gate.json").read_text())["metrics"]
    assert (judged["low"], judged["n"]) == (None, 2)
    assert "nan" not in (workspace / "gate.md").read_text()


def test_files_and_runs_without_a_seed(workspace, capsys):
    rng = np.random.default_rng(1)
    for name, mean in (("main", 0.5), ("pr", 0.5)):
        pd.DataFrame({"loss": rng.normal(mean, 0.01, 12)}).to_csv(f"{name}.csv", index=False)
    assert cli.main(["gate", "--baseline", "main.csv", "--candidate", "pr.csv", "--metric", "loss", "--margin", "0.02"]) == 0
    said = capsys.readouterr().out
    assert "12 runs each" in said
    worse = pd.DataFrame({"loss": rng.normal(0.9, 0.01, 12), "seed": range(12)})
    for name, frame in {"bad.csv": worse, "bad.parquet": worse}.items():
        frame.to_csv(name, index=False) if name.endswith("csv") else frame.to_parquet(name)
        assert (
            cli.main(
                [
                    "gate",
                    "--baseline",
                    "main.csv",
                    "--candidate",
                    name,
                    "--metric",
                    "loss",
                    "--margin",
                    "0.02",
                    "--block",
                    "none",
                ]
            )
            == 1
        )
    capsys.readouterr()
    assert "compared by Welch's t test" in said


def test_runs_that_diverged_pass_no_gate(branches, capsys):
    import mlflow

    branches(0.0)
    client = mlflow.MlflowClient()
    runs = {run.data.params["seed"]: run.info.run_id for run in client.search_runs(["0"], "tags.branch = 'pr'")}
    client.log_metric(runs["0"], "acc", float("nan"), step=1)
    assert cli.main([*GATE, "--last", "1"]) == 3
    said = capsys.readouterr().out
    assert "1 run whose acc is no number, counted as diverged" in said
    assert "7 seeds each" in said
    for run_id in runs.values():
        client.log_metric(run_id, "acc", float("nan"), step=1)
    assert cli.main([*GATE, "--last", "1"]) == 1
    assert "worse; all runs of the candidate diverged" in capsys.readouterr().out
    turned = [word.replace("main", "x").replace("pr", "main").replace("x", "pr") for word in GATE]
    assert cli.main([*turned, "--last", "1"]) == 2
    assert "--baseline: all its runs diverged" in capsys.readouterr().err


def test_several_metrics_share_alpha_and_the_worst_decides(workspace, capsys):
    import mlflow

    rng = np.random.default_rng(1)
    for seed in range(8):
        for branch, loss in (("main", 0.5), ("pr", 0.7)):
            run_id = log({"seed": seed}, {"acc": rng.normal(0.9, 0.001), "loss": rng.normal(loss, 0.01)})
            mlflow.MlflowClient().set_tag(run_id, "branch", branch)
    assert cli.main([*GATE, "--metric", "loss", "--json", "gate.json"]) == 1
    assert [own["verdict"] for own in json.loads((workspace / "gate.json").read_text())["metrics"]] == ["not worse", "worse"]
    assert "99.1% interval" in capsys.readouterr().out


def seeds_for(sd):
    """The fewest that tell a candidate that is as good from one that loses 0.01, at α = 0.01, in 80% of cases."""
    return looks.fewest(lambda n: Looks(0.02, n).power(0.01, sd, n), looks.POWER, after=2)


def year(rng, loss, seeds, left=0):
    """What the gate says of a year's 250 pull requests, each with runs of its own."""
    arguments = parse([*GATE, "--seeds-left", str(left)])
    said = []
    for _ in range(250):
        block = rng.normal(0, 0.02, seeds)
        scores = pd.DataFrame(
            {
                "baseline": 0.9 + block + rng.normal(0, 0.005, seeds),
                "candidate": 0.9 - loss + block + rng.normal(0, 0.005, seeds),
            }
        )
        trials = foreign.of_scores(scores, higher_is_better=True, margin=0.01)
        said.append(verdict(estimate(scores, trials, arguments)[0], 0.01))
    return np.array(said)


@pytest.mark.slow
def test_a_years_pull_requests_are_wronged_no_more_often_than_promised():
    """At --alpha 0.01, of 250 that change nothing, 2.5 in the mean; of those that lose twice the margin, with the seeds that are planned for the margin, nearly all are found."""
    rng = np.random.default_rng(0)
    sd = 0.005 * np.sqrt(2)
    seeds = seeds_for(sd)
    assert looks.power(0.02, sd, seeds, 0.02) > 0.99
    alarms = [(year(rng, 0.0, seeds) == Verdict.WORSE).sum() for _ in range(8)]
    assert np.mean(alarms) <= 2.5
    assert (year(rng, 0.02, seeds) == Verdict.WORSE).mean() > 0.95
    assert (year(rng, 0.02, seeds) == Verdict.NOT_WORSE).mean() <= 0.01
    assert (year(rng, 0.0, seeds) == Verdict.NOT_WORSE).mean() > 0.75
    # A look before the planned end costs nothing: what it shows holds whenever one looks.
    assert (year(rng, 0.0, 5, left=seeds) == Verdict.WORSE).sum() <= 2


def test_the_guides_files_are_yaml_and_its_numbers_hold():
    guide = (ROOT / "docs" / "guides" / "gate.md").read_text()
    github, gitlab = (yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", guide, re.S))
    assert "gate" in github["jobs"]
    assert gitlab["gate"]["allow_failure"] == {"exit_codes": 3}
    assert seeds_for(0.007) == 9
    for line in (line for line in guide.splitlines() if line.startswith("python -m analysis gate")):
        assert parse(shlex.split(line)[3:]).command == "gate"


def test_sides_without_a_seed_in_common_are_two_samples_unless_it_is_asked_for(workspace, capsys):
    for name, seeds in (("main.csv", range(4)), ("lr=0.2.csv", range(5, 9))):
        pd.DataFrame({"seed": seeds, "acc": [0.9, 0.91, 0.92, 0.93]}).to_csv(name, index=False)
    asked = ["gate", "--baseline", "main.csv", "--candidate", "lr=0.2.csv", "--metric", "acc", "--margin", "0.01"]
    assert cli.main(asked) == 3
    assert "no two groups share a params.seed: runs are not paired" in capsys.readouterr().out
    asked += ["--block", "params.seed"]
    assert cli.main([*asked, "--json", "told.json"]) == 3
    said = capsys.readouterr().out
    assert "0.915 against 0.915, but no seed in common" in said
    assert "diverged" not in said
    assert json.loads(Path("told.json").read_text())["metrics"][0]["candidate"] == pytest.approx(0.915)
    before = Path("main.csv").read_bytes()
    for written in (["--json", "main.csv"], ["--json", "x", "--junit", "./x"]):
        assert cli.main([*asked, *written]) == 2
        assert "would be written over" in capsys.readouterr().err
    assert Path("main.csv").read_bytes() == before
