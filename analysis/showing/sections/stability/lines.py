"""The report's answers as lines: what to use, each comparison of the first screen, each claim; after each number of first blocks, at each margin, in the words of the first screen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ....files.rows import rows
from ....judging.findings import Findings
from ....judging.ranking import Ranking, Relation, concluded
from ....judging.stability.claims_after import Answer
from ....judging.stability.what_if import WhatIf
from ... import wording
from ...words import opening
from ..first import told

NOT_RUN = "not run yet"


@dataclass(frozen=True)
class Said:
    """What a line says, and the answer in it: where that is the same, only numbers moved."""

    text: str
    answer: str

    @property
    def is_open(self) -> bool:
        """Whether nothing is said yet."""
        return self.answer.lower().lstrip("? ").startswith(("open", "no recommendation", NOT_RUN))


@dataclass(frozen=True)
class Line:
    """An answer of the report: what it is about; what is said, by numbers of first blocks and then by margins. `configuration` is the one that it compares, empty for others."""

    label: str
    said: Sequence[Sequence[Said]]
    configuration: str = ""


def lines(found: Findings, what: WhatIf) -> list[Line]:
    """Those that the first screen has, in its order."""
    return [*_ranking(found, what), *_claims(found, what)]


def _ranking(found: Findings, what: WhatIf) -> list[Line]:
    """What to use, and each configuration beside the one that all are shown beside."""
    anchor = opening.compared_with(found)
    if anchor is None:
        return []
    names = [str(name) for name in opening.against(found, anchor)["configuration"]]
    # Rankings at margins that change nothing are one object, and are put into words once.
    distinct = {id(ranked): ranked for own in what.rankings for ranked in own}
    each = {key: _of_ranking(found, ranked, anchor, names) for key, ranked in distinct.items()}
    said = [[each[id(ranked)] for ranked in own] for own in what.rankings]
    labels = {"": "Use", **{name: f"{name} beside {anchor}" for name in names}}
    return [Line(label, [[one[name] for one in own] for own in said], name) for name, label in labels.items()]


def _of_ranking(found: Findings, ranked: Ranking, anchor: str, names: Sequence[str]) -> dict[str, Said]:
    """By configuration; the advice by no name."""
    now = replace(found, ranking=ranked, table=ranked.table)
    beside = anchor if anchor in ranked.order and ranked.compared != "leader" else ranked.leader
    said = {str(row["configuration"]): _pair(now, row, beside, anchor) for row in rows(opening.against(now, beside))}
    advice = _advice(ranked)
    return {"": Said(advice, advice), **{name: said.get(name) or _alone(name, ranked, beside) for name in names}}


def _advice(ranked: Ranking) -> str:
    if not ranked.advised or not concluded(ranked.pairs).any():
        return "no recommendation yet"
    chosen, *also = ranked.advised
    return f"{chosen}; {wording.names(also)} would do as well" if also else chosen


def _pair(now: Findings, row: Mapping[str, object], beside: str, anchor: str) -> Said:
    mean = float(str(row["mean"]))
    answer = {Relation.EQUIVALENT: "as good", Relation.UNRESOLVED: "open"}.get(
        Relation(str(row["relation"])), "worse" if opening.worse(now, mean) > 0 else "better"
    )
    where = "" if beside == anchor else f", beside {beside}"
    return Said(told(now, dict(row)) + where, answer + where)


def _alone(name: str, ranked: Ranking, beside: str) -> Said:
    text = "compared with this" if name == beside else "not compared" if name in ranked.order else NOT_RUN
    return Said(text, text)


def _claims(found: Findings, what: WhatIf) -> list[Line]:
    return [
        Line(judged.text, [[_claim(answers[judged.id]) for answers in own] for own in what.answers]) for judged in found.judged
    ]


def _claim(given: Answer) -> Said:
    verdict, strongly = given
    answer = wording.ANSWERS[verdict]
    text = f"{wording.SIGNS[answer]} {answer}: {wording.verdict_in_words(verdict, strongly=strongly)}"
    return Said(text, text)
