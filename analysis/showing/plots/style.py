"""The house style: one colour per configuration, everywhere the same, and distinguishable in grey."""

import math
import textwrap
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import font_manager, ft2font
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter

GREY = "#6e6e6e"
OKABE_ITO = ("#0072B2", "#D55E00", "#CC79A7", "#009E73", "#E69F00", "#56B4E9")
DASHES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
INK = "#222222"
TOGETHER = 6
"""Configurations up to which one panel holds all lines."""

NARROW = 4.7
"""Inches of a figure for small screens."""

CHARACTER = 0.072
"""Inches of a subtitle's character."""

NAME_CHARACTERS, WHOLE = 32, 48
"""Characters of a name in a line beside a figure's row; and elsewhere, where only a name that is far too long is broken or cut."""

BESIDE_NARROW = 28
"""Characters of a name beside a line of a figure for small screens."""

TWO_LINES = 0.4
"""Inches of a row that hold two lines of its name."""

COLUMNS = 4
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

    def shown(self, values: Any) -> Any:
        """Values as they are drawn: accuracies as counts of wrong test images."""
        return (1 - values) * self.test_images if self.test_images else values


@dataclass(frozen=True)
class Look:
    """How a configuration is drawn, everywhere; line style and marker tell it apart in grey print."""

    colour: str
    dash: str
    marker: str


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


def looks(configurations: Sequence[str]) -> dict[str, Look]:
    """One look per configuration; 'none' is grey."""
    others = [name for name in configurations if name != "none"]
    chosen = {
        name: Look(OKABE_ITO[i % len(OKABE_ITO)], DASHES[i % len(DASHES)], MARKERS[1 + i % (len(MARKERS) - 1)])
        for i, name in enumerate(others)
    }
    return {name: chosen.get(name, Look(GREY, "-", "o")) for name in configurations}


def new_figure(width: float, height: float, title: str, subtitle: str) -> Figure:
    """A figure of so many inches with title and subtitle at its upper left; the layout keeps clear of both."""
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="none")
    subtitle = textwrap.fill(subtitle, int(width / CHARACTER))
    lines = subtitle.count("\n") + 1
    top = (0.42 + 0.17 * lines) if title else 0.0
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.set(rect=(0, 0, 1, 1 - top / height))  # pyright: ignore[reportCallIssue]  # of the constrained engine
    if title:
        figure.text(0.004, 1 - 0.04 / height, title, ha="left", va="top", fontsize=13, fontweight="bold")
        figure.text(0.004, 1 - 0.32 / height, subtitle, ha="left", va="top", fontsize=9.5, linespacing=1.3)
    return figure


def row_axis(figure: Figure, names: Sequence[str]) -> Axes:
    """Axes with a row per name, the first on top."""
    axis = figure.add_subplot()
    axis.set_facecolor("none")
    lines = 2 if row_height(len(names)) >= TWO_LINES else 1
    short = [shortened(name, lines) for name in names]
    axis.set_yticks(range(len(names)), short if len(set(short)) == len(names) else names)
    axis.set_ylim(len(names) - 0.4, -0.6)
    axis.grid(visible=False, axis="y")
    axis.tick_params(axis="y", length=0)
    return axis


def shortened(name: str, lines: int, characters: int = NAME_CHARACTERS) -> str:
    """A name that leaves its figure room: broken into so many lines, and cut where these do not hold it. Tables hold it whole."""
    return "\n".join(textwrap.wrap(name, characters, max_lines=lines, placeholder=" …")) or name


def new_panels(names: Sequence[str], look: dict[str, Look], title: str, subtitle: str) -> tuple[Figure, list[Axes]]:
    """A figure with a small panel per configuration, all on the same axes."""
    rows = math.ceil(len(names) / COLUMNS)
    figure = new_figure(8.0, 1.0 + 1.5 * rows, title, subtitle)
    axes = list(figure.subplots(rows, COLUMNS, sharex=True, sharey=True, squeeze=False).flat)
    for axis, name in zip(axes, names, strict=False):
        axis.set_title(shortened(name, 2, WHOLE), fontsize=8.5, color=look[name].colour, fontweight="bold")
        axis.set_facecolor("none")
    for axis in axes[len(names) :]:
        axis.set_axis_off()
    return figure, axes[: len(names)]


def second_axis(axis: Axes, quantity: Quantity, where: str) -> None:
    """Beside an axis of wrong test images, one of percent right."""
    n = quantity.test_images
    if not n:
        return

    def percent(wrong: Any) -> Any:
        return 100 - 100 * wrong / n

    def wrong(percentage: Any) -> Any:
        return (100 - percentage) / 100 * n

    if where == "top":
        other = axis.secondary_xaxis("top", functions=(percent, wrong))
        other.set_xlabel(f"{quantity.name} (%)")
        other.xaxis.set_major_formatter(ScalarFormatter(useOffset=False))
    else:
        other = axis.secondary_yaxis("right", functions=(percent, wrong))
        other.set_ylabel(f"{quantity.name} (%)")
        other.yaxis.set_major_formatter(ScalarFormatter(useOffset=False))


def row_height(rows: int) -> float:
    """Inches of a row: less, the more there are."""
    return 0.42 if rows <= 12 else 0.26


def seeds_thinly(axis: Axes, own: pd.DataFrame, across: str, up: str, colour: str) -> None:
    """A thin, pale line per seed of sorted rows, drawn as one with gaps: hundreds of lines would take most of a report's time."""
    if own["seed"].nunique() < 2:
        return
    gap = pd.DataFrame({across: [np.nan], up: [np.nan]})
    parts = [part for _, seed in own.groupby("seed") for part in (seed[[across, up]], gap)]
    lines = pd.concat(parts, ignore_index=True)
    axis.plot(lines[across], lines[up], color=colour, linewidth=0.7, alpha=0.35)
