"""Effects as contrasts within the block, tested over blocks: of complete grids of any fields, main effects and interactions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import fsum, prod
from typing import Any

import numpy as np
import pandas as pd

from regstudy.config import FILLED_IN, WHERE_NOT_WHAT, RunConfig, strengths
from regstudy.console.terminal import plain

from .. import statistics
from ..looks import NOTHING_FIXED, Looks

FIELDS = tuple(name for name in RunConfig.model_fields if name not in {"seed", "dataset", *WHERE_NOT_WHAT, *FILLED_IN})
"""Fields that may be factors."""

MOST_INTERACTING = 4
"""Factors up to which every interaction is tested: of k there are 2^k − 1 effects, which share α."""


@dataclass(frozen=True)
class Effect:
    """A contrast of cells: what it is called, and by what each cell's value counts in it, in the cells' order."""

    name: str
    weights: tuple[float, ...]


def factors(runs: pd.DataFrame) -> dict[str, list[object]]:
    """The fields that make these configurations a complete grid, with their levels, lower ones first; empty if they are none."""
    cells = runs.drop_duplicates("configuration")
    levels = {name: _levels(cells[name]) for name in FIELDS if name in cells}
    varying = {name: own for name, own in levels.items() if len(own) > 1}
    if not varying:
        return {}
    complete = len(cells) == prod(map(len, varying.values())) and not cells.duplicated(list(varying)).any()
    return varying if complete else {}


def called(name: str) -> str:
    """What a field is called as a factor."""
    return strengths().get(name, name)


def effects(runs: pd.DataFrame, value: str, looked: Looks = NOTHING_FIXED) -> pd.DataFrame | None:
    """Effects on the column `value`, one row each: effect, estimate, low, high (at level 1 − α of an effect's share of α), p, p_adjusted, alpha, anytime, blocks; None if this is no grid of two factors or more.

    `runs` has columns seed, configuration, the fields and the value. Of factors at two levels, coded −½ and +½, a main effect is the mean change from the lower level to the
    higher, an interaction the difference of differences, and so on (Montgomery, Design and Analysis of Experiments, chapter 6); with more levels, or more than four factors, only main
    effects, of each level against the lowest. Each is computed in each block, whose own value it is: effects need not vary alike. Only blocks that have all cells count; None with fewer than two, or if
    nothing varies.
    """
    levels = factors(runs)
    if len(levels) < 2:
        return None
    table = _complete(runs, value, levels)
    if table is None:
        return None
    asked = list(_effects(levels, [tuple(cell) for cell in table.columns]))
    rule = looked.rule(len(table), len(asked))
    rows: list[dict[str, object]] = []
    for effect in asked:
        own = [
            fsum(weight * number for weight, number in zip(effect.weights, block, strict=True)) for block in table.to_numpy()
        ]
        found = statistics.estimate(own, [0.0] * len(own), rule=rule)
        if not found.decidable:
            return None
        counted = min(1.0, found.p * looked.alpha / float(rule.alpha))
        tested = {"low": found.low, "high": found.high, "p": found.p, "p_adjusted": counted}
        rows.append(
            {
                "effect": effect.name,
                "estimate": found.mean,
                **tested,
                "alpha": float(rule.alpha),
                "anytime": bool(rule.anytime),
                "blocks": found.n,
            }
        )
    return pd.DataFrame(rows)


def _effects(levels: dict[str, list[object]], cells: Sequence[tuple[object, ...]]) -> Iterator[Effect]:
    """All that are tested; `cells` are tuples of levels, in the factors' order."""
    names = list(levels)
    if all(len(own) == 2 for own in levels.values()) and len(names) <= MOST_INTERACTING:
        for order in range(1, len(names) + 1):
            for chosen in combinations(range(len(names)), order):
                # A difference of means of 2^(k − order) cells each, of differences, and so on.
                weights = tuple(
                    prod(_sign(levels[names[i]], cell[i]) for i in chosen) / 2 ** (len(names) - order) for cell in cells
                )
                yield Effect(" × ".join(_two_levels(names[i], levels[names[i]]) for i in chosen), weights)
        return
    for place, name in enumerate(names):
        lowest, *others = levels[name]
        share = len(cells) / len(levels[name])
        for level in others:
            weights = tuple(((cell[place] == level) - (cell[place] == lowest)) / share for cell in cells)
            yield Effect(f"{called(name)} {plain(level)} against {plain(lowest)}", weights)


def _sign(levels: Sequence[object], level: object) -> int:
    return 1 if level == levels[1] else -1


def _two_levels(name: str, levels: Sequence[object]) -> str:
    """A number's levels are low and high; of others it is said which is which."""
    numbers = all(isinstance(level, (int, float, np.number)) for level in levels)
    return called(name) if numbers else f"{called(name)} {plain(levels[1])} (against {plain(levels[0])})"


def _levels(column: "pd.Series[Any]") -> list[object]:
    values = list(dict.fromkeys(column))
    numbers = all(isinstance(value, (int, float, np.number)) for value in values)
    return sorted(values) if numbers else sorted(values, key=str)  # pyright: ignore[reportArgumentType]  # numbers, as was asked


def _complete(runs: pd.DataFrame, value: str, levels: dict[str, list[object]]) -> pd.DataFrame | None:
    """A row per block that has every cell, a column per cell."""
    table = runs.pivot(index="seed", columns=list(levels), values=value).dropna()  # noqa: PD010  # pivot_table would average
    return table if len(table) >= 2 else None
