"""Tables for the terminal."""

import math
from collections.abc import Sequence

from regstudy.console.screen import Table
from regstudy.console.terminal import plural, say

from ..files.rows import rows
from ..judging import claims, looks, pair
from ..judging.findings import Findings
from ..judging.statistics import LEAST
from ..reading import measures
from ..reading.trials import TEST_IMAGES
from . import grids, methods, wording
from .grids import listed

NONE = "–"


def show_ranking(found: Findings) -> None:
    """Print the ranking; ties share their rank, and nothing is emphasised."""
    beside = grids.details(found)
    shown = Table(f"{_title(found)}; ± is the 95% interval of the mean, = a shown equivalence, ? what is not known")
    shown.column("rank", justify="right")
    shown.column("configuration")
    headings = [f"{found.trials.words.block}s", f"{found.endpoint.words}{_in_unit(found)}", "SD"]
    for heading in [*headings, *(detail.short for detail in beside)]:
        shown.column(*heading.split("\n"), justify="right")
    few = found.table.head(listed(found))
    for row in rows(few):
        shown.row(*_ranked(row, found), *(detail.cell(row) if row["seeds"] else NONE for detail in beside))
    told = grids.parameters(found)
    if told is not None:
        grids.table(told).show()
    shown.show()
    if len(few) < len(found.table):
        say(
            f"The first {len(few)} of {len(found.table):,} configurations, which have a run each: their order is largely chance."
        )
    for line in ranking_in_words(found):
        say(line)


def ranking_in_words(found: Findings) -> list[str]:
    """What the ranking says, and under which condition."""
    standing = wording.standing(found.ranking, wording.blocks_in_words(found), found.trials.words.block)
    return list(filter(None, [standing, methods.planned(found)]))


def show_verdicts(found: Findings) -> None:
    """Print each claim with its verdict, estimate, seeds and how many more it will probably take."""
    shown = Table("Verdicts")
    for heading in ("claim", "verdict", grids.ESTIMATE):
        shown.column(heading)
    shown.column("n", justify="right")
    shown.column("further", f"{found.trials.words.block}s", justify="right")
    for judged in found.judged:
        n = str(judged.deciding.plain.n) if judged.deciding else NONE
        verdict = wording.signed(wording.answer(judged))
        shown.row(judged.text, verdict, wording.estimate(judged), n, wording.further_cell(judged))
    shown.show()
    for line in verdicts_in_words(found):
        say(line)


def verdicts_in_words(found: Findings) -> list[str]:
    """How many claims have which verdict, and under which condition."""
    return list(filter(None, [wording.counted(found.judged), methods.planned(found)]))


def show_pair(found: Findings, first: str, second: str, images: Sequence[str]) -> None:
    """Print a page about two configurations; `images` are sentences about their misclassified images."""
    result = pair.endpoint(found, first, second)
    say(f"{first} against {second}: {plural(result.plain.n, f'common {found.trials.words.block}')}, {_what(found)}")
    say("")
    for line in judgement(found, result):
        say(line)
    say("")
    shown = Table(f"Means over {found.trials.words.block}s; differences or ratios (×) with their 95% interval, unadjusted")
    shown.column("")
    for heading in (first, second, "first against second", "n"):
        shown.column(heading, justify="right")
    for row in pair_rows(found, first, second):
        shown.row(*row)
    shown.show()
    for line in images:
        say(line)


def judgement(found: Findings, result: claims.Compared) -> list[str]:
    """What the endpoint says of the two, in sentences."""
    reading, plain, block = found.endpoint, result.plain, found.trials.words.block
    common = "common " if found.trials.pairing.paired else ""
    if not plain.decidable or plain.n < LEAST:
        return [
            f"{reading.words.capitalize()}: {LEAST} {common}{block}s that differ are needed to say anything; there {'is' if plain.n == 1 else 'are'} {plain.n}."
        ]
    interval = f"{reading.interval(plain.low, plain.high)}{reading.difference_unit}"
    test = "Test that holds whenever one looks:" if result.anytime else _test(found)
    flipped = "" if result.p_sign_flip is None else f"sign-flip test p = {result.p_sign_flip:.3g}; "
    lines = [
        f"{reading.words.capitalize()}: {reading.difference(plain.mean)}{reading.difference_unit}, {wording.level(result.alpha)} interval {interval}, n = {plain.n}.",
        f"{test} p = {plain.p:.3g}; {flipped}not adjusted for other comparisons.",
    ]
    if result.won is not None:
        lines.append(f"{result.subject} is higher in {result.won:.0%} of {block}s.")
    if result.effect_size is not None:
        lines.append(f"Standardised effect {result.effect_size:+.2f}, corrected for few {block}s.".replace("-", measures.MINUS))
    if result.correlation is not None:
        lines.append(
            f"Correlation of the pairs over {block}s {result.correlation:+.2f}: pairing helps as far as it is positive."
        )
    margin = found.scale.margin
    if margin is None:
        return lines
    if plain.within(margin):
        lines.append(
            f"Practically equivalent: the {wording.level(2 * result.alpha)} interval lies inside ±{reading.margin(margin)}."
        )
    elif plain.p < result.alpha:
        lines.append(f"The test tells the two apart, by itself, at {result.alpha:.2g}.")
    else:
        needed = found.looked.blocks_for(margin, looks.sd_upper(plain.sd, plain.n), after=plain.n)
        more = f"more than {looks.MOST:,}" if needed is None else f"about {needed - plain.n:,}"
        lines.append(
            f"Not told apart: {more} further {block}s would find a difference of {reading.margin(margin)} in 80% of studies."
        )
    return lines


def _test(found: Findings) -> str:
    """The test of a number of blocks that was fixed beforehand."""
    pairing = found.trials.pairing
    if not pairing.paired:
        return "Welch's t test"
    return "Paired t test, corrected for training sets that overlap," if pairing.overlap else "Paired t test"


def pair_rows(found: Findings, first: str, second: str) -> list[tuple[str, ...]]:
    """Each measure that both have: its words and unit, either's mean, the first against the second with its interval, common blocks."""
    return [_pair_row(row) for row in pair.rows(found, first, second)]


def _pair_row(row: pair.Row) -> tuple[str, ...]:
    reading, own = row.measure, row.difference
    interval = f" ({reading.interval(own.low, own.high)})" if own.decidable else ""
    difference = f"{reading.difference(own.mean)}{reading.difference_unit}{interval}"
    words = f"{reading.words}{f' ({reading.unit})' if reading.unit else ''}"
    return words, reading.value(row.first), reading.value(row.second), difference, str(own.n)


def _title(found: Findings) -> str:
    return f"{found.trials.source.experiment}: {_what(found)}"


def _what(found: Findings) -> str:
    runs = found.trials.runs
    if not found.trials.has("dataset", "epochs", TEST_IMAGES):
        return f"{plural(len(runs), 'run')}, {found.endpoint.words} ({'higher' if found.scale.higher_is_better else 'lower'} is better)"
    return f"{runs['dataset'].iloc[0]}, {runs[TEST_IMAGES].iloc[0]:,} test images, {plural(int(runs['epochs'].max()), 'epoch')}"


def _in_unit(found: Findings) -> str:
    return f"\n({found.endpoint.unit})" if found.endpoint.unit else ""


def _ranked(row: dict[str, object], found: Findings) -> list[str]:
    reading, seeds, diverged = found.endpoint, int(str(row["seeds"])), int(str(row["diverged"]))
    low, high, sd, mean = (float(str(row[name])) for name in ("low", "high", "sd", "mean"))
    half = f" ± {reading.spread((high - low) / 2)}" if math.isfinite(low) else ""
    return [
        grids.rank(row, "?"),
        str(row["configuration"]),
        str(seeds) + (f" + {diverged} diverged" if diverged else ""),
        (reading.value(mean) if seeds else "diverged" if diverged else NONE) + half,
        reading.spread(sd) if math.isfinite(sd) else NONE,
    ]
