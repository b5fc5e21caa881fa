"""The per-run numbers that are compared: what each is called, which way is better, and how its values and differences are written."""

import math
from dataclasses import dataclass, replace

from regstudy.schema import HIGHER_IS_BETTER, Summary

MISSING = "not available"
UNBOUNDED = "unbounded"
"""An interval that holds at any look may be so, where there are few blocks."""

MINUS = "−"
LEAST_IMAGES = 2
"""A margin on accuracies is never less than this many test images."""

MANY = 1e7
"""From here on digits before the point would fill a table."""


@dataclass(frozen=True)
class Unit:
    """How a metric's numbers are to be judged: its step (0 if it has none), and the smallest margin that makes sense."""

    resolution: float = 0.0
    least_margin: float = 0.0


@dataclass(frozen=True)
class Scale:
    """What the endpoint's numbers mean: which way is better, their step, the margin that matters (None: no equivalence can be shown), what they cannot leave."""

    higher_is_better: bool = True
    margin: float | None = None
    unit: Unit = Unit()  # immutable
    bounds: tuple[float, float] = (-math.inf, math.inf)

    def bounded(self, value: float) -> float:
        """An interval's end, which is at most where the numbers end; NaN stays NaN."""
        return value if math.isnan(value) else min(max(value, self.bounds[0]), self.bounds[1])


SHARE = (0.0, 1.0)
"""The bounds of an accuracy."""


@dataclass(frozen=True)
class Pairing:
    """How the runs of two configurations belong together: those of a block are a pair, or else they are two samples.

    `overlap`: test over training samples, where blocks are folds of one data set: their training sets overlap, so that they vary together. 0: blocks are independent.
    """

    paired: bool = True
    overlap: float = 0.0


PAIRED = Pairing()


@dataclass(frozen=True)
class Measure:
    """A per-run number.

    `factor` takes stored values to shown ones; `decimals` are a value's, differences have `finer` more; `ratio` says that configurations are
    compared by ratio, not difference.
    """

    key: str
    words: str
    unit: str = ""
    factor: float = 1.0
    decimals: int = 2
    finer: int = 0
    higher_is_better: bool | None = None
    ratio: bool = False
    counts_images: bool = False

    def value(self, stored: float) -> str:
        """A value as it is shown, without its unit: accuracies in percent."""
        return _number(stored * self.factor, self.decimals) if math.isfinite(stored) else MISSING

    def target(self, stored: float) -> str:
        """A number that a claim names, with its unit: as precise as it was given."""
        return f"{stored * self.factor:.10g}".replace("-", MINUS) + {"%": "%", "": ""}.get(self.unit, f" {self.unit}")

    @property
    def bounds(self) -> tuple[float, float]:
        """What its values cannot leave."""
        return SHARE if self.unit == "%" else (-math.inf, math.inf)

    def difference(self, stored: float) -> str:
        """A difference, or the ratio that a logarithm stands for, with its sign."""
        if not math.isfinite(stored):
            return MISSING
        if self.ratio:
            return f"× {math.exp(stored):.2f}"
        return _signed(stored * self.factor, self.decimals + self.finer)

    def interval(self, low: float, high: float) -> str:
        """An interval of differences or ratios."""
        if math.isinf(low) and math.isinf(high):
            return UNBOUNDED
        if not (math.isfinite(low) and math.isfinite(high)):
            return MISSING
        if self.ratio:
            return f"{_ratio(low)} to {_ratio(high)}"
        decimals = self.decimals + self.finer
        return f"{_signed(low * self.factor, decimals)} to {_signed(high * self.factor, decimals)}"

    def spread(self, stored: float) -> str:
        """A standard deviation, as precise as a difference."""
        return _number(stored * self.factor, self.decimals + self.finer) if math.isfinite(stored) else MISSING

    @property
    def difference_unit(self) -> str:
        """What follows a difference: ' points' for accuracies, nothing for ratios."""
        if self.ratio:
            return ""
        return {"%": " points", "": ""}.get(self.unit, f" {self.unit}")

    def margin(self, natural: float, *, lower: bool = False) -> str:
        """A margin as it is shown, with its unit; `lower`: of a ratio, the one below 1."""
        if self.ratio:
            factor = f"{math.exp(-natural if lower else natural):.3f}"
            return f"a factor of {factor.removesuffix('0')}"
        number = f"{natural * self.factor:.{self.decimals + self.finer}f}".rstrip("0").rstrip(".")
        return number + (self.difference_unit.removesuffix("s") if number == "1" else self.difference_unit)

    def as_ratio(self, *, ratio: bool) -> "Measure":
        """The same number compared the other way."""
        return replace(self, ratio=ratio)


@dataclass(frozen=True)
class Curve:
    """A metric that is drawn over epochs: the name of its figure's file, the figure's title, and what the axis says."""

    metric: str
    name: str
    title: str
    words: str
    unit: str = ""
    higher_is_better: bool = False
    counts_images: bool = False


_ALL = (
    Measure("endpoint/test_accuracy", "test accuracy", "%", 100, 2, 1, higher_is_better=True, counts_images=True),
    Measure("endpoint/test_loss", "test loss", "nats", 1, 4, higher_is_better=False, ratio=True),
    Measure("endpoint/validation_accuracy", "validation accuracy", "%", 100, 2, 1, higher_is_better=True),
    Measure("endpoint/validation_loss", "validation loss", "nats", 1, 4, higher_is_better=False, ratio=True),
    Measure("roughness/test_accuracy", "roughness of test accuracy", "points", 100, 3, 0, higher_is_better=False, ratio=True),
    Measure("roughness/test_loss", "roughness of test loss", "nats", 1, 5, higher_is_better=False, ratio=True),
    Measure("gap/accuracy", "gap in accuracy, training − test", "points", 100, 3, 0, higher_is_better=False),
    Measure("gap/loss", "gap in loss, training − test", "nats", 1, 4),
    Measure("sparsity/exact_zeros", "share of weights that are exactly zero", "%", 100, 2),
    Measure("kernels/dead", "dead kernels", "kernels", 1, 1),
    Measure("calibration/negative_log_likelihood", "negative log-likelihood", "nats", 1, 4, higher_is_better=False),
    Measure("calibration/brier_score", "Brier score", "", 1, 5, higher_is_better=False),
    Measure("calibration/expected_calibration_error", "expected calibration error", "", 1, 5, higher_is_better=False),
)
CURVES = (
    Curve("test/accuracy", "test_accuracy", "Test accuracy over epochs", "test accuracy", "%", True, True),
    Curve("test/loss", "test_loss", "Test loss over epochs", "negative log-likelihood", "nats"),
    Curve("train/loss", "train_loss", "Train loss over epochs, without penalties", "negative log-likelihood", "nats"),
)
"""What the report draws of regstudy's trials."""

KNOWN = {measure.key: measure for measure in _ALL}
COMPARED = tuple(
    measure.key
    for measure in _ALL
    if not measure.key.startswith(("endpoint/validation", "endpoint/test_accuracy", "calibration/negative"))
)
"""What the report compares between configurations besides the endpoint."""


def measure(key: str) -> Measure:
    """A known measure by its metric's name, or a plain one for a metric of somebody else's."""
    return KNOWN.get(key, Measure(key, key, decimals=4, higher_is_better=HIGHER_IS_BETTER.get(key)))


def units(test_images: int, averaged: int) -> dict[str, Unit]:
    """How to judge each measure: accuracies are counts of test images, averaged over the last epochs; kernels are counted whole."""
    accuracy = Unit(1 / (test_images * averaged), LEAST_IMAGES / test_images)
    return {Summary.ENDPOINT_TEST_ACCURACY: accuracy, Summary.GAP_ACCURACY: accuracy, Summary.DEAD_KERNELS: Unit(1.0)}


def _number(value: float, decimals: int) -> str:
    return f"{value:{_digits(value, decimals)}}".replace("-", MINUS)


def _digits(value: float, decimals: int) -> str:
    return f".{decimals}f" if abs(value) < MANY else ".6g"


def _ratio(logarithm: float) -> str:
    """With two decimals; what is far beyond any that matters by its power of ten."""
    ten = math.log(10)
    return f"{math.exp(logarithm):.2f}" if logarithm < 6 * ten else f"10^{int(logarithm / ten)}"


def _signed(value: float, decimals: int) -> str:
    text = f"{value:+{_digits(value, decimals)}}".replace("-", MINUS)
    return text[1:] if float(f"{value:.{decimals}f}") == 0 else text
