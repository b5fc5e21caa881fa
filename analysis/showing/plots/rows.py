"""A row per configuration: ranking, dots of seeds, contest."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...files.rows import rows
from .looks import GREY, Look
from .scales import log_axis
from .style import NARROW, WIDE, new_figure, of, row_axis, row_height

JITTER = 0.16
"""Rows between the highest and the lowest dot of a configuration: dots of equal value do not hide each other."""

DOT_ALPHA = 0.75
"""Of a seed's dot: so that dots on each other are seen, and one alone still has a contrast of 3 to 1."""


def dots(
    scores: pd.DataFrame,
    summary: pd.DataFrame,
    look: Mapping[str, Look],
    *,
    title: str,
    subtitle: str,
    label: str,
    log: bool = False,
    narrow: bool = False,
) -> Figure:
    """Every seed a dot, the mean's 95% interval a bar; `scores`: configuration, block, value; `summary`: configuration, mean, low, high."""
    drawn = set(scores.dropna()["configuration"])
    names = [name for name in look if name in drawn]
    width = NARROW if narrow else WIDE
    figure = new_figure(width, 0.6 + row_height(len(names), narrow=narrow) * len(names), title, subtitle)
    axis = row_axis(figure, names, look)
    by_name = {own["configuration"]: own for own in rows(summary)}
    for row, name in enumerate(names):
        _dots(axis, row, scores.loc[scores["configuration"] == name, "value"], look[name], name)
        own = by_name[name]
        _interval(axis, row, own["mean"], own["low"], own["high"], look[name], name)
    if log:
        ends = np.array([*scores["value"], *summary["low"], *summary["high"]], float)
        log_axis(axis, float(np.nanmax(ends) / np.nanmin(ends)), few=narrow)
    elif narrow:
        axis.locator_params(axis="x", nbins=5)
    axis.set_xlabel(label)
    return figure


def contest(table: pd.DataFrame, look: Mapping[str, Look], *, title: str, subtitle: str, narrow: bool = False) -> Figure:
    """How often each wins; columns configuration, share; the last row is the ties."""
    names = [str(name) for name in table["configuration"]]
    figure = new_figure(NARROW if narrow else WIDE, 0.5 + row_height(len(names), narrow=narrow) * len(names), title, subtitle)
    axis = row_axis(figure, names, look)
    for row, (name, share) in enumerate(zip(names, 100 * table["share"].to_numpy(float), strict=True)):
        face, edge = (look[name].colour,) * 2 if name in look else ("none", GREY)
        (bar,) = axis.barh(row + 0.1 * narrow, share, height=0.4 if narrow else 0.6, facecolor=face, edgecolor=edge)
        of(bar, name)
        axis.text(share + 1, row + 0.1 * narrow, f"{share:.0f}%", va="center")
    axis.set_xlim(0, 112)
    axis.set_xticks([0, 25, 50, 75, 100])
    axis.set_xlabel("% of contests")
    return figure


def _dots(axis: Axes, row: int, values: "pd.Series[float]", look: Look, name: str) -> None:
    there = values.dropna()
    spots = _below_name(axis, row) + np.linspace(-JITTER, JITTER, len(there)) * (len(there) > 1)
    (drawn,) = axis.plot(
        there,
        spots,
        look.marker,
        color=look.colour,
        markersize=6,
        alpha=DOT_ALPHA,
        fillstyle=look.fillstyle,
        markeredgewidth=look.edge,
        clip_on=False,
    )
    of(drawn, name)


def _interval(axis: Axes, row: int, mean: float, low: float, high: float, look: Look, name: str) -> None:
    place = _below_name(axis, row)
    if np.isfinite(low) and np.isfinite(high):
        (bar,) = axis.plot([low, high], [place, place], color=look.colour, linewidth=2.5, solid_capstyle="butt")
        of(bar, name)
    if np.isfinite(mean):
        (middle,) = axis.plot([mean, mean], [place - 0.27, place + 0.27], color=look.colour, linewidth=2.5)
        of(middle, name)


def _below_name(axis: Axes, row: int) -> float:
    """Where a row's marks are: beneath its name, if that stands above them."""
    figure = axis.get_figure(root=True)
    return row + 0.12 * (figure is not None and figure.get_figwidth() <= NARROW)
