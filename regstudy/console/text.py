"""Text as it can be shown anywhere: nothing in it acts on a terminal, moves what stands beside it, or hides; lines end between words. Knows no format and escapes none."""

import re
from collections.abc import Sequence

from rich.cells import cell_len

UNSEEN = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # controls (C0, DEL, C1): escape sequences, newlines and tabs among them
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # marks, overrides and isolates of direction
    "\u2028\u2029"  # separators of lines and paragraphs
    "\u00ad\u180e\u200b\u2060-\u2065\u206a-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff"  # of no width; joiners stay: scripts need them
    "\ud800-\udfff\ufffe\uffff"  # no characters: neither UTF-8 nor XML can hold them
    "]"
)


def visible(text: str) -> str:
    r"""A text with each character that is not seen but acts as its Python escape, such as \x1b, \n or \u202e; the same a second time."""
    return UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def filled(words: Sequence[str], width: int, *, first: str = "", rest: str = "", ending: str = "") -> list[str]:
    """Words in lines at most so many cells wide; a word that is wider stays whole. All lines but the last have the ending."""
    lines = [first]
    for place, word in enumerate(words):
        joined = f"{lines[-1]}{' ' if place else ''}{word}"
        fits = cell_len(joined + (ending if place + 1 < len(words) else "")) <= width
        if fits or not place:
            lines[-1] = joined
        else:
            lines[-1] += ending
            lines.append(rest + word)
    return lines


def wrapped(line: str, width: int | None) -> str:
    """A line in several, none wider than that where its words allow it, each as deep as the line begins; None: as it is."""
    if width is None or cell_len(line) <= width:
        return line
    depth = line[: len(line) - len(line.lstrip(" "))]
    return "\n".join(filled(line.split(), width, first=depth, rest=depth))
