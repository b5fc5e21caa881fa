"""When data are looked at, and what that costs: how α is shared out between a planned number of blocks and all others, and how many blocks a test needs.

A study's blocks may be looked at whenever one likes: at the number that was fixed beforehand the ordinary paired t test has most of α, at any other number a test that is
valid at any time has the rest, and together they err at most as often as α says. This room's other modules ask here for the rule of each test.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownLambdaType=false, reportUnknownArgumentType=false
# scipy carries no types.

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import ArrayLike
from scipy import special  # pyright: ignore[reportMissingTypeStubs]  # it has none

from . import statistics
from .statistics import LEAST, Rule

AT_THE_PLAN = 0.9
"""The share of α that the test at the planned number of blocks has: with 0.8 it would lose up to 6 points of power to a plain t test, with this at most 3."""

POWER = 0.80
MOST = 1_000
"""Blocks beyond which a number is no plan."""


@dataclass(frozen=True)
class Looks:
    """What was fixed before the data were seen. `planned` blocks, or None if that is not known; `sequential`: to look after every block, without a number.

    Where nothing is known, `rule` is the one for a number that was fixed beforehand, and `otherwise` says what holds if it was not. `overlap` is that of a Pairing: standard
    deviations are √n times a standard error, so that of more blocks it is larger.
    """

    alpha: float = 0.05
    planned: int | None = None
    sequential: bool = False
    overlap: float = 0.0

    @property
    def known(self) -> bool:
        """Whether anything was fixed beforehand, or sequential looks were announced."""
        return self.sequential or self.planned is not None

    def otherwise(self) -> "Looks":
        """If the number of blocks was not fixed beforehand."""
        return replace(self, planned=None, sequential=True)

    def rule(self, blocks: ArrayLike, tests: float = 1) -> Rule:
        """How each of so many tests is made, with so many blocks (shape any)."""
        counts = np.asarray(blocks)
        if self.sequential or self.planned is None:
            return Rule(np.full(counts.shape, self.alpha / tests), np.full(counts.shape, self.sequential))
        early = counts != self.planned
        share = np.where(early, 1 - AT_THE_PLAN, AT_THE_PLAN)
        return Rule(share * self.alpha / tests, early)

    def power(self, difference: float, sd: float, blocks: int, tests: float = 1) -> float:
        """The probability of telling a true difference from zero at this one look."""
        rule = self.rule(blocks, tests)
        return power(difference, sd, blocks, float(rule.alpha), anytime=bool(rule.anytime))

    def as_planned(self, blocks: int) -> "Looks":
        """If so many had been planned; a sequential study has no such number."""
        return self if not self.known or self.sequential else replace(self, planned=blocks)

    def detectable(self, sd: float, blocks: int, tests: float = 1) -> float:
        """The smallest true difference that is told from zero at this one look with 80% power, in the unit of `sd`; infinite if none is."""
        rule = self.rule(blocks, tests)
        return detectable(sd, blocks, float(rule.alpha), anytime=bool(rule.anytime))

    def equivalence(self, margin: float, sd: float, blocks: int, tests: float = 1) -> float:
        """The probability of showing equivalence at this one look, if there is no difference."""
        rule = self.rule(blocks, tests)
        return equivalence_power(margin, sd, blocks, float(rule.alpha), anytime=bool(rule.anytime))

    def blocks_for(self, difference: float, sd: float, tests: float = 1, *, after: int = 0) -> int | None:
        """The fewest blocks, more than `after`, at which a true difference is found with 80% power; None if 1,000 do not do."""
        return self._fewest(lambda looks, n: looks.power(difference, self.sd_of(sd, after, n), n, tests), after)

    def blocks_for_equivalence(self, margin: float, sd: float, tests: float = 1, *, after: int = 0) -> int | None:
        """The fewest blocks, more than `after`, at which equivalence is shown with 80% power, if there is no difference."""
        return self._fewest(lambda looks, n: looks.equivalence(margin, self.sd_of(sd, after, n), n, tests), after)

    def sd_of(self, sd: float, seen: int, blocks: int) -> float:
        """What a standard deviation from so many blocks will be of others."""
        return sd * math.sqrt((1 + blocks * self.overlap) / (1 + seen * self.overlap))

    def _fewest(self, reached: "Callable[[Looks, int], float]", after: int) -> int | None:
        planned = self.planned if self.planned and self.planned > after and not self.sequential else None
        if planned and reached(self, planned) >= POWER:
            return planned
        return fewest(lambda n: reached(self, n), POWER, after=max(after, LEAST - 1))


NOTHING_FIXED = Looks()


def power(difference: float, sd: float, n: int, alpha: float, *, anytime: bool = False) -> float:
    """Power of the two-sided paired test: noncentral t with n − 1 degrees of freedom and noncentrality √n · difference / sd."""
    critical = _critical(n, alpha, anytime=anytime)
    if not math.isfinite(critical):
        return 0.0
    noncentrality = math.sqrt(n) * difference / sd
    return 1 - _below(critical, n - 1, noncentrality) + _below(-critical, n - 1, noncentrality)


def equivalence_power(margin: float, sd: float, n: int, alpha: float, *, anytime: bool = False) -> float:
    """Power of two one-sided tests at α each if the true difference is zero: 2·P(T > t) − 1, noncentral t, a lower bound (Phillips 1990)."""
    critical = _critical(n, 2 * alpha, anytime=anytime)
    if not math.isfinite(critical):
        return 0.0
    return max(0.0, 1 - 2 * _below(critical, n - 1, math.sqrt(n) * margin / sd))


def _below(t: float, freedom: int, noncentrality: float) -> float:
    """Probability that noncentral t is at most `t`; scipy gives NaN where that is smaller than it can compute: nothing, that is."""
    return float(np.nan_to_num(special.nctdtr(freedom, noncentrality, t)))


def detectable(sd: float, n: int, alpha: float, *, anytime: bool = False, aim: float = POWER) -> float:
    """The smallest true difference that n blocks find with this power; n ≥ 2, in the unit of `sd`; infinite if the test, valid at any time, can tell nothing from so few."""
    return sd * _detectable(n, alpha, aim, anytime)


@cache
def _detectable(n: int, alpha: float, aim: float, anytime: bool) -> float:
    """In standard deviations, so that any two studies of n blocks share what takes long to find."""
    critical = _critical(n, alpha, anytime=anytime)
    if not math.isfinite(critical):
        return math.inf
    guess = (critical + statistics.t_quantile(aim, n - 1)) / math.sqrt(n)
    return statistics.root(lambda d: power(d, 1.0, n, alpha, anytime=anytime) - aim, 1e-9, 4 * guess)


def shown_equivalent(sd: float, n: int, alpha: float, *, aim: float = POWER) -> float:
    """The smallest margin within which n blocks, fixed beforehand, show equivalence with this power, if there is no difference; in the unit of `sd`."""
    return sd * _shown_equivalent(n, alpha, aim)


@cache
def _shown_equivalent(n: int, alpha: float, aim: float) -> float:
    """In standard deviations, as above."""
    # The lower bound of the power is (1 + aim)/2 for either side.
    critical = statistics.t_quantile(1 - alpha, n - 1)
    guess = (critical + special.ndtri((1 + aim) / 2)) / math.sqrt(n)
    return statistics.root(lambda margin: equivalence_power(margin, 1.0, n, alpha) - aim, 1e-9, 8 * guess)


def sd_upper(sd: float, n: int, *, level: float = 0.80) -> float:
    """Upper confidence bound of a standard deviation from n normal values: s·√((n − 1)/χ²) with χ² at 1 − level."""
    return sd * math.sqrt((n - 1) / float(2 * special.gammaincinv((n - 1) / 2, 1 - level)))


def fewest(reached: Callable[[int], float], aim: float, *, after: int = 1) -> int | None:
    """The smallest number above `after` that reaches the aim; what is reached grows with it. None if 1,000 do not do."""
    low, high = after, max(2 * after, after + 1)
    while not reached(min(high, MOST)) >= aim:
        if high >= MOST:
            return None
        low, high = high, 2 * high
    high = min(high, MOST)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) >= aim else (middle, high)
    return high


def _critical(n: int, alpha: float, *, anytime: bool) -> float:
    return float(statistics.anytime_factor(n, alpha) if anytime else statistics.t_quantile(1 - alpha / 2, n - 1))
