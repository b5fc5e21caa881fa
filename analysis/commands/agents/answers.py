"""What the tools answer, typed: the SDK makes the tools' output schemas of these. Long lists are cut, and `…_total` says how many there are."""

import math
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from regstudy.console.redaction import redacted
from regstudy.console.text import visible

DIGITS = 6
"""Significant digits of a number in an answer."""

MOST = 20
"""Entries of a list in an answer."""


def _finite(given: object) -> object:
    """JSON has neither NaN nor infinity: they are no number."""
    if not isinstance(given, float):
        return given
    return float(f"{given:.{DIGITS}g}") if math.isfinite(given) else None


def safe(text: str) -> str:
    """A text as it may leave us: without secrets, nothing in it hidden."""
    return visible(redacted(text))


Number = Annotated[float | None, BeforeValidator(_finite)]
Text = Annotated[str, AfterValidator(safe)]
Word = Literal["Yes", "No", "Open"]


class MetricThere(BaseModel):
    """A metric that finished runs have."""

    name: Text
    runs: int
    better: Literal["higher", "lower"] | None = Field(description="as its name says; null: say it with `better`")


class ParameterThere(BaseModel):
    """A parameter that varies between runs."""

    name: Text = Field(description="as group_by, block and where take it")
    values: list[Text]
    values_total: int
    pairs_runs: bool = Field(description="whether its name is a seed's or a fold's: perhaps what `block` is")


class Ask(BaseModel):
    """Arguments for compare that these runs can answer."""

    metric: Text
    group_by: list[Text]
    block: list[Text] = Field(description='["none"]: nothing pairs the runs')
    better: Literal["higher", "lower"] | None


class ExperimentThere(BaseModel):
    """An experiment, and what can be asked of it."""

    name: Text
    runs: int
    finished: int
    metrics: list[MetricThere]
    metrics_total: int
    parameters: list[ParameterThere]
    parameters_total: int
    studies: list[Text] = Field(description="regstudy's own: for verdicts, or for compare without a metric")
    ask: list[Ask]


class Experiments(BaseModel):
    """What there is."""

    experiments: list[ExperimentThere]
    experiments_total: int


class Comparison(BaseModel):
    """Whether one configuration is better than another."""

    question: Text
    verdict: Word = Field(
        description="Yes: shown; No: the opposite, equivalence or less than the margin is shown; Open: none of these"
    )
    reason: Text = Field(description="the verdict's exact word, such as supported, practically equivalent or inconclusive")
    answer: Text
    what_would_change_it: Text
    a: Text
    b: Text
    mean_a: Number
    mean_b: Number
    difference: Number = Field(description="a − b; of pairs, within them")
    low: Number = Field(description="of the interval that decides; null: unbounded, or none")
    high: Number
    level: float
    unit: Text = Field(description="of the numbers; empty: the metric's own")
    margin: Number = Field(description="the smallest difference that matters; null: nobody said")
    n: int = Field(description="pairs, or the runs of the side that has fewer")
    n_a: int
    n_b: int
    block: Text = Field(description="what n counts")
    test: Text
    comparisons: int = Field(description="how many comparisons share α")
    verdict_if_added_while_looking: Word | None = Field(
        description="what holds if further runs were added after a look at these; null: `planned` settles it"
    )
    further: int | None = Field(
        description="about how many more per configuration would probably decide it, also if added while looking; null: none, or not known"
    )
    notices: list[Text]
    notices_total: int


class Judgement(BaseModel):
    """A claim with its verdict."""

    claim: Text
    verdict: Word
    reason: Text
    found: Text
    estimate: Number = Field(default=None, description="a difference, or a ratio; null for a claim that is made of others")
    low: Number = None
    high: Number = None
    level: float | None = Field(default=None, description="of the interval from low to high")
    unit: Text = Field(default="", description="×: a ratio")
    n: int | None = None
    further: int | None = Field(description="about how many more seeds it will take; null: decided, or not known")


class Verdicts(BaseModel):
    """The verdicts on claims."""

    summary: Text
    claims: list[Judgement]
    claims_total: int
    holds_if: Text = Field(description="what the verdicts rest on, beside the runs; may be empty")
    notices: list[Text]
    notices_total: int


class Power(BaseModel):
    """What so many find in 80% of studies."""

    n: int
    difference: Number = Field(description="the smallest true difference that is told from none")
    equivalence: Number = Field(description="the smallest margin within which no difference is shown to be none")


class Planned(BaseModel):
    """How many seeds to run."""

    answer: Text
    seeds: int | None = Field(description="per configuration; null: no margin was given, or more than 1,000")
    margin: Number
    sd: Number = Field(description="standard deviation of a difference between two configurations")
    sd_from: Text
    comparisons: int
    alpha: float
    table: list[Power]
