"""Figures draw the numbers they were given, each configuration in its own look."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis import plots
from regstudy.schema import Metric


def epochs(n: int, seeds: int = 1) -> pd.DataFrame:
    rows = [
        {
            "configuration": name,
            "seed": seed,
            "run_id": f"{name}{seed}",
            "epoch": e,
            Metric.TEST_ACCURACY.value: 0.99 - 0.1 / (e + 1) + seed / 1_000,
            Metric.TEST_LOSS.value: 1 / (e + 1),
            Metric.TRAIN_LOSS.value: 2 / (e + 1),
        }
        for name in ("none", "L1 0.001")
        for seed in range(seeds)
        for e in range(n)
    ]
    return pd.DataFrame(rows)


LOOK = plots.looks(["none", "L1 0.001"])


def test_curves_are_the_data_in_percent():
    data = epochs(3)
    axis = plots.accuracy_curves(data, LOOK, 1_000).axes[0]
    assert len(axis.lines) == 2
    expected = 100 * data.loc[data["configuration"] == "none", Metric.TEST_ACCURACY.value]
    assert axis.lines[0].get_ydata() == pytest.approx(expected.tolist())
    assert {text.get_text() for text in axis.texts} >= {"none", "L1 0.001"}


def test_seeds_are_thin_lines_and_their_median_bold():
    axis = plots.loss_curves(epochs(8, seeds=3), LOOK, Metric.TEST_LOSS).axes[0]
    widths = sorted(line.get_linewidth() for line in axis.lines)
    assert len(widths) == 2 * (3 + 1)
    assert widths[0] < widths[-1]


def test_zoom_cuts_first_epochs_never_the_last():
    data = epochs(40)
    axis = plots.loss_curves(data, LOOK, Metric.TRAIN_LOSS).axes[0]
    low, high = axis.get_ylim()
    assert high < 2.0
    last = data.loc[data["epoch"] == 39, Metric.TRAIN_LOSS.value]
    assert low < last.min()
    assert last.max() < high
    assert "zoomed" in axis.get_xlabel()


def test_ranking_shows_every_seed():
    runs = pd.DataFrame(
        {"configuration": ["none"] * 3 + ["L1 0.001"], "accuracy": [0.9, 0.91, 0.92, 0.95], "test_images": 1_000, "seed": 0}
    )
    axis = plots.ranking_dots(runs, ["L1 0.001", "none"], LOOK).axes[0]
    drawn = sorted(x for line in axis.lines if line.get_marker() != "None" for x in line.get_xdata())
    assert drawn == pytest.approx([50, 80, 90, 100])
    assert [label.get_text() for label in axis.get_yticklabels()] == ["L1 0.001", "none"]


def test_looks_are_distinct_and_none_is_grey():
    names = ["none", *(f"L1 {i}" for i in range(6))]
    look = plots.looks(names)
    assert look["none"].colour == plots.GREY
    assert len({(value.colour, value.dash, value.marker) for value in look.values()}) == 7
    assert len({value.colour for value in look.values()}) == 7


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12).map(sorted))
def test_labels_are_apart_and_in_order(wanted):
    placed = plots.spread(np.array(wanted), 0.05)
    assert len(placed) == len(wanted)
    assert (np.diff(placed) >= 0.05 - 1e-9).all()
    assert np.mean(placed) == pytest.approx(np.mean(wanted), abs=1e-9)


def test_labels_with_room_stay_where_they_are():
    assert plots.spread(np.array([0.1, 0.5, 0.9]), 0.05).tolist() == pytest.approx([0.1, 0.5, 0.9])
