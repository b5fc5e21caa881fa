"""How often the analysis is wrong, on simulated studies whose truth is known: `python -m benchmarks.calibrate`, or `make calibrate`.

For what people do, not only for what they should do: a number of seeds that was fixed, a look after every seed, the seeds that the report asks for. A seed's accuracy has a
standard deviation of 0.05 points. Judged by the functions that the report uses. Writes Markdown tables to stdout.
"""

import argparse
import itertools
from collections.abc import Callable, Iterator, Sequence
from functools import cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.judging import looks, ranking, statistics
from analysis.judging.looks import Looks
from analysis.judging.populations import NewImages
from analysis.judging.ranking import MANY
from analysis.judging.statistics import Estimates, Rule
from regstudy.schema import LAST_EPOCHS

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

SD, MARGIN, ALPHA = 0.05, 0.05, 0.05
OF_A_DIFFERENCE = SD * 2**0.5
FIRST, LAST = 3, 60
"""Seeds between which one looks after every one."""

PLAN = 10
STUDIES = 5_000
ROUGHER = 2.6
COLLAPSED = 0.1
EPOCHS, WITHIN = 40, 0.8
TEST_IMAGES = 10_000


def draw(shape: str, size: tuple[int, int, int], rng: np.random.Generator) -> Array:
    """Accuracies in points, of equal quality: (studies, configurations, seeds)."""
    normal = rng.normal(size=size) * SD
    if shape == "unequal":
        normal[:, -1] *= ROUGHER
    elif shape == "skewed":
        return (1 - rng.exponential(size=size)) * SD
    elif shape == "heavy-tailed":
        return rng.standard_t(3, size=size) / 3**0.5 * SD
    elif shape == "collapsed":
        return normal - (rng.random(size) < COLLAPSED)
    elif shape == "correlated":
        return (normal + rng.normal(size=(size[0], 1, size[2])) * SD) / 2**0.5
    return normal


SHAPES = ("equal", "unequal", "skewed", "heavy-tailed", "collapsed", "correlated")


def separates(values: Array, looked: Looks) -> Flags:
    """Whether the ranking separates any two of these configurations, as `analysis.judging.ranking` does: (studies, configurations, seeds) → (studies,)."""
    k, n = values.shape[1:]
    rule = looked.rule(np.full((), n), k * (k - 1) // 2)
    if k <= MANY:
        first, second = np.array(list(itertools.combinations(range(k), 2))).T
        return _apart(statistics.paired(values[:, first], values[:, second], rule=rule))
    leaders = values.mean(-1).argmax(-1)
    others = np.array([[i for i in range(k) if i != leader] for leader in leaders])
    if rule.anytime:
        own = np.take_along_axis(values, others[:, :, None], 1)
        return _apart(
            statistics.paired(np.broadcast_to(values[np.arange(len(values)), leaders][:, None], own.shape), own, rule=rule)
        )
    pairs = [np.stack([np.full(k - 1, leader), rest], 1) for leader, rest in zip(leaders, others, strict=True)]
    borrowed = [ranking.moderated(own, index, rule) for own, index in zip(values, pairs, strict=True)]
    return np.array([found is not None and bool(_apart(found)) for found in borrowed])


def _apart(found: Estimates) -> Flags:
    return np.asarray(((found.low > 0) | (found.high < 0)).any(-1))


def false_separations(shape: str, configurations: int, way: str, studies: int, rng: np.random.Generator) -> float:
    """The share of studies of equal configurations in which any two are ever told apart. `way`: so many seeds fixed beforehand, or how one goes on."""
    if way.isdigit():
        n = int(way)
        return float(separates(draw(shape, (studies, configurations, n), rng), Looks(ALPHA, n)).mean())
    values, looked, ever = draw(shape, (studies, configurations, LAST), rng), Looks(ALPHA, PLAN), np.zeros(studies, bool)
    if way == "every seed":
        for n in range(FIRST, LAST + 1):
            ever |= separates(values[:, :, :n], looked)
        return float(ever.mean())
    n, open_ = np.full(studies, PLAN), np.ones(studies, bool)
    while open_.any():
        for count in np.unique(n[open_]):
            own = np.flatnonzero(open_ & (n == count))
            ever[own] |= separates(values[own, :, :count], looked)
            wanted = count + _asked_for(values[own, :, :count], looked)
            open_[own] = ~ever[own] & (count < LAST)
            n[own] = np.minimum(wanted, LAST)
    return float(ever.mean())


def _asked_for(values: Array, looked: Looks) -> NDArray[np.int64]:
    """How many further seeds the advice asks for: for the pair that varies most."""
    first, second = np.array(list(itertools.combinations(range(values.shape[1]), 2))).T
    sd = (values[:, first] - values[:, second]).std(-1, ddof=1).max(-1)
    n = values.shape[2]
    return np.array([_further(round(float(each) * 200) / 200, n, looked, len(first)) for each in sd])


@cache
def _further(sd: float, n: int, looked: Looks, tests: int) -> int:
    needed = looked.blocks_for_equivalence(MARGIN, looks.sd_upper(max(sd, 0.005), n), tests, after=n)
    return LAST if needed is None else needed - n


def false_verdicts(claims: int, truth: str, way: str, studies: int, rng: np.random.Generator) -> float:
    """The share of studies in which a verdict of any kind on any of so many claims is ever false."""
    means = np.resize(TRUTHS[truth], claims)
    values = rng.normal(size=(studies, claims, LAST)) * OF_A_DIFFERENCE + means[:, None]
    ever = np.zeros(studies, bool)
    for n in [PLAN] if way == "plan" else range(FIRST, LAST + 1):
        ever |= _is_false(*_judged(values[:, :, :n], Looks(ALPHA, PLAN), claims), means).any(-1)
    return float(ever.mean())


TRUTHS = {"0": [0.0], "the margin": [MARGIN], "twice": [2 * MARGIN], "mixed": [0.0, MARGIN, 2 * MARGIN]}


def _judged(values: Array, looked: Looks, claims: int) -> tuple[Estimates, Rule]:
    rule = looked.rule(np.full((), values.shape[-1]), claims)
    return statistics.paired(values, np.zeros_like(values), rule=rule), rule


def verdicts(found: Estimates, rule: Rule) -> dict[str, Flags]:
    """As `analysis.judging.claims.verdict` gives them, for claims of a single contrast; "strongly" beside "supported"."""
    half = statistics.infer(found.n, found.mean, found.sd, Rule(rule.alpha / 2, rule.anytime))
    refuted = found.high < 0
    equivalent = ~refuted & statistics.is_equivalent(found.inner_low, found.inner_high, MARGIN)
    supported = ~refuted & ~equivalent & (found.low > 0)
    short = ~refuted & ~equivalent & ~supported & (found.high < MARGIN)
    return {
        "refuted": refuted,
        "practically equivalent": equivalent,
        "supported": supported,
        "strongly": supported & (half.low > MARGIN),
        "not by the margin": short,
    }


def _is_false(found: Estimates, rule: Rule, means: Array) -> Flags:
    given = verdicts(found, rule)
    return (
        given["refuted"]
        | given["practically equivalent"] & (means >= MARGIN)
        | given["supported"] & (means <= 0)
        | given["strongly"] & (means <= MARGIN)
        | given["not by the margin"] & (means >= MARGIN)
    )


def power(n: int, effect: float, studies: int, rng: np.random.Generator) -> tuple[float, float]:
    """How often one contrast is told from zero at the planned number; by the plan's test, and by a plain t test."""
    values = rng.normal(size=(studies, n)) * OF_A_DIFFERENCE + effect
    found = [
        statistics.paired(values, np.zeros_like(values), rule=looked.rule(np.full((), n)))
        for looked in (Looks(ALPHA, n), Looks(ALPHA))
    ]
    at_the_plan, plain = (float(((each.low > 0) | (each.high < 0)).mean()) for each in found)
    return at_the_plan, plain


def until_decided(effect: float, studies: int, rng: np.random.Generator) -> tuple[float, float, float, float]:
    """One claim, looked at after every seed until it has a verdict: mean seeds, and the shares of supported, equivalent or not by the margin, and open at 60."""
    values = rng.normal(size=(studies, 1, LAST)) * OF_A_DIFFERENCE + effect
    seeds, said = np.full(studies, LAST), np.full(studies, "", dtype=object)
    for n in range(FIRST, LAST + 1):
        given = verdicts(*_judged(values[:, :, :n], Looks(ALPHA, sequential=True), 1))
        for name in ("refuted", "practically equivalent", "supported", "not by the margin"):
            new = (said == "") & given[name][:, 0]
            said[new], seeds[new] = name, n
    no = np.isin(said, ["practically equivalent", "not by the margin", "refuted"])
    return float(seeds.mean()), float((said == "supported").mean()), float(no.mean()), float((said == "").mean())


def coverage_for_new_images(n: int, studies: int, rng: np.random.Generator, images: int = 2_000) -> tuple[float, float]:
    """How often the intervals for new images, and those over seeds alone, cover the difference that holds for all images: two configurations, some images harder for either.

    An image is wrong with a probability of its own, most with nearly none, and each seed is a little better or worse at all of them.
    """
    new, over_seeds = 0, 0
    for _ in range(studies):
        hard = rng.beta(0.03, 1.97, size=(2, images))
        hard[1] = np.where(rng.random(images) < SHARED, hard[0], hard[1])
        skill = np.exp(rng.normal(0, 0.08, size=(2, n, 1)))
        wrong = rng.random((2, n, images)) < np.minimum(hard[:, None] * skill, 1)
        seen = wrong.any((0, 1))
        index = pd.MultiIndex.from_product([["a", "b"], range(n)])
        shares = pd.DataFrame(wrong[:, :, seen].reshape(2 * n, -1).astype(float), index=index)
        right = 1 - wrong.mean(-1)
        given = statistics.estimate(right[0], right[1])
        low, high = NewImages(shares, images).interval(given, "a", "b", ALPHA)
        new += int(low <= 0 <= high)
        over_seeds += int(given.low <= 0 <= given.high)
    return new / studies, over_seeds / studies


SHARED = 0.8
"""Of images, how many are as hard for the one configuration as for the other."""


def single_runs(spread: Array, studies: int, rng: np.random.Generator) -> Flags:
    """Whether, of one run each, one configuration's best epoch leads by two test images or more: what the published study reported."""
    level = rng.normal(size=(studies, len(spread), 1)) * spread[:, None]
    # The level is the mean of the last epochs; each epoch varies around it.
    epochs = level + rng.normal(size=(studies, len(spread), EPOCHS // 2)) * spread[:, None] * WITHIN
    wrong = np.round(-epochs.max(-1) / 100 * TEST_IMAGES)
    first, second = np.sort(wrong, axis=-1)[:, :2].T
    return second - first >= 2


Table = tuple[str, Sequence[str], Iterator[Sequence[str]]]


def tables(studies: int, seed: int = 0) -> Iterator[Table]:
    """Caption, headings and rows of each table; each row from a generator of its own."""
    numbers = itertools.count()

    def row(function: Callable[..., float], *given: object) -> str:
        return f"{function(*given, studies, np.random.default_rng([seed, next(numbers)])):.1%}"

    ways = ("5", "10", "20", "every seed", "advice")
    cells = [(shape, k) for shape in SHAPES for k in (2, 4, 8)] + [(shape, k) for shape in SHAPES for k in (12, 60)]
    yield (
        "False separations: configurations of equal quality, any two of which are told apart. At a number of seeds fixed beforehand; with a plan of "  # noqa: ISC004
        f"{PLAN}, and a look after every seed from {FIRST} to {LAST}; or from the plan on with the seeds that the report's advice asks for, up to {LAST}",
        ("seeds vary", "configurations", "5 seeds", "10", "20", "a look after every seed", "as advised"),
        (
            (shape, str(k), *(row(false_separations, shape, k, way) if k <= MANY or way != "advice" else "–" for way in ways))
            for shape, k in cells
        ),
    )
    yield (
        f"False verdicts: any of any kind, on any claim; a claim says “higher, by {MARGIN} points”; every truth as given. At the plan of {PLAN} seeds, and ever from {FIRST} to {LAST}",
        ("claims", "true differences", "at the plan", "ever"),
        (
            (str(m), truth, row(false_verdicts, m, truth, "plan"), row(false_verdicts, m, truth, "ever"))
            for m in (1, 3, 8, 20)
            for truth in TRUTHS
        ),
    )
    yield (
        "Power: one contrast, at the planned number of seeds, and of a plain t test at α",
        ("seeds", "true difference", "at the plan", "plain t test"),
        (
            (
                str(n),
                f"{effect}",
                *(f"{share:.1%}" for share in power(n, effect, 4 * studies, np.random.default_rng([seed, next(numbers)]))),
            )
            for n in (5, 10, 20)
            for effect in (0.05, 0.10, 0.17)
        ),
    )
    yield (
        f"Until decided: one claim, a look after every seed from {FIRST} on, {LAST} at most; beside it, the seeds that a fixed plan needs for 80% power at the margin",
        ("true difference", "mean seeds", "yes", "no", "open", "fixed plan"),
        (_until(effect, studies, np.random.default_rng([seed, next(numbers)])) for effect in (0.0, 0.05, 0.10, 0.17)),
    )
    yield (
        "Coverage of 95% intervals of a difference, for new images of the same source",
        ("seeds", "for new images", "over seeds alone"),
        (
            (
                str(n),
                *(
                    f"{share:.1%}"
                    for share in coverage_for_new_images(n, studies, np.random.default_rng([seed, next(numbers)]))
                ),
            )
            for n in (3, 5, 10, 60)
        ),
    )
    spreads = {"equal": np.full(4, SD), "unequal": np.array([SD, SD, SD, ROUGHER * SD])}
    yield (
        "What the published study did: of one run each of four equal configurations, the best epoch of one leads by two test images or more",
        ("seeds vary", "a winner is named"),
        (
            (name, row(lambda studies, rng, own=own: float(single_runs(own, studies, rng).mean())))
            for name, own in spreads.items()
        ),
    )


def _until(effect: float, studies: int, rng: np.random.Generator) -> Sequence[str]:
    seeds, *shares = until_decided(effect, studies, rng)
    fixed = Looks(ALPHA).blocks_for(MARGIN, OF_A_DIFFERENCE)
    return (f"{effect:g}", f"{seeds:.1f}", *(f"{share:.1%}" for share in shares), str(fixed))


def main() -> None:
    """Print the tables."""
    cli = argparse.ArgumentParser(prog="python -m benchmarks.calibrate", description=__doc__)
    cli.add_argument("--studies", type=int, default=STUDIES, help="simulated studies per row; default: %(default)s")
    given = cli.parse_args()
    print("# How often the analysis is wrong\n")
    print(f"{given.studies:,} simulated studies per row, generators seeded with 0; `make calibrate` writes this file.\n")
    print(
        f"Endpoint: mean of the last {LAST_EPOCHS} epochs, in points; a seed's standard deviation {SD}, margin {MARGIN}, α = {ALPHA}. Unequal: one configuration is {ROUGHER} "
        f"times as rough; heavy-tailed: Student's t with 3 degrees of freedom; collapsed: of {COLLAPSED:.0%} of runs, to one point less; correlated: half the variance is the block's."
    )
    for caption, headings, rows in tables(given.studies):
        print(f"\n{caption}.\n")
        for line in (headings, ["---:"] * len(headings)):
            print("| " + " | ".join(line) + " |")
        for row in rows:
            print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
