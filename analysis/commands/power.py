"""What so many seeds of a design can find, before any is trained: for differences and for equivalence; and which plan to make."""

import argparse
import math
import shlex
from dataclasses import dataclass

import numpy as np

from regstudy.console import terminal
from regstudy.console.document import Document
from regstudy.console.screen import Table
from regstudy.console.terminal import in_words, plain, plural
from regstudy.design import design_file
from regstudy.design.claim import SCALED_IN_POINTS
from regstudy.design.design import Design
from regstudy.errors import NotComparable, NothingToAnalyse, TrackingError, UsageError
from regstudy.schema import Summary

from ..judging import looks, statistics
from ..judging.findings import score_table
from ..judging.looks import AT_THE_PLAN, LEAST
from . import commands

SEEDS = (3, 5, 10, 15, 20, 30, 40, 60)
OF_A_SEED, OF_IMAGES = 0.05, 10_000
"""Points: the standard deviation of a configuration's accuracy over seeds where nobody knows better, on so many images; of about 99.4% √(error/2n) predicts 0.055. On n images it is √(10,000/n) times as large."""


@dataclass(frozen=True)
class Spread:
    """The standard deviation of paired differences of the endpoint, in the shown unit, and where it is from."""

    sd: float
    source: str


@dataclass(frozen=True)
class Power:
    """What numbers of seeds of a design can find with 80% power; `seeds` and `needed` are the design's and the fewest that decide a claim with its margin, None if more than 1,000.

    `table`: seeds, a difference that is found, equivalence that is shown if there is no difference, both in the shown unit.
    """

    spread: Spread
    claims: int
    unit: str
    table: tuple[tuple[int, float, float], ...]
    seeds: int
    needed: int | None


def power(arguments: argparse.Namespace, _command: str) -> Document | None:
    """Print what numbers of seeds can find, and recommend one."""
    design = design_file.load(arguments.design)
    found = _found(arguments, design)
    if arguments.json:
        return _document(design, found, arguments.seed_seconds)
    terminal.say(
        f"what seeds can find with 80% power, {plural(found.claims, 'claim')} sharing α = {design.alpha:g}, if a difference between two configurations has a standard "
        f"deviation of {found.spread.sd:.3g} {found.unit} ({found.spread.source}):"
    )
    shown = Table()
    for heading in ("seeds", f"a difference of\n({found.unit})", "equivalence within\n(if there is none)"):
        shown.column(*heading.split("\n"), justify="right")
    if arguments.seed_seconds:
        shown.column("time here", justify="right")
    # Two digits of the smallest, so that none is shown as nothing.
    decimals = max(3, 1 - math.floor(math.log10(min(min(row[1:]) for row in found.table))))
    for n, difference, alike in found.table:
        time = [in_words(n * arguments.seed_seconds)] if arguments.seed_seconds else []
        shown.row(
            f"{n}{' (this design)' if n == found.seeds else ''}", f"{difference:.{decimals}f}", f"{alike:.{decimals}f}", *time
        )
    shown.show()
    terminal.say(recommendation(found.needed, plain(design.margin)))
    if not arguments.embedded:
        terminal.say_next(shlex.join(["python", "-m", "regstudy", "study", "run", arguments.design]))
    return None


def _found(arguments: argparse.Namespace, design: Design) -> Power:
    varies, claims = spread(arguments, design), shares(design)
    alpha, sd = AT_THE_PLAN * design.alpha / claims, varies.sd
    unit = "points" if design.endpoint in SCALED_IN_POINTS else "in the endpoint's unit"
    counts = sorted({*SEEDS, len(design.seeds)} - {1, 2})
    table = tuple((n, looks.detectable(sd, n, alpha), looks.shown_equivalent(sd, n, alpha)) for n in counts)
    return Power(varies, claims, unit, table, len(design.seeds), enough_for(design.margin, sd, alpha))


def _document(design: Design, found: Power, seed_seconds: float) -> Document:
    names = ("seeds", "difference", "equivalence")
    rows = [dict(zip(names, row, strict=True)) for row in found.table]
    return {
        "study": design.name,
        "claims": found.claims,
        "alpha": design.alpha,
        "margin": design.margin,
        "unit": found.unit,
        "sd": found.spread.sd,
        "sd_source": found.spread.source,
        "seeds": found.seeds,
        "seeds_needed": found.needed,
        "power": [row | ({"seconds": row["seeds"] * seed_seconds} if seed_seconds else {}) for row in rows],
        "notices": [],
    }


def recommendation(needed: int | None, margin: str) -> str:
    """How many seeds to plan, and what to do instead."""
    if needed is None:
        return f"More than {looks.MOST:,} seeds would be needed for the margin of {margin}: choose a larger one, or an endpoint that varies less."
    return (
        f"Plan {plural(needed, 'seed')}: they decide a claim with the margin of {margin} either way in 80% of studies. "
        "Or give study run --until decided instead: no number, and fewer seeds where effects are larger than the margin."
    )


def enough_for(margin: float, sd: float, alpha: float) -> int | None:
    """The fewest blocks, fixed beforehand, that find a difference as large as the margin, and show equivalence if there is none, in 80% of studies each; None if 1,000 do not do."""
    return looks.fewest(
        lambda n: min(looks.power(margin, sd, n, alpha), looks.equivalence_power(margin, sd, n, alpha)),
        looks.POWER,
        after=LEAST - 1,
    )


def shares(design: Design) -> int:
    """How many claims share a design's α."""
    return max(1, sum(bool(claim.contrasts) for claim in design.claims))


def spread(arguments: argparse.Namespace, design: Design) -> Spread:
    """How a design's differences vary: as `--sd` says, from its runs so far, or a guess; UsageError if nothing tells."""
    if arguments.sd:
        return Spread(number(arguments.sd), "as given")
    pilot = _pilot(arguments, design)
    if pilot is not None:
        return pilot
    if design.endpoint == Summary.ENDPOINT_TEST_ACCURACY:
        images = arguments.test_images
        guess = OF_A_SEED * math.sqrt(OF_IMAGES / images)
        source = f"a guess: {guess:.2g} points per seed, as on {images:,} test images at 99.4%; --sd says it better"
        return Spread(guess * math.sqrt(2), source)
    raise UsageError(
        f"no run tells how {design.endpoint} varies: give --sd, the standard deviation of a difference between two configurations"
    )


def number(text: str) -> float:
    """What `--sd` says."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise UsageError(f"--sd {text!r}: expected a number above 0, the standard deviation of a difference")
    return value


def _pilot(arguments: argparse.Namespace, design: Design) -> Spread | None:
    """From this study's finished runs, pooled over pairs, as large as it may well be; None with fewer than three seeds."""
    arguments.study = design.name
    try:
        runs = commands.read(arguments).runs
    except (NothingToAnalyse, NotComparable, TrackingError):
        return None  # a plan needs no store: whoever runs it is told what is wrong with one
    scores = score_table(runs, design.endpoint).dropna()
    n, k = scores.shape
    if n < LEAST or k < 2:  # a difference is of two
        return None
    values = scores.to_numpy(float).T
    first, second = np.triu_indices(k, 1)
    sd = float(np.sqrt((statistics.paired(values[first], values[second]).sd ** 2).mean()))
    factor = 100 if design.endpoint in SCALED_IN_POINTS else 1
    return Spread(looks.sd_upper(sd * factor, n), f"from {plural(n, 'seed')} so far, its upper 80% bound") if sd > 0 else None
