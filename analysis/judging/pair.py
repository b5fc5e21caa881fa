"""Two configurations, as numbers: by the endpoint as one contrast, and by every measure that both have."""

from dataclasses import dataclass

from regstudy.design.claim import Contrast

from ..reading import measures
from ..reading.measures import Measure
from . import claims, findings, statistics
from .findings import Findings
from .statistics import Estimate


@dataclass(frozen=True)
class Row:
    """One measure of two configurations: their means over blocks, and the first minus the second over common blocks, or as two samples; of a measure that is a ratio, the logarithm of first over second."""

    measure: Measure
    first: float
    second: float
    difference: Estimate


def endpoint(found: Findings, first: str, second: str) -> claims.Compared:
    """Two configurations compared by the endpoint: one contrast, not one of a family."""
    margin = found.scale.margin or findings.MARGIN
    asked = Contrast.model_construct(
        metric=found.endpoint.key, of={}, against={}, expect="higher", scale="difference", margin=margin
    )
    run, pairing = found.trials.runs.groupby("configuration")["seed"].agg(set), found.trials.pairing
    blocks = len(run[first] & run[second]) if pairing.paired else min(len(run[first]), len(run[second]))
    rule = found.looked.rule(blocks)
    return claims.compare(found.scores[first], found.scores[second], asked, found.scale.unit, rule, pairing=pairing)


def rows(found: Findings, first: str, second: str) -> list[Row]:
    """Each measure that both have, of runs that are paired in some common block; the endpoint first."""
    told: list[Row] = []
    pairing = found.trials.pairing
    for key in [found.endpoint.key, *(key for key in measures.COMPARED if key in found.trials.runs)]:
        reading = measures.measure(key)
        scores = findings.score_table(found.trials.runs, key)[[first, second]]
        there = scores.notna()
        if there.all(axis=1).any() if pairing.paired else there.any().all():
            values = statistics.log(scores.where(scores > 0)) if reading.ratio else scores
            one, other = float(scores[first].mean()), float(scores[second].mean())
            told.append(Row(reading, one, other, statistics.estimate(values[first], values[second], pairing)))
    return told
