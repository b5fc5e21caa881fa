"""Arrays to estimates, intervals and tests, for differences that are paired by block, or of two samples.

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
from scipy import special  # pyright: ignore[reportMissingTypeStubs]  # it has none

from ..reading.measures import PAIRED, Pairing

Vector = NDArray[np.float64]

PRECISE = np.longdouble
"""For powers and exponentials, to be rounded once: in double precision NumPy has other instructions for some processors, and other last digits. As wide on x86, not everywhere."""

LEVEL = 0.95
LEAST = 3
"""Blocks below which nothing is concluded: the spread of two values is anybody's guess."""

EXACT_UP_TO = 13
"""Blocks up to which all sign flips are enumerated: 8,192 at most."""

RESAMPLES = 9_999
SAME = 1e-12
"""Differences that vary by less than this, relative to the values, do not vary: it is rounding."""


class Rule(NamedTuple):
    """How a difference is tested: at the level `alpha`, two-sided; `anytime`: valid whenever one looks, else for a number of blocks fixed beforehand.

    Both are arrays of the leading shape of what is tested, or of none.
    """

    alpha: Vector
    anytime: NDArray[np.bool_]


BY_ITSELF = Rule(np.array(0.05), np.array(False))
"""One difference that nobody chose, tested once, at 5%."""


class Estimates(NamedTuple):
    """Differences' statistics, each of the leading shape. Of two samples, `n` is the smaller one's size.

    `sd` is √n times the mean's standard error: of independent paired differences, their standard deviation. `freedom`: its degrees of freedom.

    `low` and `high` are the interval at level 1 − α of the rule by which they are tested, which decides whether the mean differs from zero;
    `inner_low` and `inner_high` the one at 1 − 2α, which decides equivalence: two one-sided tests at α each (Schuirmann 1987). `p` is two-sided, that the mean is zero.
    Infinite where a test that is valid at any time allows no interval yet.
    """

    n: NDArray[np.int64]
    mean: Vector
    sd: Vector
    low: Vector
    high: Vector
    inner_low: Vector
    inner_high: Vector
    p: Vector
    freedom: Vector

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
    inner_low: float
    inner_high: float
    p: float
    freedom: float

    @property
    def decidable(self) -> bool:
        """Whether there are two blocks or more, and they vary."""
        return math.isfinite(self.p)

    def within(self, margin: float) -> bool:
        """Whether equivalence is shown: the inner interval lies inside ±margin."""
        return -margin < self.inner_low and self.inner_high < margin

    def moved(self, by: float) -> "Estimate":
        """Of the difference plus a constant, the mean and the intervals; `p` is still that of no difference."""
        ends = {name: getattr(self, name) + by for name in ("mean", "low", "high", "inner_low", "inner_high")}
        return self._replace(**ends)


def compare(
    a: ArrayLike, b: ArrayLike, pairing: Pairing = PAIRED, *, resolution: float = 0.0, rule: Rule = BY_ITSELF
) -> Estimates:
    """Mean of a − b, paired or of two samples; both of shape (…, blocks), NaN where a run is missing."""
    if not pairing.paired:
        return welch(a, b, resolution=resolution, rule=rule)
    return paired(a, b, resolution=resolution, overlap=pairing.overlap, rule=rule)


def welch(a: ArrayLike, b: ArrayLike, *, resolution: float = 0.0, rule: Rule = BY_ITSELF) -> Estimates:
    """Mean of a − mean of b, two samples of shapes (…, n), NaN where there is none; unequal variances (Welch 1947), `resolution` as for `paired`.

    A rule that is valid at any time has the smaller sample's number of blocks, and takes the other's further ones for nothing: it errs less often than it may.
    """
    samples = [np.asarray(given, np.float64) for given in (a, b)]
    sizes = [np.isfinite(sample).sum(-1) for sample in samples]
    means, variances = zip(*(_moments(*given) for given in zip(samples, sizes, strict=True)), strict=True)
    rounded = [np.maximum(variance, resolution**2 / 12) for variance in variances]
    parts = [_divide(variance, size) for variance, size in zip(rounded, sizes, strict=True)]
    squared = parts[0] + parts[1]
    with np.errstate(invalid="ignore", divide="ignore"):
        freedom = squared**2 / sum(_divide(part**2, size - 1) for part, size in zip(parts, sizes, strict=True))
    n = np.minimum(*sizes)
    return infer(n, means[0] - means[1], np.where(n >= 2, np.sqrt(squared * n), np.nan), rule, freedom=freedom)


def _moments(sample: Vector, size: NDArray[np.int64]) -> tuple[Vector, Vector]:
    """Mean and variance of what is there."""
    there = np.isfinite(sample)
    mean = _divide(np.where(there, sample, 0.0).sum(-1), size)
    squares = np.where(there, (sample - mean[..., None]) ** 2, 0.0).sum(-1)
    largest = np.where(there, abs(sample), 0.0).max(-1, initial=0.0)
    variance = _divide(squares, size - 1)
    return mean, np.where(np.sqrt(variance) <= SAME * largest, 0.0, variance)


def paired(a: ArrayLike, b: ArrayLike, *, resolution: float = 0.0, overlap: float = 0.0, rule: Rule = BY_ITSELF) -> Estimates:
    """Mean of a − b over blocks; both of shape (…, blocks), NaN where a block is missing.

    With an `overlap` of training sets the mean's variance is taken as (1/n + overlap) times the differences' (Nadeau and Bengio 2003).

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
    return infer(n, mean, np.where(n >= 2, sd, np.nan) * np.sqrt(1 + n * overlap), rule)


def estimate(
    a: ArrayLike, b: ArrayLike, pairing: Pairing = PAIRED, *, resolution: float = 0.0, rule: Rule = BY_ITSELF
) -> Estimate:
    """`compare` for one contrast: both of shape (blocks,)."""
    return one(compare(np.asarray(a)[None], np.asarray(b)[None], pairing, resolution=resolution, rule=rule))


def shifted(given: Estimate, by: float = 0.0, *, rule: Rule = BY_ITSELF) -> Estimate:
    """The estimate of the difference plus a constant, by a rule of its own: for tests against a margin instead of zero."""
    n, mean, sd, freedom = (np.array([number]) for number in (given.n, given.mean + by, given.sd, given.freedom))
    return one(infer(n, mean, sd, rule, freedom=freedom))


def infer(n: ArrayLike, mean: ArrayLike, sd: ArrayLike, rule: Rule, *, freedom: ArrayLike | None = None) -> Estimates:
    """Intervals and p from n blocks' mean and standard deviation; `freedom` is n − 1 unless the standard deviation is known otherwise.

    A rule that is valid at any time goes by n − 1 whatever the freedom is.
    """
    counts, mean, sd = (np.asarray(given, np.float64) for given in (n, mean, sd))
    alpha, anytime = rule
    varies = (counts >= 2) & (sd > 0)
    free = np.maximum(counts - 1 if freedom is None else np.nan_to_num(np.asarray(freedom, np.float64), nan=1.0), 1)
    error = np.where(varies, sd, np.nan) / np.sqrt(np.maximum(counts, 1))

    def half(level: Vector) -> Vector:
        return _by_rule(anytime, lambda: anytime_factor(counts, level), lambda: t_quantile(1 - level / 2, free)) * error

    wide, inner, t = half(alpha), half(2 * alpha), abs(mean) / error
    p = _by_rule(anytime, lambda: anytime_p(t, counts), lambda: 2 * t_tail(t, free))
    return Estimates(counts.astype(np.int64), mean, sd, mean - wide, mean + wide, mean - inner, mean + inner, p, free)


def _by_rule(anytime: NDArray[np.bool_], valid: Callable[[], Vector], fixed: Callable[[], Vector]) -> Vector:
    """Each where it applies, and neither reckoned for nothing: they are most of a report's arithmetic."""
    if np.all(anytime):
        return valid()
    return np.where(anytime, valid(), fixed()) if np.any(anytime) else fixed()


def t_quantile(p: ArrayLike, freedom: ArrayLike) -> Any:
    """Of Student's t. The number that `scipy.stats.t.ppf` gives, which takes sixty times as long for one, and half a second to load."""
    return special.stdtrit(freedom, p)


def t_tail(t: ArrayLike, freedom: ArrayLike) -> Any:
    """Probability that Student's t exceeds `t`, as `scipy.stats.t.sf` gives it."""
    return special.stdtr(freedom, -np.asarray(t))


def anytime_p(t: ArrayLike, n: ArrayLike) -> Vector:
    """The p-value of the t statistic of n blocks, valid however often one looked before: min(1, 1/E).

    E is the Bayes factor r^(−1/2) · [(1 + t²/ν) / (1 + t²/(ν·r))]^(n/2) with ν = n − 1 and r = 1 + n, for a standardised effect that is N(0, 1) (Gönen et al.
    2005), which exceeds 1/α at any time with probability α at most (Wang and Ramdas 2024; Pérez-Ortiz et al. 2024).
    """
    t, n = np.asarray(t, PRECISE), np.asarray(n, PRECISE)
    freedom, r = np.maximum(n - 1, 1), 1 + n
    with np.errstate(divide="ignore"):
        log_e = n / 2 * np.log1p((1 - 1 / r) / (freedom / t**2 + 1 / r)) - np.log(r) / 2  # the same, and finite for any t
    return np.where(np.isnan(t), np.nan, np.exp(np.minimum(0.0, -log_e))).astype(np.float64)


def anytime_factor(n: ArrayLike, alpha: ArrayLike) -> Vector:
    """Half the anytime-valid interval at level 1 − α, in standard errors: where E reaches 1/α, √(ν(k − 1)/(1 − k/r)) with k = (√r/α)^(2/n).

    Infinite while k ≥ r: no t, however large, would do.
    """
    n, alpha = np.asarray(n, PRECISE), np.asarray(alpha, PRECISE)
    r = 1 + n
    with np.errstate(divide="ignore", over="ignore"):
        k = (np.sqrt(r) / alpha) ** (2 / np.maximum(n, 1))
    bounded = (k < r) & (n >= 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        squared = (n - 1) * (k - 1) / (1 - k / r)
    return np.sqrt(np.where(bounded, squared, np.inf)).astype(np.float64)


def log(values: Any) -> Any:
    """Natural logarithms of an array or a frame, in the same form, as the C library has them: NumPy's differ in last digits where a processor has instructions for them."""
    return special.xlogy(1.0, values)


def moderated(variances: ArrayLike, freedom: ArrayLike) -> tuple[Vector, Vector]:
    """Many contrasts' variances, each drawn towards what they have in common, and their degrees of freedom, which grow by what that adds; shape (m,).

    The empirical Bayes estimate of Smyth (2004, section 6.2): prior variance and degrees of freedom by the moments of log variances; with the degrees of freedom at most
    all contrasts' together, as limma has it.
    """
    s2, d = np.asarray(variances, np.float64), np.broadcast_to(np.asarray(freedom, np.float64), np.shape(variances))
    e = log(s2) - special.digamma(d / 2) + log(d / 2)
    beyond_chance = e.var(ddof=1) - special.polygamma(1, d / 2).mean()
    if beyond_chance > 0:
        prior = 2 * _inverse_trigamma(float(beyond_chance))
        common = math.exp(e.mean() + float(special.digamma(prior / 2)) - math.log(prior / 2))
        drawn = (prior * common + d * s2) / (prior + d)
    else:
        prior, drawn = math.inf, np.full(s2.shape, np.average(s2, weights=d))
    return drawn, np.minimum(prior + d, d.sum())


def _inverse_trigamma(y: float) -> float:
    """The x > 0 with trigamma(x) = y; trigamma falls from infinity to 0, about 1/x + 1/(2x²)."""
    return math.exp(root(lambda log_x: float(special.polygamma(1, math.exp(log_x))) - y, -40, 40))


def root(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a function that changes its sign between low and high is zero (Brent 1973)."""
    from scipy import optimize  # pyright: ignore[reportMissingTypeStubs]  # here, for commands that need none

    found: Any = optimize.brentq(function, low, high)
    return float(found)


def mean_interval(values: ArrayLike, *, overlap: float = 0.0) -> Estimate:
    """Mean of values of shape (n,) with its t intervals: a single configuration's."""
    given = np.asarray(values, np.float64)
    return estimate(given, np.zeros_like(given), Pairing(overlap=overlap))


def prediction_interval(values: ArrayLike, *, level: float = LEVEL) -> tuple[float, float]:
    """Where a further value of the same normal population falls with this probability: mean ± t·s·√(1 + 1/n); NaN below two values."""
    given = np.asarray(values, np.float64)
    n = len(given)
    if n < 2:
        return math.nan, math.nan
    half = float(t_quantile((1 + level) / 2, n - 1) * given.std(ddof=1) * math.sqrt(1 + 1 / n))
    return float(given.mean()) - half, float(given.mean()) + half


def sign_flip_p(differences: ArrayLike, rng: np.random.Generator) -> float:
    """Two-sided p of the sign-flip test of a zero mean; exact up to 13 blocks, else by 9,999 draws of `rng`. Shape (n,), no NaN, n ≥ 2."""
    from scipy import stats  # pyright: ignore[reportMissingTypeStubs]  # here: it takes half a second

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


def deciding(low: float, high: float, n: int, rule: Rule) -> tuple[float, float]:
    """Of a 95% t interval of n paired differences, the one by which they are tested; infinite if that can tell nothing."""
    alpha, freedom = float(rule.alpha), n - 1
    critical = float(anytime_factor(n, alpha)) if rule.anytime else float(t_quantile(1 - alpha / 2, freedom))
    if math.isinf(critical):
        return -math.inf, math.inf
    middle, half = (low + high) / 2, (high - low) / 2
    wider = critical / float(t_quantile((1 + LEVEL) / 2, freedom))
    return middle - wider * half, middle + wider * half


def is_equivalent(inner_low: ArrayLike, inner_high: ArrayLike, margin: float) -> NDArray[np.bool_]:
    """Two one-sided tests: whether the interval at 1 − 2α lies inside ±margin (Schuirmann 1987)."""
    return (np.asarray(inner_low) > -margin) & (np.asarray(inner_high) < margin)


def probability_best(scores: ArrayLike, rng: np.random.Generator) -> Vector:
    """How often each configuration has the highest mean when blocks are drawn anew, ties shared; scores of shape (blocks, configurations)."""
    given = np.asarray(scores, np.float64)
    drawn = rng.integers(len(given), size=(RESAMPLES, len(given)))
    means = given[drawn].mean(1)
    best = np.isclose(means, means.max(1, keepdims=True), rtol=SAME, atol=0)
    return (best / best.sum(1, keepdims=True)).mean(0)


def _divide(numerator: Vector, count: NDArray[np.int64]) -> Vector:
    return np.where(count > 0, numerator / np.maximum(count, 1), np.nan)


def one(given: Estimates, place: int = 0) -> Estimate:
    """One of them, of shape (m,)."""
    return Estimate(int(given.n[place]), *(float(column[place]) for column in given[1:]))
