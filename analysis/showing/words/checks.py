"""Can it be trusted? What speaks for these conclusions or against them, as far as the runs tell, and what they cannot say: each in a sentence."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from regstudy.console.terminal import plural

from ...judging.findings import BEST, Findings
from ...judging.statistics import LEAST
from ...reading import comparability
from .. import methods, wording
from . import opening

PASSED, FAILED, LIMIT = "✓", "✗", "–"

PLANNED, COMPLETE, UNPICKED, ALIKE = "Planned beforehand", "Complete", "No epoch picked", "Like with like"


@dataclass(frozen=True)
class Check:
    """Something that was looked at, whether it speaks for the conclusions, and why; `passed` is None for what no run can show."""

    name: str
    passed: bool | None
    told: str

    @property
    def sign(self) -> str:
        """As a mark before it."""
        return LIMIT if self.passed is None else PASSED if self.passed else FAILED


def checks(found: Findings) -> list[Check]:
    """What was looked at, then what remains."""
    return [check for check in (_planned(found), _complete(found), _unpicked(found), _alike(found)) if check] + list(
        _limits(found)
    )


def verdict(made: list[Check]) -> str:
    """How many passed, and the names of those that did not."""
    looked_at = [check for check in made if check.passed is not None]
    failed = [check.name.lower() for check in looked_at if not check.passed]
    if failed:
        return f"{len(looked_at) - len(failed)} of {plural(len(looked_at), 'check')} passed, not “{wording.names(failed)}”"
    return f"all {len(looked_at)} checks passed" if len(looked_at) > 1 else "the one check that the runs allow passed"


def about(found: Findings) -> str:
    """What a study of ours speaks of: its data and networks."""
    return f"{found.trials.dataset} and {'these networks' if _several_networks(found) else 'this network'}"


def _several_networks(found: Findings) -> bool:
    return len(set(found.trials.runs["network"])) > 1


def _planned(found: Findings) -> Check:
    """Whether the number of blocks could follow from what was seen; nobody checked it if only whoever made the report says so."""
    looked, block, n, study = found.looked, found.trials.words.block, found.blocks, found.trials.study
    seen = methods.seen_before(found)
    if seen:
        return Check(PLANNED, passed=False, told=seen)
    if not looked.known:
        told = f"Nobody recorded how many {block}s were to be run. If some were added because of what was seen, more is open than is told here."
        return Check(PLANNED, passed=False, told=told)
    planned = f"a look after every {block}" if looked.sequential else plural(looked.planned or 0, block)
    if study is None or study.history.plan is None:
        told = f"Whoever made this report says that {planned} {'was' if looked.planned in {None, 1} else 'were'} planned; the runs do not record it."
        return Check(PLANNED, passed=None, told=told)
    if n == looked.planned:
        told = f"{plural(n, block)} {'was' if n == 1 else 'were'} planned, as the study recorded before it ran, and as many were run."
    else:
        told = f"The study recorded {planned} before it ran; {n} are there, judged by tests that hold whenever one looks."
    return Check(PLANNED, passed=True, told=told)


def _complete(found: Findings) -> Check:
    """Whether runs are lacking that might have said otherwise."""
    table, block, runs = found.table, found.trials.words.block, plural(len(found.trials.runs), "run")
    diverged = [str(name) for name in table.loc[table["diverged"] > 0, "configuration"]]
    if diverged:
        lost = int(table["diverged"].sum())
        lost_so = f"{lost} of them {'is' if lost == 1 else 'are'} in no mean, since {'it' if lost == 1 else 'they'} diverged"
        told = f"{runs}; {lost_so}: {wording.names(diverged)}."
        return Check(COMPLETE, passed=False, told=told)
    uneven = table.loc[table["seeds"] < found.blocks, "configuration"]
    if uneven.empty or not found.trials.pairing.paired:
        each = (
            f", each of {len(table)} configurations with each of {plural(found.blocks, block)}"
            if uneven.empty and len(table) > 1
            else ""
        )
        return Check(COMPLETE, passed=True, told=f"{runs}{each}; none diverged.")
    study = found.trials.study
    if study is not None and study.history.until:
        return Check(
            COMPLETE,
            passed=True,
            told=f"{runs}; {wording.names(list(uneven))} got no further {block}s once decided, as was laid down; none diverged.",
        )
    return Check(
        COMPLETE,
        passed=False,
        told=f"{runs}, none diverged, but {wording.names(list(uneven))} {'lacks' if len(uneven) == 1 else 'lack'} {block}s that others have.",
    )


def _unpicked(found: Findings) -> Check | None:
    """Whether each run is judged by a number that was not chosen for being good; None where nothing says how it came about."""
    if found.endpoint.key == BEST:
        return Check(
            UNPICKED,
            passed=False,
            told="Each run is judged by its best epoch, which the same test images chose: it looks better than it is.",
        )
    if not found.trials.has("epochs"):
        return None
    return Check(
        UNPICKED, passed=True, told=f"Each run is judged by its {found.endpoint.words}{methods.endpoint_words(found)}."
    )


def _alike(found: Findings) -> Check | None:
    """Whether what is compared differs in nothing else; None where nothing says."""
    runs, block = found.trials.runs, found.trials.words.block
    if not found.trials.has(*comparability.FIELDS.values()):
        return None
    differing = comparability.differing(runs)
    if differing:
        return Check(ALIKE, passed=False, told=f"The runs differ in {wording.names(differing)}, which was allowed.")
    same = "images and order" if _several_networks(found) else "start, images and order"
    told = f"All runs had the same data; in each {block} all configurations had the same {same}, and are compared there."
    return Check(ALIKE, passed=True, told=told)


def _limits(found: Findings) -> Iterator[Check]:
    """What no check of these runs can take away."""
    if errs := opening.errs(found, "in the ranking", "in the claims"):
        yield Check("Chance", None, errs)
    if missed := _missed(found):
        yield Check("Small differences", None, missed)
    trained = f"{about(found)}, with these strengths" if found.trials.study else "this data and code"
    yield Check("Anything else", None, f"All of this is about {trained}: about any other it says nothing.")
    for notice in found.trials.notices:
        yield Check("Noticed", None, f"{notice}.")


def _missed(found: Findings) -> str:
    """What differences so many blocks can overlook."""
    power = found.power
    if power is None or power.seeds < LEAST:
        return ""
    if not math.isfinite(power.found_here):
        return f"{methods.finds(found, str)}."
    return f"A true difference of {opening.size(found, power.found_here)} is found in 4 studies of 5, a smaller one less often."
