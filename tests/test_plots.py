"""Figures draw the numbers they were given, each configuration in its own look, and nothing leaves the figure."""

import itertools
import re
import warnings
from dataclasses import replace
from importlib import resources
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from analysis.judging import findings
from analysis.reading import foreign
from analysis.showing import figures, grids, plots, svg
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


TITLED = {"title": "Title", "subtitle": "subtitle"}


def curves(data, names=NAMES, quantity=ACCURACY, reference="none", narrow=False):
    return plots.curves(data, plots.looks(names), quantity=quantity, reference=reference, narrow=narrow, **TITLED)


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
    labels = [
        text
        for axis in figure.axes
        for text in (*axis.texts, *(axis.get_yticklabels() if axis.axison else ()), axis.xaxis.label, axis.title)
    ]
    for text in [*figure.texts, *labels]:
        if text.get_text().strip():
            extent = text.get_window_extent(canvas.get_renderer())
            assert extent.x0 >= -1, text.get_text()
            assert extent.x1 <= figure.bbox.x1 + 1, text.get_text()


def test_curves_are_the_data_as_wrong_images_a_panel_each_with_the_references_median_in_grey():
    data = curves_of()
    figure = curves(data)
    assert [axis.get_title(loc="left") for axis in figure.axes] == NAMES
    expected = {name: 1_000 * (1 - data.loc[data["configuration"] == name, "value"]) for name in NAMES}
    (own,), (ghost, other) = (axis.lines for axis in figure.axes)
    assert own.get_ydata() == pytest.approx(expected["none"].tolist())
    assert ghost.get_ydata() == pytest.approx(expected["none"].tolist())
    assert ghost.get_color() == plots.GREY
    assert other.get_ydata() == pytest.approx(expected["L1 0.001"].tolist())
    assert [text.get_text() for text in figure.axes[1].texts] == ["none"], "the name is beside the line"
    assert figure.get_supylabel() == "wrong images", "what is worse is higher"


def test_seeds_are_thin_lines_and_their_median_bold():
    axis = curves(curves_of(n=8, seeds=3), quantity=LOSS).axes[0]
    assert sorted(line.get_linewidth() for line in axis.lines) == pytest.approx([0.7, 2])
    thin = next(line for line in axis.lines if line.get_linewidth() < 1)
    assert np.isnan(np.asarray(thin.get_ydata(), dtype=float)).sum() == 2, "a gap between seeds"


def test_many_configurations_get_a_panel_each():
    look = plots.looks([f"L1 {i}" for i in range(9)])
    table = pd.DataFrame(
        [(name, seed, threshold, threshold) for name in look for seed in (0, 1) for threshold in (0.001, 0.01, 0.1)],
        columns=["configuration", "seed", "threshold", "share"],
    )
    figure = plots.sparsity(table, look, **TITLED)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_inside(figure)
    assert [axis.get_title(loc="left") for axis in figure.axes if axis.axison] == list(look)


def test_labels_of_many_values_do_not_run_into_each_other():
    values = np.arange(50) / 10_000
    summary = pd.DataFrame({"value": values, "mean": 0.99, "low": 0.98, "high": 1.0})
    scores = pd.DataFrame({"value": values, "seed": 0, "score": 0.99})
    axis = plots.response(scores, summary, factor="L1", quantity=ACCURACY, **TITLED).axes[0]
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


@pytest.mark.slow
@pytest.mark.parametrize("narrow", [False, True])
def test_no_panel_holds_more_than_one_configuration_and_the_reference(narrow):
    names = [LONG.format(i) for i in range(40)]
    figure = curves(curves_of(names, n=2, seeds=2), names, reference=names[0], narrow=narrow)
    drawn = [axis for axis in figure.axes if axis.axison]
    assert [axis.get_title(loc="left").replace("\n", " ")[:12] for axis in drawn] == [name[:12] for name in names]
    assert max(len(axis.lines) for axis in drawn) <= 3
    assert_inside(figure)


def test_a_diverged_line_is_said_to_be():
    data = curves_of()
    data.loc[(data["configuration"] == "none") & (data["epoch"] == 2), "value"] = np.nan
    assert curves(data).axes[0].get_title(loc="left") == "none (diverged)"


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


@pytest.mark.slow
@pytest.mark.parametrize("n", [1, 4, 60])
def test_long_names_stay_inside(n):
    names = [LONG.format(i) for i in range(n)]
    scores = seeds_of(names)
    assert_inside(opening(names, scores))
    assert_inside(opening(names, scores, width=plots.NARROW))
    summary = summary_of(scores)
    for narrow in (False, True):
        assert_inside(plots.dots(scores, summary, plots.looks(names), **TITLED, label="x", narrow=narrow))


CONTRAST = {
    "claim": "c", "contrast": "a compared with b", "quantity": "test accuracy, points", "scale": "difference", "estimate": 0.02,
    "low": -0.04, "high": 0.08, "margin": 0.05, "apart": False, "answer": "8 Open: inconclusive", "told": "+0.02 (−0.04 to +0.08)",
}  # fmt: skip
RATIO = {"quantity": "roughness", "scale": "ratio", "estimate": 1.2, "low": 0.9, "high": 1.6, "margin": 0.8}


@pytest.mark.parametrize("narrow", [False, True])
def test_the_forest_shows_estimates_and_verdicts(narrow):
    ratio = CONTRAST | RATIO | {"answer": "1 No: refuted; 6 Yes: supported", "told": "× 1.2 (0.9 to 1.6)"}
    figure = plots.forest(pd.DataFrame([CONTRAST, CONTRAST | {"answer": ""}, ratio]), **TITLED, narrow=narrow)
    first, second = figure.axes
    assert [-0.04, 0.08] in [list(line.get_xdata()) for line in first.lines]
    told = [text.get_text() for text in first.texts if text.get_text() != "a compared with b"]
    verdict = "? claim 8" if narrow else "? claim 8: inconclusive"
    assert told == ["+0.02 (−0.04 to +0.08)", verdict, "+0.02 (−0.04 to +0.08)"], "the verdict stands once"
    assert second.get_xscale() == "log"
    assert [text.get_text() for text in second.texts[-2:]] == ["× 1.2 (0.9 to 1.6)", "✗ claim 1, ✓ claim 6"]
    assert_inside(figure)


@pytest.mark.parametrize(
    ("low", "high"), [(0.991, 1.004), (0.88, 1.18), (0.7, 1.9), (0.87, 3.2), (0.3, 7), (0.04, 30), (0.001, 900)]
)
def test_a_ratios_ticks_are_a_few_that_do_not_touch(low, high):
    row = CONTRAST | RATIO | {"estimate": 1, "low": low, "high": high, "margin": 0.95}
    figure = plots.forest(pd.DataFrame([row]), **TITLED)
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
    look = plots.looks(["a", "b"])
    axis = plots.contest(table, look, **TITLED).axes[0]
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
    figure = plots.response(scores, summary, factor="L1", quantity=ACCURACY, **TITLED)
    assert figure.axes[0].lines[0].get_ydata() == pytest.approx([100, 90, 80])
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["0", "0.001"]


def test_what_can_be_seen_marks_this_study():
    table = pd.DataFrame({"n": [2, 5, 10], "difference": [0.5, 0.1, 0.05]})
    axis = plots.detectable(table, (5, 0.1), unit="points", margin=0.05, block="seed", **TITLED).axes[0]
    told = " ".join(text.get_text() for text in axis.texts)
    assert "this study: 5 seeds: 0.1 points" in told
    assert "10 seeds would see it" in told


def test_sparsity_is_in_percent():
    table = pd.DataFrame({"configuration": "none", "seed": 0, "threshold": [0.01, 0.1], "share": [0.01, 0.2]})
    axis = plots.sparsity(table, plots.looks(["none"]), **TITLED).axes[0]
    assert axis.lines[0].get_ydata() == pytest.approx([1, 20])


def test_a_configuration_looks_the_same_whatever_stands_beside_it():
    names = ["none", "L1 0.001", "L2 0.0005", "L1 0.001 + L2 0.0005"]
    alone = {name: plots.looks([name])[name] for name in names}
    assert plots.looks([*reversed(names)]) == alone
    assert alone["none"].colour == plots.GREY
    many = plots.looks([*names, *(f"dropout {i / 10}" for i in range(9))])
    assert {name: many[name] for name in names} == alone
    assert many == plots.looks([*reversed(many)]), "their order decides nothing"


def test_looks_are_distinct_far_beyond_the_colours_that_there_are():
    few = plots.looks(["none", *(f"L1 {i}" for i in range(8))])
    assert len({look.colour for look in few.values()}) == 9
    for names in ([f"L1 {i}" for i in range(40)], [f"optimiser={i}, width={j}" for i in range(10) for j in range(10)]):
        look = plots.looks(names)
        assert len({(own.colour, own.marker, own.filled) for own in look.values()}) == len(names)


def contrast(one, other):
    """WCAG's ratio of two colours' luminances."""

    def luminance(colour):
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour]
        return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_names_and_marks_stand_out_on_light_and_on_dark_paper():
    css = resources.files("analysis.showing").joinpath("templates", "report.css").read_text(encoding="utf-8")
    light, dark = (to_rgb(colour) for colour in re.findall(r"--paper: (#[0-9a-f]{6})", css)[:2])
    for colour, on_dark in plots.SERIES.items():
        for ink, paper in ((to_rgb(colour), light), (to_rgb(on_dark), dark)):
            assert contrast(ink, paper) >= 4.5, colour
            mark = plots.DOT_ALPHA * np.array(ink) + (1 - plots.DOT_ALPHA) * np.array(paper)
            assert contrast(mark, paper) >= 3, colour


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12).map(sorted))
def test_labels_are_apart_and_in_order(wanted):
    placed = plots.spread(np.array(wanted), 0.05)
    assert len(placed) == len(wanted)
    assert (np.diff(placed) >= 0.05 - 1e-9).all()
    assert np.mean(placed) == pytest.approx(np.mean(wanted), abs=1e-9)


def test_labels_with_room_stay_where_they_are():
    assert plots.spread(np.array([0.1, 0.5, 0.9]), 0.05).tolist() == pytest.approx([0.1, 0.5, 0.9])


@pytest.mark.parametrize("narrow", [False, True])
def test_the_hardest_images_are_pictures_over_counts_of_wrong_runs(narrow):
    counts = pd.DataFrame({"none": [3, 0], "L1 0.001": [2, 1]}, index=pd.Index([7, 3], name="image"))
    pictures = [plots.Picture(image, str(image % 10), "5", np.zeros((28, 28), np.uint8)) for image in counts.index]
    figure = plots.hardest(counts, dict.fromkeys(NAMES, 3), pictures, plots.looks(NAMES), **TITLED, narrow=narrow)
    (axis,) = figure.axes
    assert [image.get_url() for image in axis.images] == ["#image-7", "#image-3"]
    assert [text.get_text() for text in axis.texts] == ["7→5\n7", "3→5\n3", "none", "3", "0", "L1 0.001", "2", "1"]
    bold = [text.get_text() for text in axis.texts if text.get_fontweight() == "bold"]
    assert bold == ["none", "3", "L1 0.001"], "wrong in all"
    assert_inside(figure)


def test_long_classes_stand_on_a_line_each():
    sandal = plots.Picture(12, "Ankle boot", "Sandal", np.zeros((28, 28), np.uint8))
    figure = plots.hardest(pd.DataFrame({"none": [1]}, index=[12]), {"none": 1}, [sandal], plots.looks(NAMES), **TITLED)
    assert figure.axes[0].texts[0].get_text() == "Ankle boo\n→Sandal\n12"
    assert_inside(figure)


@pytest.mark.parametrize("narrow", [False, True])
def test_confusions_are_bars_with_their_numbers(narrow):
    table = pd.DataFrame({"pair": ["9 → 4", "Sandal → Sneaker"], "errors": [30, 10], "images": [4, 1]})
    figure = plots.confusions(table, 80, **TITLED, narrow=narrow)
    axis = figure.axes[0]
    assert [bar.get_width() for bar in axis.patches] == [30, 10]
    assert [text.get_text() for text in axis.texts] == ["30 (38%), 4 images", "10 (12%), 1 image"]
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


def test_where_the_heading_says_it_a_figure_on_the_page_has_no_title_and_no_room_for_it():
    figure = plots.contest(pd.DataFrame({"configuration": ["a"], "share": [1.0]}), plots.looks(["a"]), **TITLED)
    whole = svg.svg(figure)
    with_title, without = (svg.inline(whole, "name", "alt", titled=titled) for titled in (True, False))
    assert ">Title<" in with_title
    assert ">Title<" not in without
    assert ">subtitle<" in without
    boxes = [tuple(map(float, re.search(r'viewBox="([^"]*)"', text)[1].split())) for text in (with_title, without)]
    (_, top, width, height), (_, below, same, less) = boxes
    assert (top, width) == (0, same)
    assert 15 < below < 30
    assert below + less == pytest.approx(height)


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


def test_of_many_configurations_twenty_are_drawn_with_the_reference_and_all_are_listed():
    draw = np.random.default_rng(0)
    scores = pd.DataFrame({f"c{place:02}": draw.normal(-place, 0.1, 4) for place in range(30)})
    found = replace(findings.find(foreign.of_scores(scores, higher_is_better=True, margin=None, plan=None)), reference="c29")
    assert figures.drawn_of(found) == [*(f"c{place:02}" for place in range(19)), "c29"]
    assert figures.of_all(found) == " 20 of 30 configurations are drawn: the first of the ranking, and c29, the reference."
    assert grids.listed(found) == len(grids.ranking(found).rows) == 30
    few = findings.find(foreign.of_scores(scores.iloc[:, :20], higher_is_better=True, margin=None, plan=None))
    assert len(figures.drawn_of(few)) == 20
    assert figures.of_all(few) == ""
