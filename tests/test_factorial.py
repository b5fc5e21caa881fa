"""Factorial effects against ordinary least squares by statsmodels, which fits any layout."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.formula.api import ols

from analysis.judging.factorial import effects, with_data


def study(blocks: int, noise: float = 1e-3) -> pd.DataFrame:
    draw = np.random.default_rng(blocks)
    cells = [(block, l1, l2) for block in range(blocks) for l1 in (0.0, 1e-3) for l2 in (0.0, 5e-4)]
    runs = pd.DataFrame(cells, columns=["seed", "l1", "l2"])
    runs["configuration"] = [f"{l1} {l2}" for _, l1, l2 in cells]
    runs["score"] = 0.99 + 2 * runs["l1"] - runs["l2"] + runs["seed"] * 1e-4 + draw.normal(0, noise, len(runs))
    return runs


@pytest.mark.parametrize("blocks", [2, 3, 10])
def test_effects_are_those_of_least_squares_and_their_tests_those_of_each_blocks_contrast(blocks):
    runs = study(blocks)
    found = effects(runs, "score")
    coded = runs.assign(a=runs["l1"].map({0.0: -0.5, 1e-3: 0.5}), b=runs["l2"].map({0.0: -0.5, 5e-4: 0.5}))
    fit = ols("score ~ a * b + C(seed)", coded).fit()
    assert found is not None
    assert found["effect"].tolist() == ["L1", "L2", "L1 × L2"]
    np.testing.assert_allclose(found["estimate"], fit.params[["a", "b", "a:b"]], rtol=1e-9)
    wide = runs.pivot(index="seed", columns=["l1", "l2"], values="score")
    none, second, first, both = (wide[cell] for cell in ((0, 0), (0, 5e-4), (1e-3, 0), (1e-3, 5e-4)))
    contrasts = [(first + both - none - second) / 2, (second + both - none - first) / 2, both - first - second + none]
    np.testing.assert_allclose(found["p"], [stats.ttest_1samp(own, 0).pvalue for own in contrasts], rtol=1e-9)
    intervals = [stats.ttest_1samp(own, 0).confidence_interval(1 - 0.05 / 3) for own in contrasts]
    np.testing.assert_allclose(found[["low", "high"]], intervals, rtol=1e-9)


def test_effects_that_vary_unlike_each_other_are_false_as_often_as_promised():
    """Cells of unequal spread: pooled residuals would be false of the interaction in more than 8 of 100."""
    draw, false = np.random.default_rng(3), 0
    for _ in range(1500):
        runs = study(5, 0)
        spread = runs["l1"].map({0.0: 0.2, 1e-3: 1.0})
        found = effects(runs.assign(score=draw.normal(size=20) * spread), "score")
        false += int((found["p_adjusted"] < 0.05).any())
    assert false / 1500 < 0.06


def test_effects_do_not_depend_on_the_order_of_runs():
    runs = study(5)
    pd.testing.assert_frame_equal(
        effects(runs, "score"), effects(runs.sample(frac=1, random_state=1), "score"), check_exact=True
    )


def test_a_block_that_lacks_a_cell_does_not_count():
    runs = study(4)
    assert effects(runs.drop(index=5), "score")["blocks"].tolist() == [3, 3, 3]
    assert effects(study(2).drop(index=5), "score") is None, "one block shows no spread"


def test_values_without_any_spread_give_no_interval():
    runs = study(3).assign(score=0.5)
    assert effects(runs, "score") is None


def test_an_interaction_with_data_is_the_t_test_of_the_differences_of_differences():
    """Of blocks that all four cells have; as a ratio, of what is above zero."""
    rng = np.random.default_rng(4)
    on, minus = (pd.DataFrame(rng.uniform(1, 2, (8, 2)), index=range(start, start + 8)) for start in (0, 2))
    on.iloc[5, 1] = np.nan
    both = [2, 3, 4, 6, 7]
    differences = (on[0] - on[1] - (minus[0] - minus[1])).loc[both]
    found = with_data(on, minus)
    assert found.n == len(both)
    assert found.mean == pytest.approx(differences.mean())
    assert (found.low, found.high) == pytest.approx(
        stats.t.interval(0.95, len(both) - 1, differences.mean(), stats.sem(differences))
    )
    assert found.p == pytest.approx(stats.ttest_1samp(differences, 0).pvalue)
    ratios = ((on[0] / on[1]) / (minus[0] / minus[1])).loc[both]
    assert np.exp(with_data(on, minus, ratio=True).mean) == pytest.approx(stats.gmean(ratios))
    scaled = with_data(10 * minus, minus, ratio=True)
    assert scaled.mean == pytest.approx(0), "a change of scale is no interaction of ratios"
