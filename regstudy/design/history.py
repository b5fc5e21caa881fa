"""What was planned before a study ran, and when somebody looked: kept as text with the study's run, since it decides what may be concluded. Reads no store."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self, TypeVar

from pydantic import PositiveInt, TypeAdapter, ValidationError

from regstudy.schema import Tag

MOST = 100
"""Starts and looks that are kept, the earliest and the latest: MLflow keeps no longer text."""


@dataclass(frozen=True)
class Plan:
    """What was fixed beforehand: the number of seeds; or `sequential`, that the study is looked at after every block until it is decided."""

    seeds: PositiveInt | None
    sequential: bool = False


@dataclass(frozen=True)
class Event:
    """A start of the study, or a look at it: when (seconds since 1970), and how many seeds it was asked for, or had then."""

    at: int
    seeds: int


@dataclass(frozen=True)
class History:
    """A study's plan with all its starts and looks; `plan` is None where it was begun by a version that kept none."""

    plan: Plan | None = None
    starts: tuple[Event, ...] = ()
    looks: tuple[Event, ...] = ()

    def started(self, plan: Plan, seeds: int, at: float) -> Self:
        """With one more start; only the first one's plan counts. A start for as many seeds as the last is none of its own."""
        first = not self.starts and self.plan is None
        again = bool(self.starts) and self.starts[-1].seeds == seeds
        starts = self.starts if again else (*self.starts, Event(int(at), seeds))
        return replace(self, plan=plan if first else self.plan, starts=_kept(starts))

    def looked(self, seeds: int, at: float) -> Self:
        """With a look at so many seeds, unless there was one."""
        if any(look.seeds == seeds for look in self.looks):
            return self
        return replace(self, looks=_kept((*self.looks, Event(int(at), seeds))))

    def tags(self) -> dict[str, str]:
        """As tags of the study's run."""
        told: dict[str, str] = {Tag.PLAN: _PLAN.dump_json(self.plan).decode()}
        for tag, own in {Tag.STARTS: self.starts, Tag.LOOKS: self.looks}.items():
            told[tag] = json.dumps([[event.at, event.seeds] for event in own])
        return told

    @classmethod
    def from_tags(cls, tags: Mapping[str, str]) -> Self:
        """What a study's run says; what is damaged, as anybody may have done, is not there."""
        plan = _read(_PLAN, tags.get(Tag.PLAN, "null"), None)
        starts, looks = (_read(_EVENTS, tags.get(tag, "[]"), ()) for tag in (Tag.STARTS, Tag.LOOKS))
        return cls(plan, *(tuple(Event(*pair) for pair in own) for own in (starts, looks)))

    def merged(self, other: "History") -> "History":
        """Of two records of one study: the earlier plan, and all starts and looks."""
        mine, theirs = (history.starts[0].at if history.starts else math.inf for history in (self, other))
        first, second = (self, other) if mine <= theirs else (other, self)
        starts = sorted({*first.starts, *second.starts}, key=lambda event: (event.at, event.seeds))
        looks = {event.seeds: event for event in sorted({*first.looks, *second.looks}, key=lambda event: -event.at)}
        return History(first.plan or second.plan, tuple(starts), tuple(sorted(looks.values(), key=lambda event: event.at)))


def _kept(events: Sequence[Event]) -> tuple[Event, ...]:
    half = MOST // 2
    return tuple(events) if len(events) <= MOST else (*events[:half], *events[-half:])


_Recorded = TypeVar("_Recorded")
_PLAN: TypeAdapter[Plan | None] = TypeAdapter(Plan | None)
_EVENTS: TypeAdapter[tuple[tuple[PositiveInt, PositiveInt], ...]] = TypeAdapter(tuple[tuple[PositiveInt, PositiveInt], ...])


def _read(kind: "TypeAdapter[_Recorded]", text: str, otherwise: _Recorded) -> _Recorded:
    try:
        return kind.validate_json(text)
    except ValidationError:
        return otherwise
