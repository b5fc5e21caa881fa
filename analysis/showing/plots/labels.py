"""Names beside the ends of lines, moved apart where lines end together."""

import numpy as np
from matplotlib.axes import Axes

from .looks import Look
from .style import WHOLE, of, shortened

LABEL_GAP = 0.055
"""Least distance of two line labels, as a fraction of the axis."""


def label_ends(axis: Axes, ends: dict[str, float], look: dict[str, Look], offset: float) -> None:
    """Write each name beside the end of its line; a line without an end is said to have diverged."""
    low, high = axis.get_ylim()
    height = {name: (end - low) / (high - low) if np.isfinite(end) else 0.0 for name, end in ends.items()}
    names = sorted(height, key=lambda name: height[name])
    wanted = np.array([height[name] for name in names])
    for name, placed in zip(names, spread(wanted, LABEL_GAP), strict=True):
        short = shortened(name, 1, WHOLE)
        label = axis.annotate(
            short if np.isfinite(ends[name]) else f"{short} (diverged)",
            (1, placed),
            xycoords="axes fraction",
            xytext=(offset, 0),
            textcoords="offset points",
            va="center",
            color=look[name].colour,
            fontweight="bold",
            annotation_clip=False,
        )
        of(label, name)


def spread(wanted: np.ndarray, gap: float) -> np.ndarray:
    """Ascending positions at least `gap` apart, near the wanted ones, which are ascending too; both of shape (n,)."""
    steps = np.arange(len(wanted)) * gap
    # After subtracting the steps, 'at least a gap apart' is 'not descending': pool neighbours that violate it, as in isotonic regression.
    groups: list[list[float]] = []
    for value in wanted - steps:
        groups.append([value])
        while len(groups) > 1 and np.mean(groups[-2]) > np.mean(groups[-1]):
            groups[-2:] = [groups[-2] + groups[-1]]
    return np.concatenate([np.full(len(group), np.mean(group)) for group in groups]) + steps
