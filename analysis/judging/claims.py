"""A design's claims to verdicts: each contrast estimated in the direction that is claimed, one family, six exclusive verdicts.

Arrays come as frames of scores, one row per block and one column per configuration. Knows nothing of stores; phrases nothing.

Of m claims each has α/m, whatever its verdict: "equivalent" and "not by the margin" are conclusions too. Of a claim's two null hypotheses, no difference and a difference as
large as the margin, at most one is true, so both may be tested at that level. A claim about r rivals is supported if each contrast is, at that level (intersection-union);
whatever else is said of it may be false of any of the r, so there each contrast has α/(m·r).
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Protocol

import numpy as np
import pandas as pd

from regstudy.design.claim import ALL_OTHERS, Claim, Contrast

from ..reading.measures import PAIRED, Pairing, Unit, measure
from . import looks, statistics
from .looks import NOTHING_FIXED, Looks
from .statistics import BY_ITSELF, LEAST, Estimate, Rule


class Verdict(StrEnum):
    """What the data say of a claim, in the order in which they are tried."""

    NONE = "no verdict"
    REFUTED = "refuted"
    EQUIVALENT = "practically equivalent"
    SUPPORTED = "supported"
    NOT_BY_MARGIN = "not by the margin"
    INCONCLUSIVE = "inconclusive"


OPEN = frozenset({Verdict.NONE, Verdict.INCONCLUSIVE})
"""What further blocks may change."""


class Questions(Protocol):
    """What has claims, and knows which configuration a claim's fields pick: a study's design, or somebody's file of claims."""

    @property
    def claims(self) -> Sequence[Claim]:
        """The claims, in their order."""
        ...

    def metrics(self) -> Sequence[str]:
        """The recorded numbers that it speaks of."""
        ...

    def pick(self, fields: Mapping[str, Any] | str) -> int:
        """Which configuration these fields single out."""
        ...


@dataclass(frozen=True)
class Compared:
    """One contrast's result.

    `tested` is in the claimed direction, so that positive means as claimed, and tested against zero: a difference in the metric's own unit (accuracies: fractions), or the
    natural logarithm of a ratio; for "not lower" and "not higher" the difference plus the margin. `plain` is the subject minus the rival (or log ratio), as measured. Both at the level
    `alpha`, of all that a report concludes this contrast's share, by a test that is valid whenever one looks if `anytime`; `strict` and `strict_plain` the same at `strict_alpha`, which is
    that over the number of the claim's rivals. `margin` is positive, in the estimates' unit. `on` is the data set, where a study has several; with `minus` the scores are differences of
    two, or their ratios: an interaction.
    """

    metric: str
    subject: str
    rival: str
    on: str
    minus: str
    expect: str
    scale: str
    margin: float
    blocks: tuple[object, ...]
    left_out: tuple[object, ...]
    against_number: bool
    alpha: float
    strict_alpha: float
    anytime: bool
    plain: Estimate
    tested: Estimate
    strict_plain: Estimate
    strict: Estimate
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
    def strongly(self) -> bool:
        """Whether the difference is shown to be larger than the margin: at half its share of α, since at a difference just as large equivalence may be shown falsely, too."""
        half = Rule(np.array(self.alpha / 2), np.array(self.anytime))
        return statistics.shifted(self.tested, rule=half).low > self.margin

    @property
    def beyond_chance(self) -> bool:
        """Whether the data point as claimed beyond chance, looked at by itself, once, at 5%."""
        alone = statistics.shifted(self.tested, rule=BY_ITSELF)
        return (alone.inner_low if self.not_worse else alone.low) > 0

    @property
    def verdict(self) -> Verdict:
        """The verdict on this contrast: what is said against the claim is held to the stricter level."""
        return verdict(self.tested, self.strict, self.margin, not_worse=self.not_worse)


@dataclass(frozen=True)
class Judged:
    """A claim with its verdict; `deciding` is the contrast that the verdict hangs on, None if it is made of other claims.

    `parts` are the claims that it is made of. `p` is the claim's own, of the contrast that fits it worst; `p_adjusted` the same times the number of claims and over the share of
    α that its look has, to compare with α; both None where there is nothing to test. `further` is how many more blocks give each open contrast 80% power, for inconclusive claims;
    None if more than 1,000, or for other verdicts.
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


def verdict(tested: Estimate, strict: Estimate, margin: float, *, not_worse: bool = False) -> Verdict:
    """The verdict on one contrast in the claimed direction; `strict` is the same estimate at the level of what is said against the claim.

    `not_worse`: the contrast was moved by the margin already, so that neither equivalence nor falling short of the margin has a meaning.
    """
    if not tested.decidable or tested.n < LEAST:
        return Verdict.NONE
    if strict.high < 0:
        return Verdict.REFUTED
    if not not_worse and strict.within(margin):
        return Verdict.EQUIVALENT
    if (tested.inner_low if not_worse else tested.low) > 0:
        return Verdict.SUPPORTED
    if not not_worse and strict.high < margin:
        return Verdict.NOT_BY_MARGIN
    return Verdict.INCONCLUSIVE


@dataclass(frozen=True)
class OnData:
    """What was measured on a data set, columns being configurations by the names that all data sets share.

    `scores` by metric (index: blocks); a column or a value that is not there is a missing or diverged run. `units` by metric. `run` says in which block each configuration was run at
    all, diverged ones included: a look is at so many; None: wherever it has a score. `pairing`: how runs belong together.
    """

    scores: Mapping[str, pd.DataFrame]
    units: Mapping[str, Unit]
    run: pd.DataFrame | None = None
    pairing: Pairing = PAIRED


@dataclass(frozen=True)
class Measured:
    """What a contrast is about: scores, and in which blocks there was a run, on a data set or on one minus another; how counts are rounded, and runs belong together."""

    frame: pd.DataFrame
    there: pd.DataFrame
    unit: Unit
    on: str = ""
    minus: str = ""
    pairing: Pairing = PAIRED


def judge(
    questions: Questions, names: Sequence[str], data: Mapping[str, OnData], looked: Looks = NOTHING_FIXED
) -> list[Judged]:
    """Judge claims, in their order, each on the data set that it names, else on every one.

    `names` are the configurations', in the order in which `questions.pick` counts them. `data` by the data sets' names; of a single one the name does not matter.
    """
    own = [claim for claim in questions.claims if claim.contrasts]
    judged: dict[str, Judged] = {}
    for claim in questions.claims:
        if claim.together:
            judged[claim.id] = _together(claim, [judged[part] for part in claim.together])
            continue
        pairs = contrasts(claim, questions, names, data)
        results: list[Compared] = []
        for contrast, measured, subject, rival in pairs:
            frame = measured.frame
            blocks = _blocks(measured, [subject, rival] if rival else [subject])
            rules = looked.rule(blocks, len(own)), looked.rule(blocks, len(own) * len(pairs))
            other = frame[rival] if rival else target(contrast, frame.index)
            found = compare(frame[subject], other, contrast, measured.unit, *rules, pairing=measured.pairing)
            results.append(replace(found, on=measured.on, minus=measured.minus))
        judged[claim.id] = _judge(claim, tuple(results), looked, len(own))
    return list(judged.values())


def contrasts(
    claim: Claim, questions: Questions, names: Sequence[str], data: Mapping[str, OnData]
) -> list[tuple[Contrast, Measured, str, str | None]]:
    """What a claim compares: each contrast, on each data set that it speaks of, of its subject with each rival, None for a number."""
    return [
        (contrast, measured, *pair)
        for contrast in claim.contrasts
        for measured in _measured(contrast, names, data)
        for pair in _pairs(questions, contrast, names)
    ]


def _blocks(measured: Measured, names: list[str]) -> int:
    """At how many blocks a contrast is looked at: those that both have, or as many as each has."""
    there = measured.there[names]
    return int(there.all(axis=1).sum() if measured.pairing.paired else there.sum().min())


def compare(
    a: "pd.Series[float]",
    b: "pd.Series[float]",
    contrast: Contrast,
    unit: Unit,
    rule: Rule = BY_ITSELF,
    strict: Rule | None = None,
    *,
    pairing: Pairing = PAIRED,
) -> Compared:
    """One contrast between two columns of scores, indexed by block and named by configuration; by these rules, the second for what is said against it.

    Unpaired, or of folds, nothing is said of single pairs.
    """
    if contrast.target is not None:
        pairing = Pairing(overlap=pairing.overlap)  # a number is the same beside every run
    first, second, resolution = subtracted(a, b, contrast, unit)
    both = np.isfinite(first) & np.isfinite(second)
    sign = sign_of(contrast)
    margin = margin_of(contrast, unit)
    plain = statistics.estimate(first, second, pairing, resolution=resolution, rule=rule)
    moved = margin if contrast.expect.startswith("not ") else 0.0
    differences = sign * (first - second)[both]
    claimed = plain._replace(mean=sign * plain.mean)
    against = rule if strict is None else strict
    return Compared(
        metric=contrast.metric,
        subject=str(a.name),
        rival=str(b.name),
        on="",
        minus="",
        expect=contrast.expect,
        scale=contrast.scale,
        margin=margin,
        blocks=tuple(a.index[both]),
        left_out=tuple(a.index[~both]) if pairing.paired else (),
        against_number=contrast.target is not None,
        alpha=float(rule.alpha),
        strict_alpha=float(against.alpha),
        anytime=bool(rule.anytime),
        plain=plain,
        tested=statistics.shifted(claimed, moved, rule=rule),
        strict_plain=statistics.shifted(plain, rule=against),
        strict=statistics.shifted(claimed, moved, rule=against),
        p_sign_flip=statistics.sign_flip_p(differences + moved, np.random.default_rng(0))
        if claimed.decidable and pairing == PAIRED
        else None,
        effect_size=statistics.effect_size(claimed.mean, claimed.sd, claimed.n)
        if claimed.decidable and pairing == PAIRED
        else None,
        won=float((differences > 0).mean()) if len(differences) and pairing.paired else None,
        correlation=statistics.pair_correlation(first, second) if pairing.paired else None,
    )


def subtracted(
    a: "pd.Series[float]", b: "pd.Series[float]", contrast: Contrast, unit: Unit
) -> tuple[statistics.Vector, statistics.Vector, float]:
    """Two columns of scores as one is subtracted from the other, of a ratio their logarithms; and the step in which they come."""
    first, second = (np.asarray(column, np.float64) for column in (a, b))
    if contrast.scale != "ratio":
        return first, second, unit.resolution
    with np.errstate(divide="ignore", invalid="ignore"):
        first, second = (np.where(values > 0, statistics.log(values), np.nan) for values in (first, second))
    return first, second, 0.0


def sign_of(contrast: Contrast) -> int:
    """By which a difference becomes one in the claimed direction."""
    return 1 if contrast.expect in {"higher", "not lower"} else -1


def _measured(contrast: Contrast, names: Sequence[str], data: Mapping[str, OnData]) -> list[Measured]:
    """What the contrast is about, on each data set that it speaks of; a data set without any run has no block."""
    several = len(data) > 1 or contrast.on is not None
    on = [contrast.on] if contrast.on is not None else list(data)
    each = [_on(contrast.metric, names, data.get(name), name if several else "") for name in on]
    if contrast.minus is None:
        return each
    other = _on(contrast.metric, names, data.get(contrast.minus), contrast.minus)
    return [_interaction(one, other, ratio=contrast.scale == "ratio") for one in each]


def _on(metric: str, names: Sequence[str], data: OnData | None, name: str) -> Measured:
    if data is None:
        empty = pd.DataFrame(columns=list(names), dtype=float)
        return Measured(empty, empty.notna(), Unit(), name)
    frame = data.scores[metric].reindex(columns=list(names))
    there = frame.notna() if data.run is None else data.run.reindex(columns=list(names), fill_value=False)
    return Measured(frame, there, data.units.get(metric, Unit()), name, pairing=data.pairing)


def _interaction(one: Measured, other: Measured, *, ratio: bool) -> Measured:
    """Each configuration's score on the one minus that on the other, or over it: what two of them differ in then is how much larger their difference is on the one.

    Counts are rounded on both, so that their resolution is √2 times as coarse. An interaction in a metric's own unit may be only its scale: a ratio of ratios is none of that.
    """
    first, second = one.frame.align(other.frame, join="inner")
    there = one.there.reindex(index=first.index) & other.there.reindex(index=first.index)
    frame = first / second.where(second > 0) if ratio else first - second
    unit = replace(one.unit, resolution=max(one.unit.resolution, other.unit.resolution) * math.sqrt(2))
    return Measured(frame, there, unit, one.on, other.on, one.pairing)


def target(contrast: Contrast, blocks: "pd.Index[Any]") -> "pd.Series[float]":
    """The number that a claim names instead of a rival, in every block, in the metric's stored unit."""
    assert contrast.target is not None
    stored = contrast.target / 100 if contrast.in_points else contrast.target
    return pd.Series(stored, index=blocks, name=measure(contrast.metric).target(stored))


def margin_of(contrast: Contrast, unit: Unit) -> float:
    """The margin in the unit of the estimates: a fraction, a logarithm, or the metric's own; never below the unit's least."""
    if contrast.scale == "ratio":
        return abs(math.log(contrast.margin))
    in_unit = contrast.margin / 100 if contrast.in_points else contrast.margin
    return max(in_unit, unit.least_margin)


def _pairs(questions: Questions, contrast: Contrast, names: Sequence[str]) -> list[tuple[str, str | None]]:
    """A contrast's subject with each of its rivals; None for a fixed target."""
    subject = questions.pick(contrast.of)
    if contrast.against is None:
        return [(names[subject], None)]
    rivals = (
        [i for i in range(len(names)) if i != subject] if contrast.against == ALL_OTHERS else [questions.pick(contrast.against)]
    )
    return [(names[subject], names[rival]) for rival in rivals]


def _judge(claim: Claim, results: tuple[Compared, ...], looked: Looks, family: int) -> Judged:
    each = [result.verdict for result in results]
    outcome = together(each)
    concerned = [result for result, own in zip(results, each, strict=True) if own in hanging_on(outcome)]
    deciding = min(concerned, key=_t)
    base = Judged(claim.id, _sentence(claim), outcome, strongly=False, contrasts=results, deciding=deciding)
    if not all(result.tested.decidable for result in results):
        return base
    p, of = _p(results)
    return replace(
        base,
        strongly=outcome == Verdict.SUPPORTED and all(result.strongly for result in results),
        p=p,
        p_adjusted=min(1.0, p * looked.alpha / of.alpha),
        further=_further(results, looked, family) if outcome == Verdict.INCONCLUSIVE else None,
    )


def _p(results: Sequence[Compared]) -> tuple[float, Compared]:
    """A claim's p for being supported (its contrasts' largest) or refuted (any contrast: Bonferroni), and the contrast that it is of."""
    against = [result for result in results if result.tested.mean < 0]
    if not against:
        worst = max(results, key=lambda result: result.p)
        return worst.p, worst
    worst = min(against, key=lambda result: result.tested.p)
    return min(1.0, len(results) * worst.tested.p), worst


def _together(claim: Claim, parts: Sequence[Judged]) -> Judged:
    outcome = together([part.verdict for part in parts])
    further = [part.further for part in parts if part.verdict == Verdict.INCONCLUSIVE]
    return Judged(
        claim.id,
        _sentence(claim),
        outcome,
        strongly=outcome == Verdict.SUPPORTED and all(part.strongly for part in parts),
        contrasts=(),
        deciding=None,
        parts=tuple(parts),
        further=_most(further) if outcome == Verdict.INCONCLUSIVE else None,
    )


def _sentence(claim: Claim) -> str:
    """Its text, as it stands within other sentences."""
    return claim.text.strip().removesuffix(".")


def together(verdicts: Collection[Verdict]) -> Verdict:
    """What can be said of all at once: supported if each is, equivalent if each is one or the other, not by the margin if any cannot be."""
    there = set(verdicts) or {Verdict.NONE}
    if there <= {Verdict.SUPPORTED, Verdict.EQUIVALENT}:
        return Verdict.EQUIVALENT if Verdict.EQUIVALENT in there else Verdict.SUPPORTED
    for outcome in (Verdict.REFUTED, Verdict.NONE):
        if outcome in there:
            return outcome
    return Verdict.NOT_BY_MARGIN if there & _DECIDING[Verdict.NOT_BY_MARGIN] else Verdict.INCONCLUSIVE


def hanging_on(outcome: Verdict) -> frozenset[Verdict]:
    """The verdicts of parts that the verdict on the whole hangs on."""
    return _DECIDING.get(outcome, frozenset({outcome}))


_DECIDING = {Verdict.NOT_BY_MARGIN: frozenset({Verdict.NOT_BY_MARGIN, Verdict.EQUIVALENT})}
"""What the verdict on the whole may hang on, where that is not the same verdict: what is equivalent is not better by the margin either."""


def _t(result: Compared) -> float:
    """How well a contrast fits the claim; what cannot be judged comes first."""
    return result.tested.mean / result.tested.sd * math.sqrt(result.tested.n) if result.tested.decidable else -math.inf


def _further(results: Sequence[Compared], looked: Looks, family: int) -> int | None:
    """Blocks to add until each open contrast has 80% power at its next look, the standard deviation taken at its upper 80% bound.

    Power against an effect as large as the margin; or as the 95% interval's end towards zero, where that lies beyond the margin already.
    """
    wanted: list[int | None] = []
    for result in results:
        if result.verdict == Verdict.SUPPORTED:
            continue
        n, alone = result.tested.n, statistics.shifted(result.tested, rule=BY_ITSELF)
        effect = result.margin if result.not_worse else max(result.margin, alone.low)
        tests = family / 2 if result.not_worse else family
        needed = looked.blocks_for(effect, looks.sd_upper(result.tested.sd, n), tests, after=n)
        wanted.append(None if needed is None else needed - n)
    return _most(wanted)


def _most(wanted: Sequence[int | None]) -> int | None:
    known = [number for number in wanted if number is not None]
    return max(known) if len(known) == len(wanted) and known else None
