"""Figures draw the numbers they were given, each configuration in its own look, and nothing leaves the figure."""

import itertools
import re
import warnings
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from analysis.showing import plots, svg
from analysis.showing.plots import Quantity
from analysis.showing.plots.curves import zoom
from analysis.showing.plots.lines import factor_places
from analysis.showing.plots.style import row_axis, style


@pytest.fixture(autouse=True)
def house_style():
    """As the report draws."""
    with plots.style():
        yield


ACCURACY = Quantity("test accuracy", "%", 1_000, "higher")
LOSS = Quantity("negative log-likelihood", "nats", None, "lower")
NAMES = ["none", "L1 0.001"]
LONG = "a rather long name of a configuration {}"


def curves_of(names=NAMES, n=3, seeds=1):
    return pd.DataFrame(
        [
            {"configuration": name, "seed": seed, "epoch": e, "value": 0.99 - 0.1 / (e + 1) + seed / 1_000}
            for name in names
            for seed in range(seeds)
            for e in range(n)
        ]
    )


def seeds_of(names, n=5):
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        [{"configuration": name, "block": seed, "value": 0.99 + rng.normal(0, 1e-3)} for name in names for seed in range(n)]
    )


def summary_of(scores):
    own = scores.groupby("configuration", sort=False)["value"]
    return pd.DataFrame({"mean": own.mean(), "low": own.min(), "high": own.max(), "diverged": 0}).reset_index()


def curves(data, names=NAMES, quantity=ACCURACY):
    return plots.curves(data, plots.looks(names), quantity=quantity, title="Title", subtitle="subtitle")


def opening(names, scores, band=(-0.5, 0.5), width=11.0):
    wide = scores.pivot(index="block", columns="configuration", values="value")[names]
    differences = pd.DataFrame(
        [(name, 0.2 + i, i - 0.4, i + 0.8, "as good (−1 to +2)") for i, name in enumerate(names[1:])],
        columns=["configuration", "mean", "low", "high", "told"],
    )
    labels = (("Wrong of 1,000 test images", "a mark is one seed"), (f"More wrong than with {names[0]}", "bar: interval"))
    return plots.opening(
        1_000 * (1 - wide), differences, plots.looks(names), anchor=names[0], band=band, labels=labels, width=width
    )


def assert_inside(figure):
    """Every name and label lies in the figure."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    labels = [text for axis in figure.axes for text in (*axis.texts, *axis.get_yticklabels(), axis.xaxis.label, axis.title)]
    for text in [*figure.texts, *labels]:
        if text.get_text().strip():
            extent = text.get_window_extent(canvas.get_renderer())
            assert extent.x0 >= -1, text.get_text()
            assert extent.x1 <= figure.bbox.x1 + 1, text.get_text()


def test_curves_are_the_data_as_wrong_images():
    data = curves_of()
    axis = curves(data).axes[0]
    expected = 1_000 * (1 - data.loc[data["configuration"] == "none", "value"])
    assert axis.lines[0].get_ydata() == pytest.approx(expected.tolist())
    assert {text.get_text() for text in axis.texts} >= set(NAMES)
    assert axis.get_ylabel() == "wrong of 1,000 test images"


def test_seeds_are_thin_lines_and_their_median_bold():
    axis = curves(curves_of(n=8, seeds=3), quantity=LOSS).axes[0]
    widths = sorted(line.get_linewidth() for line in axis.lines)
    assert widths == pytest.approx([0.7, 0.7, 2, 2])
    thin = next(line for line in axis.lines if line.get_linewidth() < 1)
    assert np.isnan(np.asarray(thin.get_ydata(), dtype=float)).sum() == 3, "a gap after each seed"


def test_many_configurations_get_a_panel_each():
    look = plots.looks([f"L1 {i}" for i in range(9)])
    table = pd.DataFrame(
        [(name, seed, threshold, threshold) for name in look for seed in (0, 1) for threshold in (0.001, 0.01, 0.1)],
        columns=["configuration", "seed", "threshold", "share"],
    )
    figure = plots.sparsity(table, look)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_inside(figure)
    assert [axis.get_title(loc="left") for axis in figure.axes if axis.axison] == list(look)


def test_labels_of_many_values_do_not_run_into_each_other():
    values = np.arange(50) / 10_000
    summary = pd.DataFrame({"value": values, "mean": 0.99, "low": 0.98, "high": 1.0})
    scores = pd.DataFrame({"value": values, "seed": 0, "score": 0.99})
    axis = plots.response(scores, summary, factor="L1", quantity=ACCURACY, block="seed").axes[0]
    canvas = FigureCanvasAgg(axis.get_figure())
    canvas.draw()
    extents = [text.get_window_extent(canvas.get_renderer()) for text in axis.get_xticklabels() if text.get_text()]
    assert len(extents) >= 5
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(extents))


def test_zoom_cuts_first_epochs_never_the_last():
    data = curves_of(n=40)
    low, high = zoom(data)
    last = data.loc[data["epoch"] == 39, "value"]
    assert low < last.min()
    assert last.max() < high
    assert data["value"].min() < low
    assert zoom(curves_of(n=3)) is None


def test_more_than_six_configurations_get_a_panel_each():
    names = [LONG.format(i) for i in range(12)]
    figure = curves(curves_of(names), names)
    assert len(figure.axes) == 12
    assert [axis.get_title(loc="left") for axis in figure.axes] == names


def test_a_diverged_line_is_said_to_be():
    data = curves_of()
    data.loc[(data["configuration"] == "none") & (data["epoch"] == 2), "value"] = np.nan
    axis = curves(data).axes[0]
    assert "none (diverged)" in {text.get_text() for text in axis.texts}


def test_the_first_figure_shows_every_seed_each_difference_and_the_margin():
    scores = seeds_of(NAMES)
    runs, beside = opening(NAMES, scores).axes
    dots = np.sort(np.concatenate([line.get_xdata() for line in runs.lines if line.get_marker() not in {"None", ""}]))
    assert dots == pytest.approx(np.sort(1_000 * (1 - scores["value"])))
    assert [label.get_text() for label in runs.get_yticklabels()] == NAMES
    band = beside.patches[0].get_extents().transformed(beside.transData.inverted())
    assert (band.x0, band.x1) == pytest.approx((-0.5, 0.5))
    bars = [list(line.get_xdata()) for line in beside.lines if len(line.get_xdata()) == 2 and line.get_linewidth() == 3.5]
    assert bars == [[i - 0.4, i + 0.8] for i in range(len(NAMES) - 1)]
    assert sum(text.get_text() == "as good (−1 to +2)" for text in beside.texts) == len(NAMES) - 1


def test_without_a_margin_there_is_no_band():
    assert not any(axis.patches for axis in opening(NAMES, seeds_of(NAMES), band=None).axes)


@pytest.mark.parametrize("n", [1, 4, 60])
def test_long_names_stay_inside(n):
    names = [LONG.format(i) for i in range(n)]
    scores = seeds_of(names)
    assert_inside(opening(names, scores))
    assert_inside(opening(names, scores, width=plots.NARROW))
    summary = summary_of(scores)
    assert_inside(plots.dots(scores, summary, plots.looks(names), title="T", subtitle="s", label="x"))


def test_the_forest_shows_estimates_and_verdicts():
    row = {
        "claim": "c", "contrast": "a − b", "quantity": "test accuracy, points", "scale": "difference", "estimate": 0.02,
        "low": -0.04, "high": 0.08, "margin": 0.05, "expect": "higher", "verdict": "inconclusive", "answer": "Open: inconclusive", "n": 5, "deciding": True,
    }  # fmt: skip
    ratio = row | {
        "quantity": "roughness",
        "scale": "ratio",
        "estimate": 1.2,
        "low": 0.9,
        "high": 1.6,
        "margin": 0.8,
        "verdict": "refuted",
        "answer": "No: refuted",
    }
    figure = plots.forest(pd.DataFrame([row, row | {"deciding": False}, ratio]))
    first, second = figure.axes
    assert list(first.lines[1].get_xdata()) == [-0.04, 0.08]
    assert first.texts[0].get_text() == "? Open: inconclusive, n = 5"
    assert first.texts[1].get_text() == "n = 5", "the verdict is the claim's: it stands once"
    assert second.get_xscale() == "log"
    assert second.texts[0].get_text() == "✗ No: refuted, n = 5"
    assert_inside(figure)


@pytest.mark.parametrize(
    ("low", "high"), [(0.991, 1.004), (0.88, 1.18), (0.7, 1.9), (0.87, 3.2), (0.3, 7), (0.04, 30), (0.001, 900)]
)
def test_a_ratios_ticks_are_a_few_that_do_not_touch(low, high):
    row = {
        "claim": "c", "contrast": "a / b", "quantity": "test loss", "scale": "ratio", "estimate": 1, "low": low, "high": high,
        "margin": 0.95, "expect": "lower", "verdict": "inconclusive", "answer": "Open: inconclusive", "n": 3, "deciding": True,
    }  # fmt: skip
    figure = plots.forest(pd.DataFrame([row]))
    FigureCanvasAgg(figure).draw()
    (axis,) = figure.axes
    left, right = axis.get_xlim()
    boxes = [
        label.get_window_extent()
        for place, label in zip(axis.get_xticks(), axis.get_xticklabels(), strict=True)
        if left <= place <= right
    ]
    assert 2 <= len(boxes) <= 12
    assert all(a.x1 + 2 < b.x0 for a, b in itertools.pairwise(boxes))


def test_the_contest_says_its_shares():
    table = pd.DataFrame({"configuration": ["a", "b", "tied"], "share": [0.5, 0.3, 0.2]})
    axis = plots.contest(table).axes[0]
    assert [bar.get_width() for bar in axis.patches] == pytest.approx([50, 30, 20])
    assert [text.get_text() for text in axis.texts] == ["50%", "30%", "20%"]


def test_zero_has_a_place_left_of_the_smallest_value():
    places = factor_places(np.array([0, 1e-4, 1e-3]))
    assert places[1:] == pytest.approx([-4, -3])
    assert places[0] < -4


def test_the_response_shows_every_seed():
    scores = pd.DataFrame({"value": [0, 0, 0.001], "seed": [0, 1, 0], "score": [0.9, 0.91, 0.92]})
    summary = pd.DataFrame(
        {"value": [0.0, 0.001], "seeds": [2, 1], "mean": [0.905, 0.92], "low": [0.9, np.nan], "high": [0.91, np.nan]}
    )
    figure = plots.response(scores, summary, factor="L1", quantity=ACCURACY, block="seed")
    assert figure.axes[0].lines[0].get_ydata() == pytest.approx([100, 90, 80])
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["0", "0.001"]


def test_what_can_be_seen_marks_this_study():
    table = pd.DataFrame({"n": [2, 5, 10], "difference": [0.5, 0.1, 0.05]})
    axis = plots.detectable(table, (5, 0.1), unit="points", margin=0.05, block="seed").axes[0]
    told = " ".join(text.get_text() for text in axis.texts)
    assert "this study: 5 seeds, 0.1 points" in told
    assert "10 seeds would see it" in told


def test_sparsity_is_in_percent():
    table = pd.DataFrame({"configuration": "none", "seed": 0, "threshold": [0.01, 0.1], "share": [0.01, 0.2]})
    axis = plots.sparsity(table, plots.looks(["none"])).axes[0]
    assert axis.lines[0].get_ydata() == pytest.approx([1, 20])


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


def test_the_hardest_images_have_a_mark_per_wrong_run():
    index = pd.MultiIndex.from_tuples([(name, seed) for name in NAMES for seed in range(3)], names=["configuration", "seed"])
    wrong = pd.DataFrame(np.arange(6)[:, None] >= np.arange(5), index=index, columns=pd.Index([7, 3, 9, 1, 4], name="image"))
    figure = plots.hardest(wrong, {image: f"{image % 10} · {image}" for image in wrong.columns}, plots.looks(NAMES))
    axis = figure.axes[0]
    assert [len(line.get_xdata()) for line in axis.lines] == [1 + 2 + 3, 4 + 5 + 5]
    assert [text.get_text() for text in axis.get_yticklabels()] == NAMES
    assert next(text.get_text() for text in axis.get_xticklabels()) == "7 · 7"
    assert_inside(figure)


def test_one_runs_curve_stands_out_among_its_configurations():
    epochs = pd.DataFrame(
        [{"seed": seed, "epoch": e, "value": 0.9 + 0.01 * e + 0.001 * seed} for seed in (3, 4) for e in range(8)]
    )
    axis = plots.single(epochs, 4, plots.looks(["none"])["none"], ACCURACY).axes[0]
    pale, own = axis.lines
    assert own.get_ydata() == pytest.approx([1000 * (0.1 - 0.01 * e - 0.004) for e in range(8)])
    assert own.get_linewidth() > pale.get_linewidth()
    assert own.get_alpha() == 1
    assert axis.get_ylim()[1] < 110, "zoomed to the later epochs"


def test_long_names_leave_the_rows_room():
    long = "optimiser=adamw, learning rate=0.0003, weight decay=0.05, warm-up=500, label smoothing=0.1"
    few, many = row_axis(Figure(), ["none", long]), row_axis(Figure(), [long, *map(str, range(12))])
    short, cut = (label.get_text() for label in few.get_yticklabels())
    assert short == "none"
    assert cut.splitlines() == ["optimiser=adamw, learning", "rate=0.0003, weight …"]
    assert many.get_yticklabels()[0].get_text() == "optimiser=adamw, learning …"
    alike = row_axis(Figure(), [f"{long} {i}" for i in range(2)])
    assert [label.get_text() for label in alike.get_yticklabels()] == [f"{long} 0", f"{long} 1"], (
        "else nobody could tell them apart"
    )


def test_a_figures_ids_are_numbered_so_that_every_processor_writes_the_same():
    figure = Figure()
    axis = figure.add_subplot()
    axis.plot([1, 2, 3], [1, 4, 2], marker="o")
    axis.scatter([1, 2], [2, 3], s=[10, 20])
    text = svg.svg(figure)
    ids = re.findall(r'id="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:url\(#|href="#)([^")]+)', text)) <= set(ids)
    assert not re.search(r"[0-9a-f]{10}", text)


def test_text_is_measured_by_the_fonts_that_come_with_matplotlib():
    """Another edition of the same font, as Debian has it, is as wide elsewhere: verify would find other figures."""
    with style():
        fonts = {Path(font_manager.findfont(font_manager.FontProperties(weight=weight))) for weight in ("normal", "bold")}
    assert fonts == {Path(mpl.get_data_path(), "fonts", "ttf", name) for name in ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf")}
