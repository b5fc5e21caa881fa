"""A row per configuration or contrast: ranking, forest plot, dots of seeds, contest."""

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from regstudy.console.terminal import plain

from ...files.rows import rows
from .style import GREY, INK, Look, new_figure, row_axis, row_height

VERDICT_LOOK = {
    "supported": ("#009E73", "✓"),
    "strongly supported": ("#009E73", "✓"),
    "refuted": ("#D55E00", "✗"),
    "practically equivalent": ("#0072B2", "≈"),
    "not by the margin": (GREY, "<"),
    "inconclusive": (GREY, "?"),
    "no verdict": (GREY, "–"),
}
NEAR, TICKS = 5.0, {50.0: (1, 2, 5), math.inf: (1,)}
"""Below so great a ratio of its ends, a logarithmic axis has ticks as a linear one does, and these between the powers of ten."""

JITTER = 0.16
"""Rows between the highest and the lowest dot of a configuration: dots of equal value do not hide each other."""


def dots(
    scores: pd.DataFrame,
    summary: pd.DataFrame,
    look: dict[str, Look],
    *,
    title: str,
    subtitle: str,
    label: str,
    log: bool = False,
) -> Figure:
    """Every seed a dot, the mean's 95% interval a bar; `scores`: configuration, block, value; `summary`: configuration, mean, low, high."""
    drawn = set(scores.dropna()["configuration"])
    names = [name for name in look if name in drawn]
    figure = new_figure(8.0, 1.5 + row_height(len(names)) * len(names), title, subtitle)
    axis = row_axis(figure, names)
    by_name = {own["configuration"]: own for own in rows(summary)}
    for row, name in enumerate(names):
        _dots(axis, row, scores.loc[scores["configuration"] == name, "value"], look[name])
        own = by_name[name]
        _interval(axis, row, own["mean"], own["low"], own["high"], look[name])
    if log:
        ends = np.array([*scores["value"], *summary["low"], *summary["high"]], float)
        _log_axis(axis, float(np.nanmax(ends) / np.nanmin(ends)))
    axis.set_xlabel(label)
    return figure


def forest(contrasts: pd.DataFrame) -> Figure:
    """Each contrast with its 95% interval, a panel per quantity; the band is smaller than the margin, verdicts at the right."""
    groups = list(contrasts.groupby("quantity", sort=False))
    height = 0.6 + 0.3 * (len(contrasts) + 1.9 * len(groups))
    figure = new_figure(
        8.6,
        height,
        "Every contrast behind the claims",
        "estimate and the interval at its share of α; band: smaller than the margin",
    )
    axes = figure.subplots(len(groups), 1, squeeze=False, height_ratios=[len(own) + 0.4 for _, own in groups])
    for axis, (quantity, own) in zip(axes.flat, groups, strict=True):
        _panel(axis, str(quantity), own.reset_index(drop=True))
    return figure


def contest(table: pd.DataFrame) -> Figure:
    """How often each wins; columns configuration, share; the last row is the ties."""
    names = [str(name) for name in table["configuration"]]
    title = "What single runs would have concluded"
    figure = new_figure(
        8.0, 1.2 + row_height(len(names)) * len(names), title, "share of contests won: one seed per configuration, best epoch"
    )
    axis = row_axis(figure, names)
    shares = 100 * table["share"].to_numpy(float)
    axis.barh(range(len(names)), shares, color=GREY, height=0.6)
    for row, share in enumerate(shares):
        axis.text(share + 1, row, f"{share:.0f}%", va="center")
    axis.set_xlim(0, 108)
    axis.set_xlabel("% of contests")
    return figure


def _panel(axis: Axes, quantity: str, own: pd.DataFrame) -> None:
    axis.set_facecolor("none")
    ratio = own.loc[0, "scale"] == "ratio"
    middle, margin = (1.0, float(own["margin"].max())) if ratio else (0.0, float(own["margin"].max()))
    low, high = (min(margin, 1 / margin), max(margin, 1 / margin)) if ratio else (-margin, margin)
    axis.axvspan(low, high, color=GREY, alpha=0.16, linewidth=0)
    axis.axvline(middle, color=INK, linewidth=1)
    for row, contrast in enumerate(rows(own)):
        colour, sign = VERDICT_LOOK[str(contrast["verdict"])] if contrast["deciding"] else (GREY, "")
        if np.isfinite([contrast["low"], contrast["high"]]).all():
            axis.plot([contrast["low"], contrast["high"]], [row, row], color=colour, linewidth=2.5, solid_capstyle="butt")
        axis.plot(contrast["estimate"], row, "o", color=colour, markersize=6)
        told = f"{sign} {contrast['answer']}, n = {contrast['n']}" if contrast["deciding"] else f"n = {contrast['n']}"
        axis.text(1.015, row, told, transform=axis.get_yaxis_transform(), va="center", color=INK, fontsize=9)
    axis.set_yticks(range(len(own)), list(own["contrast"]))
    axis.set_ylim(len(own) - 0.5, -0.5)
    axis.grid(visible=False, axis="y")
    axis.tick_params(axis="y", length=0)
    if ratio:
        ends = own[["low", "high", "estimate"]].to_numpy(float)
        ends = ends[np.isfinite(ends) & (ends > 0)]
        _log_axis(axis, float(ends.max() / ends.min()))
    else:
        axis.locator_params(axis="x", nbins=8)
    axis.set_title(f"{quantity}{', ratio' if ratio else ''}", fontsize=10, fontweight="bold")


def _log_axis(axis: Axes, span: float) -> None:
    """A logarithmic axis with plain numbers: the wider it is, the fewer between the powers of ten. `span`: the ratio of its ends."""
    axis.set_xscale("log")
    between = next(numbers for widest, numbers in TICKS.items() if span < widest)
    near = MaxNLocator(nbins=6, steps=[1, 2, 2.5, 5, 10])  # of whose multiples 1 is always one
    axis.xaxis.set_major_locator(near if span < NEAR else LogLocator(subs=between, numticks=30))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: plain(float(f"{value:.3g}"))))
    axis.xaxis.set_minor_locator(NullLocator())


def _dots(axis: Axes, row: int, values: "pd.Series[float]", look: Look) -> None:
    there = values.dropna()
    spots = row + np.linspace(-JITTER, JITTER, len(there)) * (len(there) > 1)
    axis.plot(there, spots, look.marker, color=look.colour, markersize=6, alpha=0.55, markeredgewidth=0, clip_on=False)


def _interval(axis: Axes, row: int, mean: float, low: float, high: float, look: Look) -> None:
    if np.isfinite(low) and np.isfinite(high):
        axis.plot([low, high], [row, row], color=look.colour, linewidth=2.5, solid_capstyle="butt")
    if np.isfinite(mean):
        axis.plot([mean, mean], [row - 0.3, row + 0.3], color=look.colour, linewidth=2.5)
