"""The first screen's figure: every run, and what each configuration differs by from the one that is compared with, with the verdict on its bar."""

import textwrap
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ...files.rows import rows
from .looks import GREY, Look
from .rows import DOT_ALPHA
from .style import INK, NAME_CHARACTERS, NARROW, SMALL, new_figure, shortened

SPREAD = 0.22
"""Rows between the highest and the lowest dot of a configuration: dots of equal value do not hide each other."""

TITLE, TITLE_NARROW = 48, 36
"""Characters of a line of a panel's title: what reaches beyond the figure leaves the layout no room."""

TOLD, TOLD_NARROW = 40, 20
"""Characters of a line of the words beside a bar, for the same reason."""

LINE = 0.18
"""Inches of a title's line."""

BESIDE_NARROW = 14
"""Characters of a line of a name beside a row, in a figure for small screens."""

MANY = 12
"""Rows above which each has less room."""

ROOM = 0.24
"""Share of the right panel's range that is kept free beside the bars, for their words."""


def opening(
    scores: pd.DataFrame,
    differences: pd.DataFrame,
    look: dict[str, Look],
    *,
    anchor: str | None,
    band: tuple[float, float] | None,
    labels: tuple[tuple[str, str], tuple[str, str]],
    diverged: Mapping[str, int] = MappingProxyType({}),
    width: float = 11.0,
) -> Figure:
    """Two panels, side by side or, on small screens, one above the other; a row per configuration, in the order of `scores`' columns.

    `scores`: a column per configuration, a row per block, in shown units. `differences`: configuration, mean, low, high, told (words for the bar), in shown units, of all but the
    anchor; empty if nothing is compared. `band` is what is too small to matter, if that is known. `labels`: title and subtitle of each panel. `diverged`: how many runs of each did.
    """
    names = [str(name) for name in scores]
    narrow = width <= NARROW
    labels = _wrapped(labels[0], narrow=narrow), _wrapped(labels[1], narrow=narrow)
    more = [LINE * title.count("\n") for title, _ in labels]
    inches = (0.42 if len(names) <= MANY else 0.34) * len(names)
    panels = 1 if differences.empty else 2
    heights = [inches + 0.85 + own for own in more[:panels]]
    figure = new_figure(width, (sum(heights) if narrow else max(heights)) + 0.1, "", "")
    stacked, columns = (panels, 1) if narrow else (1, panels)
    axes = list(figure.subplots(stacked, columns, squeeze=False, width_ratios=[1.15, 1][:columns]).flat)
    _runs(axes[0], scores, look, labels[0], diverged)
    _name_rows(axes[0], names, look, narrow=narrow)
    if panels == 2:
        _differences(axes[1], differences, names, look, anchor, band, labels[1], narrow=narrow)
        _name_rows(axes[1], names if narrow else [""] * len(names), look, narrow=narrow)
    return figure


def _runs(axis: Axes, scores: pd.DataFrame, look: dict[str, Look], label: tuple[str, str], diverged: Mapping[str, int]) -> None:
    for row, name in enumerate(scores):
        own, drawn = scores[name].dropna().to_numpy(float), look[str(name)]
        spots = row + np.linspace(-SPREAD, SPREAD, len(own)) * (len(own) > 1)
        if len(own):  # to the layout, a line without points reaches to the figure's corner
            axis.plot(
                own,
                spots,
                drawn.marker,
                color=drawn.colour,
                markersize=6,
                alpha=DOT_ALPHA,
                clip_on=False,
                fillstyle=drawn.fillstyle,
                markeredgewidth=drawn.edge,
            )
            axis.plot([own.mean()] * 2, [row - 0.34, row + 0.34], color=drawn.colour, linewidth=3, solid_capstyle="butt")
        if diverged.get(str(name)):
            told, across = f"{diverged[str(name)]} diverged", axis.get_yaxis_transform()
            axis.text(0.995, row, told, transform=across, ha="right", va="center", fontsize=SMALL)
    _dress(axis, label)


def _differences(
    axis: Axes,
    differences: pd.DataFrame,
    names: list[str],
    look: dict[str, Look],
    anchor: str | None,
    band: tuple[float, float] | None,
    label: tuple[str, str],
    *,
    narrow: bool,
) -> None:
    if band is not None:
        axis.axvspan(*band, color=GREY, alpha=0.16, linewidth=0)
        axis.set_xlabel(f"grey: too small to matter (±{band[1]:.3g})", fontsize=SMALL, color=INK)
    axis.axvline(0, color=INK, linewidth=1)
    low, high = _reach(differences, band)
    room = ROOM * (high - low) * (3.4 if narrow else 1)
    axis.set_xlim(low - 0.02 * (high - low), high + room)
    for difference in rows(differences):
        row, drawn = names.index(str(difference["configuration"])), look[str(difference["configuration"])]
        ends = [difference["low"], difference["high"]]
        if np.isfinite(ends).all():
            axis.plot(ends, [row, row], color=drawn.colour, linewidth=3.5, solid_capstyle="butt", clip_on=True)
        if np.isfinite(difference["mean"]):
            axis.plot(
                difference["mean"],
                row,
                drawn.marker,
                color=drawn.colour,
                markersize=7,
                fillstyle=drawn.fillstyle,
                markeredgewidth=drawn.edge,
            )
        told = textwrap.fill(str(difference["told"]), TOLD_NARROW if narrow else TOLD)
        _told(axis, row, told, [end for end in (*ends, difference["mean"]) if np.isfinite(end)], drawn)
    if anchor in names:
        axis.annotate(
            "compared with this", (0, names.index(anchor)), (8, 0), textcoords="offset points", va="center", fontsize=SMALL
        )
    _dress(axis, label)


def _told(axis: Axes, row: int, told: str, ends: list[float], drawn: Look) -> None:
    """Beside the bar, to the right of it; to the left where there is more room."""
    low, high = axis.get_xlim()
    right = max([0.0, *ends])
    left = min([0.0, *ends])
    there = high - right >= min(left - low, 0.9 * ROOM / (1 + ROOM) * (high - low))
    axis.annotate(
        told,
        (min(right, high) if there else max(left, low), row),
        (8 if there else -8, 0),
        textcoords="offset points",
        ha="left" if there else "right",
        va="center",
        color=drawn.colour,
        fontsize=SMALL,
        fontweight="bold",
        annotation_clip=False,
    )


def _reach(differences: pd.DataFrame, band: tuple[float, float] | None) -> tuple[float, float]:
    """What the axis must show: bars as far as they are finite, 0 and the band."""
    ends = differences[["low", "high", "mean"]].to_numpy(float)
    known = [0.0, *(band or ()), *ends[np.isfinite(ends)]]
    low, high = min(known), max(known)
    return (low, high) if high > low else (low - 1, high + 1)


def _name_rows(axis: Axes, names: list[str], look: dict[str, Look], *, narrow: bool) -> None:
    room = BESIDE_NARROW if narrow else NAME_CHARACTERS
    axis.set_yticks(range(len(names)), [shortened(name, 2, room) if name else "" for name in names], fontsize=SMALL)
    for tick, name in zip(axis.get_yticklabels(), names, strict=True):
        tick.set_fontweight("bold")
        if name:
            tick.set_color(look[name].colour)
    axis.set_ylim(len(names) - 0.4, -0.6)


def _wrapped(label: tuple[str, str], *, narrow: bool) -> tuple[str, str]:
    title, subtitle = label
    return textwrap.fill(title, TITLE_NARROW if narrow else TITLE), subtitle


def _dress(axis: Axes, label: tuple[str, str]) -> None:
    title, subtitle = label
    axis.set_facecolor("none")
    axis.set_title(title, fontsize=10.5, fontweight="bold", loc="left", pad=21)
    axis.annotate(subtitle, (0, 1), (0, 5), xycoords="axes fraction", textcoords="offset points", fontsize=SMALL, va="bottom")
    axis.grid(visible=False, axis="y")
    for side in ("left", "bottom"):
        axis.spines[side].set_visible(False)
    axis.tick_params(length=0)
    axis.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 2.5, 5, 10]))
