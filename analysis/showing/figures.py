"""Figures of a report with their words and numbers, and what several of them share. Which there are, their sections say."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from regstudy.console.terminal import plural

from ..judging import statistics
from ..judging.findings import Findings
from ..reading.measures import Curve, Measure
from ..reading.trials import TEST_IMAGES
from . import wording
from .grids import MOST_CONFIGURATIONS
from .plots import WIDE, Look, Quantity

Looks = dict[str, Look]
MOST_BLOCKS = 60
"""Blocks that are drawn: more cannot be told apart, and fill the page's file."""


@dataclass(frozen=True)
class Drawing:
    """A figure with its name, its caption, what it shows in words for those who do not see it, and its numbers.

    `narrow` is the same for small screens, where the figure would have to be scrolled. `titled`: on the page too; not where the heading above says the same.
    """

    name: str
    figure: Figure
    caption: str
    alt: str
    numbers: pd.DataFrame
    narrow: Figure | None = None
    titled: bool = True

    @property
    def full(self) -> bool:
        """Whether it takes the page's whole width, with its caption below."""
        return self.figure.get_figwidth() > WIDE


def both(draw: Callable[..., Figure], *args: object, **words: object) -> tuple[Figure, Figure]:
    """A figure, and the same for small screens."""
    return draw(*args, **words), draw(*args, **words, narrow=True)


def quantity(found: Findings) -> Quantity:
    """What the endpoint's axis shows."""
    images = int(found.trials.runs[TEST_IMAGES].iloc[0]) if found.endpoint.counts_images else None
    return Quantity(found.endpoint.words, found.endpoint.unit, images, "higher" if found.scale.higher_is_better else "lower")


def curve_quantity(found: Findings, curve: Curve) -> Quantity:
    """What the axis of a curve shows."""
    images = int(found.trials.runs[TEST_IMAGES].iloc[0]) if curve.counts_images else None
    shown = Quantity(curve.words, curve.unit, images, "higher" if curve.higher_is_better else "lower")
    step = found.trials.words.step
    return shown if step == "epoch" else replace(shown, over=step)


def drawn_of(found: Findings) -> list[str]:
    """The configurations that figures have room for, in the order of the ranking: all, or the first; of a study's, with the reference."""
    names = [str(name) for name in found.table["configuration"]]
    first, rest = names[:MOST_CONFIGURATIONS], names[MOST_CONFIGURATIONS:]
    return [*first[:-1], found.reference] if found.parameters is None and found.reference in rest else first


def drawn(found: Findings, table: pd.DataFrame) -> pd.DataFrame:
    """The rows of configurations that are drawn."""
    return table[table["configuration"].isin(drawn_of(found))]


def drawn_blocks(found: Findings) -> list[object]:
    """The blocks that figures have room for: all, or so many of them, evenly chosen."""
    blocks = list(found.scores.index)
    if len(blocks) <= MOST_BLOCKS:
        return blocks
    return [blocks[place] for place in np.unique(np.linspace(0, len(blocks) - 1, MOST_BLOCKS).round().astype(int))]


def of_all(found: Findings) -> str:
    """That not all blocks, or configurations, are drawn, to follow a caption; empty if they are."""
    n, all_ = len(drawn_blocks(found)), len(found.scores)
    return ("" if n == all_ else f" {n} of {all_:,} {found.trials.words.block}s are drawn.") + of_all_configurations(found)


def of_all_configurations(found: Findings) -> str:
    """Which configurations are drawn, to follow a caption; empty if all are."""
    names, all_ = drawn_of(found), [str(name) for name in found.table["configuration"]]
    if len(names) == len(all_):
        return ""
    beside = f", and {found.reference}, the reference" if names != all_[: len(names)] else ""
    return f" {len(names)} of {len(all_):,} configurations are drawn: the first of the ranking{beside}."


def wide(runs: pd.DataFrame, column: str) -> pd.DataFrame:
    """A row per block, a column per configuration."""
    wide = runs.pivot(index="seed", columns="configuration", values=column)  # noqa: PD010  # pivot_table drops what is all NaN
    return wide[list(dict.fromkeys(runs["configuration"]))]


def long(scores: pd.DataFrame) -> pd.DataFrame:
    """Columns configuration, block, value."""
    long = scores.rename_axis(index="block", columns="configuration").reset_index().melt("block", value_name="value")
    return long[["configuration", "block", "value"]]


def summary(scores: pd.DataFrame, *, log: bool) -> pd.DataFrame:
    """Mean and 95% interval of each configuration's blocks; on a logarithmic scale, the geometric mean and its."""
    rows = []
    for name, own in scores.groupby("configuration", sort=False):
        values = own["value"].dropna().to_numpy(float)
        interval = statistics.mean_interval(statistics.log(values[values > 0]) if log else values)
        numbers = {"mean": interval.mean, "low": interval.low, "high": interval.high}
        shown = {key: math.exp(value) for key, value in numbers.items()} if log else numbers
        rows.append({"configuration": name, "n": interval.n, **shown})
    return pd.DataFrame(rows)


def labelled(reading: Measure) -> str:
    """What an axis of differences in this measure says."""
    unit = {"%": "points"}.get(reading.unit, reading.unit)
    return f"{reading.words} ({unit})" if unit else reading.words


def counted(found: Findings) -> str:
    """How many configurations and blocks there are."""
    return f"{plural(len(found.table), 'configuration')}, {wording.blocks_in_words(found)}"


def by_rank(found: Findings, names: Iterable[str]) -> list[str]:
    """Configurations in the order of the ranking, as the first figure has them."""
    order = [str(name) for name in found.table["configuration"]]
    given = list(names)
    return [*(name for name in order if name in given), *(name for name in given if name not in order)]


def file_name(metric: str) -> str:
    """A metric's name as one of a file."""
    return "".join(letter if letter.isalnum() else "_" for letter in metric)
