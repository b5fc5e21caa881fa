"""What makes anybody's runs alike, and pairs them: the values of parameters and tags, of which numbers are numbers however they are spelt."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from regstudy.errors import UsageError

from ..records.record import Record

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
EXPERIMENT, RUN_NAME, STORE = "experiment", "run_name", "store"
OF_RUNS = (EXPERIMENT, RUN_NAME, STORE)
"""What is said of a run by neither parameter nor tag."""

NAMES_OF_RUNS = frozenset({RUN_NAME, "tags.mlflow.runName"})
"""Shown without saying what they are."""

WORDS = frozenset({"true", "false", "none"})
"""Of which one language writes another first letter than the next."""

LONG, BEGINNING = 48, 22
"""Characters from which a value is shortened in the middle, and how many of its beginning are kept."""

LONGEST = 300
"""Digits before the point from which a number is only a text."""

EMPTY = "(empty)"
"""How a value is shown that has nothing to be seen."""

SHOWN = 8
"""Names listed in an error message."""


def canonical(text: str) -> str:
    """The same for all spellings of a number: 0.1, 1e-1 and 0.10; 2 and 2.0; and of true, false and none. Other texts stay."""
    text = text.strip()
    if text.lower() in WORDS:
        return text.lower()
    if not NUMBER.fullmatch(text):
        return text
    try:
        exact = Decimal(text)
    except ArithmeticError:  # an exponent that none has
        return text
    if exact.adjusted() >= LONGEST:
        return text
    return str(int(exact)) if exact == exact.to_integral_value() else repr(float(exact))


def is_number(text: str) -> bool:
    """Whether a text is a number, and not a word for one such as nan."""
    return NUMBER.fullmatch(text.strip()) is not None


def in_order(text: str) -> tuple[bool, float, str]:
    """A key to sort by: numbers by size, before other texts."""
    number = is_number(text)
    return not number, float(text) if number else 0.0, text


def of(run: Record, name: str) -> str | None:
    """What a run says under params.NAME or tags.NAME, its own name, or its experiment's or store's; None if it says nothing."""
    if name == EXPERIMENT:
        return run.experiment or None
    if name == RUN_NAME:
        return run.name or None
    if name == STORE:
        return run.store or None
    kind, _, key = name.partition(".")
    return (run.params if kind == "params" else run.tags).get(key)


def key(name: str) -> str:
    """What it is called beside its values: params.lr is lr."""
    return name.removeprefix("params.").removeprefix("tags.").removeprefix("mlflow.")


def check_names(names: Iterable[str], option: str) -> None:
    """UsageError for a name that is none of these."""
    for name in names:
        kind, _, own = name.partition(".")
        if name not in OF_RUNS and (kind not in {"params", "tags"} or not own):
            raise UsageError(
                f"{option} {name!r}: expected params.NAME, tags.NAME, {EXPERIMENT}, {RUN_NAME} or {STORE}, such as params.lr"
            )


@dataclass(frozen=True)
class Spelling:
    """How each value of these names is shown: as the shortest of its spellings."""

    shown: Mapping[str, Mapping[str, str]]
    others: Mapping[str, Mapping[str, Sequence[str]]]

    @classmethod
    def among(cls, runs: Iterable[Record], names: Iterable[str]) -> "Spelling":
        """Of what these runs say."""
        spelt: dict[str, dict[str, set[str]]] = {name: {} for name in names}
        for run in runs:
            for name, held in spelt.items():
                if (text := of(run, name)) is not None:
                    held.setdefault(canonical(text), set()).add(text)
        ordered = {name: {value: sorted(own, key=lambda text: (len(text), text)) for value, own in held.items()} for name, held in spelt.items()}  # fmt: skip
        return cls(
            {name: _short({value: own[0] for value, own in held.items()}) for name, held in ordered.items()},
            {name: {own[0]: own[1:] for own in held.values() if len(own) > 1} for name, held in ordered.items()},
        )

    def value(self, run: Record, name: str) -> str:
        """What a run says, spelt as it is shown."""
        return self.shown[name][canonical(of(run, name) or "")]

    def named(self, run: Record, names: Sequence[str]) -> str:
        """A run's values with their names, as a configuration is called."""
        return ", ".join(
            value if name in NAMES_OF_RUNS else f"{key(name)} {value}" for name in names for value in [self.value(run, name)]
        )

    def told(self, names: Iterable[str]) -> list[str]:
        """Which values are spelt in several ways."""
        return [
            f"{name}: {_bounded(value)} is also written {', '.join(map(_bounded, others))}"
            for name in names
            for value, others in self.others[name].items()
        ]


def _bounded(text: str) -> str:
    """In quotes where one would not see where it begins or ends."""
    return text if text.strip() == text and text else f"'{text}'"


def _short(shown: Mapping[str, str]) -> dict[str, str]:
    """On one line, the middle of long ones left out; two values stay two."""
    found: dict[str, str] = {}
    for value, text in shown.items():
        alike, number = short(text), 1
        name = alike
        while name in found.values():
            number += 1
            name = f"{alike} ({number})"
        found[value] = name
    return found


def short(text: str) -> str:
    """A text as it stands; if it is long, on one line, without its middle."""
    if not text.strip():
        return EMPTY
    line = text if len(text) <= LONG else " ".join(text.split())
    return line if len(line) <= LONG else f"{line[:BEGINNING].rstrip()} … {line[BEGINNING - LONG :].lstrip()}"


def listed(names: Sequence[str], most: int = SHOWN) -> str:
    """Names for a message: the first ones, and how many more."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "") if names else "none"
