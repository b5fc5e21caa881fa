"""Which images: the hardest as pictures over who gets them wrong, and which classes are taken for which."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from regstudy.console.terminal import plural

from .looks import COLOURS, GREY, Look
from .style import FULL, INK, NARROW, SMALL, WIDE, new_figure, of, row_height, shortened

ACROSS, ACROSS_NARROW = 15, 5
"""Pictures beside each other."""

ONE_LINE, CLASS = 6, 9
"""Characters of two classes on one line beneath a picture, and of a class on its own."""

LINE, LINE_NARROW = 0.29, 0.2
"""The height of a line there, in pictures."""


@dataclass(frozen=True)
class Picture:
    """An image that is shown: its number in the test set, its actual label in words and what it is taken for, its pixels (rows, columns[, 3]), 0 to 255."""

    index: int
    label: str
    answer: str
    pixels: np.ndarray

    @property
    def short(self) -> bool:
        """Whether both classes stand on one line."""
        return len(self.label) + len(self.answer) <= ONE_LINE

    def told(self, *, short: bool) -> str:
        """What stands beneath it."""
        classes = f"{self.label}→{self.answer}" if short else f"{self.label[:CLASS]}\n→{self.answer[: CLASS - 1]}"
        return f"{classes}\n{self.index}"


def hardest(
    counts: pd.DataFrame,
    seeds: Mapping[str, int],
    pictures: Sequence[Picture],
    look: Mapping[str, Look],
    *,
    title: str,
    subtitle: str,
    narrow: bool = False,
) -> Figure:
    """Pictures, hardest first, and beneath each in how many of a configuration's seeds it is wrong, as a number and as a shade.

    `counts`: a row per image, a column per configuration; `seeds`: how many runs each has.
    """
    names = [name for name in look if name in counts]
    across = ACROSS_NARROW if narrow else ACROSS
    bands = [pictures[start : start + across] for start in range(0, len(pictures), across)]
    short = all(picture.short for picture in pictures)
    words = (2 if short else 3) * (LINE_NARROW if narrow else LINE) + 0.06
    rows = [1.0, words, *([0.56 if narrow else 0.36] * len(names))]
    unit = 0.8 if narrow else 0.56
    figure = new_figure(NARROW if narrow else FULL, len(bands) * (unit * sum(rows) + 0.1), title, subtitle)
    axes = figure.subplots(len(bands), 1, squeeze=False)
    for axis, band in zip(axes.flat, bands, strict=True):
        _band(axis, band, counts, seeds, names, look, across, words, short=short, narrow=narrow)
    return figure


def confusions(table: pd.DataFrame, errors: int, *, title: str, subtitle: str, narrow: bool = False) -> Figure:
    """Which class is taken for which, the most frequent first; columns pair (in words), errors, images."""
    names = [str(pair) for pair in table["pair"]]
    figure = new_figure(NARROW if narrow else WIDE, 0.45 + 0.75 * row_height(len(names)) * len(names), title, subtitle)
    axis = figure.add_subplot()
    axis.set_facecolor("none")
    counts = table["errors"].to_numpy(float)
    axis.barh(range(len(names)), counts, color=COLOURS[1], height=0.62)
    for row, (count, images) in enumerate(zip(counts, table["images"], strict=True)):
        told = f"{count:,.0f} ({count / errors:.0%}), {plural(int(images), 'image')}"
        axis.annotate(told, (count, row), (4, 0), textcoords="offset points", va="center", fontsize=SMALL)
    axis.set_yticks(range(len(names)), names, fontweight="bold")
    axis.set_ylim(len(names) - 0.4, -0.6)
    axis.set_xlim(0, counts.max() * (2.0 if narrow else 1.3))
    axis.locator_params(axis="x", nbins=5, integer=True)
    axis.grid(visible=False, axis="y")
    axis.tick_params(axis="y", length=0)
    axis.set_xlabel("errors")
    return figure


def _band(
    axis: Axes,
    band: Sequence[Picture],
    counts: pd.DataFrame,
    seeds: Mapping[str, int],
    names: Sequence[str],
    look: Mapping[str, Look],
    across: int,
    words: float,
    *,
    short: bool,
    narrow: bool,
) -> None:
    """One row of pictures, and the cells beneath them: a picture is 1 high and 1 wide, what is said of it `words` high."""
    step, top = 0.56 if narrow else 0.36, 1 + words
    axis.set_axis_off()
    axis.set_aspect("equal", adjustable="box", anchor="W" if narrow else "E")
    for column, picture in enumerate(band):
        drawn = axis.imshow(
            picture.pixels,
            cmap="gray",
            vmin=0,
            vmax=255,
            extent=(column + 0.06, column + 0.94, 0.94, 0.06),
            interpolation="none",
            aspect="equal",
        )
        drawn.set_url(f"#image-{picture.index}")
        told = picture.told(short=short)
        axis.text(column + 0.5, 1.0, told, ha="center", va="top", fontsize=SMALL, color=GREY, linespacing=1.15)
    axis.set_xlim(0, across)
    axis.set_ylim(top + step * len(names), 0)
    for row, name in enumerate(names):
        _cells(axis, top + step * row, band, counts[name], seeds[name], look[name], name, narrow=narrow)


def _cells(
    axis: Axes,
    top: float,
    band: Sequence[Picture],
    counts: "pd.Series[int]",
    seeds: int,
    look: Look,
    name: str,
    *,
    narrow: bool,
) -> None:
    """A configuration's row: its name left of it, or above it; a count per picture, shaded by its share of the seeds."""
    if narrow:
        label = axis.text(0.06, top + 0.02, shortened(name, 1, 44), va="top", fontsize=SMALL)
        low, high = top + 0.26, top + 0.54
    else:
        label = axis.text(-0.1, top + 0.18, shortened(name, 1, 26), ha="right", va="center", fontsize=SMALL)
        low, high = top + 0.02, top + 0.34
    label.set(color=look.colour, fontweight="bold")
    of(label, name)
    for column, picture in enumerate(band):
        count = int(counts[picture.index])
        axis.fill_between(
            [column + 0.06, column + 0.94], low, high, color=GREY, alpha=0.06 + 0.34 * count / max(seeds, 1), linewidth=0
        )
        weight = "bold" if count == seeds else "normal"
        axis.text(
            column + 0.5, (low + high) / 2, str(count), ha="center", va="center", fontsize=SMALL, color=INK, fontweight=weight
        )
