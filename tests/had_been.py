"""Trials as they would have been: with fewer blocks, or another margin; and what a report of them says, line by line, as its What if does."""

from collections.abc import Sequence
from dataclasses import replace

from analysis.judging import findings
from analysis.judging.findings import Findings
from analysis.judging.ranking import Relation
from analysis.reading.trials import Trials
from analysis.showing import wording
from analysis.showing.words import opening
from regstudy.design.claim import Claim, Contrast


def only(trials: Trials, blocks: Sequence[object], times: float = 1.0) -> Trials:
    """Of these blocks alone, every margin of the design so many times as large."""
    inside = list(blocks)
    runs, epochs = (frame[frame["seed"].isin(inside)] for frame in (trials.runs, trials.epochs))
    study = trials.study
    if study is not None:
        design = study.design.model_copy(
            update={
                "margin": study.design.margin * times,
                "claims": tuple(_claim(own, times) for own in study.design.claims),
            }
        )
        study = replace(study, design=design)
    return replace(trials, runs=runs, epochs=epochs, study=study)


def _claim(claim: Claim, times: float) -> Claim:
    return claim.model_copy(update={"contrasts": tuple(_contrast(own, times) for own in claim.contrasts)})


def _contrast(contrast: Contrast, times: float) -> Contrast:
    margin = contrast.margin**times if contrast.scale == "ratio" else contrast.margin * times
    return contrast.model_copy(update={"margin": margin})


def answers(found: Findings, anchor: str, names: Sequence[str]) -> list[str]:
    """What to use, the relation of each configuration to the anchor, the answer to each claim."""
    chosen = wording.names(found.ranking.advised) if found.ranking.advised else "nothing"
    relations = [_relation(found, anchor, name) for name in names]
    claims = [f"{line.sign} {line.answer}: {line.told.partition(';')[0]}" for line in opening.opening(found).claims]
    return [chosen, *relations, *claims]


def _relation(found: Findings, anchor: str, name: str) -> str:
    for pair in found.ranking.pairs.to_dict("records"):
        if {pair["first"], pair["second"]} == {anchor, name}:
            if pair["relation"] == Relation.SEPARATED:
                gain = pair["mean"] * (1 if pair["first"] == name else -1) * (1 if found.scale.higher_is_better else -1)
                return "better" if gain > 0 else "worse"
            return {Relation.EQUIVALENT: "as good", Relation.UNRESOLVED: "open"}[Relation(pair["relation"])]
    return "not compared" if name in set(found.table["configuration"]) else "not run yet"


def as_told(advice: str) -> str:
    """A line on what to use, as `answers` puts it."""
    if advice == "no recommendation yet":
        return "nothing"
    chosen, _, also = advice.removesuffix(" would do as well").partition("; ")
    return wording.listed([chosen, *also.replace(" and ", ", ").split(", ")]) if also else chosen


def found_in(trials: Trials) -> Findings:
    """Everything that the analysis says of them."""
    return findings.find(trials)
