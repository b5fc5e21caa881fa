"""Computes a report anew from what it says it was made from, and says which numbers differ. Changes nothing in the report or the store."""

import argparse
import difflib
import json
import math
import re
import shlex
import tempfile
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pandas as pd

import regstudy
from analysis import commands, report
from regstudy import terminal
from regstudy.errors import UsageError, VerificationError

MADE_BY = re.compile(r'<script type="application/json" id="made-by">(.*?)</script>', re.DOTALL)
CLOSE = 1e-9
"""Relative difference that another version of a library may make in the last digits."""

CHECKED = {".html", ".md", ".csv", ".svg"}
SHOWN = 10
"""Differences that are listed; of more it says how many."""

UNSEEN = {"script", "style", "metadata"}
SLIDER = "luck-data"
NUMBERS = "data:text/csv;charset=utf-8,"


class _Text(HTMLParser):
    """What a reader of a page or figure sees, and the numbers in it that can be saved or drawn from: a line per element."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self._inside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Leave out what is inside code; keep descriptions and files of numbers."""
        held = dict(attrs)
        if tag in UNSEEN and held.get("id") != SLIDER:
            self._inside.append(tag)
        if held.get("aria-label"):
            self.lines.append(str(held["aria-label"]))
        if str(held.get("href")).startswith(NUMBERS):
            self.lines += unquote(str(held["href"]).removeprefix(NUMBERS)).splitlines()

    def handle_endtag(self, tag: str) -> None:
        """End what is left out."""
        if self._inside and self._inside[-1] == tag:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        """Keep text."""
        if not self._inside and data.strip():
            self.lines.append(" ".join(data.split()))


def verify(given: str, parse: Callable[[list[str]], argparse.Namespace]) -> None:
    """Verify a report, by its folder or its page; `parse` reads a command line's arguments.

    VerificationError lists what differs, UsageError says why it cannot be verified.
    """
    folder = Path(given) if Path(given).is_dir() else Path(given).parent
    page = folder / "report.html"
    if not page.is_file():
        raise UsageError(f"{given!r} is no report: expected a folder with report.html, or that file")
    made_by = MADE_BY.search(page.read_text(encoding="utf-8"))
    if made_by is None:
        raise UsageError(f"{page} does not say how it was made: write it again with this version of regstudy")
    command = str(json.loads(made_by[1])["command"])
    version = str(json.loads(made_by[1])["version"])
    if version != regstudy.__version__:
        terminal.say(
            f"note: the report is from regstudy {version}, this is {regstudy.__version__}: sentences may differ where numbers do not"
        )
    with tempfile.TemporaryDirectory() as scratch:
        anew = Path(scratch)
        arguments = parse(shlex.split(command)[3:])
        report.write(commands.found(arguments), anew, command)
        checked = _files(anew)
        differing = [line for name in checked for line in _differences(name, folder, anew)]
        differing += [f"{name} is no part of the report" for name in _files(folder) if name not in checked and "/" in name]
    if differing:
        more = f"; and {len(differing) - SHOWN} more" if len(differing) > SHOWN else ""
        raise VerificationError(
            f"{folder}: {terminal.plural(len(differing), 'difference')}: {'; '.join(differing[:SHOWN])}{more}"
        )
    terminal.say(f"{folder}: every number is what {command!r} gives ({terminal.plural(len(checked), 'file')})")


def _files(folder: Path) -> list[str]:
    """All with numbers in them that can be read: pages, tables, and figures as SVG."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.suffix in CHECKED)


def _differences(name: str, folder: Path, anew: Path) -> Iterator[str]:
    if not (folder / name).is_file():
        yield f"{name} is missing"
        return
    if name.endswith(".csv"):
        yield from _table_differences(name, folder / name, anew / name)
        return
    there, expected = (seen(place / name) for place in (folder, anew))
    for kind, a, b, c, d in difflib.SequenceMatcher(None, there, expected, autojunk=False).get_opcodes():
        if kind != "equal":
            yield f"{name} says {' '.join(there[a:b])!r}, expected {' '.join(expected[c:d])!r}"


def seen(path: Path) -> list[str]:
    """What a reader of a page sees, line by line."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        return text.splitlines()
    parser = _Text()
    parser.feed(text)
    return parser.lines


def _table_differences(name: str, there: Path, expected: Path) -> Iterator[str]:
    try:
        one, other = (pd.read_csv(path, dtype=str, keep_default_na=False) for path in (there, expected))
    except ValueError as error:
        yield f"{name} is no table ({next(iter(str(error).splitlines()), '')})"
        return
    if list(one.columns) != list(other.columns) or len(one) != len(other):
        yield f"{name} has {len(one)} rows of {', '.join(one.columns)}; expected {len(other)} of {', '.join(other.columns)}"
        return
    for column in one.columns:
        for row, (value, wanted) in enumerate(zip(one[column], other[column], strict=True)):
            if not _same(value, wanted):
                yield f"{name}, row {row + 1}, {column}: {value}, expected {wanted}"


def _same(value: str, wanted: str) -> bool:
    if value == wanted:
        return True
    try:
        return math.isclose(float(value), float(wanted), rel_tol=CLOSE, abs_tol=1e-15)
    except ValueError:
        return False
