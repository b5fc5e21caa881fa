"""For which images does a difference hold? For the test images that there are, intervals over seeds; for new ones of the same source, those that allow for which images were drawn, too.

Runs are crossed with images: each run sees every image. Reads nothing, phrases nothing.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# scipy carries no types.

import math
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special  # pyright: ignore[reportMissingTypeStubs]  # it has none

from . import statistics
from .statistics import Estimate

FEW = 5
"""Blocks below which the wider of the two intervals is kept: a variance from so few may be far too small."""

NOT_KNOWN = (math.nan, math.nan)


class Crossed(NamedTuple):
    """Mean squares of a value per block and image, no two of a cell: of blocks, of images, and what is left."""

    blocks: float
    images: float
    residual: float


def crossed(values: NDArray[np.float64], images: int) -> Crossed:
    """The analysis of variance of values of shape (blocks, columns), the remaining images being 0 in every block; two blocks or more."""
    n, i = len(values), images
    mean = values.sum() / (n * i)
    of_blocks, of_images = values.sum(1) / i, values.sum(0) / n
    between_blocks = i * ((of_blocks - mean) ** 2).sum()
    between_images = n * ((of_images**2).sum() - i * mean**2)
    residual = (values**2).sum() - n * i * mean**2 - between_blocks - between_images
    return Crossed(between_blocks / (n - 1), between_images / (i - 1), residual / ((n - 1) * (i - 1)))


class NewImages:
    """Intervals for new images, of what share of the last epochs each run was wrong on each image: a row per configuration and block, a column per image that any run was ever wrong on, `images` in all."""

    def __init__(self, wrong: pd.DataFrame, images: int) -> None:
        self._images = images
        self._blocks = {str(name): own.droplevel(0) for name, own in wrong.groupby(level=0, sort=False)}

    def interval(
        self, given: Estimate, first: str, second: str | None, alpha: float, *, anytime: bool = False
    ) -> tuple[float, float]:
        """At level 1 − α for the accuracy of one configuration, or its difference from another's; NaN where predictions are not known of just the blocks that the estimate is of.

        The variance is that of the estimate over blocks, plus what images add: (MS_image − MS_residual) / (blocks × images), never below zero. Together
        the random-effects estimate (MS_block + MS_image − MS_residual) / (blocks × images) of a crossed design, with Satterthwaite's degrees of freedom (1946). Where
        the interval over blocks holds at any time, the images' part is added to it.
        """
        values = self._values(first, second)
        n = given.n
        if values is None or len(values) != n or not given.decidable:
            return NOT_KNOWN
        squares, cells = crossed(values, self._images), n * self._images
        of_blocks = given.sd**2 / n
        of_images = max(0.0, squares.images - squares.residual) / cells
        if anytime:
            over_blocks = (given.high - given.low) / 2
            half = math.hypot(over_blocks, float(special.ndtri(1 - alpha / 2)) * math.sqrt(of_images))
            return given.mean - half, given.mean + half
        variance = of_blocks + of_images
        parts = (
            (of_blocks, n - 1),
            (squares.images / cells, self._images - 1),
            (squares.residual / cells, (n - 1) * (self._images - 1)),
        )
        freedom = variance**2 / sum(part**2 / free for part, free in parts)
        half = float(statistics.t_quantile(1 - alpha / 2, freedom)) * math.sqrt(variance)
        if n < FEW:
            half = max(half, float(statistics.t_quantile(1 - alpha / 2, n - 1)) * math.sqrt(of_blocks))
        return given.mean - half, given.mean + half

    def of_mean(self, values: "pd.Series[float]") -> tuple[float, float]:
        """At 95% for a configuration's mean, whose scores these are, by block."""
        return self.interval(
            statistics.mean_interval(values.dropna().to_numpy(float)), str(values.name), None, 1 - statistics.LEVEL
        )

    def _values(self, first: str, second: str | None) -> NDArray[np.float64] | None:
        """By block and image: how much more often the first is right than the second, or how often it is wrong, with the sign turned."""
        own = self._blocks.get(first)
        if own is None or second is None:
            return None if own is None else -own.to_numpy(np.float64)
        other = self._blocks.get(second)
        if other is None:
            return None
        both = own.index.intersection(other.index)
        return other.loc[both].to_numpy(np.float64) - own.loc[both].to_numpy(np.float64)
