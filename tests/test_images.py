"""Which images are wrong, by hand: counts, fixes and breaks, flips, McNemar."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as reference_mcnemar  # pyright: ignore[reportMissingTypeStubs]

from analysis.judging import images
from analysis.reading.errors import wrong_table
from analysis.showing import gallery
from analysis.showing.gallery import Errors

RUNS = pd.DataFrame(
    {"run_id": ["n0", "n1", "l0", "l1"], "configuration": ["none", "none", "L1 0.001", "L1 0.001"], "seed": [0, 1, 0, 1]}
)
WRONG = {"n0": [3, 7], "n1": [3, 9], "l0": [3], "l1": [3, 9, 5]}


def errors(wrong=WRONG) -> pd.DataFrame:
    rows = [
        {
            "run_id": run,
            "index": index,
            "label": index % 10,
            "predicted": 1,
            "predicted_probability": 0.9,
            "pixels": bytes([index]) * 784,
        }
        for run, indices in wrong.items()
        for index in indices
    ]
    columns = ["run_id", "index", "label", "predicted", "predicted_probability", "pixels"]
    return pd.DataFrame(rows, columns=columns).merge(RUNS, on="run_id")


@pytest.fixture
def wrong():
    return wrong_table(errors(), RUNS)


def test_the_table_has_a_row_per_run_and_a_column_per_image(wrong):
    assert list(wrong.columns) == [3, 5, 7, 9]
    assert wrong.to_numpy().tolist() == [
        [True, False, True, False],
        [True, False, False, True],
        [True, False, False, False],
        [True, True, False, True],
    ]


def test_the_hardest_come_first_with_counts_per_configuration(wrong):
    table = images.hardest(wrong)
    assert list(table.index) == [3, 9, 5, 7]
    assert list(table["runs"]) == [4, 2, 1, 1]
    assert table.loc[9, ["none", "L1 0.001"]].tolist() == [1, 1]
    assert images.always_hard(wrong) == [3]


def test_fixes_and_breaks_are_paired_by_seed(wrong):
    table = images.fixed_and_broken(wrong, "none", "L1 0.001")
    assert sorted(table.index) == [5, 7], "image 9 is wrong for both in seed 1, image 3 in both seeds"
    assert table.loc[7, ["only_first", "only_second", "seeds"]].tolist() == [1, 0, 2]
    assert table.loc[5, ["only_first", "only_second"]].tolist() == [0, 1]
    assert table.loc[7, "p"] == stats.binomtest(1, 1).pvalue == 1.0


def test_ten_seeds_of_ten_are_beyond_luck_even_among_many_images():
    index = pd.MultiIndex.from_product([["a", "b"], range(10)], names=["configuration", "seed"])
    values = np.zeros((20, 5), bool)
    values[:10, 0] = True
    values[::2, 1:] = True
    table = images.fixed_and_broken(pd.DataFrame(values, index=index, columns=pd.Index(range(5), name="image")), "a", "b")
    assert list(table.index) == [0]
    assert table.loc[0, "p"] == pytest.approx(2 / 2**10)
    assert table.loc[0, "p_adjusted"] == pytest.approx(5 * 2 / 2**10)


def test_flips_are_mean_distances(wrong):
    found = images.flips(wrong)
    assert found.between_seeds == pytest.approx((2 + 2) / 2), "none: 7 and 9 differ; L1: 5 and 9"
    assert found.between_configurations == pytest.approx((1 + 1) / 2), "seed 0: 7; seed 1: 5"


def test_one_run_has_no_flips():
    alone = wrong_table(errors({"n0": [3]}), RUNS.head(1))
    assert images.flips(alone) == images.Flips(None, None)


def test_mcnemar_is_the_exact_test_in_each_common_seed(wrong):
    table = images.mcnemar(wrong, "none", "L1 0.001")
    assert table[["only_first", "only_second"]].to_numpy().tolist() == [[1, 0], [0, 1]]
    assert list(table["p"]) == [1.0, 1.0]
    values = np.zeros((2, 30), bool)
    values[0, :12], values[1, 11:15] = True, True
    index = pd.MultiIndex.from_tuples([("a", 0), ("b", 0)], names=["configuration", "seed"])
    one = images.mcnemar(pd.DataFrame(values, index=index), "a", "b").loc[0]
    expected = reference_mcnemar([[15, 3], [11, 1]], exact=True)
    assert one["p"] == one["p_adjusted"] == pytest.approx(expected.pvalue)
    assert (one["only_first"], one["only_second"]) == (11, 3)


def test_runs_without_errors_and_runs_unknown_are_not_the_same():
    known = Errors(errors({"n0": [3]}), RUNS.head(2), unknown=2)
    assert known.wrong.loc[("none", 1)].tolist() == [False]
    assert gallery.in_words(known)[0] == "1 test image is misclassified by at least one of 2 runs; 0 by every run."
    assert gallery.in_words(Errors(errors({}), RUNS, 0)) == ["No run misclassifies an image."]
    assert gallery.in_words(Errors(errors({}), RUNS.head(0), 4)) == ["No run's misclassified images are known."]


def test_the_gallery_shows_each_image_once_per_configuration():
    shown = gallery.context(Errors(errors(), RUNS, 0), "none")
    assert [told.index for told in shown["images"]] == [3, 9, 5, 7]
    hardest, _, luck, _ = shown["images"]
    assert (hardest.answer, hardest.wrong) == ("1", 4)
    none, with_l1 = hardest.sayings
    assert (none.name, none.wrong, none.runs, none.right) == ("none", 2, 2, "")
    assert [(said.word, said.runs, said.probability, said.blocks) for said in none.answers] == [("1", 2, "90%", "0, 1")]
    assert with_l1.name == "L1 0.001"
    none, _ = luck.sayings
    assert (none.wrong, none.answers, none.right) == (0, (), "0, 1"), "right in every seed"
    assert shown["against"][0][0] == "L1 0.001 against none"
    assert "Model against model, 0 of 2 pairs with a common seed differ" in shown["against"][0][1][2]
    assert "they differ on 2 images: only L1 0.001 is wrong 1 times, only none 1 times." in shown["against"][0][1][0]


def test_few_seeds_cannot_show_anything_of_a_single_image():
    """Five seeds of five give p = 0.0625 at the least."""
    index = pd.MultiIndex.from_product([["none", "L1 0.001"], range(5)], names=["configuration", "seed"])
    rows = [(configuration, seed, 7, 1, 2, 0.9) for configuration, seed in index if configuration == "none"]
    errors = pd.DataFrame(rows, columns=["configuration", "seed", "index", "label", "predicted", "predicted_probability"])
    runs = index.to_frame(index=False)
    runs["run_id"] = errors_id = runs["configuration"] + runs["seed"].astype(str)
    errors["run_id"] = list(errors_id[:5])
    told = gallery.pair_in_words(gallery.Errors(errors, runs, 0), "none", "L1 0.001")
    assert "5 common seeds are too few to show of any single image" in told[1]


def test_identical_errors_are_said_to_be():
    same = Errors(errors({run: [3] for run in WRONG}), RUNS, 0)
    assert gallery.pair_in_words(same, "none", "L1 0.001") == ["In every common seed they misclassify the same images."]
