"""How often the analysis is wrong, on simulated studies whose truth is known: `python -m benchmarks.calibrate`, or `make calibrate`.

Four configurations; a seed's accuracy is normal with a standard deviation of 0.05 or 0.06 points, independent between configurations, or in the
last one 2.6 times as large. Judged by the very functions that the report uses. Writes a Markdown table to stdout.
"""

import argparse
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from analysis.judging import statistics
from regstudy.schema import LAST_EPOCHS

CONFIGURATIONS = 4
ALPHA = 0.05
MARGIN = 0.05
TEST_IMAGES = 10_000
ROUGHER = 2.6
EPOCHS = 40
WITHIN = 0.8
"""Standard deviation of an epoch's accuracy around its run's own level, as a part of the seeds' standard deviation."""

STUDIES = 20_000
PAIRS = np.array(list(itertools.combinations(range(CONFIGURATIONS), 2)))


@dataclass(frozen=True)
class Row:
    """Shares of simulated studies: what was found, by what was true."""

    sd: float
    seeds: int
    unequal: bool
    false_separation: float
    one_at_005: float
    one_at_010: float
    all_at_005: float
    all_at_010: float
    coverage: float
    equivalent: float
    named_by_best_epoch: float


def simulate(sd: float, seeds: int, *, unequal: bool, studies: int, rng: np.random.Generator) -> Row:
    """One row: `sd` in points; `unequal` makes the last configuration 2.6 times as rough."""
    spread = np.full(CONFIGURATIONS, sd)
    if unequal:
        spread[-1] *= ROUGHER
    same = rng.normal(size=(studies, CONFIGURATIONS, seeds)) * spread[:, None]
    pairs = statistics.paired(same[:, PAIRS[:, 0]], same[:, PAIRS[:, 1]])
    claimed = {effect: _claims(same, effect) for effect in (0.05, 0.10)}
    return Row(
        sd,
        seeds,
        unequal,
        false_separation=float((statistics.holm(pairs.p) < ALPHA).any(-1).mean()),
        one_at_005=float(claimed[0.05][:, 0].mean()),
        one_at_010=float(claimed[0.10][:, 0].mean()),
        all_at_005=float(claimed[0.05].all(-1).mean()),
        all_at_010=float(claimed[0.10].all(-1).mean()),
        coverage=float(((pairs.low <= 0) & (pairs.high >= 0)).mean()),
        equivalent=float(statistics.is_equivalent(pairs.low90[:, 0], pairs.high90[:, 0], MARGIN).mean()),
        named_by_best_epoch=float(_leads(spread, studies, rng).mean()),
    )


def _claims(same: np.ndarray, effect: float) -> np.ndarray:
    """Whether the first configuration, better by `effect`, is found better than each rival: shape (studies, rivals)."""
    rivals = same[:, 1:]
    found = statistics.paired(np.broadcast_to(same[:, :1] + effect, rivals.shape), rivals)
    return (found.mean > 0) & (found.p < ALPHA)


def _leads(spread: np.ndarray, studies: int, rng: np.random.Generator) -> np.ndarray:
    """Whether, of one run each, one configuration's best epoch leads by two test images or more: what the published study reported."""
    level = rng.normal(size=(studies, CONFIGURATIONS, 1)) * spread[:, None]
    # The level is the mean of the last epochs; each epoch varies around it.
    epochs = level + rng.normal(size=(studies, CONFIGURATIONS, EPOCHS // 2)) * spread[:, None] * WITHIN
    wrong = np.round(-epochs.max(-1) / 100 * TEST_IMAGES)
    first, second = np.sort(wrong, axis=-1)[:, :2].T
    return second - first >= 2


def rows(studies: int, seed: int = 0) -> Iterator[Row]:
    """All rows, each from a generator of its own."""
    for number, (unequal, sd, seeds) in enumerate(itertools.product((False, True), (0.05, 0.06), (5, 10, 20))):
        yield simulate(sd, seeds, unequal=unequal, studies=studies, rng=np.random.default_rng([seed, number]))


def main() -> None:
    """Print the table."""
    cli = argparse.ArgumentParser(prog="python -m benchmarks.calibrate", description=__doc__)
    cli.add_argument("--studies", type=int, default=STUDIES, help="simulated studies per row; default: %(default)s")
    given = cli.parse_args()
    print("# How often the analysis is wrong\n")
    print(
        f"{given.studies:,} simulated studies of {CONFIGURATIONS} configurations per row; generator seeded with 0. `make calibrate` writes this file.\n"
    )
    print(
        f"Endpoint: mean of the last {LAST_EPOCHS} epochs, in points. Margin {MARGIN} points, α = {ALPHA}. Unequal: one configuration is {ROUGHER} times as rough.\n"
    )
    headings = (
        "SD", "seeds", "variances", "false separation (A/A)", "power, one rival, 0.05", "0.10", "power, every rival, 0.05", "0.10",
        "95% interval covers", "equivalence found when true", "best epoch of single runs leads by two images, A/A",
    )  # fmt: skip
    for line in (headings, ["---:"] * len(headings)):
        print("| " + " | ".join(line) + " |")
    for row in rows(given.studies):
        shares = (
            row.false_separation, row.one_at_005, row.one_at_010, row.all_at_005, row.all_at_010, row.coverage, row.equivalent,
            row.named_by_best_epoch,
        )  # fmt: skip
        told = [f"{row.sd}", str(row.seeds), "unequal" if row.unequal else "equal", *(f"{share:.1%}" for share in shares)]
        print("| " + " | ".join(told) + " |", flush=True)


if __name__ == "__main__":
    main()
