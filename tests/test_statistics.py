"""Estimates, tests and power against scipy, statsmodels, and the protocol's own figures."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower

from analysis.judging import looks, statistics
from analysis.judging.looks import Looks
from analysis.judging.statistics import Rule

A = np.array([0.9940, 0.9943, 0.9938, 0.9945, 0.9941])
B = np.array([0.9936, 0.9944, 0.9934, 0.9939, 0.9940])
POINTS = 0.045 * math.sqrt(2)
"""Standard deviation of a difference if seeds vary by 0.045 points and pairs do not correlate."""


def test_a_paired_estimate_is_scipys():
    found = statistics.estimate(A, B)
    test = stats.ttest_rel(A, B)
    assert found.p == pytest.approx(test.pvalue)
    assert (found.low, found.high) == pytest.approx(test.confidence_interval(0.95))
    assert (found.inner_low, found.inner_high) == pytest.approx(test.confidence_interval(0.90))
    assert (found.n, found.mean, found.sd) == (5, pytest.approx((A - B).mean()), pytest.approx((A - B).std(ddof=1)))


def test_many_contrasts_at_once_are_each_its_own():
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=(2, 7, 6))
    first[2, :5], second[4, 1:3] = np.nan, np.nan
    together = statistics.paired(first, second)
    for i in range(7):
        alone = statistics.estimate(first[i], second[i])
        np.testing.assert_allclose([column[i] for column in together], alone, equal_nan=True)


def test_students_t_is_scipys_to_the_last_bit():
    rng = np.random.default_rng(2)
    p, t, freedom = rng.uniform(size=2_000), rng.exponential(4, 2_000), rng.uniform(1, 60, 2_000)
    np.testing.assert_array_equal(statistics.t_quantile(p, freedom), stats.t.ppf(p, freedom))
    np.testing.assert_array_equal(statistics.t_tail(t, freedom), stats.t.sf(t, freedom))


@pytest.mark.parametrize("anytime", [[True, True], [False, False], [True, False]])
def test_each_contrast_goes_by_its_own_rule(anytime):
    together = statistics.paired([A, A], [B, B], rule=Rule(np.array([0.05, 0.01]), np.array(anytime)))
    for place, (alpha, valid) in enumerate(zip((0.05, 0.01), anytime, strict=True)):
        alone = statistics.estimate(A, B, rule=Rule(np.array(alpha), np.array(valid)))
        assert statistics.one(together, place) == alone


def test_a_missing_block_is_left_out_of_both():
    found = statistics.estimate([*A, np.nan, 1.0], [*B, 1.0, np.nan])
    assert found == statistics.estimate(A, B)


@pytest.mark.parametrize("n", [0, 1])
def test_below_two_blocks_there_is_no_interval(n):
    found = statistics.estimate(A[:n], B[:n])
    assert not found.decidable
    assert found.n == n
    assert all(math.isnan(value) for value in (found.low, found.high, found.p, found.sd))


def test_differences_that_do_not_vary_have_no_interval():
    found = statistics.estimate(B + 0.001, B)
    assert not found.decidable
    assert found.mean == pytest.approx(0.001)
    assert math.isnan(found.low)


def test_a_resolution_gives_them_one():
    found = statistics.estimate(np.zeros(5), np.zeros(5), resolution=1.0)
    assert found.decidable
    assert found.sd == pytest.approx(1 / math.sqrt(6))
    assert found.high == pytest.approx(stats.t.ppf(0.975, 4) / math.sqrt(6) / math.sqrt(5))
    assert found.p == 1.0


def test_a_resolution_rounds_nothing_that_varies_more():
    assert statistics.estimate(A, B, resolution=1e-5) == statistics.estimate(A, B)


def test_the_sign_flip_test_is_exact_for_few_blocks():
    all_positive = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    assert statistics.sign_flip_p(all_positive, np.random.default_rng(0)) == pytest.approx(2 / 2**5), (
        "the smallest there is at n = 5"
    )
    assert statistics.sign_flip_p(A - B, np.random.default_rng(0)) == statistics.sign_flip_p(A - B, np.random.default_rng(9))


def test_the_sign_flip_test_of_many_blocks_agrees_with_the_t_test():
    differences = np.random.default_rng(2).normal(0.4, 1, 40)
    drawn = statistics.sign_flip_p(differences, np.random.default_rng(3))
    assert drawn == pytest.approx(stats.ttest_1samp(differences, 0).pvalue, abs=0.01)


def test_the_effect_size_is_corrected_for_few_blocks():
    assert statistics.effect_size(1.0, 2.0, 5) == pytest.approx(0.5 * (1 - 3 / 15))
    assert statistics.effect_size(1.0, 2.0, 2) is None


def test_holm_by_hand():
    assert statistics.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


def test_an_undecidable_member_keeps_the_family_large():
    np.testing.assert_allclose(statistics.holm([0.01, np.nan]), [0.02, np.nan])
    assert statistics.holm([]).size == 0


@pytest.mark.slow
def test_holm_is_statsmodels_for_each_family():
    families = np.random.default_rng(8).uniform(size=(2, 7)) ** 3
    together = statistics.holm(families)
    for own, adjusted in zip(families, together, strict=True):
        np.testing.assert_allclose(adjusted, multipletests(own, method="holm")[1])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_never_lowers_and_keeps_the_order(p):
    adjusted = statistics.holm(p)
    assert (adjusted >= np.array(p) - 1e-12).all()
    order = np.argsort(p, kind="stable")
    assert (np.diff(adjusted[order]) >= -1e-12).all()


@pytest.mark.parametrize(("n", "points"), [(5, 0.107), (10, 0.063), (20, 0.042)])
def test_the_protocols_detectable_differences(n, points):
    assert looks.detectable(POINTS, n, 0.05) == pytest.approx(points, abs=0.0006)


@pytest.mark.parametrize("n", [2, 3, 5, 20])
@pytest.mark.parametrize("alpha", [0.05, 0.005])
def test_power_is_statsmodels(n, alpha):
    for difference in (0.2, 0.5, 1.0):
        assert looks.power(difference, 1.0, n, alpha) == pytest.approx(
            TTestPower().power(difference, n, alpha, alternative="two-sided"), abs=1e-6
        )


@pytest.mark.parametrize("n", [2, 3, 4, 10, 100])
@pytest.mark.parametrize("alpha", [0.05, 0.05 / 28])
def test_what_is_detectable_has_the_power(n, alpha):
    difference = looks.detectable(2.0, n, alpha)
    assert looks.power(difference, 2.0, n, alpha) == pytest.approx(0.8, abs=1e-6)


@pytest.mark.parametrize("looked", [Looks(planned=10), Looks(), Looks(sequential=True)])
def test_what_a_study_detects_it_detects_by_the_test_that_ranks(looked):
    """With the share of α that a comparison has, at the plan or beside it; nothing where no t would do."""
    for n in (10, 40):
        difference = looked.detectable(2.0, n, 6)
        assert looked.power(difference, 2.0, n, 6) == pytest.approx(0.8, abs=1e-6)
        assert difference > looks.detectable(2.0, n, 0.05)
    assert math.isinf(Looks(planned=10).detectable(1.0, 5, 6))
    assert Looks(planned=10).as_planned(40).detectable(1.0, 40, 6) < Looks(planned=10).detectable(1.0, 40, 6)
    assert Looks().as_planned(40) == Looks()


def test_an_interval_by_which_differences_are_tested_excludes_zero_where_the_test_does():
    rng = np.random.default_rng(0)
    for values in rng.normal(0.9, 1, (40, 8)):
        found = statistics.estimate(values, np.zeros(8))
        for looked in (Looks(planned=8), Looks(planned=10), Looks()):
            rule = looked.rule(8, 3)
            low, high = statistics.deciding(found.low, found.high, 8, rule)
            judged = statistics.estimate(values, np.zeros(8), rule=rule)
            assert (low, high) == pytest.approx((judged.low, judged.high))


def test_blocks_needed_are_the_fewest():
    n = Looks().blocks_for(0.05, POINTS)
    assert n is not None
    assert looks.power(0.05, POINTS, n, 0.05) >= 0.8 > looks.power(0.05, POINTS, n - 1, 0.05)
    assert Looks().blocks_for(1.0, 1e-3) == 3, "of fewer nothing is concluded"
    assert Looks().blocks_for(1e-6, 1.0) is None


def test_the_planned_number_is_next_where_it_will_do():
    assert Looks(planned=30).blocks_for(0.05, POINTS, after=10) == 30, "at any earlier one a tenth of α is left"
    assert Looks(planned=11).blocks_for(0.05, POINTS, after=10) > 20, "too few"
    assert Looks(planned=5).blocks_for(0.05, POINTS, after=10) > 20, "gone by"


def test_equivalence_within_the_margin_needs_about_sixteen_blocks():
    assert Looks().blocks_for_equivalence(0.05, POINTS) == pytest.approx(16, abs=1)


def test_blocks_for_equivalence_have_that_power_in_simulation():
    n = Looks().blocks_for_equivalence(0.05, POINTS)
    differences = np.random.default_rng(4).normal(0, POINTS, (20_000, n))
    found = statistics.paired(differences, np.zeros_like(differences))
    assert statistics.is_equivalent(found.inner_low, found.inner_high, 0.05).mean() == pytest.approx(0.81, abs=0.02)


def anytime(alpha):
    return Rule(np.array(alpha), np.array(True))


@pytest.mark.parametrize(
    ("n", "alpha", "factor"), [(5, 0.05, 8.4532), (10, 0.05, 3.8698), (20, 0.005, 4.5291), (60, 0.005, 4.0914)]
)
def test_the_anytime_interval_ends_where_a_numerical_bayes_factor_says(n, alpha, factor):
    """The factor by numerical integration of noncentral t densities over the effect's prior N(0, 1): another way to the same number."""
    from scipy import integrate

    def bayes_factor(t):
        alternative, _ = integrate.quad(
            lambda d: stats.nct.pdf(t, n - 1, d * math.sqrt(n)) * stats.norm.pdf(d), -9, 9, limit=400
        )
        return alternative / stats.t.pdf(t, n - 1)

    assert statistics.anytime_factor(n, alpha) == pytest.approx(factor, abs=2e-4)
    assert bayes_factor(float(statistics.anytime_factor(n, alpha))) == pytest.approx(1 / alpha, rel=2e-3)
    assert statistics.anytime_p(statistics.anytime_factor(n, alpha), n) == pytest.approx(alpha)


@pytest.mark.parametrize(("n", "alpha", "t"), [(5, 0.05, 3.1), (20, 0.000625, 4.8), (20, 0.00015625, 0.3), (37, 0.01, 11.0)])
def test_last_digits_are_every_processors(n, alpha, t):
    """Rounded once, from enough digits: NumPy's own double precision differs between processors with AVX-512 and without."""
    with mpmath.workdps(40):
        r = mpmath.mpf(1 + n)
        k = (mpmath.sqrt(r) / mpmath.mpf(alpha)) ** (mpmath.mpf(2) / n)
        factor = mpmath.sqrt((n - 1) * (k - 1) / (1 - k / r))
        squared = mpmath.mpf(t) ** 2
        e = ((1 + squared / (n - 1)) / (1 + squared / ((n - 1) * r))) ** (mpmath.mpf(n) / 2) / mpmath.sqrt(r)
        p = min(mpmath.mpf(1), 1 / e)
    assert statistics.anytime_factor(n, alpha) == float(factor)
    assert statistics.anytime_p(t, n) == float(p)
    assert statistics.log(A).tolist() == [math.log(value) for value in A]


def test_a_test_at_any_time_has_no_interval_while_no_t_would_do():
    assert math.isinf(statistics.anytime_factor(3, 0.05))
    found = statistics.estimate(A[:3], B[:3], rule=anytime(0.05))
    assert (found.low, found.high) == (-math.inf, math.inf)
    assert found.p > 0.05
    assert statistics.anytime_p(math.inf, 3) == pytest.approx(4 ** (0.5 - 1.5))
    assert math.isnan(statistics.anytime_p(math.nan, 3))


def test_looking_after_every_block_errs_no_more_often_than_promised():
    differences = np.random.default_rng(12).normal(0, 1, (4_000, 60))
    ever = {"anytime": np.zeros(4_000, bool), "t": np.zeros(4_000, bool)}
    for n in range(3, 61):
        own = differences[:, :n]
        for name, rule in (("anytime", Looks(sequential=True).rule(np.full(4_000, n))), ("t", Looks().rule(np.full(4_000, n)))):
            found = statistics.infer(np.full(4_000, n), own.mean(1), own.std(1, ddof=1), rule)
            ever[name] |= found.p < 0.05
    assert ever["anytime"].mean() < 0.05
    assert ever["t"].mean() > 0.2, "what people do, without a test for it"


def test_alpha_is_shared_between_the_plan_and_all_other_looks():
    rule = Looks(0.05, planned=10).rule(np.array([9, 10, 11]), tests=3)
    assert rule.alpha == pytest.approx([0.005 / 3, 0.045 / 3, 0.005 / 3])
    assert rule.anytime.tolist() == [True, False, True]
    assert Looks(0.05).otherwise().rule(7) == Rule(pytest.approx(0.05), True)


SQUEEZED = {
    0.484868648: 0.88472121, 1.729084669: 1.11205481, 1.681702359: 1.10339748, 1.051749368: 0.98829730, 2.115718725: 1.18269762,
    1.272171862: 1.02857121, 1.158863535: 1.00786838, 0.636572447: 0.91243936, 0.411853691: 0.87138048, 0.487167244: 0.88514119,
    0.639691338: 0.91300922, 0.774783615: 0.93769225, 0.375005548: 0.86464787, 1.331993286: 1.03950132, 1.171233199: 1.01012847,
    1.404304046: 1.05271339, 1.303616825: 1.03431659, 0.842736318: 0.95010804, 0.070404758: 0.80899355, 1.110245789: 0.99898532,
}  # fmt: skip
"""The example of limma's squeezeVar(s2, df=5), seed 1, as limma 3.54.1 gives it: its prior has 22.36542 degrees of freedom."""


def test_moderated_variances_are_limmas():
    drawn, freedom = statistics.moderated(list(SQUEEZED), 5)
    assert drawn == pytest.approx(list(SQUEEZED.values()), abs=1e-7)
    assert freedom == pytest.approx(np.full(20, 5 + 22.36542), abs=1e-4)


def test_variances_that_vary_no_more_than_by_chance_are_pooled():
    """As limma does from 2017 on: an infinite prior, their mean; and no more degrees of freedom than all have together."""
    drawn, freedom = statistics.moderated([0.5, 0.8, 1.0, 1.2, 1.5, 0.3, 2.0, 0.9, 1.1, 3.5], 4)
    assert drawn == pytest.approx(np.full(10, 1.28))
    assert freedom == pytest.approx(np.full(10, 40))


def test_the_bound_of_the_standard_deviation_covers():
    drawn = np.random.default_rng(5).normal(0, 1, (4_000, 6)).std(axis=1, ddof=1)
    assert np.mean([looks.sd_upper(sd, 6) >= 1 for sd in drawn]) == pytest.approx(0.8, abs=0.02)


def test_the_prediction_interval_covers_the_next_value():
    drawn = np.random.default_rng(6).normal(0, 1, (5_000, 6))
    inside = [low <= row[5] <= high for row in drawn for low, high in [statistics.prediction_interval(row[:5])]]
    assert np.mean(inside) == pytest.approx(0.95, abs=0.01)


def test_one_value_predicts_nothing():
    assert all(math.isnan(bound) for bound in statistics.prediction_interval([0.99]))


def test_shifting_moves_mean_and_interval_alike():
    one = statistics.shifted(statistics.estimate(A, B), 0.001)
    other = statistics.estimate(A + 0.001, B)
    np.testing.assert_allclose(one, other)


def test_the_probability_of_being_best_is_shared_by_equals():
    scores = np.column_stack([A, A, A - 1])
    assert statistics.probability_best(scores, np.random.default_rng(0)) == pytest.approx([0.5, 0.5, 0.0])


def test_pairs_correlate_as_numpy_says_or_not_at_all():
    assert statistics.pair_correlation([*A, np.nan], [*B, 1.0]) == pytest.approx(np.corrcoef(A, B)[0, 1])
    assert statistics.pair_correlation(A[:2], B[:2]) is None
    assert statistics.pair_correlation(A, np.ones(5)) is None
