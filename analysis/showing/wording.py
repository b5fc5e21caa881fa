"""Numbers to sentences that never claim more than the test: no 'best' inside a tie, no 'no effect' for 'not significant', always n."""

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import pandas as pd

from regstudy.console.terminal import plural

from ..judging import looks
from ..judging.claims import Compared, Judged, Verdict, hanging_on
from ..judging.findings import Findings
from ..judging.ranking import UNTESTED, Ranking, Relation
from ..judging.statistics import LEAST
from ..reading.foreign import RUN
from ..reading.measures import Measure, measure

ANSWERS: Mapping[Verdict, Literal["Yes", "No", "Open"]] = {
    Verdict.NONE: "Open",
    Verdict.REFUTED: "No",
    Verdict.EQUIVALENT: "No",
    Verdict.SUPPORTED: "Yes",
    Verdict.NOT_BY_MARGIN: "No",
    Verdict.INCONCLUSIVE: "Open",
}
"""What is true of the claim, if one may say only one word."""

HOLDS = {"Yes": ("holds", "hold"), "No": ("does not", "do not"), "Open": ("is open", "are open")}
"""What is said of a claim with that answer, and of several."""

SIGNS = {"Yes": "✓", "No": "✗", "Open": "?"}
"""Beside an answer, so that it does not hang on colour; the same wherever it stands."""

BEGINNINGS = frozenset({"No", "Which", "Every", "Against", "One", "Two", "Nothing", "Use"})
"""First words of sentences on a ranking that are no names."""

LEAST_P = 0.001
"""Below which a p-value says no more."""

FEW = 3
"""Configurations that a sentence names; of more it says how many."""


def verdict_words(judged: Judged) -> str:
    """The verdict as a word."""
    return verdict_in_words(judged.verdict, strongly=judged.strongly)


def verdict_in_words(verdict: Verdict, *, strongly: bool) -> str:
    """The same of a verdict without its claim."""
    return "strongly supported" if strongly else verdict.value


def answer(judged: Judged) -> str:
    """The verdict as it is shown: Yes, No or Open, and the word."""
    return f"{ANSWERS[judged.verdict]}: {verdict_words(judged)}"


def signed(answer: str) -> str:
    """An answer, alone or with its word, behind its sign."""
    return f"{SIGNS[answer.partition(':')[0]]} {answer}"


def sentence(judged: Judged, block: str = "seed") -> str:
    """What was found about a claim, in a sentence or two."""
    if judged.deciding is None:
        parts = "; ".join(f"“{part.text}”, {verdict_words(part)}" for part in judged.parts)
        return f"It holds if each of its {len(judged.parts)} parts does: {parts}."
    result = judged.deciding
    reading = measure(result.metric).as_ratio(ratio=result.scale == "ratio")
    if judged.verdict == Verdict.NONE:
        return _no_verdict(result, reading, block) + _left_out(result, block)
    said = _PHRASES[judged.verdict](result, reading)
    if judged.verdict == Verdict.SUPPORTED and judged.strongly:
        said += f" Even the interval at half that share of α lies {_strongly(result, reading)}."
    if judged.verdict == Verdict.INCONCLUSIVE:
        said += f"{_corrected(judged, result)} {further(judged, block)}"
    return said + _left_out(result, block)


def _strongly(result: Compared, reading: Measure) -> str:
    if result.not_worse:
        return f"on the other side of {'no difference' if not reading.ratio else 'a factor of 1'}: it is even {'higher' if result.expect == 'not lower' else 'lower'}"
    return f"beyond the margin, {_margin(result, reading)}"


def further(judged: Judged, block: str = "seed") -> str:
    """How many more blocks an inconclusive claim will probably take, as a sentence."""
    if judged.further is None:
        return f"More than {looks.MOST:,} further {block}s would be needed to find an effect as large as the margin."
    about = f"About {plural(judged.further, f'further {block}')} would"
    if all(result.not_worse for result in judged.contrasts):
        return f"{about} show it in 80% of studies, if there is no difference."
    seen = any(result.beyond_chance and result.tested.mean > result.margin for result in judged.contrasts)
    size = "as large as the margin, or as its 95% interval allows" if seen else "as large as the margin"
    return f"{about} find an effect {size} in 80% of studies."


def further_cell(judged: Judged) -> str:
    """The same for a table."""
    if judged.verdict != Verdict.INCONCLUSIVE:
        return "–"
    return f"more than {looks.MOST:,}" if judged.further is None else f"{judged.further:,}"


def level(alpha: float) -> str:
    """An interval's level in percent, with as many digits as tell it from 100."""
    digits = max(0, math.floor(-math.log10(alpha)))
    text = f"{100 * (1 - alpha):.{digits}f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text}%"


def p_value(p: float | None) -> str:
    """A p-value for a table."""
    if p is None or math.isnan(p):
        return "–"
    return "< 0.001" if p < LEAST_P else f"{p:.2f}" if p >= 0.1 else f"{p:.3f}"  # two digits that say something


def p_in_words(p: float) -> str:
    """To follow the letter p in a sentence."""
    return p_value(p) if p < LEAST_P else f"= {p_value(p)}"


def estimate(judged: Judged) -> str:
    """The deciding contrast with its estimate and the interval that decides, for a table; of a claim made of others, which of them decides."""
    result = judged.deciding
    if result is None:
        return f"as “{next(part.text for part in judged.parts if part.verdict in hanging_on(judged.verdict))}”"
    reading = measure(result.metric).as_ratio(ratio=result.scale == "ratio")
    if not result.plain.decidable:
        return f"{contrast(result, 'vs')}: not available"
    told = f"{contrast(result, 'vs')}: {reading.difference(result.plain.mean)}{reading.difference_unit}"
    if judged.verdict == Verdict.NONE:
        return told
    low, high, _ = deciding(result)
    return f"{told} ({reading.interval(low, high)})"


def deciding(result: Compared) -> tuple[float, float, float]:
    """The interval by which the verdict on a contrast was reached, as measured, and what its level lacks of 1.

    What is said against a claim is held to the stricter level. Equivalence, and that something is not worse, are one-sided tests: their interval is that at twice the share of α.
    """
    verdict = result.verdict
    against = verdict == Verdict.INCONCLUSIVE and result.tested.mean < 0  # what could have been said is that
    strict = against or verdict in {Verdict.REFUTED, Verdict.EQUIVALENT, Verdict.NOT_BY_MARGIN}
    own, alpha = (result.strict_plain, result.strict_alpha) if strict else (result.plain, result.alpha)
    if verdict == Verdict.EQUIVALENT or (result.not_worse and not strict):
        return own.inner_low, own.inner_high, 2 * alpha
    return own.low, own.high, alpha


def contrast(result: Compared, between: str = "compared with") -> str:
    """What is compared with what: the first minus the second, or divided by it."""
    return f"{result.subject} {between} {result.rival}{_where(result, ', on')}"


def so_many_hold(judged: Sequence[Judged]) -> list[str]:
    """How many claims have each answer, as halves of sentences: '3 hold', '1 is open'."""
    answers = [ANSWERS[own.verdict] for own in judged]
    return [f"{n} {one if n == 1 else many}" for own, (one, many) in HOLDS.items() if (n := answers.count(own))]


def standing(ranking: Ranking, seeds: str, block: str = "seed") -> str:
    """What the ranking allows to be said, in one sentence."""
    table, leading = ranking.table, ranking.leading
    if nothing_yet(ranking, block):
        return nothing_yet(ranking, block)
    left, tested = not_tested(ranking, block), table[table["standing"] != UNTESTED]
    if len(leading) == 1:
        others = "Every other configuration" + (" that could be tested" if left else "")
        others += " diverged in at least one run, or is" if table["diverged"].any() else " is"
        return f"{others} shown to be worse than {leading[0]} ({seeds}).{left}"
    return _several(ranking, seeds, len(tested)) + left


def not_tested(ranking: Ranking, block: str = "seed") -> str:
    """Which configurations could not be tested where others could, and why, as a sentence; empty if all could."""
    own = ranking.table[ranking.table["standing"] == UNTESTED]
    if own.empty:
        return ""
    few, same = (own.loc[own["seeds"] < LEAST, "configuration"], own.loc[own["seeds"] >= LEAST, "configuration"])
    told = [
        f"{names([str(name) for name in which])} could not be tested: {why}"
        for which, why in (
            (few, f"fewer than {LEAST} {block}s"),
            (same, f"no variation, or fewer than {LEAST} {block}s beside others"),
        )
        if len(which)
    ]
    return f" {'; '.join(told)}."


def _several(ranking: Ranking, seeds: str, tested: int) -> str:
    """Where more than one may be the best, of so many that could be tested."""
    leading = ranking.leading
    alike, far = _relations(ranking, leading)
    if alike == Relation.EQUIVALENT:
        return f"{names(leading)} are shown to be practically equivalent ({seeds}){far}."
    if ranking.compared == "reference":
        return _against_reference(ranking, seeds)
    if len(leading) == tested:
        return f"No configuration is shown to be better than all others ({seeds}): the order of {names(leading)} is not known."
    return f"Which of {names(leading)} is best is not known ({seeds}){far}."


def _relations(ranking: Ranking, leading: Sequence[str]) -> tuple[str, str]:
    """How those that lead stand to each other, and what follows of the others."""
    among = ranking.pairs[ranking.pairs["first"].isin(leading) & ranking.pairs["second"].isin(leading)]
    n = len(leading)
    every = len(among) == n * (n - 1) // 2 and bool((among["relation"] == Relation.EQUIVALENT).all())
    rest = ranking.table[(ranking.table["standing"] != UNTESTED) & ~ranking.table["configuration"].isin(leading)]
    lost = int((rest["diverged"] > 0).sum())
    others = len(rest) - lost
    far = (
        f"; {plural(others, 'other')} {'is' if others == 1 else 'are'} shown to be worse than {_which(ranking, leading, others)}"
        if others
        else ""
    )
    far += f"; {plural(lost, 'other')} diverged" if lost else ""
    return (Relation.EQUIVALENT if every else Relation.UNRESOLVED), far


def _which(ranking: Ranking, leading: Sequence[str], others: int) -> str:
    """Of those that lead, which the others are shown to be worse than."""
    pairs = ranking.pairs[ranking.pairs["relation"] == Relation.SEPARATED]
    apart = int((pairs["first"].isin(leading) != pairs["second"].isin(leading)).sum())
    if apart < others * len(leading):
        return "at least one of them"
    return "both" if len(leading) == 2 else "each of them"


def within(sentence: str) -> str:
    """A sentence as it stands within another: without its stop, and its first word small unless it is a name."""
    first, space, rest = sentence.rstrip(".").partition(" ")
    return f"{first.lower() if first in BEGINNINGS else first}{space}{rest}"


def _against_reference(ranking: Ranking, seeds: str) -> str:
    """What comparisons with one configuration alone show."""
    pairs, reference = ranking.pairs, ranking.reference
    apart = pairs[pairs["relation"] == Relation.SEPARATED]
    told: list[str] = []
    for mine, other, word in (("second", "first", "better"), ("first", "second", "worse")):
        own = [str(name) for name in apart.loc[apart[mine] == reference, other]]
        told += [f"{names(own)} {'is' if len(own) == 1 else 'are'} shown to be {word}"] if own else []
    return f"Against {reference} ({seeds}): {'; '.join(told) or 'no other is shown to be better or worse'}."


def nothing_yet(ranking: Ranking, block: str) -> str:
    """Why these runs allow no conclusion at all; empty if they may."""
    table = ranking.table
    if len(table) == 1:
        return "One configuration: there is nothing to compare it with yet."
    if table["seeds"].max() == 0:
        return "Every run diverged: there is nothing to compare."
    if table["seeds"].max() < LEAST:
        return f"{_so_few(table, block)} for each configuration{'' if table['seeds'].min() == table['seeds'].max() else ', or fewer,'} allow{'s' if table['seeds'].max() == 1 else ''} no conclusion: the order may be chance."
    return f"Nothing could be tested: {untested(ranking, block)}." if untested(ranking, block) else ""


def _so_few(table: pd.DataFrame, block: str) -> str:
    return f"One {block}" if table["seeds"].max() == 1 else f"Two {block}s"


def untested(ranking: Ranking, block: str = "seed") -> str:
    """Why no two configurations can be tested against each other; empty if some can."""
    pairs = ranking.pairs
    if pairs.empty or (pairs["p"].notna() & (pairs["seeds"] >= LEAST)).any():
        return ""
    if pairs["seeds"].max() < LEAST and (lost := _diverged(ranking)):
        return lost
    if pairs["seeds"].max() < LEAST:
        return f"no two configurations have {LEAST} {block}s{' in common' if block != RUN else ' each'}"
    return f"any two configurations differ by the same amount in all their {block}s, and without variation there is no test"


def _diverged(ranking: Ranking) -> str:
    """Which configurations diverged, where that alone is why too few runs are left; empty if some had too few to begin with."""
    table = ranking.table
    lost = table[(table["diverged"] > 0) & (table["seeds"] < LEAST)]
    if lost.empty or (table["seeds"] + table["diverged"]).min() < LEAST:
        return ""
    of = [f"{'all' if not seeds else n} of {seeds + n} runs" for seeds, n in zip(lost["seeds"], lost["diverged"], strict=True)]
    told = [f"{name} diverged in {how}" for name, how in zip(lost["configuration"], of, strict=True)]
    return listed(told[:FEW]) + (f" and {len(told) - FEW} more diverged" if len(told) > FEW else "")


def order(ranking: Ranking, seeds: str, block: str = "seed") -> str:
    """What is known of the order, in half a sentence."""
    table, leading = ranking.table, ranking.leading
    if len(table) == 1 or table["seeds"].max() < LEAST or untested(ranking, block):
        return _no_order(ranking, seeds, block)
    if len(leading) == 1:
        others = "better than all that did not diverge" if table["diverged"].any() else "shown to be better than all others"
        others += " that could be tested" if (table["standing"] == UNTESTED).any() else ""
        return f"{leading[0]} comes first, {others}"
    if _relations(ranking, leading)[0] == Relation.EQUIVALENT:
        of = "" if len(leading) == len(table) else f" of {len(table)}"
        return f"{len(leading)}{of} configurations are practically equivalent{' at the top' if of else ''} with {seeds}"
    if ranking.compared == "reference":
        return _against_reference(ranking, seeds).rstrip(".")
    if len(leading) == len(table):
        return f"Which of {len(table)} configurations is best is not known with {seeds}"
    return f"{len(leading)} of {len(table)} configurations may be best with {seeds}"


def _no_order(ranking: Ranking, seeds: str, block: str) -> str:
    """Why there is none."""
    table = ranking.table
    if len(table) == 1:
        return f"One configuration, {seeds.removesuffix(' each')}: nothing to compare yet"
    if table["seeds"].max() < LEAST:
        seen = f"{_so_few(table, block).lower()} each" if table["seeds"].max() else "and every run diverged"
        return f"{len(table)} configurations, {seen}: no winner can be named"
    return f"{len(table)} configurations that cannot be tested: {untested(ranking, block)}"


def counted(judged: Sequence[Judged]) -> str:
    """How many claims have which verdict, as a sentence."""
    counts = {outcome: sum(claim.verdict == outcome for claim in judged) for outcome in Verdict}
    told = [f"{n} {outcome.value}" for outcome, n in counts.items() if n]
    return f"Of {plural(len(judged), 'claim')}, {listed(told)}."


def blocks_in_words(found: Findings) -> str:
    """How many blocks each configuration has, as a phrase."""
    return seeds_in_words(found.table, found.trials.words.block)


def seeds_in_words(table: pd.DataFrame, block: str = "seed") -> str:
    """How many blocks, diverged ones included: '5 seeds each', '3 to 5 seeds each'."""
    counts = table["seeds"] + table["diverged"]
    low, high = int(counts.min()), int(counts.max())
    return f"{plural(low, block)} each" if low == high else f"{low} to {high} {block}s each"


def _supported(result: Compared, reading: Measure) -> str:
    if result.not_worse:
        way = "lower" if result.expect == "not lower" else "higher"
        return (
            f"{_subject(result, reading)} is not {way} than {rival(result)} by {_margin(result, reading)} or more: "
            f"{_numbers(result, reading)}."
        )
    return f"{_subject(result, reading)} is {result.expect} than {rival(result)}: {_numbers(result, reading)}."


def _refuted(result: Compared, reading: Measure) -> str:
    way = "lower" if result.plain.mean < 0 else "higher"
    by = f" by more than {_margin(result, reading)}" if result.not_worse else ""
    return (
        f"The opposite was found: {_subject(result, reading)} is {way} than {rival(result)}{by}: {_numbers(result, reading)}."
    )


def _equivalent(result: Compared, reading: Measure) -> str:
    return (
        f"{_subject(result, reading)} and {rival(result)} differ by less than {reading.margin(result.margin)}: "
        f"{_numbers(result, reading)}."
    )


def _not_by_margin(result: Compared, reading: Measure) -> str:
    return (
        f"That {_subject(result, reading)} {_beyond(result, reading)} is ruled out; a smaller effect, or the opposite, is not: "
        f"{_numbers(result, reading)}."
    )


def _inconclusive(result: Compared, reading: Measure) -> str:
    if result.not_worse:
        way = "lower" if result.expect == "not lower" else "higher"
        return (
            f"That {_subject(result, reading)} is not {way} than {rival(result)} by {_margin(result, reading)} or more could not be "
            f"shown: {_numbers(result, reading)}."
        )
    return (
        f"{_subject(result, reading)} and {rival(result)} could not be told apart, nor shown to be equivalent: "
        f"{_numbers(result, reading)}."
    )


_PHRASES = {
    Verdict.SUPPORTED: _supported,
    Verdict.REFUTED: _refuted,
    Verdict.EQUIVALENT: _equivalent,
    Verdict.NOT_BY_MARGIN: _not_by_margin,
    Verdict.INCONCLUSIVE: _inconclusive,
}


def _corrected(judged: Judged, result: Compared) -> str:
    """Why what is significant by itself does not count."""
    if result.beyond_chance and judged.p_adjusted is not None:
        return f" Looked at once and by itself it would be; with the other claims and looks counted p {p_in_words(judged.p_adjusted)}."
    return ""


def _beyond(result: Compared, reading: Measure) -> str:
    """Differs from the rival's as claimed, by the margin or more."""
    if reading.ratio:
        most = "most" if result.expect == "lower" else "least"
        return f"is at {most} {_margin(result, reading).removeprefix('a factor of ')} times {rival(result)}"
    return (
        f"{'falls short of' if result.expect == 'lower' else 'exceeds'} {rival(result)} by {_margin(result, reading)} or more"
    )


def _margin(result: Compared, reading: Measure) -> str:
    """The claim's margin, on the side of one that is claimed."""
    return reading.margin(result.margin, lower=result.expect in {"lower", "not lower"})


def rival(result: Compared) -> str:
    """What the subject's number is compared with: another's, or a number."""
    return result.rival if result.against_number else f"{result.rival}'s"


def _subject(result: Compared, reading: Measure) -> str:
    return f"{result.subject}'s {reading.words}{_where(result, ' on', _over(result))}"


def _where(result: Compared, on: str, minus: str = "minus") -> str:
    """The data set, where there are several; of an interaction both."""
    return f"{on} {result.on}{f' {minus} {result.minus}' if result.minus else ''}" if result.on else ""


def _over(result: Compared) -> str:
    return "divided by that on" if result.scale == "ratio" else "minus that on"


def _numbers(result: Compared, reading: Measure) -> str:
    """The estimate with the interval that decides."""
    low, high, alpha = deciding(result)
    what = f"{reading.difference(result.plain.mean)}{reading.difference_unit}"
    return f"{what}, {level(alpha)} interval {reading.interval(low, high)}, n = {result.plain.n}"


def _no_verdict(result: Compared, reading: Measure, block: str) -> str:
    if result.plain.n < LEAST:
        there = (f"no {block} has", f"only one {block} has", f"only two {block}s have")[result.plain.n]
        it = "a ratio of it" if result.scale == "ratio" and result.left_out else "it"
        both = f"{result.subject}" if result.against_number else f"both {result.subject} and {result.rival}"
        return f"{reading.words.capitalize()} cannot be compared: {there} {it} for {both}; {LEAST} are needed."
    return (
        f"{reading.words.capitalize()} differs by the same amount, {reading.difference(result.plain.mean)}{reading.difference_unit}, in all "
        f"n = {result.plain.n} {block}s: without variation there is no interval."
    )


def _left_out(result: Compared, block: str) -> str:
    n = len(result.left_out)
    return (
        f" {plural(n, block)} could not be paired, since a run is missing or diverged{', or a value is not above 0' if result.scale == 'ratio' else ''}."
        if n
        else ""
    )


def names(given: Sequence[str]) -> str:
    """Configurations in a sentence: of more than four, three and a number."""
    if len(given) > FEW + 1:
        return f"{', '.join(given[:FEW])} and {len(given) - FEW} more"
    return listed(given)


def quoted(texts: Sequence[str]) -> str:
    """Claims in a sentence."""
    return listed([f"“{text}”" for text in texts])


def listed(parts: Sequence[str]) -> str:
    """Parts of a sentence, the last after an ‘and’."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
