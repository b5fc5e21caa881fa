"""Degenerate input gives a clear statement: never NaN in words, an interval of width zero, or a traceback."""

import math
import re
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
import synthetic
from scipy import stats

from analysis.judging import findings, published
from analysis.judging.claims import Verdict
from analysis.reading.trials import AVERAGED
from analysis.reports import report
from analysis.showing import grids, methods, plots, wording
from analysis.showing.sections import compared, luck, trust
from analysis.showing.sections.first import FIRST
from analysis.showing.sections.section import Material
from analysis.showing.words import checks, opening
from regstudy.design.history import Plan
from regstudy.schema import HIGHER_IS_BETTER, Summary

KEY = Summary.ENDPOINT_TEST_ACCURACY.value
CURVE_MADE = [name for name in findings.measures.KNOWN if name.startswith(("endpoint/", "gap/", "roughness/"))]


def without(trials, keep):
    """Trials of which only some rows are kept."""
    runs = trials.runs[keep(trials.runs)]
    return replace(trials, runs=runs, epochs=trials.epochs[trials.epochs["run_id"].isin(runs["run_id"])])


def diverged(trials, which):
    lost = which(trials.runs)
    runs = trials.runs.copy()
    runs["diverged"] = lost
    runs.loc[lost, [*CURVE_MADE, findings.BEST, AVERAGED]] = math.nan
    return replace(trials, runs=runs)


def identical():
    trials = synthetic.trials(seeds=5)
    runs = trials.runs.copy()
    for name in [*findings.measures.KNOWN, findings.BEST]:
        runs[name] = 0.994
    return replace(trials, runs=runs)


CASES = {
    "one run": lambda: without(synthetic.trials(), lambda runs: runs.index == 0),
    "one configuration": lambda: synthetic.trials(1, 5),
    "one seed": lambda: synthetic.trials(seeds=1),
    "two seeds": lambda: synthetic.trials(seeds=2),
    "missing seeds": lambda: without(
        synthetic.trials(seeds=4), lambda runs: ~((runs["configuration"] == "none") & (runs["seed"] > 1))
    ),
    "no common seed": lambda: without(
        synthetic.trials(seeds=4), lambda runs: (runs["configuration"] == "none") == (runs["seed"] > 1)
    ),
    "identical values": identical,
    "all of one failed": lambda: without(synthetic.trials(seeds=4), lambda runs: runs["configuration"] != "L2 0.0005"),
    "one diverged": lambda: diverged(
        synthetic.trials(seeds=4), lambda runs: (runs["configuration"] == "none") & (runs["seed"] == 0)
    ),
    "one diverged always": lambda: diverged(synthetic.trials(seeds=4), lambda runs: runs["configuration"] == "L2 0.0005"),
    "all diverged": lambda: diverged(synthetic.trials(seeds=3), lambda runs: runs["seed"] >= 0),
    "a small test set": lambda: synthetic.trials(seeds=4, test_images=1_000, spread=5e-3),
    "60 configurations": lambda: synthetic.trials(60, 3),
}


@cache
def found_in(case):
    """The findings of a case: made once, for reading only."""
    return findings.find(CASES[case]())


def said(found) -> str:
    """All words and tables of the findings."""
    material = Material.of(found)
    tables = [
        grids.ranking(found),
        grids.verdicts(found),
        grids.runs(found),
        *(table for section in report.SECTIONS if found.trials.has(*section.needs) for table in section.tables(material)),
    ]
    cells = [cell for table in tables if table is not None for row in table.rows for cell in row]
    sentences = [wording.sentence(judged) for judged in found.judged]
    return "\n".join(
        [opening.headline(found), *methods.summary(found), methods.advice(found), *methods.methods(found), *sentences, *cells]
    )


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_degenerate_input_is_stated(case):
    found = found_in(case)
    text = said(found)
    assert not re.findall(r".*\b(?i:nan|inf)\b.*|.*\bNone\b(?! of).*", text)
    for low, high in re.findall(r"([+−]?[\d.]+) to ([+−]?[\d.]+)", text):
        assert low != high or case == "identical values", f"an interval of width zero: {low} to {high}"
    intervals = pd.concat([found.ranking.pairs, found.table])[["low", "high"]].dropna()
    assert (intervals["low"] < intervals["high"]).all()


def test_one_run_is_compared_with_nothing():
    text = said(found_in("one run"))
    assert "One configuration, 1 seed: nothing to compare yet" in text
    assert "allow no recommendation yet" in text


def test_one_seed_leaves_every_claim_without_a_verdict():
    found = found_in("one seed")
    assert {judged.verdict for judged in found.judged} == {Verdict.NONE}
    assert "4 configurations, one seed each: no winner can be named" in said(found)


def test_missing_seeds_shorten_the_pairs_and_are_told():
    found = found_in("missing seeds")
    pairs = found.ranking.pairs
    of_none = pairs[(pairs["first"] == "none") | (pairs["second"] == "none")]
    assert set(of_none["seeds"]) == {2}
    assert "2 seeds could not be paired, since a run is missing or diverged" in said(found)


def test_identical_values_are_ties_not_certainties():
    found = found_in("identical values")
    assert set(found.ranking.table["rank"]) == {1}
    verdicts = {judged.id: judged.verdict for judged in found.judged}
    assert verdicts["l1-lower-loss"] == Verdict.NONE
    assert verdicts["l1-best"] == Verdict.EQUIVALENT, "equal to the image: a step is known, so an interval is"


def test_a_configuration_without_a_finished_run_leaves_its_claims_open():
    found = found_in("all of one failed")
    verdicts = {judged.id: judged.verdict for judged in found.judged}
    assert verdicts["l1-best"] == verdicts["l2-rocky"] == Verdict.NONE
    assert verdicts["l1-lower-loss"] != Verdict.NONE


def test_a_diverged_run_ranks_its_configuration_last():
    found = found_in("one diverged")
    assert found.table["configuration"].iloc[-1] == "none"
    assert found.table["diverged"].tolist() == [0, 0, 0, 1]
    assert "3 + 1 diverged" in said(found)


def test_a_small_test_set_has_a_wider_margin():
    found = found_in("a small test set")
    assert found.scale.margin == pytest.approx(0.002)
    assert "0.2 points" in said(found)


def test_advice_names_the_simplest_of_those_that_are_shown_not_to_be_worse():
    text = methods.advice(findings.find(synthetic.trials(seeds=20, spread=2e-4)))
    assert text.startswith("Use none: test accuracy 99.")
    assert "No other is better by 0.05 points or more; L" in text
    assert "would do as well, but none is simpler" in text
    assert "n = 20 seeds" in text
    assert "best" not in text


def test_a_worse_configuration_is_worse_by_so_much():
    trials = synthetic.trials(seeds=20, spread=2e-4)
    runs = trials.runs.assign(**{KEY: trials.runs[KEY] - 0.003 * (trials.runs["configuration"] == "L2 0.0005")})
    text = methods.advice(findings.find(replace(trials, runs=runs)))
    (by, low, high) = map(
        float, re.search(r"\. Worse are L2 0.0005 by ([\d.]+) points \(([\d.]+) to ([\d.]+)\)\.$", text).groups()
    )
    assert low < by < high
    assert by == pytest.approx(0.3, abs=0.05)


@pytest.mark.slow
def test_a_narrower_gap_is_called_no_gain_only_of_those_whose_test_accuracy_falls_too():
    trials = synthetic.trials(seeds=10)
    runs = trials.runs
    l1, l2 = (runs["configuration"] == name for name in ("L1 0.001", "L2 0.0005"))
    gap = Summary.GAP_ACCURACY.value
    narrow = runs.assign(**{gap: runs[gap] - 0.004 * l2, KEY: runs[KEY] - 0.003 * l2})
    heading, why, _ = compared.OVERFITTING.finding(material(replace(trials, runs=narrow)))
    assert heading == "Overfitting: a narrower gap with L2 0.0005, but no gain"
    assert why.startswith("With L2 0.0005 accuracy falls on test images and, by more, on training images")
    both = narrow.assign(**{gap: narrow[gap] - 0.004 * l1})
    heading, *_ = compared.OVERFITTING.finding(material(replace(trials, runs=both)))
    assert heading.startswith("Overfitting: a narrower gap with L")
    assert heading.endswith(", but no gain with L2 0.0005")
    heading, *said = compared.OVERFITTING.finding(material(replace(trials, runs=runs.assign(**{gap: both[gap]}))))
    assert "no gain" not in heading
    assert len(said) == 1


@pytest.mark.slow
def test_who_wins_single_runs_is_called_luck_only_between_what_is_shown_to_be_equivalent():
    def title(trials):
        own = material(trials)
        (drawing,) = luck.LUCK.figures(replace(own, look=plots.looks(list(own.found.scores.columns))))
        return " ".join(drawing.figure.texts[0].get_text().split())

    alike = synthetic.trials(seeds=20, spread=2e-4)
    assert re.fullmatch(r"One run each: .+ or .+ or .+ wins by luck, \d+% or \d+% or \d+% of contests", title(alike))
    assert title(synthetic.trials(seeds=4)).endswith(" of contests, but is not shown to be best")
    even = synthetic.trials(seeds=4)
    level = even.runs.assign(**{findings.BEST: 0.99 + 0.001 * even.runs["configuration"].isin(["none", "L1 0.001"])})
    tied = title(replace(even, runs=level))
    assert tied.startswith("One run each: ")
    assert tied.endswith(" of contests each, but are not shown to be best")
    assert "none" in tied
    assert "L1 0.001" in tied


def test_tables_and_sentences_have_the_order_of_the_ranking():
    own = material(synthetic.trials(seeds=10))
    order = list(own.found.table["configuration"])
    (overfitting,) = compared.OVERFITTING.tables(own)
    assert [row[1] for row in overfitting.rows[: len(order)]] == order
    assert overfitting.rows[-1][0] == "test loss (nats, geometric mean)"
    assert [row[0] for row in luck.against_itself(own.found).rows] == order
    assert list(luck.LUCK.told(own)["contest"]["wrong"]) == order


@pytest.mark.parametrize(
    ("changes", "ending"),
    [
        ({"margin": 0.1}, r" further seeds: the study published with --seeds \d+\."),
        ({"seeds": [0, 1, 2, 3, 1000]}, r" further seeds\."),
    ],
    ids=["not the design that is shipped", "seeds that no number names"],
)
def test_a_command_is_told_only_where_it_runs_more_of_the_same(changes, ending):
    trials = synthetic.trials(seeds=5)
    study = replace(trials.study, design=trials.study.design.changed(changes))
    assert re.search(f"{ending}$", methods.advice(findings.find(replace(trials, study=study))))


ENDPOINTS = {
    "endpoint/test_loss": ("test loss", "mean of the last 5 of 8 epochs"),
    "roughness/test_accuracy": ("roughness of test accuracy", "over the second half of 8 epochs"),
    "errors/misclassified": ("errors/misclassified", "of the final model"),
    "biased/best_epoch_test_accuracy": ("biased/best_epoch_test_accuracy", "of the best epoch"),
}


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_whatever_ranks_is_ranked_the_right_way_and_said_where_it_comes_from(endpoint):
    trials = synthetic.trials(seeds=5)
    runs, lower = trials.runs, not HIGHER_IS_BETTER[endpoint]
    best, rng = runs["configuration"] == "L2 0.0005", np.random.default_rng(0)
    values = 1 + rng.normal(0, 1e-3, len(runs)) + np.where(best, -0.5 if lower else 0.5, 0)
    study = replace(trials.study, design=trials.study.design.changed({"endpoint": endpoint, "margin": 0.1}))
    found = findings.find(replace(trials, runs=runs.assign(**{endpoint: values}), study=study))
    words, taken = ENDPOINTS[endpoint]
    assert found.ranking.order[0] == "L2 0.0005"
    assert f"Use L2 0.0005: {words}" in methods.advice(found)
    assert taken in methods.advice(found)
    assert "a factor of" not in methods.advice(found)
    headings = [column.heading for column in grids.ranking(found).columns]
    assert len(set(headings)) == len(headings)
    with plots.style():
        made = [section.make(Material.of(found)) for section in (FIRST, *report.SECTIONS)]
    assert made[0].figures
    about_images = [section.title for section in made if section and "images wrong at the end" in section.title]
    assert not about_images, "the endpoint's tests say nothing of wrong images"


def material(trials):
    """What sections are made of, undrawn."""
    return Material.of(findings.find(trials))


def test_where_nothing_is_shown_the_advice_is_what_to_run_next():
    found = findings.find(synthetic.trials(seeds=5))
    further = methods.further_for_advice(found)
    run = f"python -m regstudy study run published --epochs 8 --dataset mnist --seeds {5 + further}"
    assert f"Run about {further} further seeds: {run}." in methods.advice(found)
    assert methods.advice(findings.find(synthetic.trials(seeds=2))).startswith("These runs allow no recommendation yet")


def test_from_two_seeds_nothing_is_planned_and_no_interval_drawn():
    found = findings.find(synthetic.trials(seeds=2))
    said = opening.opening(found)
    assert said.next_step == "2 seeds do not tell how many are needed. Run about 8 more, then look again."
    assert not any("4 studies of 5" in sentence for sentence in said.sure)
    assert not any("(" in claim.told for claim in said.claims if claim.told.startswith("no verdict"))
    material = Material.of(found)
    (drawing,) = FIRST.figures(material)
    assert drawing.alt.count("open (too few seeds)") == 3


def test_of_a_difference_that_a_claim_is_about_a_section_tells_the_interval_that_decides_it():
    found = findings.find(synthetic.trials(seeds=12))
    result = next(judged for judged in found.judged if judged.text == "L1 makes the accuracy curve smoother").deciding
    low, high, _ = wording.deciding(result)
    assert (result.subject, result.rival) == ("L1 0.001", "none")
    ends = f"({math.exp(low):.2f} to {math.exp(high):.2f}, claim 2)"
    said = compared.SMOOTH.finding(Material.of(found))[1]
    assert said.startswith("Against none, each interval at 95%, or as it decides a claim: ")
    assert ends in said
    alone = findings.find(replace(synthetic.trials(seeds=12), study=None))
    assert compared.SMOOTH.finding(Material.of(alone))[1].startswith("Against none, each interval at 95%: ")


def test_how_small_a_difference_is_found_is_said_by_the_test_that_ranks():
    """Where it can find none, that; of two seeds nothing is said, and no figure drawn."""
    at_plan, beside = (findings.find(replace(synthetic.trials(seeds=5), plan=Plan(planned))) for planned in (5, 10))
    (drawing,) = trust.TRUST.figures(Material.of(at_plan))
    assert f"5 seeds find a difference of {at_plan.endpoint.margin(at_plan.power.found_here)}" in drawing.alt
    tests = at_plan.ranking.tests
    assert at_plan.looked.power(at_plan.power.found_here, at_plan.power.sd, 5, tests) == pytest.approx(0.8, abs=1e-6)
    told = "5 seeds where 10 were planned can show no difference, however large"
    assert [own.alt.partition(";")[0] for own in trust.TRUST.figures(Material.of(beside))] == [told]
    assert f"{told}." in [check.told for check in checks.checks(beside)]
    assert told in " ".join(opening.opening(beside).sure)
    assert not trust.TRUST.figures(Material.of(findings.find(synthetic.trials(seeds=2))))


def test_what_going_on_costs_stands_beside_its_command():
    trials = synthetic.trials(seeds=12)
    stricter = "Beyond the plan of 12 answers may open again"
    assert stricter in opening.opening(findings.find(replace(trials, plan=Plan(12)))).next_step
    assert stricter not in opening.opening(findings.find(replace(trials, plan=Plan(10)))).next_step


@pytest.mark.parametrize(
    ("worse", "told"),
    [
        ({"L2 0.0005": 0.002, "L1 0.001 + L2 0.0005": 0.003}, "L1 0.001 changes nothing that matters, the other two cost 18 and 29 images"),
        ({"L2 0.0005": 0.002}, "L1 0.001 change nothing that matters, L2 0.0005 costs 18 images"),
    ],
)  # fmt: skip
def test_several_that_are_worse_need_no_names_where_all_others_are_as_good(worse, told):
    trials = synthetic.trials(seeds=20, spread=2e-4)
    column = Summary.ENDPOINT_TEST_ACCURACY
    lost = trials.runs["configuration"].map(worse).fillna(0)
    found = findings.find(replace(trials, runs=trials.runs.assign(**{column: trials.runs[column] - lost})))
    assert told in opening.headline(found)


@pytest.mark.slow
def test_a_study_that_grew_beyond_its_plan_says_so_on_the_first_screen():
    trials = synthetic.trials(seeds=12)
    grown = methods.summary(findings.find(replace(trials, plan=Plan(10))))
    assert any(
        "has grown beyond its plan of 10 seeds: with 12 its verdicts are from tests that hold whenever one looks, at 0.1 of α"
        in s
        for s in grown
    )
    assert any(
        "is not at its plan yet of 20 seeds" in s for s in methods.summary(findings.find(replace(trials, plan=Plan(20))))
    )
    seen = methods.summary(findings.find(replace(trials, plan=Plan(12, done_before=5))))
    assert seen[-1].startswith("When the study was planned, 5 of its runs were done already")
    as_planned = findings.find(replace(trials, plan=Plan(12)))
    assert not any("plan" in sentence for sentence in methods.summary(as_planned))
    assert as_planned.otherwise is None


def test_where_no_plan_is_known_both_are_told():
    found = findings.find(synthetic.trials(seeds=12))
    assert found.otherwise is not None
    assert any(
        s.startswith("This holds if the number of seeds was fixed before any was looked at") for s in methods.summary(found)
    )
    assert grids.verdicts(found).columns[-1].heading == "if seeds were added while looking"


def test_numbers_agree_with_plain_pandas():
    trials = synthetic.trials(seeds=6)
    found = findings.find(trials)
    own = trials.runs.groupby("configuration")[KEY]
    table = found.table.set_index("configuration")
    np.testing.assert_allclose(table["mean"], own.mean()[table.index])
    np.testing.assert_allclose(table["sd"], own.std()[table.index])
    gap = trials.runs.pivot(index="seed", columns="configuration", values=Summary.GAP_ACCURACY)
    row = found.comparisons.query("measure == 'gap/accuracy' and configuration == 'L1 0.001'").iloc[0]
    assert row["difference"] == pytest.approx((gap["L1 0.001"] - gap["none"]).mean())


def test_each_published_number_stands_beside_the_same_of_ours():
    trials = synthetic.trials(4, 5)
    best = {findings.BEST: [*np.linspace(0.9940, 0.9948, 5)] * 4, Summary.BEST_EPOCH.value: [20, 30, 38, 35, 26] * 4}
    runs = trials.runs.assign(epochs=40, **best)
    table = published.beside(replace(trials, runs=runs)).set_index(["study", "configuration", "number"])
    assert len(table) == 5 * 4, "four configurations of V1 and V2's none, four numbers each"
    own = table.loc[("V1", "none", "test accuracy (%)")]
    half = stats.t.ppf(0.975, 4) * own["sd"] * math.sqrt(1 + 1 / 5)
    assert (own["published"], own["mean"], own["high"]) == (99.47, pytest.approx(99.44), pytest.approx(99.44 + half))
    assert own["inside"]
    assert not table.loc[("V1", "L1 0.001 + L2 0.0005", "test accuracy (%)"), "inside"], "99.30, a tenth below the interval"
    words = {(row[0], row[1], row[2]): row[-1] for row in luck.beside_published(findings.find(replace(trials, runs=runs))).rows}
    assert words["V1", "none", "its epoch"] == "in our range"
    assert words["V1", "L1 0.001 + L2 0.0005", "its epoch"] == "out of our range", "12, where ours are 20 to 38"
    for other in ({"schedule": "step"}, {"lr": 0.01}, {"l1_kind": "proximal"}, {"epochs": 3}, {"dataset": "fashion-mnist"}):
        assert published.beside(replace(trials, runs=runs.assign(**other))).empty, other


def changed(trials, which, **columns):
    """With these columns in some of the runs."""
    runs = trials.runs.copy()
    runs.loc[which(runs), list(columns)] = list(columns.values())
    return replace(trials, runs=runs)


def lost(trials, which):
    return changed(trials, which, **{KEY: math.nan, "diverged": True})


def test_nothing_is_called_closed_where_claims_are_open():
    one_seed = opening.opening(findings.find(synthetic.trials(4, 1)))
    assert one_seed.deck == "Of 9 claims 9 are open."
    assert one_seed.next_step.startswith("1 seed does not tell how many are needed. Run about 9 more")
    never = lost(synthetic.trials(4, 6), lambda runs: runs["configuration"] == "L1 0.001")
    assert "Nothing is open" not in opening.opening(findings.find(never)).next_step


def test_where_every_configuration_diverged_no_number_of_seeds_is_promised():
    trials = lost(synthetic.trials(3, 8, claims=False), lambda runs: runs["seed"] == 0)
    found = findings.find(trials)
    assert methods.advice(found) == "These runs allow no recommendation: every configuration has runs that diverged."
    assert "would say which" not in opening.opening(found).next_step


def test_one_configuration_with_few_seeds_does_not_speak_for_all():
    name = "L1 0.001 + L2 0.0005"
    trials = lost(synthetic.trials(4, 10), lambda runs: (runs["configuration"] == name) & (runs["seed"] > 1))
    found = findings.find(replace(trials, plan=Plan(10)))
    assert found.power.seeds == 10
    said = opening.opening(found)
    assert "allow intervals and tests" not in " ".join(said.sure)
    assert "2 seeds" not in said.next_step
    assert said.headline.count(name) <= 1


def test_of_overlapping_folds_more_find_less_more():
    trials = replace(synthetic.trials(2, 5, claims=False), pairing=findings.measures.Pairing(overlap=1 / 4))
    power = findings.find(trials).power
    table = power.table.set_index("seeds")["difference"]
    assert table[20] / table[5] > 0.5, "independent blocks would find less than half as much"
    assert table[20] == pytest.approx(
        findings.find(trials).looked.as_planned(20).detectable(power.sd * math.sqrt((1 + 20 / 4) / (1 + 5 / 4)), 20, 1)
    )
