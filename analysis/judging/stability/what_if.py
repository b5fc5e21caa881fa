"""What a report would have said after its first blocks only, and at other margins: the ranking's relations and advice, and each claim's answer. Phrases nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ...reading.measures import Scale
from .. import findings, ranking
from ..findings import Findings
from ..ranking import Ranking
from ..statistics import LEAST
from . import claims_after
from .claims_after import Answer

FROM = 2
"""Blocks from which there is anything to be said: an interval, though no verdict yet."""

MOST_COUNTS = 20
"""Numbers of blocks that are looked at: of more blocks, so many, evenly chosen."""

TIMES = tuple(tenths / 10 for tenths in range(1, 31))
"""Margins that are looked at, as multiples of the report's own."""


@dataclass(frozen=True)
class WhatIf:
    """By numbers of first blocks, `firsts` being these blocks, the last all of them; then by `times` the margins.

    `rankings` have pairs and advice at that margin, and are the same object where the margin before gives the same; ranks and standing are at the report's own. `answers` by the claims' IDs.
    `scales`: the ranking's, with each margin; None where it has none.
    """

    firsts: tuple[tuple[object, ...], ...]
    times: tuple[float, ...]
    scales: tuple[Scale, ...]
    rankings: list[list[Ranking]]
    answers: list[list[dict[str, Answer]]]


def find(found: Findings) -> WhatIf | None:
    """None where there is nothing to take away: fewer than three blocks, or runs that are not paired by them, in whose order they could be left out."""
    blocks = _in_order(found)
    if len(blocks) < LEAST or not found.trials.pairing.paired or found.trials.varied is not None:
        return None
    firsts = tuple(
        tuple(blocks[:n]) for n in _counts(len(blocks), found.looked.planned) if {*blocks[:n]} & {*found.scores.index}
    )
    asked = findings.claimed(found.trials)
    answers = claims_after.after(*asked, found.looked, firsts, TIMES) if asked else [[{}] * len(TIMES) for _ in firsts]
    scales = tuple(_scale(found.scale, times) for times in TIMES)
    return WhatIf(firsts, TIMES, scales, _rankings(found, firsts, scales), answers)


def _in_order(found: Findings) -> list[object]:
    """Every block in which there was a run, ascending, as tables show them."""
    runs = [own.runs[["seed", "configuration"]].assign(there=1.0) for own in (found.trials, *found.trials.beside)]
    return list(findings.score_table(pd.concat(runs), "there").index)


def _counts(blocks: int, planned: int | None) -> list[int]:
    if blocks - FROM < MOST_COUNTS:
        return list(range(FROM, blocks + 1))
    chosen = {*np.linspace(FROM, blocks, MOST_COUNTS).round().astype(int).tolist(), LEAST}
    return sorted(chosen | ({planned} if planned and FROM < planned < blocks else set()))


def _scale(scale: Scale, times: float) -> Scale:
    return scale if scale.margin is None else replace(scale, margin=max(scale.margin * times, scale.unit.least_margin))


def _rankings(found: Findings, firsts: Sequence[Sequence[object]], scales: Sequence[Scale]) -> list[list[Ranking]]:
    run, simple = findings.was_run(found.trials.runs), findings.complexity(found.trials)
    return [_at_margins(_ranked(found, run, simple, first), scales, simple) for first in firsts]


def _ranked(found: Findings, run: pd.DataFrame, simple: dict[str, tuple[float, ...]], first: Sequence[object]) -> Ranking:
    """The ranking of these blocks alone, of the configurations that were run in them."""
    there = run.loc[run.index.isin(list(first))]
    names = [str(name) for name in found.scores if there[name].any()]
    runs, reference = found.trials.runs, found.ranking.reference
    return ranking.rank(
        found.scores.loc[there.index, names],
        found.scale,
        looked=found.looked,
        run=there[names],
        diverged=findings.diverged(runs[runs["seed"].isin(list(first))]),
        complexity={name: simple[name] for name in names} if simple else None,
        reference=reference if reference in names else None,
        pairing=found.trials.pairing,
    )


def _at_margins(ranked: Ranking, scales: Sequence[Scale], simple: dict[str, tuple[float, ...]]) -> list[Ranking]:
    """At each margin. A pair changes only where the margin passes an interval's end, and never if nothing may be said of it."""
    ends = np.abs(ranked.pairs.loc[ranking.concluded(ranked.pairs), ["inner_low", "inner_high"]].to_numpy(float))
    told: list[Ranking] = []
    sides: list[bytes] = []
    for scale in scales:
        side = (ends < (scale.margin or 0.0)).tobytes()
        same = bool(sides) and side == sides[-1]
        now = told[-1] if same else ranking.at_margin(ranked, scale, simple)
        told.append(told[-1] if told and _alike(told[-1], now) else now)
        sides.append(side)
    return told


def _alike(one: Ranking, other: Ranking) -> bool:
    return one is other or (one.advised == other.advised and list(one.pairs["relation"]) == list(other.pairs["relation"]))
