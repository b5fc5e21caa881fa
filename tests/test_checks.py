"""Can it be trusted? Each check of the report passes where it should, and fails where it should not."""

from dataclasses import replace

import pandas as pd
import pytest
import synthetic

from analysis.judging import findings
from analysis.judging.findings import BEST
from analysis.reading import foreign, measures
from analysis.reading.studies import Study
from analysis.reading.trials import Trials
from analysis.showing.words import checks
from regstudy.design.history import Plan

SEEDS = 5


@pytest.fixture(scope="module")
def trials() -> Trials:
    """Four configurations with five seeds each, as planned."""
    return planned(synthetic.trials(seeds=SEEDS), Plan(SEEDS))


def planned(trials: Trials, plan: Plan | None) -> Trials:
    """As the study itself has recorded it."""
    assert trials.study is not None
    return replace(trials, plan=plan, study=replace(trials.study, history=replace(trials.study.history, plan=plan)))


def told(trials: Trials) -> dict[str, checks.Check]:
    return {check.name: check for check in checks.checks(findings.find(trials))}


def verdict(trials: Trials) -> str:
    return checks.verdict(checks.checks(findings.find(trials)))


def test_all_pass_of_a_study_that_ran_as_planned(trials):
    said = told(trials)
    assert verdict(trials) == "all 4 checks passed"
    assert said[checks.PLANNED].told == "5 seeds were planned, as the study recorded before it ran, and as many were run."
    assert said[checks.COMPLETE].told == "20 runs, each of 4 configurations with each of 5 seeds; none diverged."
    assert {check.name for check in said.values() if check.passed is None} == {"Small differences", "Anything else"}


@pytest.mark.parametrize(
    ("plan", "passed", "why"),
    [
        (None, False, "Nobody recorded how many seeds were to be run"),
        (Plan(SEEDS, done_before=2), False, "2 of its runs were done already"),
        (Plan(None, sequential=True), True, "The study recorded a look after every seed before it ran; 5 are there"),
        (
            Plan(SEEDS + 1),
            True,
            "The study recorded 6 seeds before it ran; 5 are there, judged by tests that hold whenever one looks.",
        ),
    ],
)
def test_whether_it_was_planned(trials, plan, passed, why):
    made = checks.checks(findings.find(planned(trials, plan)))
    check = next(check for check in made if check.name == checks.PLANNED)
    assert (check.passed, why in check.told) == (passed, True), check
    assert ("not “planned beforehand”" in checks.verdict(made)) == (not passed)


def test_what_the_runs_do_not_record_is_no_passed_check(trials):
    said = planned(trials, None)
    check = told(replace(said, plan=Plan(SEEDS)))[checks.PLANNED]
    assert check.passed is None
    assert check.told == "Whoever made this report says that 5 seeds were planned; the runs do not record it."
    assert verdict(replace(said, plan=Plan(SEEDS))) == "all 3 checks passed"


def lacking_a_seed(trials: Trials) -> Trials:
    last = (trials.runs["configuration"] == "L2 0.0005") & (trials.runs["seed"] == SEEDS - 1)
    return replace(trials, runs=trials.runs[~last])


def grown(study: Study | None) -> Study:
    assert study is not None
    return replace(study, history=replace(study.history, until=True))


@pytest.mark.parametrize(
    ("change", "passed", "why"),
    [
        (lacking_a_seed, False, "L2 0.0005 lacks seeds that others have"),
        (lambda t: replace(lacking_a_seed(t), study=grown(t.study)), True, "L2 0.0005 got no further seeds once decided"),
        (
            lambda t: replace(t, runs=t.runs.assign(diverged=t.runs["run_id"] == "none-0")),
            False,
            "20 runs; 1 of them is in no mean, since it diverged: none.",
        ),
    ],
    ids=["lacks a seed", "until decided", "diverged"],
)
def test_whether_it_is_complete(trials, change, passed, why):
    check = told(change(trials))[checks.COMPLETE]
    assert (check.passed, why in check.told) == (passed, True), check


def test_whether_an_epoch_was_picked(trials):
    assert told(trials)[checks.UNPICKED].told == "Each run is judged by its test accuracy, mean of the last 5 of 8 epochs."
    assert not told(replace(trials, endpoint=measures.measure(BEST)))[checks.UNPICKED].passed


def test_whether_like_was_compared_with_like(trials):
    other = trials.runs["configuration"].map(lambda name: "b" if name == "none" else "a")
    check = told(replace(trials, runs=trials.runs.assign(data_digest=other)))[checks.ALIKE]
    assert (check.passed, check.told) == (False, "The runs differ in data, which was allowed.")


def test_networks_that_are_compared_have_no_start_in_common(trials):
    assert "the same start, images and order" in told(trials)[checks.ALIKE].told
    networks = trials.runs["configuration"].map(lambda name: "b.py:small" if name == "none" else "a.py:large")
    assert "the same images and order" in told(replace(trials, runs=trials.runs.assign(network=networks)))[checks.ALIKE].told


def test_of_anybodys_scores_only_what_they_tell_is_checked():
    scores = pd.DataFrame({"a": [0.9, 0.8, 0.7], "b": [0.8, 0.7, 0.5]})
    theirs = foreign.of_scores(scores, higher_is_better=True, margin=0.01)
    said = told(theirs)
    assert set(said) == {checks.PLANNED, checks.COMPLETE, "Small differences", "Anything else"}
    assert "this data and code" in said["Anything else"].told
    assert verdict(theirs) == "1 of 2 checks passed, not “planned beforehand”"
    assert verdict(replace(theirs, plan=Plan(3))) == "the one check that the runs allow passed"


def test_what_was_noticed_stands_with_them(trials):
    notice = "params.lr: 0.1 is also written 1e-1"
    assert told(replace(trials, notices=(notice,)))["Noticed"].told == f"{notice}.", "names stay as they are"
