"""Every contrast with its interval, a panel per measure."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from ...files.rows import rows
from .looks import GREY
from .scales import log_axis
from .style import FULL, INK, NARROW, SMALL, new_figure, shortened

ANSWER_LOOK = {"Yes": ("#00684a", "✓"), "No": ("#a33c00", "✗"), "Open": ("#5a5a5a", "?")}
"""Colour and sign of an answer, as the page has them."""

NOT_APART = "#8a8a8a"
"""Of an interval that shows no difference."""

WIDE_ROW, NARROW_ROW, BETWEEN, BETWEEN_NARROW = 0.27, 0.86, 0.56, 0.7
"""Inches of a contrast's row, and of what stands between two panels."""

ABOVE_TITLE = 0.08
"""Inches between a panel and the next one's title, at least."""

LABEL, NARROW_LABEL = 52, 46
"""Characters of a contrast's name."""


def forest(contrasts: pd.DataFrame, *, title: str, subtitle: str, narrow: bool = False) -> Figure:
    """Each contrast with its interval, a panel per quantity; the band is smaller than the margin, estimates and verdicts at the right, or above.

    Columns contrast, quantity, scale, estimate, low, high, margin, apart (whether it shows a difference), told (the estimate in words), answer: those of claims that rest on it, each
    behind its claim's number.
    """
    groups = list(contrasts.groupby("quantity", sort=False))
    row, between = (NARROW_ROW, BETWEEN_NARROW) if narrow else (WIDE_ROW, BETWEEN)
    figure = new_figure(NARROW if narrow else FULL, row * len(contrasts) + between * len(groups), title, subtitle)
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.set(h_pad=ABOVE_TITLE)  # pyright: ignore[reportCallIssue]  # of the constrained engine
    axes = figure.subplots(len(groups), 1, squeeze=False, height_ratios=[len(own) for _, own in groups])
    for axis, (quantity, own) in zip(axes.flat, groups, strict=True):
        _panel(axis, str(quantity), own.reset_index(drop=True), narrow=narrow)
    return figure


def _panel(axis: Axes, quantity: str, own: pd.DataFrame, *, narrow: bool) -> None:
    axis.set_facecolor("none")
    ratio = str(own["scale"].iloc[0]) == "ratio"
    axis.set_ylim(len(own) - 0.5, -0.5)
    axis.margins(x=0.08)
    axis.grid(visible=False, axis="y")
    axis.tick_params(axis="y", length=0)
    for row, contrast in enumerate(rows(own)):
        _contrast(axis, row + (0.24 if narrow else 0.0), contrast, ratio=ratio, half=0.13 if narrow else 0.5)
        (_above if narrow else _beside)(axis, row, contrast)
    if narrow:
        axis.set_yticks([])
        axis.spines["left"].set_visible(False)
    else:
        axis.set_yticks(range(len(own)), [shortened(str(name), 1, LABEL) for name in own["contrast"]], fontsize=SMALL)
    if ratio:
        ends = own[["low", "high", "estimate"]].to_numpy(float)
        ends = ends[np.isfinite(ends) & (ends > 0)]
        log_axis(axis, float(ends.max() / ends.min()), few=narrow)
    else:
        axis.locator_params(axis="x", nbins=5 if narrow else 8)
    axis.set_title(f"{quantity}{', ratio' if ratio else ''}", fontsize=SMALL, fontweight="bold")


def _contrast(axis: Axes, place: float, contrast: dict[str, float], *, ratio: bool, half: float) -> None:
    """Band, line at no difference, interval and estimate; `half` the height of a row."""
    margin = float(contrast["margin"])
    low, high = (min(margin, 1 / margin), max(margin, 1 / margin)) if ratio else (-margin, margin)
    reach = min(half, 0.22)
    axis.fill_betweenx([place - reach, place + reach], low, high, color=GREY, alpha=0.16, linewidth=0)
    axis.plot([1.0 if ratio else 0.0] * 2, [place - half, place + half], color=INK, linewidth=1)
    colour = INK if contrast["apart"] else NOT_APART
    if np.isfinite([contrast["low"], contrast["high"]]).all():
        ends = [contrast["low"], contrast["high"]]
        axis.plot(ends, [place, place], color=colour, linewidth=2.5, marker="|", markersize=8, solid_capstyle="butt")
    axis.plot(contrast["estimate"], place, "o", color=colour, markersize=6)


def _beside(axis: Axes, row: int, contrast: dict[str, float]) -> None:
    where = axis.get_yaxis_transform()
    told = axis.text(1.015, row, str(contrast["told"]), transform=where, va="center", color=INK, fontsize=SMALL)
    _behind(axis, told, contrast, whole=True)


def _above(axis: Axes, row: int, contrast: dict[str, float]) -> None:
    where = axis.get_yaxis_transform()
    name = shortened(str(contrast["contrast"]), 1, NARROW_LABEL)
    axis.text(0, row - 0.4, name, transform=where, va="top", fontsize=SMALL, fontweight="bold")
    told = axis.text(0, row - 0.17, str(contrast["told"]), transform=where, va="top", fontsize=SMALL)
    _behind(axis, told, contrast, whole=False)


def _behind(axis: Axes, estimate: Text, contrast: dict[str, float], *, whole: bool) -> None:
    """Behind the estimate, what claims conclude from it, in the colour of that, if they agree; `whole`: with the verdict, where there is one, which needs room."""
    answers = [answer.split(" ", 1) for answer in str(contrast["answer"]).split("; ") if answer]
    if not answers:
        return
    parts = [(claim, *said.partition(": ")[::2]) for claim, said in answers]
    verdict = f": {parts[0][2]}" if whole and len(parts) == 1 else ""
    told = [f"{ANSWER_LOOK[word][1]} claim {claim}{verdict}" for claim, word, _ in parts]
    colours = {ANSWER_LOOK[word][0] for _, word, _ in parts}
    axis.annotate(
        ", ".join(told),
        (1, 0.5),
        (7, 0),
        estimate,
        "offset points",
        va="center",
        color=colours.pop() if len(colours) == 1 else INK,
        fontsize=SMALL,
        annotation_clip=False,
    )
