"""A study that goes on until it is decided: what it says, where it ends, what it drops; and one that really runs, is killed, and goes on."""

import math
import os
import re
import signal
import subprocess
import sys
import time

import few
import mlflow
import numpy as np
import pytest
import synthetic
from conftest import ROOT
from test_claims import NAMES

import regstudy as rs
from analysis.commands import cli as analysis
from analysis.commands.documents import decision
from analysis.judging import findings
from regstudy.commands import cli
from regstudy.design.design import Design
from regstudy.design.history import Event, History, Plan, look, start
from regstudy.errors import UsageError
from regstudy.schema import TRIAL, Tag
from regstudy.study import until
from regstudy.study.until import Decision, Limits

DESIGN = """\
name: small
about: How long?
overrides: {epochs: 1, dataset: arrays:few.npz}
configurations: [{l1: 0}, {l1: 0.001}]
seeds: 2
claims:
  - {id: low, text: its loss is low, contrasts: [{metric: endpoint/test_loss, of: {l1: 0}, target: 9, expect: lower, margin: 1}]}
  - {id: same, text: L1 raises the loss, contrasts: [{metric: endpoint/test_loss, of: {l1: 0.001}, against: {l1: 0}, expect: higher, margin: 5}]}
"""


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("1.5m", 90), ("2h", 7200), ("1d", 86400)])
def test_a_budget_is_a_time(text, seconds):
    assert until.seconds(text) == seconds


@pytest.mark.parametrize("text", ["2", "h", "-1h", "2 h", "0h", "1w", "nan"])
def test_what_is_no_time_is_refused_in_a_line(text):
    with pytest.raises(UsageError, match="--budget: expected a time such as 90m, 2h or 1d"):
        until.seconds(text)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (Decision(5, ("a",), (), None, frozenset()), "every claim has a verdict"),
        (Decision(5, (), ("a",), None, frozenset()), "further seeds can change nothing"),
        (Decision(60, (), ("a",), 9, frozenset("x")), "60 seeds are the most"),
        (Decision(12, (), ("a",), None, frozenset("x")), "more than 1,000 further seeds"),
        (Decision(5, (), ("a",), None, frozenset("x")), ""),
        (Decision(5, (), ("a",), 9, frozenset("x")), ""),
    ],
)
def test_where_it_ends(given, reason):
    ended = until.reason_to_end(given, Limits())
    assert reason in ended
    assert bool(reason) == bool(ended)


def test_a_look_says_what_is_open_and_what_it_will_probably_take():
    told = until.told(Decision(5, ("a",), ("is b better?",), 7, frozenset("xy")))
    assert (
        told
        == "look at 5 seeds: 1 of 2 claims decided; open: is b better?; will probably take about 7 further seeds, 14 trials"
    )
    assert until.told(Decision(9, ("a", "b"), (), None, frozenset())) == "look at 9 seeds: 2 of 2 claims decided"


def test_what_is_decided_needs_no_further_seeds():
    found = findings.find(synthetic.trials(seeds=20, spread=2e-4))
    given = decision(found)
    open_ = [judged.text for judged in found.judged if judged.contrasts and judged.verdict in {"inconclusive", "no verdict"}]
    assert given["open"] == open_
    assert given["seeds"] == 20
    assert len(given["decided"]) + len(open_) == 8
    digests = dict(zip(found.trials.runs["configuration"], found.trials.runs["configuration_digest"], strict=True))
    assert set(given["needed"]) <= {digests[name] for name in NAMES}
    assert bool(given["needed"]) == bool(open_)


@pytest.mark.slow
def test_without_claims_the_question_is_which_to_use():
    few = decision(findings.find(synthetic.trials(seeds=3, claims=False)))
    assert few["open"] == ["which is to be used"]
    assert len(few["needed"]) == 4
    many = decision(findings.find(synthetic.trials(seeds=60, spread=5e-5, claims=False)))
    assert (many["open"], many["needed"]) == ([], [])


def test_a_history_survives_its_tags_and_what_is_damaged_is_not_there():
    tags = {**Plan(5, done_before=2).tags(), **start(5, 1000.7), **start(9, 3000, until=True), **look(3, 2000), **look(5, 2500)}
    history = History.from_tags(tags)
    starts, looks = (Event(1000, 5), Event(3000, 9)), (Event(2000, 3), Event(2500, 5))
    assert history == History(Plan(5, done_before=2), starts, looks, until=True)
    assert history.plan.says(Plan(5))
    assert (
        History.from_tags({"regstudy.plan": '{"seeds": -1}', "regstudy.look.x": "3", "regstudy.start.7": "many"}) == History()
    )
    later = History.from_tags({**Plan(9).tags(), **start(9, 3000), **look(3, 9000)})
    assert later.merged(history) == history.merged(later) == history
    assert History.from_tags(Plan(None, sequential=True).tags()).plan == Plan(None, sequential=True)


def test_a_look_counts_whole_blocks_and_plans_grow_by_what_is_needed(workspace):
    from regstudy.study import plan

    design = Design.model_validate({"name": "x", "about": "y", "configurations": [{"l1": 0}, {"l1": 0.001}], "seeds": 3})
    planned = plan.look(design.with_changes(seeds=None, epochs=1, dataset="mnist-5k"), None)
    needed = {planned.trials[0].config.configuration_digest()}
    grown = planned.grown([7], needed)
    assert [(trial.config.seed, trial.configuration) for trial in grown.trials[6:]] == [(7, "none")]
    assert grown.design.seeds == (0, 1, 2, 7)
    assert grown.grown([7], needed).trials == grown.trials, "what is there is not there twice"
    assert planned.begun([7, 8]).trials == planned.trials, "nothing of these was begun"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--until", "settled"], "--until: expected decided, got 'settled'"),
        (["--until", "decided", "--seeds", "3"], "--seeds 3: --until decided takes seeds as it needs them"),
        (["--until", "decided", "--max-seeds", "2"], "--max-seeds: expected a whole number from 3 on, got 2"),
        (["--budget", "2h"], "--budget 2h: is for --until decided"),
        (["--until", "decided", "--budget", "soon"], "--budget: expected a time such as 90m"),
    ],
)
def test_bad_options_are_one_line(workspace, capsys, options, words):
    few.put(workspace, DESIGN)
    assert cli.main(["study", "run", "small.yaml", *options]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert not mlflow.MlflowClient().search_runs(["0"])


def _until_it_says(words: str, command: list[str]) -> str:
    """What it has said by then; it is killed in the midst of the next trial, with whatever it started."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout is not None
        said = next(line for line in process.stdout if words in line)
        time.sleep(1)
        os.killpg(process.pid, signal.SIGKILL)
    return said


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"until": "decided", "seeds": 3}, "seeds=3: until='decided' takes seeds as it needs them"),
        ({"max_seeds": 9}, "are for until='decided'"),
        ({"until": "bored"}, "--until: expected decided, got 'bored'"),
    ],
)
def test_a_notebook_is_told_the_same(workspace, given, words):
    with pytest.raises(UsageError, match=re.escape(words)):
        rs.run_study("published", **given)
    assert not mlflow.MlflowClient().search_runs(["0"])


@pytest.mark.slow
def test_a_study_goes_on_until_it_is_decided_in_however_many_starts(workspace, capsys, monkeypatch, instead_of_writing):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    few.put(workspace, DESIGN)
    command = ["study", "run", "small.yaml", "--until", "decided", "--executor", "here", "--threads", "1", "--no-report"]
    killed = _until_it_says("look at 3 seeds", [sys.executable, "-m", "regstudy", *command])
    assert "0 of 2 claims decided" in killed
    assert cli.main([*command, "--max-seeds", "5"]) == 0
    first = capsys.readouterr().out
    assert "look at 5 seeds: 1 of 2 claims decided; open: its loss is low" in first
    assert "ends here: 5 seeds are the most (--max-seeds)" in first
    study = rs.run_study("small.yaml", until="decided", executor="here", threads=1)
    assert list(study.trials["state"]) == ["done"] * 11
    second = capsys.readouterr().out
    assert "look at 6 seeds: 2 of 2 claims decided" in second
    assert "ends here: every claim has a verdict" in second
    runs = mlflow.MlflowClient().search_runs(["0"])
    trials = [(run.data.tags[Tag.CONFIGURATION], run.data.tags[Tag.BLOCK]) for run in runs if run.data.tags[Tag.KIND] == TRIAL]
    assert sorted(trials) == sorted([("none", str(seed)) for seed in range(6)] + [("L1 0.001", str(seed)) for seed in range(5)])
    (study,) = [run for run in runs if run.data.tags[Tag.KIND] == "study"]
    history = History.from_tags(study.data.tags)
    assert history.plan == Plan(None, sequential=True)
    assert sorted(event.seeds for event in history.looks) == [3, 4, 5, 6], "none lost, none twice"
    assert study.info.status == "FINISHED"
    assert analysis.main(["claims", "--study", "small"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "configurations that were decided have no further seeds (seeds differ: L1 0.001 lacks 5)" in said
    assert "Yes:" in said
    assert "No:" in said
    with instead_of_writing() as had:
        assert analysis.main(["report", "--study", "small"]) == 0
    assert had[0].trials.runs.groupby("configuration")["seed"].count().to_dict() == {"none": 6, "L1 0.001": 5}
    # Whoever starts it again without --until takes nothing away, and a study that was begun with a plan may have gone on so, too.
    assert cli.main(["study", "run", "small.yaml", "--executor", "here", "--threads", "1", "--no-report"]) == 0
    mlflow.MlflowClient().set_tag(study.info.run_id, Tag.PLAN, '{"seeds": 2}')
    capsys.readouterr()
    assert analysis.main(["claims", "--study", "small"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "configurations that were decided have no further seeds (seeds differ: L1 0.001 lacks 5)" in said
    assert "has grown beyond its plan of 2 seeds: with 6" in said
    assert math.isfinite(np.mean([run.data.metrics["endpoint/test_loss"] for run in runs if run.data.tags[Tag.KIND] == TRIAL]))
