"""What a design claims: sentences, each of contrasts between configurations in a number that runs record."""

import re
from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from regstudy.design.fields import Called, Fields, Margin, Name, at
from regstudy.schema import FIRST_NAMES, HIGHER_IS_BETTER, Summary
from regstudy.schema import Metric as PerEpoch

RECORDED = tuple(metric.value for metric in (*Summary, *PerEpoch))
"""Numbers that runs record: per run, or per epoch, of which the last counts; braces stand for a threshold, a layer or a class."""

RANKING = tuple(name for name in RECORDED if name in HIGHER_IS_BETTER)
"""Of these, the ones of which it is known which way is better."""


def _one_of(names: Sequence[str]) -> re.Pattern[str]:
    """Any of these, by either of their names, whatever stands in the braces."""
    either = [*names, *(other for other, name in FIRST_NAMES.items() if name in names)]
    return re.compile("|".join(re.escape(name).replace(r"\{\}", "[^{}]+") for name in either))


_RECORDED, _RANKING = _one_of(RECORDED), _one_of(RANKING)


def _recorded(given: str) -> str:
    if _RECORDED.fullmatch(given):
        return FIRST_NAMES.get(given, given)
    raise ValueError(f"expected a number that runs record, one of {', '.join(RECORDED)}")


def _ranks(given: str) -> str:
    name = _recorded(given)
    if _RANKING.fullmatch(name):
        return name
    raise ValueError(f"expected a number of which it is known which way is better, one of {', '.join(RANKING)}")


Metric = Annotated[str, AfterValidator(_recorded), WithJsonSchema({"type": "string", "pattern": f"^({_RECORDED.pattern})$"})]
"""What can be claimed about."""

Endpoint = Annotated[str, AfterValidator(_ranks), WithJsonSchema({"type": "string", "pattern": f"^({_RANKING.pattern})$"})]
"""What configurations can be ranked by."""

SCALED_IN_POINTS = frozenset(
    name
    for name in RECORDED
    if name.endswith(("/test_accuracy", "/validation_accuracy", "/accuracy", "best_epoch_test_accuracy"))
) - {Summary.ROUGHNESS_TEST_ACCURACY}
"""Their values are given in percent, their differences and margins in points (0.01 of an accuracy); others in the metric's own unit."""

ALL_OTHERS = "every other"


class Contrast(BaseModel, frozen=True, extra="forbid"):
    """One comparison: a configuration against one rival, against each of the others, or against a number."""

    metric: Metric = Field(description="recorded number that is compared")
    of: Fields | Called = Field(description="fields, or the name, that pick the configuration that the claim is about")
    against: Fields | Literal["every other"] | Called | None = Field(
        default=None, description="fields, or the name, that pick the rival, or 'every other'"
    )
    target: Annotated[float, Field(allow_inf_nan=False)] | None = Field(
        default=None,
        description="instead of a rival, a number that the mean is compared with: percent for accuracies, or the metric's unit",
    )
    expect: Literal["higher", "lower", "not lower", "not higher"] = Field(description="what the claim says of the first")
    scale: Literal["difference", "ratio"] = Field(default="difference", description="how the two are compared")
    margin: Margin = Field(description="smallest effect that matters: points for accuracies, a ratio, or the metric's unit")
    on: str | None = Field(default=None, description="one of the design's data sets; null: each of them")
    minus: str | None = Field(
        default=None, description="another of them: the claim is about how much larger the effect is on the first"
    )

    @property
    def in_points(self) -> bool:
        """Whether its numbers are given in percent and points, while runs record fractions."""
        return self.metric in SCALED_IN_POINTS

    @model_validator(mode="after")
    def _has_a_rival(self) -> Self:
        if (self.against is None) == (self.target is None):
            raise PydanticCustomError("design", "give either 'against' or 'target'")
        if self.scale == "ratio" and self.target is not None and self.target <= 0:
            raise PydanticCustomError("design", "a ratio to a target needs one above 0")
        if self.scale == "ratio" and self.margin == 1:
            raise PydanticCustomError("design", "margin: a ratio of 1 is no difference: expected another, such as 0.9 or 1.1")
        if self.minus is not None and (self.on is None or self.on == self.minus or self.target is not None):
            raise PydanticCustomError("design", "'minus' needs a rival, and 'on', another data set")
        return self


class Claim(BaseModel, frozen=True, extra="forbid"):
    """A sentence that the study may support or refute: true if all its contrasts, and all the claims it rests on, are."""

    id: Name
    text: str = Field(min_length=1, description="the claim in a sentence")
    contrasts: tuple[Contrast, ...] = ()
    together: tuple[Name, ...] = Field(default=(), description="ids of claims that this one is made of")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if bool(self.contrasts) == bool(self.together):
            raise PydanticCustomError("design", "give either 'contrasts' or 'together'")
        return self


def check_order(claims: Sequence[Claim]) -> None:
    """Hold each id to be there once, and claims to be made of those before them."""
    seen = set[str]()
    for number, claim in enumerate(claims):
        if claim.id in seen:
            raise at(("claims", number, "id"), f"the claim {claim.id!r} is there twice")
        unknown = set(claim.together) - seen
        if unknown:
            raise at(("claims", number, "together"), f"{min(unknown)!r} is no claim before this one")
        seen.add(claim.id)
