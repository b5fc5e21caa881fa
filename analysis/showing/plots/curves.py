"""A number over epochs: a panel per configuration, its seeds thin and pale, their median bold, the reference's median beside it."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .looks import GREY, Look
from .style import SMALL, Quantity, new_panels, of, seeds_as_band, seeds_thinly, shortened

ZOOM_FROM = 6
"""Curves of at least so many epochs are zoomed: their first epochs would flatten all that matters."""

MARKED = 10
"""Epochs up to which each is marked."""

BESIDE = 14
"""Characters of the reference's name beside its line."""


def curves(
    epochs: pd.DataFrame,
    look: Mapping[str, Look],
    *,
    quantity: Quantity,
    title: str,
    subtitle: str,
    reference: str = "",
    narrow: bool = False,
) -> Figure:
    """Curves of `epochs`, columns configuration, seed, epoch, value; a narrow figure has the range of the seeds in place of their lines."""
    shown = epochs.assign(value=quantity.shown(epochs["value"])).sort_values("epoch")
    limits = zoom(shown)
    drawn = set(shown["configuration"])
    names = [name for name in look if name in drawn]
    ghosts = reference in drawn and len(names) > 1
    told = f"; {reference}’s median in every panel" if ghosts else ""
    told += f"; axis zoomed to the later {quantity.step}s" if limits else ""
    figure, axes = new_panels(names, look, title, subtitle + told, narrow=narrow)
    for axis, name in zip(axes, names, strict=True):
        if ghosts and name != reference:
            _ghost(axis, shown[shown["configuration"] == reference])
        _line(axis, shown[shown["configuration"] == name], look[name], narrow=narrow)
        _frame(axis, shown, limits)
        axis.xaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    if ghosts:
        _name_ghost(
            next(axis for axis, name in zip(reversed(axes), reversed(names), strict=True) if name != reference), reference
        )
    figure.supxlabel(quantity.over, fontsize=SMALL)
    figure.supylabel(quantity.shortest, fontsize=SMALL)
    return figure


def single(epochs: pd.DataFrame, seed: object, look: Look, quantity: Quantity) -> Figure:
    """One seed's curve among the others of its configuration; columns seed, epoch, value. Small: for lists of runs."""
    shown = epochs.assign(value=quantity.shown(epochs["value"])).sort_values("epoch")
    figure = Figure(
        figsize=(5.2, 2.1), facecolor="none"
    )  # laid out by hand: many are drawn, and the layout engine takes most of the time
    axis = figure.add_axes((0.13, 0.24, 0.86, 0.72))
    for other, own in shown.groupby("seed"):
        chosen = other == seed
        axis.plot(own["epoch"], own["value"], color=look.colour, linewidth=1.8 if chosen else 0.7, alpha=1 if chosen else 0.3)
    _frame(axis, shown, zoom(shown))
    axis.set_ylabel("wrong test images" if quantity.test_images else quantity.short, fontsize=11.5)
    axis.set_xlabel(quantity.over, fontsize=11.5)
    axis.tick_params(labelsize=11.5)
    axis.locator_params(axis="y", nbins=5)
    return figure


def zoom(shown: pd.DataFrame) -> tuple[float, float] | None:
    """Limits that hold all that follows the first eighth of the epochs; the last epochs are always in view. None: no zoom."""
    last = int(shown["epoch"].max())
    late = shown.loc[shown["epoch"] > last // 8, "value"]
    if last + 1 < ZOOM_FROM or late.isna().all():
        return None
    margin = 0.06 * (late.max() - late.min() or abs(late.max()) or 1)
    return float(late.min() - margin), float(late.max() + margin)


def _line(axis: Axes, own: pd.DataFrame, look: Look, *, narrow: bool) -> None:
    """One configuration; that it diverged is said where its name is."""
    name = str(own["configuration"].iloc[0])
    median = own.groupby("epoch")["value"].median()
    if narrow:
        seeds_as_band(axis, own, "epoch", "value", look.colour)
    else:
        for line in seeds_thinly(axis, own, "epoch", "value", look.colour):
            of(line, name)
    marker = look.marker if len(median) <= MARKED else ""
    (line,) = axis.plot(
        median.index,
        median,
        color=look.colour,
        linestyle=look.dash,
        linewidth=2,
        marker=marker,
        markersize=5,
        fillstyle=look.fillstyle,
    )
    of(line, name)
    if own.loc[own["epoch"] == own["epoch"].max(), "value"].isna().all():
        axis.set_title(f"{axis.get_title(loc='left')} (diverged)", fontsize=SMALL, color=look.colour, fontweight="bold")


def _ghost(axis: Axes, own: pd.DataFrame) -> None:
    """The reference's median, in grey whatever its own colour is: it is there to compare with."""
    median = own.groupby("epoch")["value"].median()
    axis.plot(median.index, median, color=GREY, linewidth=1)


def _name_ghost(axis: Axes, reference: str) -> None:
    """Beside the end of the reference's line, in the last panel that has it beside another's."""
    ys = np.asarray(axis.lines[0].get_ydata(), float)
    low, high = axis.get_ylim()
    if not np.isfinite(ys[-1]):
        return
    place = min(max((ys[-1] - low) / (high - low), 0.04), 0.96)
    axis.annotate(
        shortened(reference, 1, BESIDE),
        (1, place),
        xycoords="axes fraction",
        xytext=(4, 0),
        textcoords="offset points",
        va="center",
        fontsize=SMALL,
        color=GREY,
        annotation_clip=False,
    )


def _frame(axis: Axes, shown: pd.DataFrame, limits: tuple[float, float] | None) -> None:
    axis.set_facecolor("none")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    if shown["epoch"].max() == 0:
        axis.set_xlim(-0.5, 0.5)
        axis.set_xticks([0])
    if limits:
        axis.set_ylim(*limits)
