"""A number over epochs: seeds thin and pale, their median bold, names beside the ends of the lines."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .labels import label_ends
from .style import NARROW, TOGETHER, Look, Quantity, new_figure, new_panels, second_axis, seeds_thinly

ZOOM_FROM = 6
"""Curves of at least so many epochs are zoomed: their first epochs would flatten all that matters."""

MARKED = 10
"""Epochs up to which each is marked."""


def curves(
    epochs: pd.DataFrame, look: dict[str, Look], *, quantity: Quantity, title: str, subtitle: str, narrow: bool = False
) -> Figure:
    """Curves of `epochs`, columns configuration, seed, epoch, value; more than six configurations get a panel each, and are never narrow."""
    shown = epochs.assign(value=quantity.shown(epochs["value"])).sort_values("epoch")
    limits = zoom(shown)
    zoomed = f"; vertical axis zoomed to the later {quantity.step}s" if limits else ""
    drawn = set(shown["configuration"])
    names = [name for name in look if name in drawn]
    if len(names) <= TOGETHER:
        figure = new_figure(NARROW if narrow else 8.0, 4.0, title, subtitle + zoomed)
        _together(figure.add_subplot(), shown, names, look, quantity, limits, narrow=narrow)
    else:
        figure, axes = new_panels(names, look, title, subtitle + zoomed)
        for axis, name in zip(axes, names, strict=True):
            _line(axis, shown[shown["configuration"] == name], look[name])
            _frame(axis, shown, limits)
        figure.supxlabel(quantity.over, fontsize=10)
        figure.supylabel(quantity.short, fontsize=10)
    return figure


def single(epochs: pd.DataFrame, seed: object, look: Look, quantity: Quantity) -> Figure:
    """One seed's curve among the others of its configuration; columns seed, epoch, value. Small: for lists of runs."""
    shown = epochs.assign(value=quantity.shown(epochs["value"])).sort_values("epoch")
    figure = Figure(
        figsize=(5.6, 2.1), facecolor="none"
    )  # laid out by hand: many are drawn, and the layout engine takes most of the time
    axis = figure.add_axes((0.12, 0.24, 0.87, 0.72))
    for other, own in shown.groupby("seed"):
        chosen = other == seed
        axis.plot(own["epoch"], own["value"], color=look.colour, linewidth=1.8 if chosen else 0.7, alpha=1 if chosen else 0.3)
    _frame(axis, shown, zoom(shown))
    axis.set_ylabel("wrong test images" if quantity.test_images else quantity.short, fontsize=9)
    axis.set_xlabel(quantity.over, fontsize=9)
    axis.tick_params(labelsize=8.5)
    return figure


def zoom(shown: pd.DataFrame) -> tuple[float, float] | None:
    """Limits that hold all that follows the first eighth of the epochs; the last epochs are always in view. None: no zoom."""
    last = int(shown["epoch"].max())
    late = shown.loc[shown["epoch"] > last // 8, "value"]
    if last + 1 < ZOOM_FROM or late.isna().all():
        return None
    margin = 0.06 * (late.max() - late.min() or abs(late.max()) or 1)
    return float(late.min() - margin), float(late.max() + margin)


def _together(
    axis: Axes,
    shown: pd.DataFrame,
    names: list[str],
    look: dict[str, Look],
    quantity: Quantity,
    limits: tuple[float, float] | None,
    *,
    narrow: bool,
) -> None:
    ends = {name: _line(axis, shown[shown["configuration"] == name], look[name]) for name in names}
    _frame(axis, shown, limits)
    axis.set_ylabel(quantity.short)
    axis.set_xlabel(quantity.over)
    if not narrow:
        second_axis(axis, quantity, "right")
    label_ends(axis, ends, look, 58 if quantity.test_images and not narrow else 6)


def _line(axis: Axes, own: pd.DataFrame, look: Look) -> float:
    """Draw one configuration; where its median ends."""
    median = own.groupby("epoch")["value"].median()
    seeds_thinly(axis, own, "epoch", "value", look.colour)
    marker = look.marker if len(median) <= MARKED else ""
    axis.plot(median.index, median, color=look.colour, linestyle=look.dash, linewidth=2, marker=marker, markersize=5)
    last = own[own["epoch"] == own["epoch"].max()]["value"]
    return float(median.iloc[-1]) if last.notna().any() else np.nan


def _frame(axis: Axes, shown: pd.DataFrame, limits: tuple[float, float] | None) -> None:
    axis.set_facecolor("none")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    if shown["epoch"].max() == 0:
        axis.set_xlim(-0.5, 0.5)
        axis.set_xticks([0])
    if limits:
        axis.set_ylim(*limits)
