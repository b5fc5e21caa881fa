"""Numbers to sentences that never claim more than the test: no 'best' inside a tie, no 'no effect' for 'not significant', always n."""

from collections.abc import Sequence

import pandas as pd

from analysis.claims import Compared, Judged, Verdict
from analysis.measures import Measure, measure
from analysis.ranking import Ranking, Relation
from regstudy.terminal import plural

SIGNS = {
    Verdict.NONE: "–",
    Verdict.REFUTED: "✗",
    Verdict.EQUIVALENT: "≈",
    Verdict.SUPPORTED: "✓",
    Verdict.NOT_BY_MARGIN: "<",
    Verdict.INCONCLUSIVE: "?",
}
"""Beside the word, so that neither hangs on colour."""

DECIDED = (Verdict.SUPPORTED, Verdict.REFUTED, Verdict.EQUIVALENT, Verdict.NOT_BY_MARGIN)
FEW = 3
"""Configurations that a sentence names; of more it says how many."""


def verdict_words(judged: Judged) -> str:
    """The verdict as a word."""
    return "strongly supported" if judged.strongly else judged.verdict.value


def sentence(judged: Judged) -> str:
    """What was found about a claim, in a sentence or two."""
    if judged.deciding is None:
        return f"It rests on {' and '.join(judged.parts)}: {_PARTS[judged.verdict]}."
    result = judged.deciding
    reading = measure(result.metric).as_ratio(ratio=result.scale == "ratio")
    if judged.verdict == Verdict.NONE:
        return _no_verdict(result, reading)
    said = _PHRASES[judged.verdict](result, reading)
    if judged.verdict == Verdict.SUPPORTED and judged.strongly:
        said += f" The whole interval lies beyond the margin, {reading.margin(result.margin)}."
    if judged.verdict == Verdict.INCONCLUSIVE:
        said += f"{_corrected(judged, result)} {further(judged)}"
    return said + _left_out(result)


def further(judged: Judged) -> str:
    """How many more seeds an inconclusive claim wants, as a sentence."""
    if judged.further is None:
        return "More seeds than can be run would be needed to find an effect as large as the margin."
    return f"About {plural(judged.further, 'further seed')} would find an effect as large as the margin in 80% of studies."


def estimate(judged: Judged) -> str:
    """The deciding contrast's estimate with its 95% interval, for a table."""
    result = judged.deciding
    if result is None:
        return "–"
    reading = measure(result.metric).as_ratio(ratio=result.scale == "ratio")
    if not result.plain.decidable:
        return "not available"
    interval = reading.interval(result.plain.low, result.plain.high)
    return f"{reading.difference(result.plain.mean)}{reading.difference_unit} ({interval})"


def contrast(result: Compared) -> str:
    """What is compared with what."""
    return f"{result.subject} {'∕' if result.scale == 'ratio' else '−'} {result.rival}"


def standing(ranking: Ranking, seeds: str) -> str:
    """What the ranking allows to be said, in one sentence."""
    table, leading = ranking.table, ranking.leading
    if len(table) == 1:
        return "One configuration: there is nothing to compare it with yet."
    if table["seeds"].max() < 2:
        return "One seed for each configuration allows no conclusion: the order may be chance."
    if len(leading) == 1:
        if table["diverged"].any():
            return f"Every other configuration diverged in at least one run, or is separated from {leading[0]} ({seeds})."
        return f"{leading[0]} is separated from every other configuration ({seeds})."
    if len(leading) == len(table):
        return f"No configuration is separated from all others: {_names(leading)} share the first rank ({seeds})."
    return f"{_names(leading)} share the first rank ({seeds}); {_unresolved(ranking)}"


def headline(ranking: Ranking, judged: Sequence[Judged], seeds: str) -> str:
    """The finding, as far as there is one."""
    table, leading = ranking.table, ranking.leading
    if len(table) == 1:
        return f"One configuration, {seeds}: nothing to compare yet"
    if table["seeds"].max() < 2:
        return f"{len(table)} configurations, one seed each: no winner can be named"
    if len(leading) == 1:
        others = "the others are separated from it, or diverged" if table["diverged"].any() else "separated from all others"
        first = f"{leading[0]} comes first, {others}"
    elif len(leading) == len(table):
        first = f"{len(table)} configurations that {seeds} cannot tell apart"
    else:
        first = f"{len(leading)} of {len(table)} configurations share the lead with {seeds}"
    supported = [claim.text for claim in judged if claim.verdict == Verdict.SUPPORTED]
    return f"{supported[0]}; {first}" if supported else first


def counted(judged: Sequence[Judged]) -> str:
    """How many claims have which verdict, as a sentence."""
    counts = {outcome: sum(claim.verdict == outcome for claim in judged) for outcome in Verdict}
    told = [f"{n} {outcome.value}" for outcome, n in counts.items() if n]
    return f"Of {plural(len(judged), 'claim')}, {_listed(told)}."


def seeds_in_words(table: pd.DataFrame) -> str:
    """How many seeds, diverged ones included: '5 seeds each', '3 to 5 seeds each'."""
    counts = table["seeds"] + table["diverged"]
    low, high = int(counts.min()), int(counts.max())
    return f"{plural(low, 'seed')} each" if low == high else f"{low} to {high} seeds each"


def _supported(result: Compared, reading: Measure) -> str:
    if result.not_worse:
        way = "lower" if result.expect == "not lower" else "higher"
        return (
            f"{_subject(result, reading)} is not {way} than {result.rival}'s by {reading.margin(result.margin)} or more: "
            f"{_numbers(result, reading)}."
        )
    return f"{_subject(result, reading)} is {result.expect} than {result.rival}'s: {_numbers(result, reading)}."


def _refuted(result: Compared, reading: Measure) -> str:
    way = "lower" if result.plain.mean < 0 else "higher"
    by = f" by more than {reading.margin(result.margin)}" if result.not_worse else ""
    return (
        f"The opposite was found: {_subject(result, reading)} is {way} than {result.rival}'s{by}: {_numbers(result, reading)}."
    )


def _equivalent(result: Compared, reading: Measure) -> str:
    return (
        f"{_subject(result, reading)} and {result.rival}'s differ by less than {reading.margin(result.margin)}: "
        f"{_numbers(result, reading, level=90)}."
    )


def _not_by_margin(result: Compared, reading: Measure) -> str:
    return (
        f"{_subject(result, reading)} is not {result.expect} than {result.rival}'s by {reading.margin(result.margin)}: that much is "
        f"ruled out; less, or the opposite, is not: {_numbers(result, reading)}."
    )


def _inconclusive(result: Compared, reading: Measure) -> str:
    if result.not_worse:
        way = "lower" if result.expect == "not lower" else "higher"
        return (
            f"That {_subject(result, reading)} is not {way} than {result.rival}'s by {reading.margin(result.margin)} or more could not be "
            f"shown: {_numbers(result, reading)}."
        )
    if result.tested.low > 0:
        return (
            f"{_subject(result, reading)} and {result.rival}'s could not be told apart once all claims are counted: "
            f"{_numbers(result, reading)}."
        )
    return (
        f"{_subject(result, reading)} and {result.rival}'s could not be told apart, nor shown to be equivalent: "
        f"{_numbers(result, reading)}."
    )


_PHRASES = {
    Verdict.SUPPORTED: _supported,
    Verdict.REFUTED: _refuted,
    Verdict.EQUIVALENT: _equivalent,
    Verdict.NOT_BY_MARGIN: _not_by_margin,
    Verdict.INCONCLUSIVE: _inconclusive,
}
_PARTS = {
    Verdict.NONE: "for at least one of them there are too few seeds",
    Verdict.REFUTED: "at least one of them is refuted",
    Verdict.EQUIVALENT: "at least one of them fails for practical equivalence",
    Verdict.SUPPORTED: "each of them is supported",
    Verdict.NOT_BY_MARGIN: "at least one of them falls short of its margin",
    Verdict.INCONCLUSIVE: "at least one of them is open",
}


def _corrected(judged: Judged, result: Compared) -> str:
    """Why a test that is significant by itself does not count."""
    if result.tested.low > 0 and judged.p_adjusted is not None:
        return f" By itself p = {result.tested.p:.2g}; after Holm's correction for all claims {judged.p_adjusted:.2g}."
    return ""


def _subject(result: Compared, reading: Measure) -> str:
    return f"{result.subject}'s {reading.words}"


def _numbers(result: Compared, reading: Measure, level: int = 95) -> str:
    low, high = (result.plain.low90, result.plain.high90) if level == 90 else (result.plain.low, result.plain.high)
    what = f"{reading.difference(result.plain.mean)}{reading.difference_unit}"
    return f"{what}, {level}% interval {reading.interval(low, high)}, n = {result.plain.n}"


def _no_verdict(result: Compared, reading: Measure) -> str:
    if result.plain.n < 2:
        there = "no seed has" if result.plain.n == 0 else "only one seed has"
        return f"{reading.words.capitalize()} cannot be compared: {there} it for both {result.subject} and {result.rival}; two are needed."
    return (
        f"{reading.words.capitalize()} differs by the same amount, {reading.difference(result.plain.mean)}{reading.difference_unit}, in all "
        f"n = {result.plain.n} seeds: without variation there is no interval."
    )


def _left_out(result: Compared) -> str:
    n = len(result.left_out)
    return f" {plural(n, 'seed')} could not be paired, since a run is missing or diverged." if n else ""


def _unresolved(ranking: Ranking) -> str:
    """Why the leading ones share their rank."""
    among = ranking.pairs[ranking.pairs["first"].isin(ranking.leading) & ranking.pairs["second"].isin(ranking.leading)]
    if (among["relation"] == Relation.EQUIVALENT).all():
        return "they are practically equivalent."
    return "these data do not tell them apart."


def _names(names: Sequence[str]) -> str:
    if len(names) > FEW + 1:
        return f"{', '.join(names[:FEW])} and {len(names) - FEW} more"
    return _listed(names)


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
