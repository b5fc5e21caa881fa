"""Finished tables to figures: one colour per configuration, lines labelled directly. No statistics, no pyplot state, no files."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from regstudy.schema import CLASS_NAMES, Metric

GREY = "#6e6e6e"
OKABE_ITO = ("#0072B2", "#D55E00", "#CC79A7", "#009E73", "#E69F00", "#56B4E9")
DASHES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
INK = "#222222"
STYLE: dict[Any, Any] = {
    "axes.edgecolor": INK,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "font.family": "sans-serif",
    "font.size": 10.0,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "regstudy",
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}
SHEET_SIDE, CELL_WIDTH, CELL_HEIGHT = 5, 34, 40
"""Images in a row and in a column of a contact sheet; pixels of each one's cell, its words included."""

ZOOM_FROM = 6
"""Curves of at least so many epochs are zoomed: their first epochs would flatten all that matters."""

LABEL_GAP = 0.055
"""Least distance of two line labels, as a fraction of the axis."""


@dataclass(frozen=True)
class Look:
    """How a configuration is drawn, everywhere; line style and marker tell it apart in grey print."""

    colour: str
    dash: str
    marker: str


@contextmanager
def style() -> Iterator[None]:
    """Draw and save in the house style, the same bytes each time."""
    with mpl.rc_context(STYLE):
        yield


def looks(configurations: Sequence[str]) -> dict[str, Look]:
    """One look per configuration; 'none' is grey."""
    others = [name for name in configurations if name != "none"]
    chosen = {
        name: Look(OKABE_ITO[i % len(OKABE_ITO)], DASHES[i % len(DASHES)], MARKERS[1 + i % (len(MARKERS) - 1)])
        for i, name in enumerate(others)
    }
    return {name: chosen.get(name, Look(GREY, "-", "o")) for name in configurations}


def accuracy_curves(epochs: pd.DataFrame, look: dict[str, Look], test_images: int) -> Figure:
    """Test accuracy over epochs, with a second axis in wrong test images."""
    figure, axis = _figure("Test accuracy", _in_words(epochs) + "; the published study calls it validation accuracy")
    points = epochs.assign(**{Metric.TEST_ACCURACY.value: epochs[Metric.TEST_ACCURACY.value] * 100})
    _curves(axis, points, Metric.TEST_ACCURACY.value, look, label_offset=46)
    axis.set_ylabel("accuracy (%)")
    to_wrong, to_percent = _conversions(test_images)
    right = axis.secondary_yaxis("right", functions=(to_wrong, to_percent))
    right.set_ylabel(f"wrong of {test_images:,} test images")
    right.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    return figure


def loss_curves(epochs: pd.DataFrame, look: dict[str, Look], metric: Metric) -> Figure:
    """Test or train loss over epochs."""
    title, where = {
        Metric.TEST_LOSS: ("Test loss", "test images"),
        Metric.TRAIN_LOSS: ("Train loss", "epoch mean without penalties, in training mode"),
    }[metric]
    figure, axis = _figure(title, f"{where}; {_in_words(epochs)}")
    _curves(axis, epochs, metric.value, look, label_offset=6)
    axis.set_ylabel("negative log-likelihood (nats)")
    return figure


def ranking_dots(runs: pd.DataFrame, order: Sequence[str], look: dict[str, Look]) -> Figure:
    """Every seed a dot, the mean a bar; configurations as rows, best mean on top."""
    n = int(runs["test_images"].iloc[0])
    figure = Figure(figsize=(8.0, 1.7 + 0.42 * len(order)), layout="constrained")
    axis = figure.add_subplot()
    for row, name in enumerate(order):
        wrong = (1 - runs.loc[runs["configuration"] == name, "accuracy"]) * n
        axis.plot(
            wrong, [row] * len(wrong), look[name].marker, color=look[name].colour, markersize=7, alpha=0.75, clip_on=False
        )
        axis.plot([wrong.mean()] * 2, [row - 0.3, row + 0.3], color=look[name].colour, linewidth=2)
    axis.set_yticks(range(len(order)), order)
    axis.set_ylim(len(order) - 0.4, -0.6)
    axis.grid(visible=False, axis="y")
    axis.set_xlabel(f"wrong of {n:,} test images, mean of the last epochs (fewer is better)")
    to_wrong, to_percent = _conversions(n)
    top = axis.secondary_xaxis("top", functions=(to_percent, to_wrong))
    top.xaxis.set_major_formatter("{x:.2f}")
    top.set_xlabel("accuracy (%)")
    return figure


def contact_sheet(wrong: pd.DataFrame, names: Sequence[str], title: str) -> Figure:
    """The 25 most confident errors, or as many as there are; one row per error, in that order, with its 784 pixels as bytes."""
    shown = wrong.head(SHEET_SIDE**2).to_dict("records")
    sheet = np.zeros((SHEET_SIDE * CELL_HEIGHT, SHEET_SIDE * CELL_WIDTH), np.uint8)
    figure = Figure(figsize=(6.4, 8.0))
    axis = figure.add_axes((0.02, 0.01, 0.96, 0.9))
    axis.set_axis_off()
    for place, row in enumerate(shown):
        top, left = place // SHEET_SIDE * CELL_HEIGHT, place % SHEET_SIDE * CELL_WIDTH + (CELL_WIDTH - 28) // 2
        sheet[top : top + 28, left : left + 28] = np.frombuffer(row["pixels"], np.uint8).reshape(28, 28)
        line = "\n" if max(map(len, names)) > 1 else " "  # names of two garments do not fit beside each other
        words = f"{names[int(row['label'])]}{line}→ {names[int(row['predicted'])]}  {row['predicted_probability']:.0%}"
        axis.text(left + 13.5, top + 29, words, ha="center", va="top", fontsize=10)
    axis.imshow(sheet, cmap="gray_r", vmin=0, vmax=255, interpolation="nearest", aspect="equal")
    total = len(wrong)
    counted = f"the {len(shown)} most confident of {total} errors" if total > len(shown) else f"all {total} errors there are"
    figure.suptitle(f"{title}\nactual → predicted, probability: {counted}", fontsize=11, y=0.985)
    return figure


def class_names(dataset: str) -> tuple[str, ...]:
    """What the ten labels stand for."""
    return CLASS_NAMES.get(dataset, tuple("0123456789"))


def _conversions(n: int) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """Percent right to images wrong out of n, and back."""
    return (lambda percent: (100 - percent) / 100 * n), (lambda wrong: 100 - 100 * wrong / n)


def _figure(title: str, subtitle: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(8.0, 4.2), layout="constrained")
    axis = figure.add_subplot()
    axis.set_title(f"{title}\n", fontsize=13, fontweight="bold")
    # Outside the layout: a long line must not squeeze the axes.
    axis.text(0, 1.03, subtitle, transform=axis.transAxes, fontsize=9.5).set_in_layout(False)
    axis.set_xlabel("epoch (counted from 0)")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure, axis


def _in_words(epochs: pd.DataFrame) -> str:
    """What the lines are."""
    most = int(epochs.groupby("configuration")["seed"].nunique().max())
    return "one seed per configuration" if most == 1 else f"thin: single seeds (up to {most}), bold: their median"


def _curves(axis: Axes, epochs: pd.DataFrame, metric: str, look: dict[str, Look], label_offset: float) -> None:
    ends: dict[str, float] = {}
    for name, points in epochs.groupby("configuration", sort=False):
        appearance = look[str(name)]
        by_epoch = points.groupby("epoch")[metric].median()
        marker = appearance.marker if len(by_epoch) <= 10 else ""
        if len(set(points["seed"])) > 1:
            for _, single in points.sort_values("epoch").groupby("run_id"):
                axis.plot(single["epoch"], single[metric], color=appearance.colour, linewidth=0.7, alpha=0.35)
        axis.plot(by_epoch.index, by_epoch, color=appearance.colour, linestyle=appearance.dash, marker=marker, markersize=5)
        ends[str(name)] = float(by_epoch.iloc[-1])
    if epochs["epoch"].max() == 0:
        axis.set_xlim(-0.5, 0.5)
        axis.set_xticks([0])
    _zoom(axis, epochs, metric)
    _label_ends(axis, ends, look, label_offset)


def _zoom(axis: Axes, epochs: pd.DataFrame, metric: str) -> None:
    """Limit the axis to what follows the first eighth of the epochs; the last epochs are always in view."""
    last = int(epochs["epoch"].max())
    if last + 1 < ZOOM_FROM:
        return
    late = epochs.loc[epochs["epoch"] > last // 8, metric]
    if late.isna().all():
        return
    margin = 0.06 * (late.max() - late.min() or abs(late.max()) or 1)
    axis.set_ylim(late.min() - margin, late.max() + margin)
    axis.set_xlabel("epoch (counted from 0); vertical axis zoomed to the later epochs")


def _label_ends(axis: Axes, ends: dict[str, float], look: dict[str, Look], offset: float) -> None:
    """Write each name beside the end of its line, moved apart where lines end together; a line without an end is said to have none."""
    low, high = axis.get_ylim()
    height = {name: (end - low) / (high - low) if np.isfinite(end) else 0.0 for name, end in ends.items()}
    names = sorted(height, key=lambda name: height[name])
    wanted = np.array([height[name] for name in names])
    for name, placed in zip(names, spread(wanted, LABEL_GAP), strict=True):
        axis.annotate(
            name if np.isfinite(ends[name]) else f"{name} (diverged)",
            (1, placed),
            xycoords="axes fraction",
            xytext=(offset, 0),
            textcoords="offset points",
            va="center",
            color=look[name].colour,
            fontweight="bold",
            annotation_clip=False,
        )


def spread(wanted: np.ndarray, gap: float) -> np.ndarray:
    """Ascending positions at least `gap` apart, near the wanted ones, which are ascending too; both of shape (n,)."""
    steps = np.arange(len(wanted)) * gap
    # After subtracting the steps, 'at least a gap apart' is 'not descending': pool neighbours that violate it, as in isotonic regression.
    groups: list[list[float]] = []
    for value in wanted - steps:
        groups.append([value])
        while len(groups) > 1 and np.mean(groups[-2]) > np.mean(groups[-1]):
            groups[-2:] = [groups[-2] + groups[-1]]
    return np.concatenate([np.full(len(group), np.mean(group)) for group in groups]) + steps
