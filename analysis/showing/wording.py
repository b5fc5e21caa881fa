"""Numbers to sentences that never claim more than the test: no 'best' inside a tie, no 'no effect' for 'not significant', always n."""

from collections.abc import Sequence

import pandas as pd

from regstudy.console.terminal import plural

from ..judging.claims import Compared, Judged, Verdict
from ..judging.findings import Findings
from ..judging.ranking import Ranking, Relation
from ..reading.measures import Measure, measure

SIGNS = {
    Verdict.NONE: "–",
    Verdict.REFUTED: "✗",
    Verdict.EQUIVALENT: "≈",
    Verdict.SUPPORTED: "✓",
    Verdict.NOT_BY_MARGIN: "<",
    Verdict.INCONCLUSIVE: "?",
}
"""Beside the word, so that neither hangs on colour."""

FEW = 3
"""Configurations that a sentence names; of more it says how many."""


def verdict_words(judged: Judged) -> str:
    """The verdict as a word."""
    return "strongly supported" if judged.strongly else judged.verdict.value


def sentence(judged: Judged, block: str = "seed") -> str:
    """What was found about a claim, in a sentence or two."""
    if judged.deciding is None:
        parts = "; ".join(f"“{part.text}” is {verdict_words(part)}" for part in judged.parts)
        return f"It holds if each of its {len(judged.parts)} parts does: {parts}."
    result = judged.deciding
    reading = measure(result.metric).as_ratio(ratio=result.scale == "ratio")
    if judged.verdict == Verdict.NONE:
        return _no_verdict(result, reading, block)
    said = _PHRASES[judged.verdict](result, reading)
    if judged.verdict == Verdict.SUPPORTED and judged.strongly:
        said += f" The whole interval lies beyond the margin, {_margin(result, reading)}."
    if judged.verdict == Verdict.INCONCLUSIVE:
        said += f"{_corrected(judged, result)} {further(judged, block)}"
    return said + _left_out(result, block)


def further(judged: Judged, block: str = "seed") -> str:
    """How many more blocks an inconclusive claim wants, as a sentence."""
    if judged.further is None:
        return f"More {block}s than can be run would be needed to find an effect as large as the margin."
    about = f"About {plural(judged.further, f'further {block}')} would"
    if all(result.not_worse for result in judged.contrasts):
        return f"{about} show it in 80% of studies, if there is no difference."
    seen = any(result.beyond_chance and result.tested.low > result.margin for result in judged.contrasts)
    size = "as small as its interval allows" if seen else "as large as the margin"
    return f"{about} find an effect {size} in 80% of studies."


def estimate(judged: Judged) -> str:
    """The deciding contrast with its estimate and 95% interval, for a table; of a claim made of others, which of them decides."""
    result = judged.deciding
    if result is None:
        return f"as “{next(part.text for part in judged.parts if part.verdict == judged.verdict)}”"
    reading = measure(result.metric).as_ratio(ratio=result.scale == "ratio")
    if not result.plain.decidable:
        return f"{contrast(result)}: not available"
    interval = reading.interval(result.plain.low, result.plain.high)
    return f"{contrast(result)}: {reading.difference(result.plain.mean)}{reading.difference_unit} ({interval})"


def contrast(result: Compared) -> str:
    """What is compared with what."""
    return f"{result.subject} {'∕' if result.scale == 'ratio' else '−'} {result.rival}"


def standing(ranking: Ranking, seeds: str, block: str = "seed") -> str:
    """What the ranking allows to be said, in one sentence."""
    table, leading = ranking.table, ranking.leading
    if _nothing_yet(ranking, block):
        return _nothing_yet(ranking, block)
    if len(leading) == 1:
        if table["diverged"].any():
            return f"Every other configuration diverged in at least one run, or is separated from {leading[0]} ({seeds})."
        return f"{leading[0]} is separated from every other configuration ({seeds})."
    if len(leading) == len(table):
        return f"No configuration is separated from all others: {_names(leading)} share the first rank ({seeds}); {_unresolved(ranking)}"
    return f"{_names(leading)} share the first rank ({seeds}); {_unresolved(ranking)}"


def _nothing_yet(ranking: Ranking, block: str) -> str:
    """Why these runs allow no conclusion at all; empty if they may."""
    table = ranking.table
    if len(table) == 1:
        return "One configuration: there is nothing to compare it with yet."
    if table["seeds"].max() == 0:
        return "Every run diverged: there is nothing to compare."
    if table["seeds"].max() < 2:
        return f"One {block} for each configuration allows no conclusion: the order may be chance."
    return f"Nothing could be tested: {untested(ranking, block)}." if untested(ranking, block) else ""


def untested(ranking: Ranking, block: str = "seed") -> str:
    """Why no two configurations can be tested against each other; empty if some can."""
    pairs = ranking.pairs
    if pairs["p"].notna().any() or pairs.empty:
        return ""
    if pairs["seeds"].max() < 2:
        return f"no two configurations have two {block}s in common"
    return f"any two configurations differ by the same amount in all their {block}s, and without variation there is no test"


def headline(ranking: Ranking, judged: Sequence[Judged], seeds: str, block: str = "seed") -> str:
    """The finding, as far as there is one."""
    table, leading = ranking.table, ranking.leading
    supported = [claim.text for claim in judged if claim.verdict == Verdict.SUPPORTED]
    if len(table) == 1:
        return f"One configuration, {seeds.removesuffix(' each')}: nothing to compare yet"
    if table["seeds"].max() < 2:
        seen = f"one {block} each" if table["seeds"].max() else "and every run diverged"
        return f"{len(table)} configurations, {seen}: no winner can be named"
    if untested(ranking, block):
        return f"{len(table)} configurations that cannot be tested: {untested(ranking, block)}"
    if len(leading) == 1:
        others = "the others are separated from it, or diverged" if table["diverged"].any() else "separated from all others"
        first = f"{leading[0]} comes first, {others}"
    elif len(leading) == len(table):
        if (ranking.pairs["relation"] == Relation.EQUIVALENT).all():
            first = f"{len(table)} configurations that are practically equivalent with {seeds}"
        elif supported:  # by which two of them are told apart
            first = f"{seeds} are too few to rank {len(table)} configurations"
        else:
            first = f"{len(table)} configurations that {seeds} cannot tell apart"
    else:
        first = f"{len(leading)} of {len(table)} configurations share the lead with {seeds}"
    return f"{supported[0]}; {first}" if supported else first


def counted(judged: Sequence[Judged]) -> str:
    """How many claims have which verdict, as a sentence."""
    counts = {outcome: sum(claim.verdict == outcome for claim in judged) for outcome in Verdict}
    told = [f"{n} {outcome.value}" for outcome, n in counts.items() if n]
    return f"Of {plural(len(judged), 'claim')}, {_listed(told)}."


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
            f"{_subject(result, reading)} is not {way} than {result.rival}'s by {_margin(result, reading)} or more: "
            f"{_numbers(result, reading)}."
        )
    return f"{_subject(result, reading)} is {result.expect} than {result.rival}'s: {_numbers(result, reading)}."


def _refuted(result: Compared, reading: Measure) -> str:
    way = "lower" if result.plain.mean < 0 else "higher"
    by = f" by more than {_margin(result, reading)}" if result.not_worse else ""
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
        f"That {_subject(result, reading)} {_beyond(result, reading)} is ruled out; a smaller effect, or the opposite, is not: "
        f"{_numbers(result, reading)}."
    )


def _inconclusive(result: Compared, reading: Measure) -> str:
    if result.not_worse:
        way = "lower" if result.expect == "not lower" else "higher"
        counted = " once all claims are counted" if result.beyond_chance else ""
        return (
            f"That {_subject(result, reading)} is not {way} than {result.rival}'s by {_margin(result, reading)} or more could not be "
            f"shown{counted}: {_numbers(result, reading)}."
        )
    if result.beyond_chance:
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


def _corrected(judged: Judged, result: Compared) -> str:
    """Why a test that is significant by itself does not count."""
    if result.beyond_chance and judged.p_adjusted is not None:
        return f" By itself p = {result.p:.2g}; after Holm's correction for all claims {judged.p_adjusted:.2g}."
    return ""


def _beyond(result: Compared, reading: Measure) -> str:
    """Differs from the rival's as claimed, by the margin or more."""
    if reading.ratio:
        most = "most" if result.expect == "lower" else "least"
        return f"is at {most} {_margin(result, reading).removeprefix('a factor of ')} times {result.rival}'s"
    return (
        f"{'falls short of' if result.expect == 'lower' else 'exceeds'} {result.rival}'s by {_margin(result, reading)} or more"
    )


def _margin(result: Compared, reading: Measure) -> str:
    """The claim's margin, on the side of one that is claimed."""
    return reading.margin(result.margin, lower=result.expect in {"lower", "not lower"})


def _subject(result: Compared, reading: Measure) -> str:
    return f"{result.subject}'s {reading.words}"


def _numbers(result: Compared, reading: Measure, level: int = 95) -> str:
    low, high = (result.plain.low90, result.plain.high90) if level == 90 else (result.plain.low, result.plain.high)
    what = f"{reading.difference(result.plain.mean)}{reading.difference_unit}"
    return f"{what}, {level}% interval {reading.interval(low, high)}, n = {result.plain.n}"


def _no_verdict(result: Compared, reading: Measure, block: str) -> str:
    if result.plain.n < 2:
        there = f"no {block} has" if result.plain.n == 0 else f"only one {block} has"
        return f"{reading.words.capitalize()} cannot be compared: {there} it for both {result.subject} and {result.rival}; two are needed."
    return (
        f"{reading.words.capitalize()} differs by the same amount, {reading.difference(result.plain.mean)}{reading.difference_unit}, in all "
        f"n = {result.plain.n} {block}s: without variation there is no interval."
    )


def _left_out(result: Compared, block: str) -> str:
    n = len(result.left_out)
    return f" {plural(n, block)} could not be paired, since a run is missing or diverged." if n else ""


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
