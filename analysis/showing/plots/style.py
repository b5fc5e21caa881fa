"""The house style: one colour per configuration, everywhere the same, and distinguishable in grey."""

import math
import textwrap
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import font_manager, ft2font
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .looks import Look

INK = "#222222"
TOGETHER = 6
"""Configurations up to which one panel holds all lines."""

NARROW, WIDE, FULL = 4.5, 8.0, 11.0
"""Inches of a figure for small screens, of one that has its caption beside it, and of one as wide as the page."""

CHARACTER, TITLE_CHARACTER = 0.0076, 0.0086
"""Inches of a character in a subtitle and in a title, for each point of its size."""

SMALL = 10.0
"""Points of the smallest text: 11 pixels in a narrow figure on a screen of 400, and in a full one on the smallest that shows it."""

MOST_LINES = 20
"""Seeds of a configuration that are drawn as lines: more cannot be told apart."""

OF = "of-"
"""How the group of what is drawn of a configuration begins in the SVG, before it is an attribute."""

TITLE = "title-"
"""How the group of a figure's title begins in the SVG, before the points that it takes at the top: a page whose heading says it leaves it out."""

NAME_CHARACTERS, WHOLE = 32, 48
"""Characters of a name in a line beside a figure's row; and elsewhere, where only a name that is far too long is broken or cut."""

TWO_LINES = 0.33
"""Inches of a row that hold two lines of its name."""

COLUMNS = 6
STYLE: dict[Any, Any] = {
    "axes.edgecolor": INK,
    "axes.grid": True,
    "text.parse_math": False,  # a name may hold dollar signs
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana"],
    "font.size": 10.0,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "regstudy",
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


@dataclass(frozen=True)
class Quantity:
    """What an axis shows: a per-run number, its unit, which way is better, along which steps; an accuracy also says of how many test images."""

    name: str
    unit: str = ""
    test_images: int | None = None
    better: str = "higher"
    over: str = "epoch (counted from 0)"

    @property
    def step(self) -> str:
        """What it goes along, as a noun."""
        return self.over.partition(" ")[0]

    @property
    def label(self) -> str:
        """The axis' label: accuracies as wrong test images, all others in their unit."""
        if self.test_images:
            return f"wrong of {self.test_images:,} test images (fewer is better)"
        unit = f", {self.unit}" if self.unit else ""
        return f"{self.name}{unit} ({self.better} is better)"

    @property
    def short(self) -> str:
        """The label where there is little room."""
        return f"wrong of {self.test_images:,} test images" if self.test_images else self.unit or self.name

    @property
    def shortest(self) -> str:
        """The label beside small panels, whose title says more."""
        return "wrong images" if self.test_images else self.short

    def shown(self, values: Any) -> Any:
        """Values as they are drawn: accuracies as counts of wrong test images."""
        return (1 - values) * self.test_images if self.test_images else values


@contextmanager
def style() -> Iterator[None]:
    """Draw and save in the house style, the same bytes each time; what fonts lack is left to whoever shows the SVG, and no library's warning."""
    _prefer_fonts_that_come_with_matplotlib()
    with mpl.rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        yield


@cache
def _prefer_fonts_that_come_with_matplotlib() -> None:
    """A system may have another edition of the same font, in which text is as wide as it is not here: the report's files would differ."""
    folder = Path(mpl.get_data_path(), "fonts", "ttf")
    # Of equals matplotlib lists one, and takes the first that is listed; adding any forgets what was found before.
    for font in sorted(folder.glob("DejaVuSans*.ttf")):
        font_manager.fontManager.addfont(font)
    font_manager.fontManager.ttflist.sort(key=lambda font: not Path(font.fname).is_relative_to(folder))


def drawn_with() -> str:
    """What decides where in a figure everything is, to the pixel."""
    return f"matplotlib {mpl.__version__}, FreeType {ft2font.__freetype_version__}"


def new_figure(width: float, height: float, title: str, subtitle: str) -> Figure:
    """A figure of so many inches below title and subtitle at its upper left; the layout keeps clear of both."""
    narrow = width <= NARROW
    title_size, size = (12 if narrow else 13, SMALL)
    title = textwrap.fill(title, int(width / (title_size * TITLE_CHARACTER)))
    subtitle = textwrap.fill(subtitle, int(width / (size * CHARACTER)))
    upper = (title_size / 72 * 1.25 * (title.count("\n") + 1) + 0.08) if title else 0.0
    top = upper + (size / 72 * 1.35 * (subtitle.count("\n") + 1) + 0.06 if subtitle else 0.0)
    figure = Figure(figsize=(width, height + top), layout="constrained", facecolor="none")
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.set(rect=(0, 0, 1, height / (height + top)))  # pyright: ignore[reportCallIssue]  # of the constrained engine
    whole = height + top
    if title:
        said = figure.text(0.004, 1 - 0.04 / whole, title, ha="left", va="top", fontsize=title_size, fontweight="bold")
        said.set_gid(f"{TITLE}{72 * upper:.1f}")
    if subtitle:
        figure.text(0.004, 1 - upper / whole, subtitle, ha="left", va="top", fontsize=size, linespacing=1.25)
    return figure


def row_axis(figure: Figure, names: Sequence[str], look: Mapping[str, Look] | None = None) -> Axes:
    """Axes with a row per name, the first on top; in a narrow figure names stand above their rows."""
    axis = figure.add_subplot()
    axis.set_facecolor("none")
    axis.grid(visible=False, axis="y")
    axis.tick_params(axis="y", length=0)
    axis.set_ylim(len(names) - 0.4, -0.6)
    if figure.get_figwidth() <= NARROW:
        axis.set_yticks([])
        axis.spines["left"].set_visible(False)
        where = axis.get_yaxis_transform()
        labels = [
            axis.text(0, row - 0.56, shortened(name, 1, WHOLE), transform=where, va="top") for row, name in enumerate(names)
        ]
    else:
        lines = 2 if row_height(len(names)) >= TWO_LINES else 1
        short = [shortened(name, lines) for name in names]
        axis.set_yticks(range(len(names)), short if len(set(short)) == len(names) else names)
        labels = axis.get_yticklabels()
        for label in labels:
            label.set_linespacing(0.95)
    for label, name in zip(labels, names, strict=True):
        if look is not None and name in look:
            label.set(color=look[name].colour, fontweight="bold")
            of(label, name)
    return axis


def of(artist: Artist, name: str) -> None:
    """Mark what is drawn of a configuration, so that a page can find it: `svg` makes an attribute of it."""
    artist.set_gid(f"{OF}{name.encode().hex()}")


def shortened(name: str, lines: int, characters: int = NAME_CHARACTERS) -> str:
    """A name that leaves its figure room: broken into so many lines, and cut where these do not hold it. Tables hold it whole."""
    return "\n".join(textwrap.wrap(name, characters, max_lines=lines, placeholder=" …")) or name


def new_panels(
    names: Sequence[str], look: Mapping[str, Look], title: str, subtitle: str, *, narrow: bool = False
) -> tuple[Figure, list[Axes]]:
    """A figure with a small panel per configuration, all on the same axes."""
    most = 2 if narrow else COLUMNS
    columns = math.ceil(len(names) / math.ceil(len(names) / most))  # rows of about equal length
    rows = math.ceil(len(names) / columns)
    height = 1.75 if narrow else 1.9 if rows == 1 else 1.6
    figure = new_figure(NARROW if narrow else FULL, 0.3 + height * rows, title, subtitle)
    axes = list(figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat)
    characters = int(figure.get_figwidth() / columns / 0.105) - 3
    for place, (axis, name) in enumerate(zip(axes, names, strict=False)):
        # Where matplotlib looks for room for titles and for labels that are empty, it takes much of a figure's time; ticks leave room but above the first column's, where a multiplier may stand.
        label = axis.set_title(
            shortened(name, 2, characters),
            fontsize=SMALL,
            color=look[name].colour,
            fontweight="bold",
            y=1.0 if place % columns else None,
        )
        of(label, name)
        axis.xaxis.set_label_coords(0.5, 0)
        axis.yaxis.set_label_coords(0, 0.5)
        axis.set_facecolor("none")
    for axis in axes[len(names) :]:
        axis.set_axis_off()
    return figure, axes[: len(names)]


def row_height(rows: int, *, narrow: bool = False) -> float:
    """Inches of a row: less, the more there are; in a narrow figure, with its name above."""
    if narrow:
        return 0.56
    return 0.34 if rows <= 12 else 0.26


def seeds_thinly(axis: Axes, own: pd.DataFrame, across: str, up: str, colour: str) -> list[Line2D]:
    """A thin, pale line per seed of sorted rows, of some seeds where there are many, drawn as one with gaps: hundreds of lines would take most of a report's time."""
    if own["seed"].nunique() < 2:
        return []
    seeds = own["seed"].factorize(sort=True)[0]
    step = math.ceil((seeds.max() + 1) / MOST_LINES)
    order = [place for place in np.argsort(seeds, kind="stable") if seeds[place] % step == 0]
    gaps = np.flatnonzero(np.diff(seeds[order])) + 1
    xs, ys = (np.insert(own[column].to_numpy(float)[order], gaps, np.nan) for column in (across, up))
    return axis.plot(xs, ys, color=colour, linewidth=0.7, alpha=0.4)


def seeds_as_band(axis: Axes, own: pd.DataFrame, across: str, up: str, colour: str) -> None:
    """From the lowest seed to the highest: where there is too little room for lines."""
    if len(own["seed"].unique()) > 1:
        ends = own.groupby(across)[up].agg(["min", "max"])
        axis.fill_between(ends.index.to_numpy(float), ends["min"], ends["max"], color=colour, alpha=0.25, linewidth=0)
