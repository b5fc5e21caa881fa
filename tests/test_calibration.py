"""A small version of `make calibrate`: the analysis errs as often as it says."""

import numpy as np
import pandas as pd
import pytest
import synthetic
from scipy import stats

from analysis.judging import claims, findings, looks, ranking, single_runs, statistics
from analysis.judging.looks import Looks
from analysis.reading.measures import Scale
from analysis.showing.sections import luck
from benchmarks import calibrate

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("shape", calibrate.SHAPES)
@pytest.mark.parametrize(("configurations", "studies"), [(4, 3_000), (12, 250)])
def test_equals_are_told_apart_no_more_often_than_promised(shape, configurations, studies):
    share = calibrate.false_separations(shape, configurations, "5", studies, np.random.default_rng(1))
    assert share < 0.05 + 3 * (0.05 * 0.95 / studies) ** 0.5


def test_a_look_after_every_seed_costs_nothing_beyond_what_is_promised():
    assert calibrate.false_separations("equal", 2, "every seed", 3_000, np.random.default_rng(2)) < 0.062
    assert calibrate.false_verdicts(3, "the margin", "ever", 2_000, np.random.default_rng(2)) < 0.065


def test_power_is_what_the_formula_says():
    at_the_plan, plain = calibrate.power(10, 0.05, 20_000, np.random.default_rng(2))
    assert plain == pytest.approx(looks.power(0.05, calibrate.OF_A_DIFFERENCE, 10, 0.05), abs=0.015)
    assert at_the_plan == pytest.approx(Looks(0.05, 10).power(0.05, calibrate.OF_A_DIFFERENCE, 10), abs=0.015)
    assert plain - at_the_plan < 0.03


def test_intervals_for_new_images_cover_and_those_over_seeds_do_not():
    new, over_seeds = calibrate.coverage_for_new_images(10, 400, np.random.default_rng(5))
    assert 0.91 < new < 0.98
    assert over_seeds < 0.91


@pytest.mark.parametrize("configurations", [4, 12])
@pytest.mark.parametrize("looked", [Looks(0.05, 5), Looks(0.05, 9)])
def test_the_ranking_separates_what_the_simulation_counts(configurations, looked):
    values = np.random.default_rng(3).normal(size=(30, configurations, 5)) * 0.05
    values[::2, 1] += 0.3
    names = [f"c{i}" for i in range(configurations)]
    ranked = [ranking.rank(pd.DataFrame(study.T, columns=names), Scale(), looked=looked) for study in values]
    counted = calibrate.separates(values, looked).tolist()
    assert [bool((found.pairs["relation"] == "separated").any()) for found in ranked] == counted
    assert any(counted) == (looked.planned == 5)


def test_verdicts_are_those_that_the_simulation_counts():
    values = np.random.default_rng(4).normal(0.04, 0.05, size=(200, 1, 12))
    counted = calibrate.verdicts(statistics.paired(values, np.zeros_like(values)), statistics.BY_ITSELF)
    for place, own in enumerate(values[:, 0]):
        found = statistics.estimate(own, np.zeros(12))
        verdict = claims.verdict(found, found, calibrate.MARGIN)
        said = [name for name, flags in counted.items() if flags[place, 0] and name != "strongly"]
        assert said == ([] if verdict == claims.Verdict.INCONCLUSIVE else [verdict])


def test_a_contest_of_single_runs_by_hand():
    scores = {"a": np.array([0.90, 0.92]), "b": np.array([0.91, 0.92])}
    table = single_runs.wins(scores).set_index("configuration")["share"]
    assert table.to_dict() == pytest.approx({"a": 0.25, "b": 0.5, "tied": 0.25})
    assert single_runs.wins(scores, lead=0.015).set_index("configuration")["share"].to_dict() == pytest.approx(
        {"a": 0.0, "b": 0.25, "tied": 0.75}
    )


def test_a_contest_is_what_drawing_gives():
    rng = np.random.default_rng(4)
    scores = {name: np.round(rng.normal(0.994, 5e-4, 6), 4) for name in "abc"}
    drawn = np.array([[rng.choice(own) for own in scores.values()] for _ in range(20_000)])
    best = drawn.max(1, keepdims=True)
    alone = (drawn == best).sum(1) == 1
    expected = [(alone & (drawn.argmax(1) == i)).mean() for i in range(3)]
    assert single_runs.wins(scores)["share"].tolist() == pytest.approx([*expected, 1 - alone.mean()], abs=0.015)


def test_a_configuration_against_itself_by_scipy_and_by_hand():
    rng = np.random.default_rng(7)
    scores, best = 0.994 + rng.normal(0, 4e-4, 11), 0.9946 + 1e-4 * np.arange(11)
    found = single_runs.against_itself(scores, best, Scale(), 0.05, 2e-4, np.random.default_rng(3))
    drawn = np.random.default_rng(3).permuted(np.tile(scores, (single_runs.SPLITS, 1)), axis=1)
    p = stats.ttest_rel(drawn[:, :5], drawn[:, 5:10], axis=1).pvalue
    assert found["separated"] == pytest.approx((p < 0.05).mean())
    assert 0.02 < found["separated"] < 0.08, "about five in a hundred"
    assert found["named"] == pytest.approx(45 / 55), "of 55 pairs, the ten neighbours lead by one image only"
    assert found["equivalent"] == 0, "without a margin nothing is"
    close = single_runs.against_itself(scores, best, Scale(margin=0.01), 0.05, 2e-4, np.random.default_rng(3))
    assert close["equivalent"] == 1
    assert close["separated"] == 0, "equivalence comes first, as in the ranking"
    assert single_runs.against_itself(scores[:9], best[:9], Scale(), 0.05, 2e-4, rng) is None


def test_a_report_of_ten_seeds_has_the_test():
    found = findings.find(synthetic.trials(configurations=4, seeds=10))
    assert [row[:2] for row in luck.against_itself(found).rows] == [(name, "2 × 5") for name in found.table["configuration"]]
    assert luck.against_itself(findings.find(synthetic.trials(configurations=4, seeds=9))) is None
