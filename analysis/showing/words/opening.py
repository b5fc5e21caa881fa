"""The first screen in words: which to use and what others cost, how sure that is, what to do next, which claims hold."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from regstudy.config import strengths
from regstudy.console.terminal import plural

from ...files.rows import rows
from ...judging.claims import Judged, Verdict
from ...judging.findings import Findings
from ...judging.ranking import UNTESTED, Relation
from ...judging.statistics import LEAST
from ...reading.trials import TEST_IMAGES
from .. import methods, wording
from . import dates, scope

NUMBERS = {2: "two", 3: "three", 4: "four", 5: "five"}
ONE_CLAIM = {"Yes": "holds", "No": "does not hold", "Open": "is open"}
NOTHING_ON = "none"
"""The configuration of ours that has no regulariser."""

ENOUGH_TO_PLAN = 10
"""Blocks whose standard deviation is known to about a quarter, so that a plan can be made by it."""


@dataclass(frozen=True)
class Line:
    """A claim as one line: its answer, what it says, the verdict's word with the estimate that decides, and the place of its evidence."""

    sign: str
    answer: str
    text: str
    told: str
    anchor: str


@dataclass(frozen=True)
class Opening:
    """All of the first screen that is words; `command` is what `next_step` ends with, empty if no command does it."""

    about: str
    headline: str
    deck: str
    use: str
    sure: tuple[str, ...]
    next_step: str
    command: str
    claims: tuple[Line, ...]


def opening(found: Findings) -> Opening:
    """The first screen of these findings."""
    next_step, command = _next(found)
    return Opening(
        _about(found),
        headline(found),
        _deck(found),
        _use(found),
        tuple(_sure(found)),
        next_step,
        command,
        tuple(_lines(found)),
    )


def headline(found: Findings) -> str:
    """What to use and what the others cost; where nothing can be advised, what is known of the order."""
    advised = found.ranking.advised
    said = "" if wording.untested(found.ranking, found.trials.words.block) else _use_and_cost(found) if advised else ""
    told = said or wording.order(found.ranking, wording.blocks_in_words(found), found.trials.words.block)
    return f"On {found.trials.dataset}, {wording.within(told)}" if found.beside else told


def compared_with(found: Findings) -> str | None:
    """The configuration that all others are shown beside: the advised one, if each was compared with each; else the one that all were compared with. None if nothing was."""
    ranked = found.ranking
    if not len(ranked.pairs):
        return None
    if ranked.compared == "reference":
        return ranked.reference
    return ranked.advised[0] if ranked.compared == "each" and ranked.advised else ranked.leader


def against(found: Findings, anchor: str) -> pd.DataFrame:
    """Each other configuration minus the anchor, in the order of the ranking: configuration, mean, low, high, alpha, relation, seeds.

    In stored units; the interval is the one by which the pair's relation was decided: of an equivalent pair at 1 − 2α, else at 1 − α, α being its share.
    """
    pairs, told = found.ranking.pairs, []
    for pair in rows(pairs[(pairs["first"] == anchor) | (pairs["second"] == anchor)]):
        sign, other = (1, pair["first"]) if pair["second"] == anchor else (-1, pair["second"])
        inner = pair["relation"] == Relation.EQUIVALENT
        ends = [sign * pair[f"{'inner_' if inner else ''}{end}"] for end in ("low", "high")]
        alpha = pair["alpha"] * (2 if inner else 1)
        told.append((other, sign * pair["mean"], min(ends), max(ends), alpha, pair["relation"], pair["seeds"]))
    columns = ["configuration", "mean", "low", "high", "alpha", "relation", "seeds"]
    order = {name: place for place, name in enumerate(found.table["configuration"])}
    table = pd.DataFrame(told, columns=columns)
    return table.sort_values("configuration", key=lambda names: names.map(order), ignore_index=True)


def worse(found: Findings, mean: float) -> float:
    """How much worse a difference makes it, in the unit that people count in: test images, else the measure's."""
    cost = -mean if found.scale.higher_is_better else mean
    return cost * (images(found) or found.endpoint.factor)


def images(found: Findings) -> int:
    """The test images that the endpoint counts; 0 if it counts none."""
    return int(found.trials.runs[TEST_IMAGES].iloc[0]) if found.endpoint.counts_images else 0


def amount(found: Findings, cost: float, *, beside: float = 0.0) -> str:
    """A cost in that unit, without sign; with as many digits as one that it stands beside."""
    if images(found):
        return f"{abs(cost):.0f}" if max(abs(cost), abs(beside)) >= 9.5 else f"{abs(cost):.1f}".removesuffix(".0")
    return found.endpoint.margin(abs(cost) / found.endpoint.factor)


def _use_and_cost(found: Findings) -> str:
    chosen = found.ranking.advised[0]
    name = "no regularisation" if chosen == NOTHING_ON and any(found.trials.has(field) for field in strengths()) else chosen
    if compared_with(found) != chosen:
        return (
            f"Use {name}, the simplest shown not to be worse than {found.ranking.leader}{_by_the_margin(found)}"
            if _simplest(found)
            else ""
        )
    diverged = [str(name) for name in found.table.loc[found.table["diverged"] > 0, "configuration"]]
    table = against(found, chosen)
    table = table[~table["configuration"].isin(diverged)]
    rest = Relation.UNRESOLVED not in set(table["relation"]) and not diverged
    told = [
        text
        for relation in (Relation.EQUIVALENT, Relation.SEPARATED, Relation.UNRESOLVED)
        for text in _beside(found, table[table["relation"] == relation], relation, rest=rest)
    ]
    told += [f"{wording.names(diverged)} diverged"] if diverged else []
    return f"Use {name}: {', '.join(told)}" if told else f"Use {name}"


def _by_the_margin(found: Findings) -> str:
    return f" by {size(found, found.scale.margin)} or more" if found.scale.margin is not None else ""


def _simplest(found: Findings) -> bool:
    return any(found.trials.has(field) for field in strengths())


def _beside(found: Findings, own: pd.DataFrame, relation: Relation, *, rest: bool) -> list[str]:
    """What is known of these configurations beside the one to use; `rest`: those that are worse are all that are not as good."""
    own = own[~own["configuration"].isin(found.table.loc[found.table["standing"] == UNTESTED, "configuration"])]
    names = [str(name) for name in own["configuration"]]
    if not names:
        return []
    many = len(names) > 1
    if relation == Relation.SEPARATED:
        return [_costs(found, names, [worse(found, mean) for mean in own["mean"]], rest=rest)]
    if relation == Relation.EQUIVALENT:
        return [f"{wording.names(names)} {'change' if many else 'changes'} nothing that matters"]
    return [f"{wording.names(names)} {'are' if many else 'is'} not told apart from it"]


def _costs(found: Findings, names: Sequence[str], costs: Sequence[float], *, rest: bool) -> str:
    """What the worse ones cost: of two both, of more the least and the most; once if that is the same."""
    many = len(names) > 1
    near, far = min(map(abs, costs)), max(map(abs, costs))
    amounts = list(dict.fromkeys((amount(found, near, beside=far), amount(found, far))))
    told, each = (" and " if len(costs) == 2 else " to ").join(amounts), " each" if many and len(amounts) == 1 else ""
    who = f"the other {NUMBERS.get(len(names), len(names))}" if rest and many else wording.names(names)
    if images(found):
        return f"{who} {'cost' if many else 'costs'} {told} images in {images(found):,}{each}"
    return f"{who} {'are' if many else 'is'} worse by {told} in {found.endpoint.words}{each}"


def _about(found: Findings) -> str:
    """What was run, when, on what."""
    study = found.trials.study
    parts = [
        f"study “{study.design.name}”" if study else "",
        dates.period(dates.days(found.trials.runs)),
        methods.what_was_run(found),
    ]
    return " · ".join(part for part in parts if part)


def _deck(found: Findings) -> str:
    """How many claims hold; without claims, what is known of the order."""
    if not found.judged:
        return wording.standing(found.ranking, wording.blocks_in_words(found), found.trials.words.block)
    if len(found.judged) == 1:
        return f"Its one claim {ONE_CLAIM[wording.ANSWERS[found.judged[0].verdict]]}."
    return f"Of {plural(len(found.judged), 'claim')} {wording.listed(wording.so_many_hold(found.judged))}."


def _use(found: Findings) -> str:
    """The advised configuration with its value, and what it holds for; or why there is none."""
    ranked = found.ranking
    if len(ranked.table) < 2 or ranked.table["seeds"].max() < LEAST or wording.untested(ranked, found.trials.words.block):
        return methods.advice(found)
    if not ranked.advised:
        return methods.why_none(found)
    chosen, reading = found.ranking.advised[0], found.endpoint
    row = next(row for row in rows(found.table) if row["configuration"] == chosen)
    interval = f"{reading.value(row['low'])} to {reading.value(row['high'])}" if math.isfinite(row["low"]) else ""
    if math.isfinite(row.get("new_low", math.nan)):
        interval += f"; for new images {reading.value(row['new_low'])} to {reading.value(row['new_high'])}"
    unit = {"%": "%", "": ""}.get(reading.unit, f" {reading.unit}")
    also = [name for name in found.ranking.advised if name != chosen]
    others = f" As good: {wording.names(also)}." if also else ""
    value = f"{reading.words} {reading.value(row['mean'])}{unit}{f' ({interval})' if interval else ''}"
    return " ".join(filter(None, (f"{chosen}: {value}.{others}", scope.shared(found))))


def _sure(found: Findings) -> list[str]:
    """What so many blocks can find, and what stands between these verdicts and their error rate."""
    # Without claims the deck says it.
    nothing = wording.nothing_yet(found.ranking, found.trials.words.block) if found.judged else ""
    told = [nothing, errs(found), _finds(found), methods.planned(found), methods.seen_before(found)]
    return [sentence for sentence in told if sentence]


def errs(found: Findings, ranking: str = "in the comparison above", claims: str = "in the answers below") -> str:
    """How often what is said in these places would be false; nothing where nothing is shown, or by a test that holds only if the number was fixed beforehand."""
    if not found.looked.known or not found.ranking.pairs["relation"].isin([Relation.SEPARATED, Relation.EQUIVALENT]).any():
        return ""
    few = f"at most about {100 * found.alpha:g}"
    own = f"Of 100 such studies {few} would mislead {ranking}"
    return f"{own}, and {few} {claims}." if found.judged else f"{own}."


def _finds(found: Findings) -> str:
    power, block = found.power, found.trials.words.block
    if power is None or power.seeds < LEAST:
        return (
            ""
            if wording.untested(found.ranking, block)
            else f"{LEAST} {block}s or more of each configuration allow intervals and tests."
        )
    told = methods.finds(found, lambda natural: size(found, natural))
    margin = found.scale.margin
    if margin is not None and power.found_here > margin and power.enough is not None:
        a_study = "" if found.looked.sequential else "a study planned with "
        return f"{told}; {a_study}{power.enough:,} would find {size(found, margin)}, the least that matters."
    return f"{told}."


def size(found: Findings, natural: float) -> str:
    """A difference, as images where it counts them."""
    n = images(found)
    return f"{amount(found, natural * n)} images in {n:,}" if n else found.endpoint.margin(natural)


def _next(found: Findings) -> tuple[str, str]:
    """What to do next, and the command that does it."""
    block = found.trials.words.block
    still = [judged for judged in found.judged if judged.verdict == Verdict.INCONCLUSIVE]
    there = int(found.table["seeds"].max()) if found.power is None else found.power.seeds
    if len(found.table) > 1 and 0 < there < LEAST:
        few, more = plural(there, block), ENOUGH_TO_PLAN - there
        told = f"{few.capitalize()} {'does' if there == 1 else 'do'} not tell how many are needed. Run about {more} more, then look again."
        return told, methods.command_for(found, more)
    if found.power is not None and methods.more_may_advise(found):
        return _to_advise(found)
    if not still:
        return _nothing_to_run(found), ""
    further = [judged.further for judged in still if judged.further is not None]
    is_open = f"“{still[0].text}” is open" if len(still) == 1 else f"{len(still)} claims are open"
    if not further:
        return f"{_without(found)}{is_open}: more than 1,000 further {block}s would be needed.", ""
    it = "it" if len(still) == 1 else "each" if len(further) == len(still) else "some"
    told = f"About {_and_runs(found, max(further))} would settle {it} in 4 studies of 5, if an effect is as large as its margin"
    return f"{_without(found)}{is_open}. {told}.{_stricter(found)}", methods.command_for(found, max(further))


def _to_advise(found: Findings) -> tuple[str, str]:
    """What would allow an advice, and the command that does it."""
    wanted = methods.further_for_advice(found)
    if wanted is None:
        return (
            f"More than 1,000 further {found.trials.words.block}s would be needed to say which to use: nothing within reach decides it.",
            "",
        )
    more = _and_runs(found, wanted)
    if wanted <= methods.lacking(found):
        return f"With {more} every configuration can be tested; then look again.", methods.command_for(found, wanted)
    told = f"About {more} would say which to use in 4 studies of 5, if none of those that lead is better than another."
    return f"{told}{_stricter(found)}", methods.command_for(found, wanted)


def _and_runs(found: Findings, further: int) -> str:
    """So many more blocks, and what they cost."""
    runs = further * len(found.table) * (1 + len(found.beside))
    return f"{plural(further, f'further {found.trials.words.block}')} ({plural(runs, 'run')})"


def _nothing_to_run(found: Findings) -> str:
    """What is said where no further block would answer anything."""
    unanswered = [judged for judged in found.judged if judged.verdict == Verdict.NONE]
    if unanswered:
        return f"{_without(found)}{wording.quoted([judged.text for judged in unanswered[: wording.FEW]])} cannot be judged by these runs: the evidence says why."
    if found.ranking.advised:
        return "Nothing is open."
    return "No claim is open." if found.judged else ""


def _stricter(found: Findings) -> str:
    """What going on costs a study that is at its plan, since all is judged more strictly then; and what does not."""
    looked, n = found.looked, found.blocks
    if looked.sequential or looked.planned != n:
        return ""
    return f" Beyond the plan of {n} answers may open again: better a study of its own, with new seeds."


def _without(found: Findings) -> str:
    """That the advice needs no more."""
    return "For the advice, nothing. " if found.ranking.advised else ""


def _lines(found: Findings) -> list[Line]:
    others: Sequence[Judged | None] = found.otherwise.judged if found.otherwise else [None] * len(found.judged)
    return [_line(place, judged, other) for place, (judged, other) in enumerate(zip(found.judged, others, strict=True))]


def _line(place: int, judged: Judged, other: Judged | None) -> Line:
    answer = wording.ANSWERS[judged.verdict]
    told = f"{wording.verdict_words(judged)}; {wording.estimate(judged)}"
    if other is not None and wording.ANSWERS[other.verdict] != answer:
        told += f"; {wording.ANSWERS[other.verdict].lower()} if looked at while it grew"
    return Line(wording.SIGNS[answer], answer, judged.text, told, f"claim-{place + 1}")
