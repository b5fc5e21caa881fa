"""Claims after the first blocks, and at other margins: every contrast estimated for all numbers of blocks at once, then judged by the rule that judges it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from regstudy.design.claim import Contrast

from ...reading.measures import Pairing
from .. import claims, statistics
from ..claims import Measured, OnData, Questions, Verdict
from ..looks import Looks
from ..statistics import Estimate, Rule

Answer = tuple[Verdict, bool]
"""A claim's verdict, and whether it is strongly supported."""


@dataclass(frozen=True)
class _Over:
    """A contrast after each number of first blocks: `tested` and `strict` as `claims.Compared` has them, and what shows the margin exceeded; not yet moved by the margin."""

    margin: float
    least: float
    not_worse: bool
    estimates: Sequence[tuple[Estimate, Estimate, Estimate]]

    def answer(self, place: int, times: float) -> Answer:
        """After so many blocks, at so many times its margin."""
        margin = max(self.margin * times, self.least)
        tested, strict, half = (own.moved(margin) if self.not_worse else own for own in self.estimates[place])
        return claims.verdict(tested, strict, margin, not_worse=self.not_worse), half.low > margin


def after(
    questions: Questions,
    names: Sequence[str],
    data: Mapping[str, OnData],
    looked: Looks,
    firsts: Sequence[Sequence[object]],
    times: Sequence[float],
) -> list[list[dict[str, Answer]]]:
    """By first blocks and times its margin, each claim's answer, by its ID; the arguments are those of `claims.judge`. A ratio's margin is multiplied as its logarithm."""
    own = [claim for claim in questions.claims if claim.contrasts]
    over: dict[str, list[_Over]] = {}
    for claim in own:
        asked = claims.contrasts(claim, questions, names, data)
        tests = len(own), len(own) * len(asked)
        over[claim.id] = [_over(*each, looked, tests, firsts) for each in asked]
    return [[_answers(questions, over, place, by) for by in times] for place in range(len(firsts))]


def _answers(questions: Questions, over: Mapping[str, list[_Over]], place: int, times: float) -> dict[str, Answer]:
    told: dict[str, Answer] = {}
    for claim in questions.claims:
        each = [told[part] for part in claim.together] or [own.answer(place, times) for own in over[claim.id]]
        outcome = claims.together([verdict for verdict, _ in each])
        told[claim.id] = outcome, outcome == Verdict.SUPPORTED and all(strongly for _, strongly in each)
    return told


def _over(
    contrast: Contrast,
    measured: Measured,
    subject: str,
    rival: str | None,
    looked: Looks,
    tests: tuple[int, int],
    firsts: Sequence[Sequence[object]],
) -> _Over:
    frame, pairing = measured.frame, measured.pairing
    runs = measured.there.reindex(frame.index, fill_value=False)
    if contrast.target is not None:
        pairing = Pairing(overlap=pairing.overlap)
    other = frame[rival] if rival else claims.target(contrast, frame.index)
    first, second, resolution = claims.subtracted(frame[subject], other, contrast, measured.unit)
    if claims.sign_of(contrast) < 0:
        first, second = second, first
    inside = np.array([frame.index.isin(list(own)) for own in firsts], bool)
    blocks = _blocks(runs, [subject, rival] if rival else [subject], inside)
    rules = [looked.rule(blocks, each) for each in tests]
    rules.append(Rule(rules[0].alpha / 2, rules[0].anytime))
    tested, strict, half = (
        statistics.compare(np.where(inside, first, np.nan), second, pairing, resolution=resolution, rule=rule) for rule in rules
    )
    least = 0.0 if contrast.scale == "ratio" else measured.unit.least_margin
    one = statistics.one
    each = [(one(tested, place), one(strict, place), one(half, place)) for place in range(len(firsts))]
    return _Over(claims.margin_of(contrast, measured.unit), least, contrast.expect.startswith("not "), each)


def _blocks(runs: pd.DataFrame, names: list[str], inside: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Each time, in how many blocks there were runs of all of these."""
    there = runs[names].to_numpy(bool).all(axis=1)
    return (inside & there).sum(axis=1)
