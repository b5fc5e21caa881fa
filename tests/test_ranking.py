"""The order, its ties, and what may be said of it."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.judging import ranking
from analysis.judging.looks import Looks
from analysis.judging.ranking import Relation
from analysis.reading.measures import Scale, Unit
from analysis.showing import grids, wording

RNG = np.random.default_rng(11)
NAN = math.nan
NOISE = RNG.normal(0, 5e-4, (10, 4))


def scores(*means, n=10):
    """Ten seeds around each mean; configurations a, b, c, ..."""
    return pd.DataFrame({chr(ord("a") + i): mean + NOISE[:n, i] for i, mean in enumerate(means)})


def standing(ranked):
    return wording.standing(ranked, wording.seeds_in_words(ranked.table))


def places(ranked):
    return [grids.rank(row) for row in ranked.table.to_dict("records")]


def test_best_mean_comes_first_and_what_is_not_known_has_no_rank():
    ranked = ranking.rank(scores(0.990, 0.994, 0.9941), Scale(margin=5e-4))
    assert list(ranked.table["configuration"])[2] == "a"
    assert places(ranked) == ["1–2, unresolved", "1–2, unresolved", "3"]
    assert set(ranked.leading) == {"b", "c"}
    alike = ranking.rank(scores(0.990, 0.994, 0.9941), Scale(margin=5e-3))
    assert places(alike)[:2] == ["1=", "1="]


def test_two_seeds_rank_nothing_however_far_apart():
    ranked = ranking.rank(scores(0.9818, 0.9938, n=2), Scale(margin=5e-4))
    assert places(ranked) == ["1–2, unresolved", "1–2, unresolved"]
    assert ranked.advised == ()


def test_a_chain_of_equivalences_is_no_equivalence_of_its_ends():
    data = pd.DataFrame(NOISE[:, :3] / 20, columns=list("abc")).add([0.9900, 0.9904, 0.9908])
    ranked = ranking.rank(data, Scale(margin=5e-4))
    assert list(ranked.pairs["relation"]) == ["equivalent", "separated", "equivalent"]
    assert list(ranked.table["configuration"]) == ["c", "b", "a"]
    assert places(ranked) == ["1=", "1=", "2="]


def test_order_and_pairs_agree_where_blocks_are_missing():
    """The one that lacks the hard blocks has the higher plain mean, and is the worse one."""
    data = pd.DataFrame({"a": [0.99, 0.98, 0.97, 0.96, 0.95], "b": [0.985, 0.976, 0.966, NAN, NAN]})
    ranked = ranking.rank(data, Scale())
    assert data["b"].mean() > data["a"].mean()
    assert list(ranked.table["configuration"]) == ["a", "b"]
    assert ranked.table.loc[0, "mean"] - ranked.table.loc[1, "mean"] == pytest.approx(ranked.pairs.loc[0, "mean"])


def test_intervals_of_accuracies_end_where_accuracies_do():
    data = pd.DataFrame({"a": [0.999, 1.0, 0.98, 1.0], "b": [0.001, 0.0, 0.02, 0.0]})
    table = ranking.rank(data, Scale(bounds=(0, 1))).table
    assert table["high"].max() == 1.0
    assert table["low"].min() == 0.0


def test_advice_is_of_what_is_shown_not_to_be_worse_than_any_other():
    few = ranking.rank(scores(0.99, 0.99, n=3), Scale(margin=5e-4))
    assert few.advised == (), "ignorance is no recommendation"
    many = pd.DataFrame({"a": 0.99 + NOISE[:, 0], "b": 0.99 + NOISE[:, 0] + NOISE[:, 1] / 9, "c": 0.97 + NOISE[:, 2]})
    complexity = {"a": (1.0, 1.0), "b": (0.0, 0.0), "c": (0.0, 0.0)}
    ranked = ranking.rank(many, Scale(margin=5e-4), complexity=complexity)
    assert ranked.advised == ("b", "a"), "the simplest first; c is simple and worse"
    alone = ranking.rank(scores(0.99, 0.98), Scale())
    assert alone.advised == ("a",), "without a margin, who is separated from all"


def test_with_a_reference_all_are_compared_with_it_alone():
    data = scores(0.990, 0.992, 0.988, 0.9901)
    ranked = ranking.rank(data, Scale(margin=5e-4), reference="a")
    assert len(ranked.pairs) == ranked.tests == 3
    assert places(ranked)[0] == "1–2, unresolved", "b and d were not compared"
    assert "Against a (10 seeds each): b is shown to be better; c is shown to be worse." in standing(ranked)
    assert ranked.advised == (), "nobody compared the leader with all others"


def test_of_many_all_are_compared_with_the_leader_and_any_may_have_come_to_lead():
    rng = np.random.default_rng(6)
    data = pd.DataFrame(rng.normal(0.99, 5e-4, (5, 12)), columns=list("abcdefghijkl"))
    data["e"] += 2e-3
    ranked = ranking.rank(data, Scale(margin=5e-4))
    assert (len(ranked.pairs), ranked.tests, ranked.leader) == (11, 66, "e")
    assert ranked.pairs["alpha"].iloc[0] == pytest.approx(0.05 / 66)
    plain = ranking.rank(data[list("abcdefgh")], Scale(margin=5e-4)).pairs
    found = {"moderated": ranked.pairs["relation"].eq("separated").sum(), "each": plain["relation"].eq("separated").sum()}
    assert found["moderated"] > found["each"], "five seeds, and standard deviations that borrow from each other"


def test_where_one_may_look_at_any_time_places_are_given_later():
    data = scores(0.990, 0.9915)
    assert places(ranking.rank(data, Scale(), looked=Looks(planned=10))) == ["1", "2"]
    early = ranking.rank(data, Scale(), looked=Looks(planned=20))
    assert early.pairs.loc[0, "anytime"]
    assert early.pairs.loc[0, "high"] - early.pairs.loc[0, "low"] > 1.5e-3


def test_where_lower_is_better_the_order_turns():
    ranked = ranking.rank(scores(0.990, 0.994), Scale(higher_is_better=False))
    assert list(ranked.table["configuration"]) == ["a", "b"]
    assert list(ranked.table["rank"]) == [1, 2]
    assert ranked.leading == ("a",)


def test_pairs_are_the_paired_t_tests_which_share_alpha():
    data = scores(0.990, 0.9905, 0.991)
    ranked = ranking.rank(data, Scale())
    tests = [stats.ttest_rel(data[row.first], data[row.second]) for row in ranked.pairs.itertuples()]
    assert list(ranked.pairs["p"]) == pytest.approx([test.pvalue for test in tests])
    assert list(ranked.pairs["p_adjusted"]) == pytest.approx([min(1, 3 * test.pvalue) for test in tests])
    intervals = [test.confidence_interval(1 - 0.05 / 3) for test in tests]
    assert ranked.pairs[["low", "high"]].to_numpy() == pytest.approx(np.array(intervals))


def test_a_difference_smaller_than_matters_is_equivalent_however_certain():
    data = pd.DataFrame({"a": 0.99 + NOISE[:, 0], "b": 0.99 + NOISE[:, 0] + 1e-4 + NOISE[:, 1] / 50})
    ranked = ranking.rank(data, Scale(margin=5e-4))
    assert ranked.pairs.loc[0, "p_adjusted"] < 0.001
    assert ranked.pairs.loc[0, "relation"] == Relation.EQUIVALENT
    assert list(ranked.table["rank"]) == [1, 1]


def test_without_a_margin_nothing_is_equivalent():
    data = pd.DataFrame({"a": 0.99 + NOISE[:, 0], "b": 0.99 + NOISE[:, 0] + NOISE[:, 1] / 50})
    assert ranking.rank(data, Scale()).pairs.loc[0, "relation"] == Relation.UNRESOLVED


def test_a_configuration_with_a_diverged_seed_ranks_after_all_without():
    data = scores(0.99, 0.5, 0.99)
    data.loc[3, "a"] = np.nan
    data["c"] = np.nan
    ranked = ranking.rank(data, Scale(), diverged={"a": 1, "b": 0, "c": 10})
    assert list(ranked.table["configuration"]) == ["b", "a", "c"]
    assert places(ranked) == ["1", "last", "last"]
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
    assert len(ranked.pairs) == n - 1
    assert len(ranked.leading) >= 1


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (scores(0.99), "One configuration: there is nothing to compare it with yet."),
        (scores(0.99, 0.98, n=1), "One seed for each configuration allows no conclusion: the order may be chance."),
        (scores(0.99, 0.98), "Every other configuration is shown to be worse than a (10 seeds each)."),
        (
            scores(0.99, 0.9901, n=3),
            "No configuration is shown to be better than all others (3 seeds each): the order of a and b is not known.",
        ),
        (
            pd.DataFrame({"a": [0.9, 0.91, 0.92, NAN, NAN], "b": [NAN, NAN, 0.92, 0.9, 0.91]}),
            "Nothing could be tested: no two configurations have 3 seeds in common.",
        ),
        (
            pd.DataFrame({"a": [0.5, 0.75, 0.5], "b": [0.25, 0.5, 0.25]}),
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
    assert wording.order(ranked, "10 seeds each") == "2 configurations are practically equivalent with 10 seeds each"
    assert standing(ranked) == "b and a are shown to be practically equivalent (10 seeds each)."


def test_nothing_is_called_best_where_the_order_is_not_known():
    ranked = ranking.rank(scores(0.99, 0.99, 0.99), Scale())
    assert wording.order(ranked, "10 seeds") == "Which of 3 configurations is best is not known with 10 seeds"
    assert "better than all others" in standing(ranked)
    assert math.isfinite(ranked.table["mean"].sum())


@pytest.mark.parametrize("configurations", [8, 9])
def test_differences_that_do_not_vary_are_no_certainty_among_however_many(configurations):
    base = np.array([0.1, 0.5, 0.2, 0.9, 0.3])
    parallel = ranking.rank(pd.DataFrame({f"c{i}": base + i / 1000 for i in range(configurations)}), Scale(margin=5e-4))
    assert parallel.pairs["p"].isna().all()
    assert parallel.advised == ()
    counts = pd.DataFrame({f"c{i}": np.full(5, (900 + i) / 1000) for i in range(configurations)})
    of_images = ranking.rank(counts, Scale(margin=5e-4, unit=Unit(resolution=1e-3)))
    np.testing.assert_allclose(of_images.pairs["sd"], 1e-3 / math.sqrt(6), err_msg="rounding has that much")


def test_among_many_who_leads_was_tested():
    rng = np.random.default_rng(4)
    data = pd.DataFrame({f"c{i}": 0.9 + rng.normal(0, 1e-3, 8) for i in range(10)})
    data["c4"] = [0.95, 0.96, *[NAN] * 6]
    ranked = ranking.rank(data, Scale(margin=5e-4))
    assert ranked.table.set_index("configuration")["standing"].loc["c4"] == ranking.UNTESTED
    assert ranked.table["standing"].value_counts()[ranking.UNTESTED] == 1
    assert (ranked.pairs["seeds"] == 8).sum() == 8


def test_nobody_is_advised_where_all_others_diverged_untested():
    data = pd.DataFrame({"a": 0.9 + NOISE[:5, 0], "b": [NAN] * 5})
    ranked = ranking.rank(data, Scale(margin=5e-4), diverged={"b": 5})
    assert wording.untested(ranked)
    assert ranked.advised == ()
