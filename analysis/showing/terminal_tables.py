"""Tables for the terminal."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from regstudy.console.screen import Table
from regstudy.console.terminal import plural, say
from regstudy.design.design import Contrast

from ..files.rows import rows
from ..judging import claims, findings, looks, statistics
from ..judging.findings import Findings
from ..judging.statistics import LEAST
from ..reading import measures
from ..reading.measures import Measure, Pairing
from ..reading.trials import TEST_IMAGES
from . import grids, methods, wording
from .figures import drawn_of
from .grids import DETAIL

NONE = "–"
NAME = 24
"""Characters of a configuration's name that a table keeps on one line, even where the terminal is narrow."""


def show_ranking(found: Findings) -> None:
    """Print the ranking; ties share their rank, and nothing is emphasised."""
    detailed, block = DETAIL in found.table, found.trials.words.block
    shown = Table(f"{_title(found)}; ± is the 95% interval of the mean, = a shown equivalence, ? what is not known")
    shown.column("rank", justify="right")
    shown.column("configuration", overflow="fold", min_width=min(NAME, found.table["configuration"].str.len().max()))
    headings = [f"{block}s", f"{found.endpoint.words}{_in_unit(found)}", "SD"]
    for heading in headings + (["wrong\nimages", "test loss", "best epoch,\nbiased"] if detailed else []):
        shown.column(*heading.split("\n"), justify="right", no_wrap=True)
    few = drawn_of(found)
    for row in rows(found.table.head(len(few))):
        shown.row(*_ranked(row, found), *(_details(row) if detailed else []))
    told = grids.parameters(found)
    if told is not None:
        for line in grids.as_text(told).splitlines():
            say(line)
    shown.show()
    if len(few) < len(found.table):
        say(
            f"The first {len(few)} of {len(found.table):,} configurations, which have a run each: their order is largely chance."
        )
    say(wording.standing(found.ranking, wording.blocks_in_words(found), block))
    for line in filter(None, [methods.planned(found)]):
        say(line)


def show_verdicts(found: Findings) -> None:
    """Print each claim with its verdict, estimate, seeds and how many more it will probably take."""
    shown = Table("Verdicts")
    shown.column("claim", ratio=4)
    shown.column("verdict", ratio=3)
    shown.column(grids.ESTIMATE, ratio=4)
    shown.column("n", justify="right")
    shown.column("further", f"{found.trials.words.block}s", justify="right")
    for judged in found.judged:
        n = str(judged.deciding.plain.n) if judged.deciding else NONE
        verdict = f"{wording.SIGNS[judged.verdict]} {wording.answer(judged)}"
        shown.row(judged.text, verdict, wording.estimate(judged), n, wording.further_cell(judged))
    shown.show()
    say(wording.counted(found.judged))
    for line in filter(None, [methods.planned(found)]):
        say(line)


def show_pair(found: Findings, first: str, second: str, images: Sequence[str]) -> None:
    """Print a page about two configurations; `images` are sentences about their misclassified images."""
    result = endpoint(found, first, second)
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


def endpoint(found: Findings, first: str, second: str) -> claims.Compared:
    """Two configurations compared by the endpoint: one contrast, not one of a family."""
    margin = found.scale.margin or findings.MARGIN
    asked = Contrast.model_construct(
        metric=found.endpoint.key, of={}, against={}, expect="higher", scale="difference", margin=margin
    )
    run, pairing = found.trials.runs.groupby("configuration")["seed"].agg(set), found.trials.pairing
    blocks = len(run[first] & run[second]) if pairing.paired else min(len(run[first]), len(run[second]))
    rule = found.looked.rule(blocks)
    return claims.compare(found.scores[first], found.scores[second], asked, found.scale.unit, rule, pairing=pairing)


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
    shown: list[tuple[str, ...]] = []
    for key in [found.endpoint.key, *(key for key in measures.COMPARED if key in found.trials.runs)]:
        reading = measures.measure(key)
        scores = findings.score_table(found.trials.runs, key)[[first, second]]
        there = scores.notna()
        if not (there.all(axis=1).any() if found.trials.pairing.paired else there.any().all()):
            continue
        means = [reading.value(float(scores[name].mean())) for name in (first, second)]
        difference, n = _difference(scores, reading, first, second, found.trials.pairing)
        shown.append((f"{reading.words}{f' ({reading.unit})' if reading.unit else ''}", *means, difference, str(n)))
    return shown


def _difference(scores: pd.DataFrame, reading: Measure, first: str, second: str, pairing: Pairing) -> tuple[str, int]:
    """The first against the second with its 95% interval, and the number of common blocks, or of the smaller sample's."""
    values = np.log(scores.where(scores > 0)) if reading.ratio else scores
    found = statistics.estimate(values[first], values[second], pairing)
    interval = f" ({reading.interval(found.low, found.high)})" if found.decidable else ""
    return f"{reading.difference(found.mean)}{reading.difference_unit}{interval}", found.n


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
        (reading.value(mean) if seeds else "diverged") + half,
        reading.spread(sd) if math.isfinite(sd) else NONE,
    ]


def _details(row: dict[str, object]) -> list[str]:
    wrong, loss, best = (float(str(row[name])) for name in ("wrong_images", "test_loss", "best_epoch_accuracy_biased"))
    if not math.isfinite(wrong):
        return [NONE] * 3
    return [f"{wrong:.1f}", f"{loss:.4f}", f"{100 * best:.2f}"]
