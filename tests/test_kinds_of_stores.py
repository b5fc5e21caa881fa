"""Kinds of stores that people have: nested runs, spellings, steps, names and labels of all sorts, runs that lack something. What counts, what is left out, and what is said of it."""

import mlflow
import numpy as np
import pytest
from mlflow.entities import Metric
from scipy import stats
from test_anybodys_blocks import log

from analysis.commands import cli
from analysis.judging import findings
from analysis.reading import foreign
from analysis.reading.anybody import values
from analysis.reading.anybody.asked import Asked

COMPARE = ["compare", "--metric", "acc", "--group-by", "params.lr"]
RATES = ("0.1", "0.2")


def nest(run_id, parent):
    mlflow.MlflowClient().set_tag(run_id, "mlflow.parentRunId", parent)


@pytest.fixture
def rng():
    return np.random.default_rng(2)


def test_a_run_that_sums_up_those_nested_in_it_does_not_count_beside_them(workspace, rng, capsys):
    """As a search or a cross-validation logs them."""
    held = {rate: 0.5 + rng.normal(0, 0.1, 4) for rate in RATES}
    for rate, scores in held.items():
        parent = log({"lr": rate}, {"acc": scores.mean()})
        for score in scores:
            nest(log({"lr": rate}, {"acc": score}), parent)
    trials = foreign.read(Asked("acc", ("params.lr",)))
    assert len(trials.runs) == 8
    found = findings.find(trials).ranking.pairs.iloc[0]
    assert found["p"] == pytest.approx(stats.ttest_ind(*held.values(), equal_var=False).pvalue)
    told = "2 runs in which others are nested that have acc too, left out: what sums these up would count twice"
    assert told in trials.notices
    sides = ["--baseline", "lr=0.1", "--candidate", "lr=0.2", "--metric", "acc", "--margin", "1"]
    assert cli.main(["gate", *sides]) == 0
    said = capsys.readouterr().out
    assert "4 runs each" in said
    assert told in said


def test_runs_nested_in_several_are_paired_by_these(workspace, rng, capsys):
    """As autologging of a search by cross-validation leaves them: the seed is the parent's."""
    for seed in range(4):
        parent = log({"seed": seed}, {"best_acc": 0.9})
        hard = rng.normal(0, 0.1)
        for rate, better in (("0.1", 0), ("0.2", 0.05)):
            nest(log({"lr": rate}, {"acc": 0.5 + hard + better + rng.normal(0, 0.001)}), parent)
    assert cli.main(["compare"]) == 0
    command = f"{' '.join(COMPARE)} --block tags.mlflow.parentRunId"
    assert command in capsys.readouterr().out
    assert cli.main(command.split()) == 0
    said = capsys.readouterr().out
    assert "shown to be worse than lr 0.2 (4 blocks each)" in said
    assert "4 runs without params.lr or tags.mlflow.parentRunId, left out" in said


def test_what_only_parents_say_is_told(workspace, capsys):
    for rate in RATES:
        parent = log({"lr": rate}, {})
        for seed in range(3):
            nest(log({"seed": seed}, {"acc": 0.5}), parent)
    assert cli.main(COMPARE) == 2
    said = capsys.readouterr().err
    assert "no run that has params.lr has it, and the 6 runs with it not params.lr: log both with the same run" in said


@pytest.mark.parametrize(
    ("spellings", "value"),
    [
        (["2", "2.0", "02", "+2", "2e0", " 2 "], "2"),
        (["0", "-0", "0.0", "0e5"], "0"),
        (["0.5", ".5", "5e-1", "0.50"], "0.5"),
        (["1e22", "10000000000000000000000"], "10000000000000000000000"),
        (["12345678901234567891"], "12345678901234567891"),
        (["1e400"], "1e400"),
        (["1e500"], "1e500"),
        (["1_0"], "1_0"),
        (["true"], "true"),
        (["nan"], "nan"),
    ],
)
def test_a_number_is_one_however_it_is_spelt(spellings, value):
    assert {values.canonical(text) for text in spellings} == {value}


def test_steps_before_0_and_far_away(workspace, rng):
    steps = [-1, 0, 5, 2**62]
    client = mlflow.MlflowClient()
    held = {}
    for rate in RATES:
        for seed in range(3):
            run_id = log({"lr": rate, "seed": seed}, {})
            scores = held[rate, seed] = rng.normal(0.5, 0.1, 4)
            client.log_batch(run_id, [Metric("acc", score, 7, step) for score, step in zip(scores, steps, strict=True)])
    for value, taken in (("step:-1", 0), ("step:5", 2)):
        trials = foreign.read(Asked("acc", ("params.lr",), value=value))
        found = trials.runs.set_index(["configuration", "seed"])["acc"].to_dict()
        assert found == {(f"lr {rate}", str(seed)): pytest.approx(scores[taken]) for (rate, seed), scores in held.items()}
    assert foreign.read(Asked("acc", ("params.lr",), last=2)).runs["acc"].iloc[0] == pytest.approx(held["0.1", 0][2:].mean())


LABELS = ["模型 一", "🎉 👩‍👩‍👧", "שלום", "a\nb\r\nc\td", "<b>x</b> & 'q' | y", "$x_1$ `c` \\alpha", "", " "]


def test_labels_of_all_sorts_stay_apart_and_on_one_line(workspace, capsys):
    name = 'it\'s "quoted", — 実験'
    experiment = mlflow.create_experiment(name)
    for number, label in enumerate(LABELS):
        for seed in range(2):
            log({"lr": label, "seed": seed}, {"val/acc": number + seed / 9}, experiment, name="same name")
    asked = ["--experiment", name, "--metric", "val/acc"]
    assert cli.main(["compare", *asked, "--group-by", "params.lr"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert "lr (empty)" in said.out
    assert "note: params.lr: '' is also written ' '" in said.out
    assert "lr a\\nb\\r\\nc\\td" in said.out
    assert sum(line.lstrip().startswith("1–7?") for line in said.out.splitlines()) == 7
    assert cli.main(["compare", *asked, "--group-by", "run_name", "--block", "params.seed"]) == 0
    assert "One configuration" in capsys.readouterr().out


@pytest.mark.parametrize("status", ["RUNNING", "KILLED"])
def test_if_no_run_has_finished_it_is_said_how_they_are(workspace, capsys, status):
    for rate in RATES:
        for seed in range(3):
            log({"lr": rate, "seed": seed}, {"acc": seed + float(rate)}, status=status)
    told = f", only 6 runs, {status}: wait, or count them with --status {status}"
    for words in (COMPARE, ["compare"]):
        assert cli.main(words) == 2
        assert told in capsys.readouterr().err
    assert cli.main([*COMPARE, "--status", status]) == 0
    assert "6 runs, acc" in capsys.readouterr().out


def test_a_metric_that_some_lack_is_told_by_group(workspace, capsys):
    for rate in ("0.1", "0.2", "0.3"):
        for seed in range(3):
            lacks = rate == "0.3" or (rate, seed) == ("0.1", 2)
            log({"lr": rate, "seed": seed}, {"other": 1} if lacks else {"acc": seed + float(rate)})
    assert cli.main(COMPARE) == 0
    assert "note: 4 runs without acc, left out (lr 0.3: 3; lr 0.1: 1)" in capsys.readouterr().out


@pytest.mark.parametrize("option", ["--group-by", "--block"])
def test_a_name_given_twice_is_refused(workspace, capsys, option):
    assert cli.main([*COMPARE, option, "params.lr", option, "params.lr"]) == 2
    assert f"{option} params.lr is there twice: name each once" in capsys.readouterr().err
