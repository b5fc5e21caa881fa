"""The ranking against plain pandas, and what it dares to say."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis import ranking


def runs(**accuracies: list[float]) -> pd.DataFrame:
    rows = [
        {
            "configuration": name,
            "seed": seed,
            "accuracy": a,
            "loss": 1 - a,
            "best_accuracy": a + 0.01,
            "averaged": 5,
            "test_images": 1_000,
            "diverged": np.isnan(a),
        }
        for name, values in accuracies.items()
        for seed, a in enumerate(values)
    ]
    return pd.DataFrame(rows)


def test_means_spreads_and_seeds_are_pandas():
    table = ranking.rank(runs(b=[0.90, 0.92], a=[0.95, 0.97, 0.96])).set_index("configuration")
    assert list(table.index) == ["a", "b"]
    assert table.loc["a", "accuracy"] == pytest.approx(0.96)
    assert table.loc["a", "sd"] == pytest.approx(np.std([0.95, 0.97, 0.96], ddof=1))
    assert table["seeds"].tolist() == [3, 2]
    assert table.loc["b", "errors"] == pytest.approx(90)
    assert table.loc["b", "best_epoch_accuracy_biased"] == pytest.approx(0.92)


def test_one_seed_has_no_spread_and_allows_no_conclusion():
    table = ranking.rank(runs(a=[0.9], b=[0.8]))
    assert table["sd"].isna().all()
    assert ranking.standing(table) == "One seed for each configuration allows no conclusion: the order below may be chance."


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (runs(a=[0.9], b=[0.8, 0.9]), "One seed for at least one configuration allows no conclusion"),
        (runs(a=[0.9, 0.8], b=[0.8, 0.9]), "2 seeds per configuration: means and spreads, not tests"),
        (runs(a=[0.9, 0.8], b=[0.8, 0.9, 0.9]), "2 to 3 seeds per configuration"),
        (runs(a=[0.9]), "One configuration"),
    ],
)
def test_words_follow_the_seeds(data, words):
    assert ranking.standing(ranking.rank(data)).startswith(words)


def test_equal_configurations_have_an_order_all_the_same():
    assert ranking.rank(runs(b=[0.9], a=[0.9]))["configuration"].tolist() == ["a", "b"]


def test_a_configuration_with_a_diverged_seed_ranks_last_and_says_so():
    table = ranking.rank(runs(a=[0.99, np.nan, 0.99], b=[0.5, 0.5, 0.5], c=[np.nan]))
    assert list(table["configuration"]) == ["b", "a", "c"]
    assert list(table["seeds"]) == [3, 2, 0]
    assert list(table["diverged"]) == [0, 1, 1]
    assert table.loc[1, "accuracy"] == pytest.approx(0.99)


def test_the_interval_is_the_t_tests():
    scores = [0.990, 0.993, 0.991, 0.995]
    table = ranking.rank(runs(a=scores, b=[0.9]))
    expected = stats.ttest_1samp(scores, 0).confidence_interval(0.95)
    assert (table.loc[0, "low"], table.loc[0, "high"]) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert table.loc[1, ["low", "high"]].isna().all(), "one seed has no interval"
