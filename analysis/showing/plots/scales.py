"""Axes of ratios."""

import math

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from regstudy.console.terminal import plain

NEAR, TICKS = 5.0, {50.0: (1, 2, 5), math.inf: (1,)}
"""Below so great a ratio of its ends, a logarithmic axis has ticks as a linear one does, and these between the powers of ten."""


def log_axis(axis: Axes, span: float, *, few: bool = False) -> None:
    """A logarithmic axis with plain numbers: the wider it is, the fewer between the powers of ten. `span`: the ratio of its ends."""
    axis.set_xscale("log")
    between = next(numbers for widest, numbers in TICKS.items() if span < widest)
    near = MaxNLocator(nbins=4 if few else 6, steps=[1, 2, 2.5, 5, 10])  # of whose multiples 1 is always one
    axis.xaxis.set_major_locator(near if span < NEAR else LogLocator(subs=between, numticks=30))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: plain(float(f"{value:.3g}"))))
    axis.xaxis.set_minor_locator(NullLocator())
