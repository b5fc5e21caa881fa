"""How a configuration looks: by its name alone, so that it looks the same in every report."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

GREY = "#4d4d4d"
SERIES = {
    "#c44e00": "#ff8a3d",
    "#005a9c": "#5db2ee",
    "#9b3b82": "#e08fcb",
    "#00735a": "#2fc79a",
    "#8a6300": "#e0ae3a",
    "#137391": "#63cbe6",
    "#5546a8": "#a99bf2",
    "#a8243c": "#ff8494",
    GREY: "#b4b4b4",
}
"""Okabe and Ito's colours, darkened until text in them has a contrast of 4.5 to 1 on white, and what they become on dark paper."""

COLOURS = tuple(colour for colour in SERIES if colour != GREY)
DASHES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
SALT = "regstudy 13"
"""Chosen so that the configurations of no shipped study share a colour."""


@dataclass(frozen=True)
class Look:
    """How a configuration is drawn, everywhere; line style, marker and whether it is filled tell it apart in grey print."""

    colour: str
    dash: str
    marker: str
    filled: bool = True

    @property
    def fillstyle(self) -> Literal["full", "none"]:
        """As matplotlib calls it."""
        return "full" if self.filled else "none"

    @property
    def edge(self) -> float:
        """Points of a mark's outline: one that is filled has none."""
        return 0.0 if self.filled else 1.2


FIXED = {
    "none": Look(GREY, "-", "o"),
    "L1 0.001": Look(COLOURS[0], "--", "s"),
    "L2 0.0005": Look(COLOURS[1], "-.", "^"),
    "L1 0.001 + L2 0.0005": Look(COLOURS[2], ":", "D"),
}
"""The published study's."""


def looks(configurations: Sequence[str]) -> dict[str, Look]:
    """One look per configuration, no two alike while there are any left; all others than the published by a hash of the name.

    Where two names have the same colour, the one whose hash is larger takes the next that is free; where none is, the next marker.
    """
    given = {name: FIXED[name] for name in configurations if name in FIXED}
    for name in sorted(set(configurations) - set(FIXED), key=_hash):
        given[name] = _free(_hash(name), list(given.values()))
    return {name: given[name] for name in configurations}


def _free(number: int, taken: Sequence[Look]) -> Look:
    """The look of this hash, or the next to it that is free: of a colour that nothing has, else of any."""
    wanted = _look(number, 0)
    colours = {look.colour for look in taken}
    for shift in range(len(COLOURS)):
        look = Look(_colour(number, shift), wanted.dash, wanted.marker, wanted.filled)
        if look.colour not in colours:
            return look
    shapes = {(look.colour, look.marker, look.filled) for look in taken}
    tried = (_look(number, shift) for shift in range(2 * len(MARKERS) * len(COLOURS)))
    return next((look for look in tried if (look.colour, look.marker, look.filled) not in shapes), wanted)


def _look(number: int, shift: int) -> Look:
    """The look at so many places after the hash's own: markers first, then filled or not, then colours."""
    place = number // len(COLOURS) + shift
    marker, filled = place % len(MARKERS), place // len(MARKERS) % 2 == 0
    return Look(_colour(number, shift // (2 * len(MARKERS))), DASHES[place % len(DASHES)], MARKERS[marker], filled)


def _colour(number: int, shift: int) -> str:
    return COLOURS[(number + shift) % len(COLOURS)]


def _hash(name: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{SALT}{name}".encode()).digest()[:6])
