"""A file of claims about anybody's runs: what to compare, as `compare --metric` asks for it, and what is claimed of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    PositiveInt,
    PrivateAttr,
    StringConstraints,
    model_validator,
)

from regstudy.config import RunConfig
from regstudy.design import design_file
from regstudy.design.claim import ALL_OTHERS, Claim, Contrast, check_order
from regstudy.design.design import Design
from regstudy.design.design_file import Places
from regstudy.design.fields import Fields, Margin, Place, at
from regstudy.errors import DesignError, UsageError
from regstudy.schema import LAST_EPOCHS, MOST_PLANNED, MOST_STEPS, Summary

from . import values
from .points import VALUES, check_value

FIELDS = "fields such as metric, group_by and claims"
NO_CLAIMS = f"is no file of claims about runs of any code: expected {FIELDS}"

PREFIX = "metrics."
RESERVED = frozenset(
    {
        "run_id",
        "run_name",
        "start_time",
        "configuration",
        "seed",
        "diverged",
        "averaged",
        "epoch",
        "step",
        "metric",
        "value",
        "run",
    }
) | {Summary.ENDPOINT_EPOCHS.value, "test_images", *RunConfig.model_fields}
"""Columns of the frames, ours too, which no metric of anybody's may replace, or be taken for."""

Text = Annotated[str, StringConstraints(min_length=1)]


def column(metric: str) -> str:
    """What a metric is called in frames: as it is logged, unless something else there is called so."""
    return f"{PREFIX}{metric}" if metric in RESERVED or metric.startswith(PREFIX) else metric


def logged(column: str) -> str:
    """What the metric of a column is logged as."""
    return column.removeprefix(PREFIX)


def _from(given: str) -> str:
    try:
        values.check_names([given], "")
    except UsageError as error:
        raise ValueError(str(error).partition(": ")[2]) from None
    return given


def _names(given: object) -> object:
    """One name is a list of one; `none` is a list of none."""
    return () if given == NOTHING else [given] if isinstance(given, str) else given


NOTHING = "none"
From = Annotated[str, AfterValidator(_from)]
Metric = Annotated[Text, AfterValidator(column)]
Names = Annotated[tuple[From, ...], BeforeValidator(_names)]


def _value(given: str) -> str:
    try:
        check_value(given)
    except UsageError as error:
        raise ValueError(str(error).partition(": ")[2]) from None
    return given


class AnyContrast(Contrast, frozen=True, extra="forbid"):
    """One comparison of anybody's metric, in its own unit."""

    metric: Metric = Field(description="metric that is compared")
    of: Fields = Field(description="values that pick the configuration that the claim is about")
    against: Fields | Literal["every other"] | None = Field(
        default=None, description="values that pick the rival, or 'every other'"
    )

    @property
    def in_points(self) -> bool:
        """Nobody says in which unit a metric of theirs is: never."""
        return False


class AnyClaim(Claim, frozen=True, extra="forbid"):
    """A sentence about anybody's runs."""

    contrasts: tuple[AnyContrast, ...] = ()


class ClaimsFile(BaseModel, frozen=True, extra="forbid"):
    """What a file says: the fields are the options of `compare`, and the claims of a design."""

    metric: Metric = Field(description="the metric that ranks")
    group_by: Names = Field(
        min_length=1,
        description="what makes runs the same configuration: params.NAME, tags.NAME, experiment, run_name or store, or a list of them",
    )
    block: Names | None = Field(
        default=None,
        description="what pairs runs, or a list of that; none: nothing does; default: params.seed, where runs have it",
    )
    better: Literal["higher", "lower"] | None = None
    margin: Margin | None = Field(default=None, description="smallest difference that matters, in the metric's unit")
    value: Annotated[str, AfterValidator(_value)] = Field(
        default="last", description=f"which number of a curve counts: {VALUES}"
    )
    last: PositiveInt = Field(default=LAST_EPOCHS, le=MOST_STEPS, description="mean over the last so many steps")
    planned: Annotated[int, Field(ge=0, le=MOST_PLANNED)] | None = Field(
        default=None, description="blocks that were fixed before any was looked at; 0: none were"
    )
    alpha: float = Field(default=float(Design.model_fields["alpha"].default), gt=0, lt=1)
    claims: tuple[AnyClaim, ...] = Field(min_length=1)
    _places: Places | None = PrivateAttr(default=None)

    def model_post_init(self, context: object, /) -> None:
        """Keep where in the file all this stands: some mistakes show only beside the runs."""
        self._places = context if isinstance(context, Places) else None  # pyright: ignore[reportAttributeAccessIssue]  # private ones of frozen models can be set

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        check_order(self.claims)
        for number, claim in enumerate(self.claims):
            for position, contrast in enumerate(claim.contrasts):
                if contrast.on or contrast.minus:
                    raise at(("claims", number, "contrasts", position, "on"), "is for a study's data sets: leave it out")
                for side in ("of", "against"):
                    self._check(getattr(contrast, side), ("claims", number, "contrasts", position, side))
        return self

    def _check(self, fields: object, place: tuple[int | str, ...]) -> None:
        if not isinstance(fields, dict):
            return
        known = [values.key(name) for name in self.group_by]
        for name in fields:
            if name not in known:
                raise at((*place, name), f"expected one of {', '.join(known)}, which group_by names")

    def said(self, place: Place) -> str:
        """How a message names a place of the file."""
        return self._places.said(place) if self._places else ".".join(str(part) for part in place)

    def place_of(self, field: str, value: str) -> Place:
        """Where it says so: metric, group_by, block or value."""
        if field == "metric" and value != self.metric:
            return (*next(place for place, contrast in self.contrasts() if contrast.metric == value), "metric")
        names = getattr(self, field)
        return (field, names.index(value)) if isinstance(names, tuple) and value in names else (field,)

    def contrasts(self) -> list[tuple[Place, AnyContrast]]:
        """All, with their places."""
        return [
            (("claims", number, "contrasts", position), contrast)
            for number, claim in enumerate(self.claims)
            for position, contrast in enumerate(claim.contrasts)
        ]

    def metrics(self) -> list[str]:
        """The metrics that it speaks of, that which ranks first."""
        claimed = (contrast.metric for claim in self.claims for contrast in claim.contrasts)
        return list(dict.fromkeys([self.metric, *claimed]))


@dataclass(frozen=True)
class Asserted:
    """The claims of a file, about the configurations that the runs have: each by its name, with its values by group_by's names."""

    file: ClaimsFile
    configurations: Mapping[str, Mapping[str, str]]

    def __post_init__(self) -> None:
        """Find every configuration that is spoken of."""
        for place, contrast in self.file.contrasts():
            subject = self._pick(contrast.of, (*place, "of"))
            if isinstance(contrast.against, dict) and self._pick(contrast.against, (*place, "against")) == subject:
                raise DesignError(f"{self.file.said((*place, 'against'))}: {self.names[subject]} is compared with itself")
            if contrast.against == ALL_OTHERS and len(self.names) == 1:
                raise DesignError(
                    f"{self.file.said((*place, 'against'))}: these runs have one configuration only, {self.names[subject]}: there is no other"
                )

    @property
    def claims(self) -> Sequence[Claim]:
        """The claims, in their order."""
        return self.file.claims

    @property
    def alpha(self) -> float:
        """The level that all verdicts share."""
        return self.file.alpha

    @cached_property
    def names(self) -> list[str]:
        """The configurations, in the order in which `pick` counts them."""
        return list(self.configurations)

    def metrics(self) -> list[str]:
        """The metrics that it speaks of."""
        return self.file.metrics()

    def pick(self, fields: Mapping[str, Any] | str) -> int:
        """Which configuration has these values; DesignError if none has, or several have."""
        assert not isinstance(fields, str), "a name that only a study's design gives"
        return self._pick(fields, ("claims",))

    def _pick(self, fields: Mapping[str, Any], place: Place) -> int:
        found = [
            place
            for place, values in enumerate(self.configurations.values())
            if all(_same(wanted, values[name]) for name, wanted in fields.items())
        ]
        if len(found) == 1:
            return found[0]
        asked = ", ".join(f"{name} {value}" for name, value in fields.items())
        what = f"several configurations of these runs ({', '.join(self.names[place] for place in found)}): name more of their values" if found else (
            f"no configuration of these runs: expected one of {', '.join(self.names)}"
        )  # fmt: skip
        raise DesignError(f"{self.file.said(place)}: {asked} is {what}")


def load(path: str) -> ClaimsFile:
    """Read a file; DesignError names line, field and what was expected."""
    if path in design_file.shipped():
        raise DesignError(f"{path!r} is a design of regstudy's own: its claims are judged with --study {path}")
    return design_file.parse_as(
        ClaimsFile, design_file.text_of(Path(path), f"file {path!r}", f"a YAML file with {FIELDS}"), path, NO_CLAIMS
    )


def _same(wanted: object, recorded: str) -> bool:
    """Numbers are numbers: 0.1 is 1e-1."""
    return values.canonical(str(wanted)) == values.canonical(recorded)
