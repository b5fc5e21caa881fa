"""One number against another: sparsity over thresholds, the response to a factor, seeds against what they can detect."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from analysis.plots.labels import label_ends
from analysis.plots.style import GREY, INK, Look, Quantity, new_figure, second_axis
from regstudy.terminal import plain, plural

ZERO_DECADES = 0.7
"""Decades to the left of the smallest value at which 0 has its place."""


def sparsity(table: pd.DataFrame, look: dict[str, Look]) -> Figure:
    """Share of weights below each threshold; columns configuration, seed, threshold (relative to the layer's RMS), share."""
    seeds = int(table.groupby("configuration")["seed"].nunique().max())
    subtitle = f"share of weights below a threshold, relative to their layer's root mean square; BatchNorm folded in; {plural(seeds, 'seed')}"
    figure = new_figure(8.0, 3.8, "How many weights are small?", subtitle)
    axis = figure.add_subplot()
    axis.set_facecolor("none")
    ends: dict[str, float] = {}
    for name in [name for name in look if name in set(table["configuration"])]:
        own = table[table["configuration"] == name].sort_values("threshold")
        for _, single in own.groupby("seed"):
            axis.plot(single["threshold"], 100 * single["share"], color=look[name].colour, linewidth=0.7, alpha=0.35)
        median = 100 * own.groupby("threshold")["share"].median()
        axis.plot(
            median.index, median, color=look[name].colour, linestyle=look[name].dash, linewidth=2, marker=look[name].marker
        )
        ends[name] = float(median.iloc[-1])
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: plain(float(f"{value:.3g}"))))
    axis.set_xlabel("threshold, in units of the layer's root mean square")
    axis.set_ylabel("% of weights")
    label_ends(axis, ends, look, 6)
    return figure


def response(scores: pd.DataFrame, summary: pd.DataFrame, *, factor: str, quantity: Quantity) -> Figure:
    """Every seed a dot, the mean with its interval, over one factor; `scores`: value, seed, score; `summary`: value, mean, low, high."""
    places = factor_places(summary["value"].to_numpy(float))
    at = dict(zip(summary["value"], places, strict=True))
    figure = new_figure(
        8.0,
        3.6,
        f"How much {factor}?",
        "every dot a seed, line: mean, bar: its 95% interval; logarithmic axis with a place for 0",
    )
    axis = figure.add_subplot()
    axis.set_facecolor("none")
    axis.plot(scores["value"].map(at), quantity.shown(scores["score"]), "o", color="#0072B2", alpha=0.5, markeredgewidth=0)
    axis.plot(places, quantity.shown(summary["mean"]), color="#0072B2", linewidth=1.5)
    for place, (low, high) in zip(places, summary[["low", "high"]].to_numpy(float), strict=True):
        if np.isfinite(low):
            axis.plot([place, place], quantity.shown(np.array([low, high])), color="#0072B2", linewidth=2.5)
    axis.set_xticks(places, [plain(float(value)) for value in summary["value"]])
    if summary["value"].iloc[0] == 0 and len(places) > 1:
        axis.axvline((places[0] + places[1]) / 2, color=GREY, linewidth=1, linestyle=(0, (2, 3)))
    axis.set_xlabel(factor)
    axis.set_ylabel(quantity.short)
    second_axis(axis, quantity, "right")
    return figure


def factor_places(values: np.ndarray) -> np.ndarray:
    """Ascending values ≥ 0 on a logarithmic axis, 0 a little to the left of the smallest."""
    positive = values[values > 0]
    zero = np.log10(positive.min()) - ZERO_DECADES if len(positive) else 0.0
    with np.errstate(divide="ignore"):
        return np.where(values > 0, np.log10(values), zero)


def detectable(table: pd.DataFrame, ours: tuple[int, float], *, unit: str, margin: float | None) -> Figure:
    """Seeds against the difference that they find with 80% power; columns n, difference; `ours` is where this study stands."""
    figure = new_figure(
        8.0,
        3.4,
        "How small a difference can be seen?",
        "true difference found in 80% of studies, for one comparison, by the number of seeds",
    )
    axis = figure.add_subplot()
    axis.set_facecolor("none")
    shown = table[table["difference"] <= 6 * (margin or ours[1])]
    shown = shown if len(shown) > 1 else table
    axis.plot(shown["n"], shown["difference"], color=INK, linewidth=2)
    axis.plot(*ours, "o", color="#D55E00", markersize=9, clip_on=False, zorder=3)
    _annotate(axis, f"this study: {plural(ours[0], 'seed')}, {ours[1]:.2g} {unit}", ours)
    if margin is not None:
        axis.axhline(margin, color="#0072B2", linewidth=1.2, linestyle="--")
        enough = table.loc[table["difference"] <= margin, "n"]
        told = f"margin {margin:.2g} {unit}" + (f": {plural(int(enough.iloc[0]), 'seed')} would see it" if len(enough) else "")
        axis.text(0.995, margin, told, transform=axis.get_yaxis_transform(), ha="right", va="bottom")
    axis.set_ylim(0)
    axis.set_xlabel("seeds per configuration")
    axis.set_ylabel(f"difference, {unit}")
    return figure


def _annotate(axis: Axes, told: str, where: tuple[float, float]) -> None:
    axis.annotate(told, where, xytext=(12, 10), textcoords="offset points", fontweight="bold", annotation_clip=False)
