"""Factorial effects against ordinary least squares by statsmodels, which fits any layout."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.formula.api import ols

from analysis.judging.effects.factorial import effects


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


@pytest.mark.slow
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


def grid(blocks: int, levels: dict[str, list[object]], seed: int = 0) -> pd.DataFrame:
    """Runs of a complete grid, with scores that every factor has a hand in."""
    draw, names = np.random.default_rng(seed), list(levels)
    cells = [(block, *cell) for block in range(blocks) for cell in product(*levels.values())]
    runs = pd.DataFrame(cells, columns=["seed", *names])
    runs["configuration"] = [" ".join(map(str, cell[1:])) for cell in cells]
    places = np.array([[levels[name].index(value) for name, value in zip(names, cell[1:], strict=True)] for cell in cells])
    runs["score"] = places @ np.arange(1, len(names) + 1) + places.prod(1) * 0.7 + draw.normal(0, 0.1, len(runs))
    return runs


def test_effects_of_three_factors_are_those_of_least_squares():
    runs = grid(4, {"l1": [0.0, 1e-3], "label_smoothing": [0.0, 0.1], "optimizer": ["adamw", "sgd"]})
    found = effects(runs, "score")
    coded = {
        name: runs[name].map(dict(zip(sorted(set(runs[name])), (-0.5, 0.5), strict=True)))
        for name in ("l1", "optimizer", "label_smoothing")
    }
    frame = pd.DataFrame({**dict(zip("abc", coded.values(), strict=True)), "score": runs["score"], "seed": runs["seed"]})
    fit = ols("score ~ a * b * c + C(seed)", frame).fit()
    assert found["effect"].tolist() == [
        "L1",
        "optimizer sgd (against adamw)",
        "label smoothing",
        "L1 × optimizer sgd (against adamw)",
        "L1 × label smoothing",
        "optimizer sgd (against adamw) × label smoothing",
        "L1 × optimizer sgd (against adamw) × label smoothing",
    ]
    np.testing.assert_allclose(found["estimate"], fit.params[["a", "b", "c", "a:b", "a:c", "b:c", "a:b:c"]], rtol=1e-9)
    assert found["alpha"].tolist() == pytest.approx([0.05 / 7] * 7)


def test_of_more_levels_there_are_main_effects_against_the_lowest():
    runs = grid(5, {"l1": [0.0, 1e-4, 1e-3], "schedule": ["constant", "cosine"]})
    found = effects(runs, "score")
    assert found["effect"].tolist() == ["L1 0.0001 against 0", "L1 0.001 against 0", "schedule cosine against constant"]
    means = runs.groupby("l1")["score"].mean()
    assert found["estimate"].tolist()[:2] == pytest.approx([means[1e-4] - means[0.0], means[1e-3] - means[0.0]])
    by_block = runs.pivot_table(index="seed", columns="schedule", values="score")
    tested = stats.ttest_rel(by_block["cosine"], by_block["constant"])
    assert found["p"].iloc[2] == pytest.approx(tested.pvalue)


def test_what_is_no_complete_grid_has_no_effects():
    runs = grid(3, {"l1": [0.0, 1e-3], "l2": [0.0, 1e-3], "schedule": ["constant", "cosine"]})
    assert effects(runs[runs["configuration"] != runs["configuration"].iloc[0]], "score") is None
    together = runs[(runs["l1"] > 0) == (runs["l2"] > 0)]
    assert effects(together, "score") is None, "two fields that vary together are no two factors"
