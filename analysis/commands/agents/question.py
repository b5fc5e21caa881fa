"""Whether one configuration is better than another: the claim that it is, judged as a file's claims are. Reads nothing."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from regstudy.console.terminal import plural
from regstudy.design.claim import Claim

from ...judging import claims, findings
from ...judging.claims import Compared, Judged, OnData, Verdict
from ...judging.findings import Findings
from ...judging.looks import MOST as MOST_BLOCKS
from ...judging.looks import Looks
from ...judging.statistics import LEAST
from ...reading.anybody.claims_file import AnyContrast
from ...reading.measures import Measure
from ...showing import methods, wording
from .answers import MOST, Comparison

NO_MARGIN = sys.float_info.min
"""Where nobody says which difference matters, any does: neither equivalence nor falling short of it can be shown."""

NAME = "name"


@dataclass(frozen=True)
class Question:
    """One claim, that the first of two configurations is better than the second, in the stored unit."""

    names: tuple[str, str]
    metric: str
    expect: str
    margin: float

    @property
    def claims(self) -> Sequence[Claim]:
        """The claim."""
        one, other = ({NAME: name} for name in self.names)
        contrast = AnyContrast.model_construct(
            metric=self.metric, of=one, against=other, expect=self.expect, margin=self.margin
        )
        return [Claim.model_construct(id="better", text=self.text, contrasts=(contrast,))]

    @property
    def text(self) -> str:
        """The claim as a sentence."""
        return f"{self.names[0]} is better than {self.names[1]}"

    def metrics(self) -> Sequence[str]:
        """What it speaks of."""
        return [self.metric]

    def pick(self, fields: Mapping[str, Any] | str) -> int:
        """Which of the two."""
        assert not isinstance(fields, str), "a name that only a study's design gives"
        return self.names.index(fields[NAME])


@dataclass(frozen=True)
class Asked:
    """The question and what was found: `judged`, and `otherwise` if further blocks were added while looking, None where that was planned for. `lost`: the first one's diverged runs."""

    question: Question
    found: Findings
    judged: Judged
    otherwise: Judged | None
    comparisons: int
    lost: int

    @property
    def result(self) -> Compared:
        """The contrast."""
        assert self.judged.deciding is not None
        return self.judged.deciding

    @property
    def margin(self) -> float | None:
        """The smallest difference that matters, in the stored unit."""
        return self.found.scale.margin

    @property
    def reading(self) -> Measure:
        """How the endpoint is written: its differences, never ratios."""
        return self.found.endpoint

    def verdict(self, judged: Judged) -> Verdict:
        """What diverged at times is not shown to be better by the runs that did not."""
        return Verdict.INCONCLUSIVE if self.lost and judged.verdict == Verdict.SUPPORTED else judged.verdict


def ask(found: Findings, a: str, b: str, comparisons: int | None) -> Asked:
    """Judge it. So many comparisons share α: each other configuration with the second, unless it is said."""
    scale, key = found.scale, found.endpoint.key
    shared = max(1, len(found.table) - 1) if comparisons is None else comparisons
    question = Question((a, b), key, "higher" if scale.higher_is_better else "lower", scale.margin or NO_MARGIN)
    looked = findings.looks_of(found.trials, found.alpha / shared)
    on = OnData({key: found.scores}, {key: scale.unit}, findings.was_run(found.trials.runs), found.trials.pairing)

    def judged(by: Looks) -> Judged:
        (only,) = claims.judge(question, question.names, {"": on}, by)
        return only if scale.margin else replace(only, strongly=False, further=None)

    diverged = found.table.set_index("configuration")["diverged"]
    otherwise = None if looked.known else judged(looked.otherwise())
    return Asked(question, found, judged(looked), otherwise, shared, int(diverged[a]))


def answer(asked: Asked) -> Comparison:
    """It in words and numbers."""
    found, result, judged = asked.found, asked.result, asked.judged
    reading, block, verdict = asked.reading, found.trials.words.block, asked.verdict(asked.judged)
    scores, notices = found.scores[list(asked.question.names)], found.trials.notices
    shown = scores.dropna() if found.trials.pairing.paired else scores
    mean_a, mean_b = (float(mean) * reading.factor for mean in shown.mean())
    n_a, n_b = (int(n) for n in scores.notna().sum())
    further = _further(asked)
    return Comparison(
        question=f"Is {asked.question.names[0]} better than {asked.question.names[1]} by {reading.words} ({asked.question.expect} is better)?",
        verdict=wording.ANSWERS[verdict],
        reason=wording.verdict_words(judged) if verdict == judged.verdict else verdict.value,
        answer=f"{wording.ANSWERS[verdict]}: {_in_numbers(asked)}{_lost(asked)}",
        what_would_change_it=_what_would_change(asked, further),
        a=asked.question.names[0],
        b=asked.question.names[1],
        mean_a=mean_a,
        mean_b=mean_b,
        difference=result.plain.mean * reading.factor,
        low=result.plain.low * reading.factor,
        high=result.plain.high * reading.factor,
        level=round(1 - result.alpha, 6),
        unit=reading.difference_unit.strip(),
        margin=None if asked.margin is None else asked.margin * reading.factor,
        n=result.plain.n,
        n_a=n_a,
        n_b=n_b,
        block=block,
        test=_test(asked),
        comparisons=asked.comparisons,
        verdict_if_added_while_looking=None if asked.otherwise is None else wording.ANSWERS[asked.verdict(asked.otherwise)],
        further=further,
        notices=list(notices[:MOST]),
        notices_total=len(notices),
    )  # fmt: skip


def _in_numbers(asked: Asked) -> str:
    plain, reading, block = asked.result.plain, asked.reading, asked.found.trials.words.block
    if not plain.decidable or plain.n < LEAST:
        return f"{_why_none(asked)}."
    interval = reading.interval(plain.low, plain.high)
    n = plural(plain.n, f"common {block}") if asked.found.trials.pairing.paired else f"{plural(plain.n, block)} each"
    return (
        f"{wording.contrast(asked.result)} = {reading.difference(plain.mean)}{reading.difference_unit} "
        f"({wording.level(asked.result.alpha)} interval {interval}, n = {n})."
    )


def _why_none(asked: Asked) -> str:
    """Why there is no verdict at all."""
    plain, block = asked.result.plain, asked.found.trials.words.block
    common = "common " if asked.found.trials.pairing.paired else ""
    if plain.n < LEAST:
        return f"{LEAST} {common}{block}s of both are needed to say anything, and there {'is' if plain.n == 1 else 'are'} {plain.n}"
    reading = asked.reading
    return f"the difference is {reading.difference(plain.mean)}{reading.difference_unit} in all {plain.n} {block}s: without variation there is no interval"


def _lost(asked: Asked) -> str:
    a = asked.question.names[0]
    return (
        f" {plural(asked.lost, 'run')} of {a} diverged and {'is' if asked.lost == 1 else 'are'} in no mean."
        if asked.lost
        else ""
    )


def _test(asked: Asked) -> str:
    """Which test decides."""
    if asked.result.anytime:
        return "a t test that is valid whenever one looks"
    return methods.which_test(asked.found)


def _further(asked: Asked) -> int | None:
    """By the test that the next look will be made with: whoever adds runs because of this answer adds them while looking."""
    n = asked.result.plain.n
    if n < LEAST:
        return LEAST - n
    judged = asked.otherwise or asked.judged
    if asked.lost or wording.ANSWERS[judged.verdict] != "Open":
        return None
    return judged.further


def _what_would_change(asked: Asked, further: int | None) -> str:
    verdict, block = asked.verdict(asked.judged), asked.found.trials.words.block
    if asked.result.plain.n < LEAST:
        return f"{plural(further or 0, f'more {block}')} of both, and then perhaps more: {LEAST} are the least."
    if verdict == Verdict.NONE:
        return "Differences that vary; nothing else does."
    if asked.lost:
        return f"Runs of {asked.question.names[0]} that do not diverge: those that are left may be the lucky ones."
    return _more(asked, further) if verdict == Verdict.INCONCLUSIVE else _settled(asked, further)


def _settled(asked: Asked, further: int | None) -> str:
    """What would change a Yes or a No."""
    block = asked.found.trials.words.block
    if asked.otherwise is not None and wording.ANSWERS[asked.otherwise.verdict] == "Open":
        return f"It holds if the number of {block}s was fixed before any was looked at. If {block}s were added while looking, it is Open. {_more(asked, further)}"
    if asked.judged.verdict in {Verdict.EQUIVALENT, Verdict.NOT_BY_MARGIN} and asked.margin is not None:
        return f"A margin smaller than {asked.reading.margin(asked.margin)}, if so small a difference matters."
    return f"Other data or another budget; more {block}s of the same would only narrow the interval."


def _more(asked: Asked, further: int | None) -> str:
    """How many more blocks, and by which test."""
    block = asked.found.trials.words.block
    if asked.margin is None:
        return f"More {block}s; how many is not known without `margin`, the smallest difference that matters."
    if further is None:
        return f"More than {MOST_BLOCKS:,} more {block}s, or a margin larger than {asked.reading.margin(asked.margin)}."
    then = '; then call with planned="none", since they are added after a look' if asked.otherwise is not None else ""
    return f"About {plural(further, f'more {block}')} per configuration would probably decide: in 80% of studies so many find {_size(asked)}{then}."


def _size(asked: Asked) -> str:
    """What so many more find."""
    result = asked.result
    allowed = ", or as its 95% interval allows" if result.beyond_chance and result.tested.mean > result.margin else ""
    return f"a difference as large as the margin{allowed}"
