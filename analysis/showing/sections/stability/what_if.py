"""What if there were fewer blocks, or another margin? A table of how long each answer has stood, and how far the margin may move; on the page, both can be moved."""

import math
from collections.abc import Sequence

from regstudy.console.terminal import plural

from ....judging.findings import Findings
from ....judging.stability import what_if
from ....judging.stability.what_if import TIMES, WhatIf
from ....judging.statistics import LEAST
from ...grids import NONE, Column, Grid
from ...words import opening
from ..section import Made, Material, Section
from .lines import Line, Said, lines

MOST = 12
"""Configurations up to which each is told of: of more, a page would be mostly this."""

OWN = TIMES.index(1.0)
"""The place of the report's own margin."""


class _WhatIf(Section):
    """Made at once, since words, table and data are of the same lines."""

    def make(self, material: Material) -> Made | None:
        found = material.found
        what = what_if.find(found) if len(found.table) <= MOST else None
        told = lines(found, what) if what else []
        if what is None or not told:
            return None
        title = _title(found, what, told)
        data = {
            "lines": told,
            "data": _data(found, what, told),
            "last": len(what.firsts) - 1,
            "own": OWN,
            "margins": _has_margin(found),
        }
        return Made(self.name, title, self.question, _said(found), [], [_table(found, what, told)], data, folded=True)


def _has_margin(found: Findings) -> bool:
    return found.scale.margin is not None or bool(found.judged)


def _title(found: Findings, what: WhatIf, told: Sequence[Line]) -> str:
    """How many answers hang on the number of blocks, and on the margin."""
    block, sizes = found.trials.words.block, [len(first) for first in what.firsts]
    half = max(place for place, size in enumerate(sizes) if size <= max(sizes[-1] // 2, sizes[0]))
    then = [(line.said[half][OWN], line.said[-1][OWN]) for line in told]
    opened = sum(said.is_open for said, _ in then)
    others = sum(said.answer != now.answer and not said.is_open for said, now in then)
    other = f", {others} another" if others else ""
    parts: list[str] = []
    if _could_show(found, sizes[half]):
        of = plural(len(told), "answer")
        parts += [f"with the first {plural(sizes[half], block)} alone {opened or 'none'} of {of} would be open{other}"]
    if _has_margin(found):
        halved, doubled = (_moved(told, len(sizes) - 1, TIMES.index(times)) for times in (0.5, 2.0))
        parts += [f"with half the margin {halved or 'none'} would differ, with twice the margin {doubled or 'none'}"]
    return f"What if: {'; '.join(parts)}" if parts else f"What if there were fewer {block}s?"


def _could_show(found: Findings, blocks: int) -> bool:
    """Whether so many can show anything: where they cannot, that every answer would be open says nothing of these data."""
    return blocks >= LEAST and math.isfinite(found.looked.detectable(1.0, blocks, max(1, found.ranking.tests)))


def _moved(told: Sequence[Line], place: int, times: int) -> int:
    return sum(line.said[place][times].answer != line.said[-1][OWN].answer for line in told)


def _said(found: Findings) -> list[str]:
    """How blocks are left out, and what the margin moves."""
    block, looked = found.trials.words.block, found.looked
    if looked.sequential:
        how = "by the test that holds whenever one looks"
    elif looked.planned is None:
        how = f"as if each number of {block}s had been fixed before any was looked at"
    else:
        how = f"at the planned number, {looked.planned:,}, by the t test, at any other by the one that holds whenever one looks"
    margin = (
        " The margin moves the ranking’s and every claim’s own by the same factor, of a ratio its logarithm."
        if found.judged
        else ""
    )
    return [
        f"{block.capitalize()}s are taken in ascending order and judged as they would have been then: {how}.{margin if _has_margin(found) else ''}"
    ]


def _table(found: Findings, what: WhatIf, told: Sequence[Line]) -> Grid:
    block, margins = found.trials.words.block, _has_margin(found)
    n = len(what.firsts[-1])
    headings = [
        "answer to",
        "this report",
        f"so since, of {plural(n, block)}",
        "before that",
        *(["so with margins ×"] if margins else []),
    ]
    rows = tuple(
        (line.label, line.said[-1][OWN].text, *_since(line, what), *([_margins(line)] if margins else [])) for line in told
    )
    caption = (
        f"How stable each answer is: from how many {block}s on it has been as it is, what it was just before, and by what the margin can be multiplied, with all {plural(n, block)}, without changing it"
        if margins
        else f"How stable each answer is: from how many {block}s on it has been as it is, and what it was just before"
    )
    tried = f" (from {TIMES[0]:g} to {TIMES[-1]:g} was tried)" if margins else ""
    columns = tuple(Column(text, text.startswith("so since")) for text in headings)
    return Grid("what_if", caption + tried, columns, rows, title="How long each answer has stood")


def _since(line: Line, what: WhatIf) -> tuple[str, str]:
    """The number of blocks from which on the answer is what it is, and what it was before."""
    answers = [said[OWN].answer for said in line.said]
    since = next(place for place in range(len(answers)) if set(answers[place:]) == {answers[-1]})
    return f"{len(what.firsts[since]):,}", answers[since - 1] if since else NONE


def _margins(line: Line) -> str:
    """Around the report's own, those that give the same answer."""
    answers = [said.answer for said in line.said[-1]]
    low = next(place for place in range(OWN + 1) if set(answers[place : OWN + 1]) == {answers[OWN]})
    high = next(place for place in range(len(answers) - 1, OWN - 1, -1) if set(answers[OWN : place + 1]) == {answers[OWN]})
    if (low, high) == (0, len(answers) - 1):
        return "any"
    if low == 0:
        return f"up to {TIMES[high]:g}"
    return f"{TIMES[low]:g} to {TIMES[high]:g}" if high < len(answers) - 1 else f"from {TIMES[low]:g}"


def _data(found: Findings, what: WhatIf, told: Sequence[Line]) -> dict[str, object]:
    """What the controls choose from: everything that can be said, by the rules of the analysis; the page itself knows no rule."""
    n, block = len(what.firsts[-1]), found.trials.words.block
    firsts = [f"the first {len(first):,} of {plural(n, block)}" for first in what.firsts[:-1]]
    return {
        "firsts": [*firsts, f"all {plural(n, block)}"],
        "margins": [_margin(found, what, place) for place in range(len(TIMES))] if _has_margin(found) else [],
        "own": OWN,
        "lines": [[_steps(said) for said in line.said] for line in told],
    }


def _margin(found: Findings, what: WhatIf, place: int) -> str:
    times = f"{what.times[place]:g} times the report’s" if place != OWN else "the report’s own"
    own, margin = found.scale.margin, what.scales[place].margin
    if own is None or margin is None:
        return times
    images = opening.images(found)
    counted = f", {margin * images:.3g} images" if images else ""
    least = ", but not below its least" if margin > own * what.times[place] * (1 + 1e-9) else ""
    return f"{found.endpoint.margin(margin)}{counted} ({times}{least})"


def _steps(said: Sequence[Said]) -> list[list[object]]:
    """What is said from each margin on at which it changes: the margin's place, text, answer."""
    return [[place, one.text, one.answer] for place, one in enumerate(said) if place == 0 or one != said[place - 1]]


STABILITY = _WhatIf("what_if", "What if?")
