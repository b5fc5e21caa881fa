"""A small version of `make calibrate`: the analysis errs as often as it says."""

import numpy as np
import pandas as pd
import pytest
import synthetic
from scipy import stats

from analysis.judging import findings, ranking, single_runs, statistics
from analysis.reading.measures import Scale
from analysis.showing.sections import luck
from benchmarks import calibrate


@pytest.mark.parametrize("unequal", [False, True])
@pytest.mark.parametrize("seeds", [5, 10])
def test_errors_are_as_frequent_as_promised(unequal, seeds):
    row = calibrate.simulate(0.05, seeds, unequal=unequal, studies=4_000, rng=np.random.default_rng(1))
    assert 0.03 <= row.false_separation <= 0.065
    assert 0.93 <= row.coverage <= 0.97
    assert row.one_at_010 > row.one_at_005 > 2 * row.false_separation
    assert row.named_by_best_epoch > 0.6, "the published procedure names a winner between equals"


def test_power_is_what_the_formula_says():
    row = calibrate.simulate(0.05, 10, unequal=False, studies=20_000, rng=np.random.default_rng(2))
    assert row.one_at_005 == pytest.approx(statistics.power(0.05, 0.05 * 2**0.5, 10, 0.05), abs=0.015)


def test_the_ranking_separates_what_the_simulation_counts():
    same = np.random.default_rng(3).normal(size=(30, 4, 5)) * 0.05
    first, second = calibrate.PAIRS.T
    counted = (statistics.holm(statistics.paired(same[:, first], same[:, second]).p) < 0.05).any(-1)
    ranked = [ranking.rank(pd.DataFrame(study.T, columns=list("abcd")), Scale()) for study in same]
    assert [bool((found.pairs["relation"] == "separated").any()) for found in ranked] == counted.tolist()


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
    assert [row[:2] for row in luck.against_itself(found).rows] == [(name, "2 × 5") for name in found.scores.columns]
    assert luck.against_itself(findings.find(synthetic.trials(configurations=4, seeds=9))) is None
