"""One number against another: sparsity over thresholds, the response to a factor, seeds against what they can detect."""

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from regstudy.console.terminal import plain, plural

from .labels import label_ends
from .looks import GREY, Look
from .style import INK, NARROW, SMALL, TOGETHER, WIDE, Quantity, new_figure, new_panels, of, seeds_thinly

LINE = "#005a9c"
"""Of what belongs to no configuration."""

THRESHOLD = "threshold, in units of the layer's root mean square"

ZERO_DECADES = 0.7
"""Decades to the left of the smallest value at which 0 has its place."""

CLOSEST = 0.09
"""Distance of two labels below an axis, as a share of its length."""


def sparsity(table: pd.DataFrame, look: Mapping[str, Look], *, title: str, subtitle: str, narrow: bool = False) -> Figure:
    """Share of weights below each threshold; columns configuration, seed, threshold (relative to the layer's RMS), share."""
    drawn = set(table["configuration"])
    names = [name for name in look if name in drawn]
    if len(names) <= TOGETHER and not narrow:
        figure = new_figure(WIDE, 2.8, title, subtitle)
        axis = figure.add_subplot()
        axis.set_facecolor("none")
        ends = {name: _shares(axis, table[table["configuration"] == name], look[name]) for name in names}
        axis.set_xlabel(THRESHOLD)
        axis.set_ylabel("% of weights")
        label_ends(axis, ends, dict(look), 6)
        return figure
    figure, axes = new_panels(names, look, title, subtitle, narrow=narrow)
    for axis, name in zip(axes, names, strict=True):
        _shares(axis, table[table["configuration"] == name], look[name])
    figure.supxlabel("threshold, × the layer’s RMS" if narrow else THRESHOLD, fontsize=SMALL)
    figure.supylabel("% of weights", fontsize=SMALL)
    return figure


def _shares(axis: Axes, own: pd.DataFrame, look: Look) -> float:
    """Draw one configuration; where its median ends."""
    own = own.assign(percent=100 * own["share"]).sort_values("threshold")
    seeds_thinly(axis, own, "threshold", "percent", look.colour)
    median = own.groupby("threshold")["percent"].median()
    (line,) = axis.plot(
        median.index, median, color=look.colour, linestyle=look.dash, linewidth=2, marker=look.marker, fillstyle=look.fillstyle
    )
    of(line, str(own["configuration"].iloc[0]))
    axis.set_xscale("log", subs=[])
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: plain(float(f"{value:.3g}"))))
    return float(median.iloc[-1])


def response(
    scores: pd.DataFrame,
    summary: pd.DataFrame,
    *,
    factor: str,
    quantity: Quantity,
    title: str,
    subtitle: str,
    narrow: bool = False,
) -> Figure:
    """Every seed a dot, the mean with its interval, over one factor; `scores`: value, seed, score; `summary`: value, mean, low, high."""
    places = factor_places(summary["value"].to_numpy(float))
    at = dict(zip(summary["value"], places, strict=True))
    figure = new_figure(NARROW if narrow else WIDE, 2.4, title, subtitle)
    axis = figure.add_subplot()
    axis.set_facecolor("none")
    axis.plot(scores["value"].map(at), quantity.shown(scores["score"]), "o", color=LINE, alpha=0.7, markeredgewidth=0)
    axis.plot(places, quantity.shown(summary["mean"]), color=LINE, linewidth=1.5)
    for place, (low, high) in zip(places, summary[["low", "high"]].to_numpy(float), strict=True):
        if np.isfinite(low):
            axis.plot([place, place], quantity.shown(np.array([low, high])), color=LINE, linewidth=2.5)
    closest = 2 * CLOSEST if narrow else CLOSEST
    axis.set_xticks(places, _spaced([plain(float(value)) for value in summary["value"]], places, closest))
    if summary["value"].iloc[0] == 0 and len(places) > 1:
        axis.axvline((places[0] + places[1]) / 2, color=GREY, linewidth=1, linestyle=(0, (2, 3)))
    axis.set_xlabel(factor)
    axis.set_ylabel(quantity.short)
    return figure


def _spaced(labels: list[str], places: np.ndarray, closest: float) -> list[str]:
    """Labels, but for those that would run into the one before."""
    shown, last = [], -np.inf
    for label, place in zip(labels, places, strict=True):
        far = place - last >= closest * (places[-1] - places[0])
        shown.append(label if far else "")
        last = place if far else last
    return shown


def factor_places(values: np.ndarray) -> np.ndarray:
    """Ascending values ≥ 0 on a logarithmic axis, 0 a little to the left of the smallest."""
    positive = values[values > 0]
    zero = np.log10(positive.min()) - ZERO_DECADES if len(positive) else 0.0
    with np.errstate(divide="ignore"):
        return np.where(values > 0, np.log10(values), zero)


def detectable(
    table: pd.DataFrame,
    here: tuple[int, float] | None,
    *,
    unit: str,
    margin: float | None,
    block: str,
    title: str,
    subtitle: str,
    narrow: bool = False,
) -> Figure:
    """Blocks against the difference that they find with 80% power; columns n, difference; `here` is where this study stands, if it finds any."""
    if narrow and margin is not None:  # beside its line it would lie over the curve
        subtitle += f"; dashed: {_would_see(table, margin, unit, block)}"
    figure = new_figure(*((NARROW, 2.6) if narrow else (WIDE, 2.1)), title, subtitle)
    axis = figure.add_subplot()
    axis.set_facecolor("none")
    found = [here[1]] if here else []
    shown = table[table["difference"] <= 6 * (margin or (found or [math.inf])[0])]
    shown = shown if len(shown) > 1 else table
    axis.plot(shown["n"], shown["difference"], color=INK, linewidth=2)
    if here:
        axis.plot(*here, "o", color="#c44e00", markersize=9, clip_on=False, zorder=3)
        told = f"{plural(here[0], block)}: {here[1]:.2g} {unit}"
        axis.annotate(
            told if narrow else f"this study: {told}",
            here,
            xytext=(12, 18),  # clear of the margin's words, which may be beside it
            textcoords="offset points",
            fontweight="bold",
            annotation_clip=False,
        )
    if margin is not None:
        axis.axhline(margin, color=LINE, linewidth=1.2, linestyle="--")
    if margin is not None and not narrow:
        enough = table.loc[table["difference"] <= margin, "n"]
        # On the side where the curve is not: above the line once it is well below, else beneath, if the axis leaves room there.
        low = margin < 0.2 * max(*found, margin, shown["difference"].max())
        early = low or (len(enough) and enough.iloc[0] < 0.55 * shown["n"].max())
        told = _would_see(table, margin, unit, block)
        at, shift, ha, va = (1, (-2, 3), "right", "bottom") if early else (0, (6, -4), "left", "top")
        axis.annotate(told, (at, margin), shift, ("axes fraction", "data"), "offset points", ha=ha, va=va)
    axis.set_ylim(0)
    axis.set_xlabel(f"{block}s per configuration")
    axis.set_ylabel(f"difference, {unit}")
    return figure


def _would_see(table: pd.DataFrame, margin: float, unit: str, block: str) -> str:
    enough = table.loc[table["difference"] <= margin, "n"]
    return f"margin {margin:.2g} {unit}" + (f": {plural(int(enough.iloc[0]), block)} would see it" if len(enough) else "")


def _annotate(axis: Axes, told: str, where: tuple[float, float]) -> None:
    axis.annotate(told, where, xytext=(12, 10), textcoords="offset points", fontweight="bold", annotation_clip=False)
