"""A design's claims to verdicts: each contrast estimated in the direction that is claimed, one Holm family, six exclusive verdicts.

Arrays come as frames of scores, one row per block and one column per configuration. Knows nothing of stores; phrases nothing.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import pandas as pd

from regstudy.design.design import ALL_OTHERS, SCALED_IN_POINTS, Claim, Contrast, Design

from ..reading.measures import Unit
from . import statistics
from .statistics import Estimate


class Verdict(StrEnum):
    """What the data say of a claim, in the order in which they are tried."""

    NONE = "no verdict"
    REFUTED = "refuted"
    EQUIVALENT = "practically equivalent"
    SUPPORTED = "supported"
    NOT_BY_MARGIN = "not by the margin"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class Compared:
    """One contrast's result.

    `estimate` is in the claimed direction, so that positive means as claimed: a difference in the metric's own unit (accuracies: fractions),
    or the natural logarithm of a ratio; `margin` likewise, positive. `tested` is what the verdict is from: the estimate itself, or for
    "not lower" and "not higher" the estimate plus the margin. `plain` is the subject minus the rival (or log ratio), as measured.
    """

    metric: str
    subject: str
    rival: str
    expect: str
    scale: str
    margin: float
    blocks: tuple[object, ...]
    left_out: tuple[object, ...]
    plain: Estimate
    estimate: Estimate
    tested: Estimate
    p_sign_flip: float | None
    effect_size: float | None
    won: float | None
    correlation: float | None

    @property
    def not_worse(self) -> bool:
        """Whether the claim is only that the subject is not worse by the margin."""
        return self.expect.startswith("not ")

    @property
    def p(self) -> float:
        """Of the test that is claimed: two-sided; one-sided for "not lower" and "not higher", as each of equivalence's two tests is.

        So what is practically equivalent is not lower by the margin either.
        """
        return self.tested.p / 2 if self.not_worse and self.tested.mean > 0 else self.tested.p

    @property
    def beyond_chance(self) -> bool:
        """Whether the data point as claimed beyond chance, looked at by itself, at 5%."""
        return (self.tested.low90 if self.not_worse else self.tested.low) > 0


@dataclass(frozen=True)
class Judged:
    """A claim with its verdict; `deciding` is the contrast that the verdict hangs on, None if it is made of other claims.

    `parts` are the claims that it is made of. `p` is the claim's own, `p_adjusted` Holm's over the design's claims; both None where there is
    nothing to test. `further` is how many more blocks give each open contrast 80% power, for inconclusive claims; None if more than 100,000,
    or for other verdicts.
    """

    id: str
    text: str
    verdict: Verdict
    strongly: bool
    contrasts: tuple[Compared, ...]
    deciding: Compared | None
    parts: "tuple[Judged, ...]" = ()
    p: float | None = None
    p_adjusted: float | None = None
    further: int | None = None


def verdict(tested: Estimate, margin: float, p: float, alpha: float, *, not_worse: bool = False) -> Verdict:
    """The verdict on one contrast in the claimed direction; `p` may be an adjusted one.

    `not_worse`: the contrast was moved by the margin already, so that neither equivalence nor falling short of the margin has a meaning.
    """
    if not tested.decidable:
        return Verdict.NONE
    if tested.mean < 0 and p < alpha:
        return Verdict.REFUTED
    if not not_worse and -margin < tested.low90 and tested.high90 < margin:
        return Verdict.EQUIVALENT
    if tested.mean > 0 and p < alpha:
        return Verdict.SUPPORTED
    if not not_worse and tested.high < margin:
        return Verdict.NOT_BY_MARGIN
    return Verdict.INCONCLUSIVE


def judge(design: Design, names: Sequence[str], scores: Mapping[str, pd.DataFrame], units: Mapping[str, Unit]) -> list[Judged]:
    """Judge a design's claims, in its order.

    `names` are the configurations' in the design's order, the columns of each frame of `scores` (by metric; index: blocks); a column or a
    value that is not there is a missing or diverged run. `units` by metric.
    """
    tested = {
        claim.id: tuple(result for contrast in claim.contrasts for result in _compare(design, contrast, names, scores, units))
        for claim in design.claims
        if claim.contrasts
    }
    own = {claim: _own_p(results) for claim, results in tested.items()}
    adjusted = dict(zip(own, statistics.holm([min(p) for p in own.values()]), strict=True))
    judged: dict[str, Judged] = {}
    for claim in design.claims:
        if claim.together:
            judged[claim.id] = _together(claim, [judged[part] for part in claim.together])
        else:
            judged[claim.id] = _judge(claim, tested[claim.id], own[claim.id], float(adjusted[claim.id]), design.alpha, len(own))
    return list(judged.values())


def compare(a: pd.Series, b: pd.Series, contrast: Contrast, unit: Unit) -> Compared:  # pyright: ignore[reportMissingTypeArgument]  # of floats, by block
    """One contrast between two columns of scores, indexed by block and named by configuration."""
    first, second = a.to_numpy(float), b.to_numpy(float)
    resolution = unit.resolution
    if contrast.scale == "ratio":
        with np.errstate(divide="ignore", invalid="ignore"):
            first, second = (np.where(values > 0, np.log(values), np.nan) for values in (first, second))
        resolution = 0.0
    both = np.isfinite(first) & np.isfinite(second)
    sign = 1 if contrast.expect in {"higher", "not lower"} else -1
    margin = margin_of(contrast, unit)
    plain = statistics.estimate(first, second, resolution=resolution)
    claimed = plain if sign > 0 else statistics.estimate(second, first, resolution=resolution)
    differences = sign * (first - second)[both]
    moved = margin if contrast.expect.startswith("not ") else 0.0
    return Compared(
        metric=contrast.metric,
        subject=str(a.name),
        rival=str(b.name),
        expect=contrast.expect,
        scale=contrast.scale,
        margin=margin,
        blocks=tuple(a.index[both]),
        left_out=tuple(a.index[~both]),
        plain=plain,
        estimate=claimed,
        tested=statistics.shifted(claimed, moved) if moved else claimed,
        p_sign_flip=statistics.sign_flip_p(differences + moved, np.random.default_rng(0)) if claimed.decidable else None,
        effect_size=statistics.effect_size(claimed.mean, claimed.sd, claimed.n) if claimed.decidable else None,
        won=float((differences > 0).mean()) if len(differences) else None,
        correlation=statistics.pair_correlation(first, second),
    )


def margin_of(contrast: Contrast, unit: Unit) -> float:
    """The margin in the unit of the estimates: a fraction, a logarithm, or the metric's own; never below the unit's least."""
    if contrast.scale == "ratio":
        return abs(math.log(contrast.margin))
    in_unit = contrast.margin / 100 if contrast.metric in SCALED_IN_POINTS else contrast.margin
    return max(in_unit, unit.least_margin)


def _compare(
    design: Design,
    contrast: Contrast,
    names: Sequence[str],
    scores: Mapping[str, pd.DataFrame],
    by_metric: Mapping[str, Unit],
) -> list[Compared]:
    subject = design.pick(contrast.of)
    rivals = (
        [i for i in range(len(names)) if i != subject] if contrast.against == ALL_OTHERS else [design.pick(contrast.against)]
    )
    frame = scores[contrast.metric].reindex(columns=list(names))
    unit = by_metric.get(contrast.metric, Unit())
    return [compare(frame[names[subject]], frame[names[rival]], contrast, unit) for rival in rivals]


def _own_p(results: Sequence[Compared]) -> tuple[float, float]:
    """A claim's p for being supported (intersection-union: its largest) and for being refuted (any contrast: Bonferroni); NaN without data."""
    if not all(result.tested.decidable for result in results):
        return math.nan, math.nan
    against = [result.tested.p for result in results if result.tested.mean < 0]
    supported = max(result.p for result in results) if not against else 1.0
    return supported, min(1.0, len(results) * min(against, default=1.0))


def _judge(
    claim: Claim, results: tuple[Compared, ...], own: tuple[float, float], adjusted: float, alpha: float, family: int
) -> Judged:
    base = Judged(claim.id, claim.text, Verdict.NONE, strongly=False, contrasts=results, deciding=results[0])
    short = [result for result in results if not result.tested.decidable]
    if short:
        return replace(base, deciding=short[0])
    supported = own[0] <= own[1]
    p = adjusted if supported else 1.0
    each = [verdict(result.tested, result.margin, p, alpha, not_worse=result.not_worse) for result in results]
    outcome = Verdict.REFUTED if not supported and adjusted < alpha else _weakest(each)
    concerned = (
        results
        if outcome == Verdict.REFUTED
        else [r for r, own_verdict in zip(results, each, strict=True) if own_verdict == outcome]
    )
    return replace(
        base,
        verdict=outcome,
        strongly=outcome == Verdict.SUPPORTED and all(result.tested.low > result.margin for result in results),
        deciding=min(concerned, key=_t),
        p=min(own),
        p_adjusted=adjusted,
        further=_further(results, alpha / family) if outcome == Verdict.INCONCLUSIVE else None,
    )


def _together(claim: Claim, parts: Sequence[Judged]) -> Judged:
    outcome = _weakest([part.verdict for part in parts])
    further = [part.further for part in parts if part.verdict == Verdict.INCONCLUSIVE]
    return Judged(
        claim.id,
        claim.text,
        outcome,
        strongly=outcome == Verdict.SUPPORTED and all(part.strongly for part in parts),
        contrasts=(),
        deciding=None,
        parts=tuple(parts),
        further=_most(further) if outcome == Verdict.INCONCLUSIVE else None,
    )


def _weakest(verdicts: Sequence[Verdict]) -> Verdict:
    """What can be said of all together: supported only if each is."""
    order = (Verdict.REFUTED, Verdict.NONE, Verdict.EQUIVALENT, Verdict.NOT_BY_MARGIN, Verdict.INCONCLUSIVE, Verdict.SUPPORTED)
    return next(outcome for outcome in order if outcome in verdicts)


def _t(result: Compared) -> float:
    return result.tested.mean / result.tested.sd * math.sqrt(result.tested.n)


def _further(results: Sequence[Compared], alpha: float) -> int | None:
    """Blocks to add until each open contrast has 80% power, the standard deviation taken at its upper 80% bound.

    Power against an effect as large as the margin; or as the 95% interval's end towards zero, where that lies beyond the margin already.
    """
    wanted: list[int | None] = []
    for result in results:
        if result.tested.mean > 0 and result.p < alpha:
            continue
        effect = result.margin if result.not_worse else max(result.margin, result.tested.low)
        level = 2 * alpha if result.not_worse else alpha
        needed = statistics.blocks_needed(effect, statistics.sd_upper(result.tested.sd, result.tested.n), level)
        wanted.append(None if needed is None else max(1, needed - result.tested.n))
    return _most(wanted)


def _most(wanted: Sequence[int | None]) -> int | None:
    known = [number for number in wanted if number is not None]
    return max(known) if len(known) == len(wanted) and known else None
