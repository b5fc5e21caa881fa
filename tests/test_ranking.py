"""The order, its ties, and what may be said of it."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.judging import ranking
from analysis.judging.ranking import Relation
from analysis.reading.measures import Scale, Unit
from analysis.showing import wording

RNG = np.random.default_rng(11)
NAN = math.nan
NOISE = RNG.normal(0, 5e-4, (10, 4))


def scores(*means, n=10):
    """Ten seeds around each mean; configurations a, b, c, ..."""
    return pd.DataFrame({chr(ord("a") + i): mean + NOISE[:n, i] for i, mean in enumerate(means)})


def standing(ranked):
    return wording.standing(ranked, wording.seeds_in_words(ranked.table))


def test_best_mean_comes_first_and_ties_share_a_rank():
    ranked = ranking.rank(scores(0.990, 0.994, 0.9941), Scale(margin=5e-4))
    assert list(ranked.table["configuration"])[2] == "a"
    assert list(ranked.table["rank"]) == [1, 1, 3]
    assert list(ranked.table["shared"]) == [True, True, False]
    assert set(ranked.leading) == {"b", "c"}


def test_where_lower_is_better_the_order_turns():
    ranked = ranking.rank(scores(0.990, 0.994), Scale(higher_is_better=False))
    assert list(ranked.table["configuration"]) == ["a", "b"]
    assert list(ranked.table["rank"]) == [1, 2]
    assert ranked.leading == ("a",)


def test_pairs_are_the_paired_t_tests_with_holms_correction():
    data = scores(0.990, 0.9905, 0.991)
    ranked = ranking.rank(data, Scale())
    p = [stats.ttest_rel(data[row.first], data[row.second]).pvalue for row in ranked.pairs.itertuples()]
    assert list(ranked.pairs["p"]) == pytest.approx(p)
    by_hand = np.minimum(1, np.maximum.accumulate(np.sort(p) * np.array([3, 2, 1])))
    assert sorted(ranked.pairs["p_adjusted"]) == pytest.approx(by_hand)


def test_a_difference_smaller_than_matters_is_equivalent_however_certain():
    data = pd.DataFrame({"a": 0.99 + NOISE[:, 0], "b": 0.99 + NOISE[:, 0] + 1e-4 + NOISE[:, 1] / 50})
    ranked = ranking.rank(data, Scale(margin=5e-4))
    assert ranked.pairs.loc[0, "p_adjusted"] < 0.001
    assert ranked.pairs.loc[0, "relation"] == Relation.EQUIVALENT
    assert list(ranked.table["rank"]) == [1, 1]


def test_without_a_margin_nothing_is_equivalent():
    data = pd.DataFrame({"a": 0.99 + NOISE[:, 0], "b": 0.99 + NOISE[:, 0] + NOISE[:, 1] / 50})
    assert ranking.rank(data, Scale()).pairs.loc[0, "relation"] == Relation.UNRESOLVED


def test_the_simplest_of_the_leading_group_is_named():
    complexity = {"a": (2.0, 1.0), "b": (1.0, 0.1), "c": (0.0, 0.0)}
    ranked = ranking.rank(scores(0.994, 0.9941, 0.98), Scale(), complexity=complexity)
    assert ranked.simplest == "b", "c is simpler, but separated"


def test_a_configuration_with_a_diverged_seed_ranks_after_all_without():
    data = scores(0.99, 0.5, 0.99)
    data.loc[3, "a"] = np.nan
    data["c"] = np.nan
    ranked = ranking.rank(data, Scale(), diverged={"a": 1, "b": 0, "c": 10})
    assert list(ranked.table["configuration"]) == ["b", "a", "c"]
    assert list(ranked.table["rank"]) == [1, 2, 2]
    assert list(ranked.table["seeds"]) == [10, 9, 0]
    assert list(ranked.table["diverged"]) == [0, 1, 10]
    assert ranked.leading == ("b",)


def test_intervals_are_the_t_tests_and_one_seed_has_none():
    data = scores(0.99, 0.98)
    data.loc[1:, "b"] = np.nan
    table = ranking.rank(data, Scale()).table
    expected = stats.ttest_1samp(data["a"], 0).confidence_interval(0.95)
    assert (table.loc[0, "low"], table.loc[0, "high"]) == pytest.approx((expected.low, expected.high))
    assert table.loc[1, ["sd", "low", "high"]].isna().all()


def test_identical_scores_have_no_interval_unless_their_step_is_known():
    data = pd.DataFrame({"a": [0.9] * 5, "b": [0.9] * 5})
    unknown = ranking.rank(data, Scale(margin=5e-4))
    assert unknown.pairs[["low", "p"]].isna().all().all()
    assert unknown.pairs.loc[0, "relation"] == Relation.UNRESOLVED
    known = ranking.rank(data, Scale(margin=5e-4, unit=Unit(2e-5)))
    assert known.pairs.loc[0, "relation"] == Relation.EQUIVALENT


def test_equal_means_have_an_order_all_the_same():
    data = pd.DataFrame({"b": [0.9, 0.91], "a": [0.9, 0.91]})
    assert list(ranking.rank(data, Scale()).table["configuration"]) == ["a", "b"]


def test_the_probability_of_being_best_is_there_from_twenty_seeds_on():
    twenty = pd.DataFrame(np.vstack([NOISE, NOISE[::-1]])[:, :2] + [0.99, 0.98], columns=["a", "b"])
    assert ranking.rank(scores(0.99, 0.98), Scale()).table["best"].isna().all()
    assert list(ranking.rank(twenty, Scale()).table["best"]) == [1.0, 0.0]
    assert list(ranking.rank(twenty, Scale(higher_is_better=False)).table["best"]) == [1.0, 0.0]


@pytest.mark.parametrize("n", [1, 60])
def test_any_number_of_configurations(n):
    data = pd.DataFrame({f"c{i}": 0.99 + NOISE[:5, i % 4] + i * 1e-6 for i in range(n)})
    ranked = ranking.rank(data, Scale(margin=5e-4))
    assert len(ranked.table) == n
    assert len(ranked.pairs) == n * (n - 1) // 2
    assert len(ranked.leading) >= 1


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (scores(0.99), "One configuration: there is nothing to compare it with yet."),
        (scores(0.99, 0.98, n=1), "One seed for each configuration allows no conclusion"),
        (scores(0.99, 0.98), "a is separated from every other configuration (10 seeds each)."),
        (
            scores(0.99, 0.9901, n=3),
            "No configuration is separated from all others: a and b share the first rank (3 seeds each); these data do not tell them apart.",
        ),
        (
            pd.DataFrame({"a": [0.9, 0.91, NAN, NAN], "b": [NAN, NAN, 0.9, 0.91]}),
            "Nothing could be tested: no two configurations have two seeds in common.",
        ),
        (
            pd.DataFrame({"a": [0.5, 0.75], "b": [0.25, 0.5]}),
            "Nothing could be tested: any two configurations differ by the same amount",
        ),
        (pd.DataFrame({"a": [NAN], "b": [NAN]}), "Every run diverged: there is nothing to compare."),
    ],
)
def test_what_may_be_said(data, words):
    assert standing(ranking.rank(data, Scale())).startswith(words)


def test_the_table_is_in_order_of_rank_though_who_varies_more_is_beaten_by_fewer():
    wild = np.array([0.2, -0.3, 0.1, 0.3, -0.3])
    data = pd.DataFrame({"a": 0.99 + NOISE[:5, 0], "b": 0.98 + NOISE[:5, 1], "wild": 0.9 + wild})
    ranked = ranking.rank(data, Scale()).table
    assert list(zip(ranked["configuration"], ranked["rank"], strict=True)) == [("a", 1), ("wild", 1), ("b", 2)]


def test_a_tie_that_is_equivalence_is_told_as_such():
    close = scores(0.99, 0.99)
    ranked = ranking.rank(close, Scale(margin=5e-3))
    assert (
        wording.headline(ranked, [], "10 seeds each") == "2 configurations that are practically equivalent with 10 seeds each"
    )
    assert standing(ranked).endswith("they are practically equivalent.")


def test_nothing_is_called_best_inside_a_tie():
    ranked = ranking.rank(scores(0.99, 0.99, 0.99), Scale())
    told = standing(ranked) + wording.headline(ranked, [], "10 seeds")
    assert "best" not in told
    assert "wins" not in told
    assert math.isfinite(ranked.table["mean"].sum())
