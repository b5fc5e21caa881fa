"""What was planned before a study ran, and when somebody looked: kept as tags of the study's run, since it decides what may be concluded. Reads no store.

Each start and each look is a tag of its own: nobody, however many start the study at once, overwrites another's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from pydantic import NonNegativeInt, PositiveInt, TypeAdapter, ValidationError

from regstudy.schema import Tag

MOST = 10**6
"""Seeds; more is no number of seeds."""


@dataclass(frozen=True)
class Plan:
    """What was fixed beforehand: the number of seeds; or `sequential`, that the study is looked at after every block until it is decided.

    `done_before`: how many of its trials were there already, so that somebody may have seen them.
    """

    seeds: PositiveInt | None
    sequential: bool = False
    done_before: NonNegativeInt = 0

    def says(self, other: "Plan") -> bool:
        """Whether another plan fixes the same."""
        return (self.seeds, self.sequential) == (other.seeds, other.sequential)

    def tags(self) -> dict[str, str]:
        """As a tag of the study's run."""
        return {Tag.PLAN.value: _PLAN.dump_json(self).decode()}


@dataclass(frozen=True, order=True)
class Event:
    """A start of the study, or a look at it: when (seconds since 1970), and how many seeds it was asked for, or had then."""

    at: int
    seeds: int


@dataclass(frozen=True)
class History:
    """A study's plan with all its starts and looks, by time; `plan` is None where it was begun by a version that kept none.

    `until`: whether any start went on until it was decided, so that configurations that were have fewer seeds.
    """

    plan: Plan | None = None
    starts: tuple[Event, ...] = ()
    looks: tuple[Event, ...] = ()
    until: bool = False

    @classmethod
    def from_tags(cls, tags: Mapping[str, str]) -> Self:
        """What a study's run says; what is damaged, as anybody may have done, is not there."""
        starts = [Event(at, seeds) for at, seeds in _numbers(tags, Tag.START)]
        looks = [Event(at, seeds) for seeds, at in _numbers(tags, Tag.LOOK)]
        return cls(_plan(tags.get(Tag.PLAN, "")), tuple(sorted(starts)), tuple(sorted(looks)), Tag.UNTIL in tags)

    def merged(self, other: "History") -> "History":
        """Of two records of one study: the earlier plan, and all starts and looks."""
        first, second = sorted((self, other), key=lambda history: min(history.starts, default=_NEVER))
        looks = {event.seeds: event for event in sorted((*first.looks, *second.looks), reverse=True)}
        starts = tuple(sorted({*first.starts, *second.starts}))
        return History(first.plan or second.plan, starts, tuple(sorted(looks.values())), first.until or second.until)


_NEVER = Event(10**12, 0)


def start(seeds: int, at: float, *, until: bool = False) -> dict[str, str]:
    """The tags for a start that asks for so many seeds, or goes on until the study is decided."""
    return {Tag.START.format(int(at)): str(seeds), **({Tag.UNTIL.value: "decided"} if until else {})}


def look(seeds: int, at: float) -> dict[str, str]:
    """The tag for a look at so many complete seeds: one for each number, however often one looks."""
    return {Tag.LOOK.format(seeds): str(int(at))}


_PLAN = TypeAdapter(Plan)


def _plan(text: str) -> Plan | None:
    try:
        plan = _PLAN.validate_json(text)
    except ValidationError:
        return None
    return plan if plan.sequential or plan.seeds else None


def _numbers(tags: Mapping[str, str], tag: Tag) -> list[tuple[int, int]]:
    """The number in each such tag's name, and its value's."""
    beginning = tag.partition("{")[0]
    pairs = [(name.removeprefix(beginning), text) for name, text in tags.items() if name.startswith(beginning)]
    return [(int(a), int(b)) for a, b in pairs if all(text.isascii() and text.isdigit() and len(text) < 12 for text in (a, b))]
