"""Arrays to estimates, intervals, tests and the power of tests, for differences that are paired by block.

Knows nothing of runs, names or units, and decides nothing. The last axis of an array is the block; axes before it are pairs of
configurations, or simulated studies. NaN is a missing block. Below two blocks there is no interval, and the result says so as NaN beside
its n; whoever shows it must look at `decidable` first.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownLambdaType=false, reportUnknownArgumentType=false
# scipy carries no types.

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, stats  # pyright: ignore[reportMissingTypeStubs]  # it has none

Vector = NDArray[np.float64]

LEVEL = 0.95
EQUIVALENCE_LEVEL = 0.90
"""Two one-sided tests at 5% each are a 90% interval inside the margin."""

POWER = 0.80
EXACT_UP_TO = 13
"""Blocks up to which all sign flips are enumerated: 8,192 at most."""

RESAMPLES = 9_999
MOST_BLOCKS = 100_000
SAME = 1e-12
"""Differences that vary by less than this, relative to the values, do not vary: it is rounding."""


class Estimates(NamedTuple):
    """Paired differences' statistics, each of the leading shape: 95% and 90% t interval of the mean, two-sided t test that it is zero."""

    n: NDArray[np.int64]
    mean: Vector
    sd: Vector
    low: Vector
    high: Vector
    low90: Vector
    high90: Vector
    p: Vector

    @property
    def decidable(self) -> NDArray[np.bool_]:
        """Where there are two blocks or more, and they vary."""
        return np.isfinite(self.p)


class Estimate(NamedTuple):
    """The same for one contrast; with fewer than two blocks, or without variation, only n, mean and sd are numbers."""

    n: int
    mean: float
    sd: float
    low: float
    high: float
    low90: float
    high90: float
    p: float

    @property
    def decidable(self) -> bool:
        """Whether there are two blocks or more, and they vary."""
        return math.isfinite(self.p)


def paired(a: ArrayLike, b: ArrayLike, *, resolution: float = 0.0) -> Estimates:
    """Mean of a − b over blocks; both of shape (…, blocks), NaN where a block is missing.

    `resolution` is the step in which the values come (one image, one kernel). Rounding to a step h has the variance h²/12 (Sheppard), so
    differences cannot be known to vary by less than h/√6: the standard deviation is at least that. Without a resolution, differences that
    do not vary at all have no interval.
    """
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    differences = first - second
    there = np.isfinite(differences)
    n = there.sum(-1)
    kept = np.where(there, differences, 0.0)
    mean = _divide(kept.sum(-1), n)
    squares = np.where(there, (differences - mean[..., None]) ** 2, 0.0).sum(-1)
    scale = np.where(there, np.maximum(abs(first), abs(second)), 0.0).max(-1, initial=0.0)
    sd = np.sqrt(_divide(squares, n - 1))
    sd = np.maximum(np.where(sd <= SAME * scale, 0.0, sd), resolution / math.sqrt(6))
    return _with_intervals(n, mean, np.where(n >= 2, sd, np.nan))


def estimate(a: ArrayLike, b: ArrayLike, *, resolution: float = 0.0) -> Estimate:
    """`paired` for one contrast: both of shape (blocks,)."""
    result = paired(np.asarray(a)[None], np.asarray(b)[None], resolution=resolution)
    return Estimate(int(result.n[0]), *(float(column[0]) for column in result[1:]))


def shifted(given: Estimate, by: float) -> Estimate:
    """The estimate of the difference plus a constant: for tests against a margin instead of zero."""
    moved = _with_intervals(np.array([given.n]), np.array([given.mean + by]), np.array([given.sd]))
    return Estimate(given.n, *(float(column[0]) for column in moved[1:]))


def mean_interval(values: ArrayLike) -> Estimate:
    """Mean of values of shape (n,) with its t intervals: a single configuration's."""
    given = np.asarray(values, np.float64)
    return estimate(given, np.zeros_like(given))


def prediction_interval(values: ArrayLike, *, level: float = LEVEL) -> tuple[float, float]:
    """Where a further value of the same normal population falls with this probability: mean ± t·s·√(1 + 1/n); NaN below two values."""
    given = np.asarray(values, np.float64)
    n = len(given)
    if n < 2:
        return math.nan, math.nan
    half = float(stats.t.ppf((1 + level) / 2, n - 1) * given.std(ddof=1) * math.sqrt(1 + 1 / n))
    return float(given.mean()) - half, float(given.mean()) + half


def sign_flip_p(differences: ArrayLike, rng: np.random.Generator) -> float:
    """Two-sided p of the sign-flip test of a zero mean; exact up to 13 blocks, else by 9,999 draws of `rng`. Shape (n,), no NaN, n ≥ 2."""
    given = np.asarray(differences, np.float64)
    exact = len(given) <= EXACT_UP_TO
    result = stats.permutation_test(
        (given,),
        np.mean,
        permutation_type="samples",
        n_resamples=2 ** len(given) if exact else RESAMPLES,
        vectorized=True,
        axis=-1,
        rng=rng,
    )
    return float(result.pvalue)


def effect_size(mean: float, sd: float, n: int) -> float | None:
    """Cohen's d of paired differences (mean over their standard deviation), with Hedges' correction 1 − 3/(4(n − 1) − 1); None below 3 blocks."""
    if n < 3:
        return None  # the correction would be zero, whatever the effect
    return mean / sd * (1 - 3 / (4 * (n - 1) - 1))


def pair_correlation(a: ArrayLike, b: ArrayLike) -> float | None:
    """Pearson correlation over blocks, both of shape (n,); None below three common blocks, or if one does not vary."""
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    both = np.isfinite(first) & np.isfinite(second)
    if both.sum() < 3 or np.ptp(first[both]) == 0 or np.ptp(second[both]) == 0:
        return None
    return float(np.corrcoef(first[both], second[both])[0, 1])


def holm(p: ArrayLike) -> Vector:
    """Holm's adjusted p over one family, shape (…, m); NaN counts as a member that was not rejected, and stays NaN (Holm 1979)."""
    given = np.asarray(p, np.float64)
    # Ours in three lines: statsmodels' collects garbage at each call, which takes a thousand times as long as the correction.
    order = np.argsort(np.nan_to_num(given, nan=1.0), axis=-1)
    stepped = np.take_along_axis(np.nan_to_num(given, nan=1.0), order, -1) * np.arange(given.shape[-1], 0, -1)
    adjusted = np.empty_like(given)
    np.put_along_axis(adjusted, order, np.minimum(1.0, np.maximum.accumulate(stepped, axis=-1)), -1)
    return np.where(np.isfinite(given), adjusted, np.nan)


def is_equivalent(low90: ArrayLike, high90: ArrayLike, margin: float) -> NDArray[np.bool_]:
    """Two one-sided t tests at 5%: whether the 90% interval lies inside ±margin (Schuirmann 1987)."""
    return (np.asarray(low90) > -margin) & (np.asarray(high90) < margin)


def power(difference: float, sd: float, n: int, alpha: float) -> float:
    """Power of the two-sided paired t test: noncentral t with n − 1 degrees of freedom and noncentrality √n · difference / sd."""
    critical = stats.t.ppf(1 - alpha / 2, n - 1)
    noncentrality = math.sqrt(n) * difference / sd
    # scipy gives NaN where the tail on the wrong side is smaller than it can compute: nothing, that is.
    wrong_side = np.nan_to_num(stats.nct.cdf(-critical, n - 1, noncentrality))
    return float(stats.nct.sf(critical, n - 1, noncentrality) + wrong_side)


def detectable(sd: float, n: int, alpha: float, *, aim: float = POWER) -> float:
    """The smallest true difference that n blocks find with this power; n ≥ 2, in the unit of `sd`."""
    guess = (stats.t.ppf(1 - alpha / 2, n - 1) + stats.t.ppf(aim, n - 1)) / math.sqrt(n)
    root: Any = optimize.brentq(lambda d: power(d, 1.0, n, alpha) - aim, 1e-9, 4 * guess)
    return sd * float(root)


def blocks_needed(difference: float, sd: float, alpha: float, *, aim: float = POWER) -> int | None:
    """The fewest blocks that find a true difference with this power; None if 100,000 do not suffice."""
    return _fewest(lambda n: power(difference, sd, n, alpha), aim)


def blocks_for_equivalence(margin: float, sd: float, *, aim: float = POWER) -> int | None:
    """The fewest blocks that show equivalence with this power if the true difference is zero: 2·P(T > t) − 1, noncentral t (Phillips 1990)."""

    def shown(n: int) -> float:
        critical = stats.t.ppf((1 + EQUIVALENCE_LEVEL) / 2, n - 1)
        return 2 * float(stats.nct.sf(critical, n - 1, math.sqrt(n) * margin / sd)) - 1

    return _fewest(shown, aim)


def sd_upper(sd: float, n: int, *, level: float = 0.80) -> float:
    """Upper confidence bound of a standard deviation from n normal values: s·√((n − 1)/χ²) with χ² at 1 − level."""
    return sd * math.sqrt((n - 1) / float(stats.chi2.ppf(1 - level, n - 1)))


def probability_best(scores: ArrayLike, rng: np.random.Generator) -> Vector:
    """How often each configuration has the highest mean when blocks are drawn anew, ties shared; scores of shape (blocks, configurations)."""
    given = np.asarray(scores, np.float64)
    drawn = rng.integers(len(given), size=(RESAMPLES, len(given)))
    means = given[drawn].mean(1)
    best = np.isclose(means, means.max(1, keepdims=True), rtol=SAME, atol=0)
    return (best / best.sum(1, keepdims=True)).mean(0)


def _divide(numerator: Vector, count: NDArray[np.int64]) -> Vector:
    return np.where(count > 0, numerator / np.maximum(count, 1), np.nan)


def _with_intervals(n: NDArray[np.int64], mean: Vector, sd: Vector) -> Estimates:
    varies = (n >= 2) & (sd > 0)
    freedom = np.maximum(n - 1, 1)
    error = np.where(varies, sd, np.nan) / np.sqrt(np.maximum(n, 1))
    half, half90 = (stats.t.ppf((1 + level) / 2, freedom) * error for level in (LEVEL, EQUIVALENCE_LEVEL))
    p = 2 * stats.t.sf(abs(mean) / error, freedom)
    return Estimates(n, mean, sd, mean - half, mean + half, mean - half90, mean + half90, p)


def _fewest(reached: Callable[[int], float], aim: float) -> int | None:
    """The smallest n from 2 on that reaches the aim; what is reached grows with n."""
    high = 2
    while not reached(high) >= aim:
        high *= 2
        if high > MOST_BLOCKS:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) >= aim else (middle, high)
    return high
