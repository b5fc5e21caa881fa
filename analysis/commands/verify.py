"""Computes a report anew from the very runs that it says it was made of, and says which numbers differ. Changes nothing in the report or the store."""

import argparse
import difflib
import io
import math
import shlex
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pandas as pd

import regstudy
from regstudy.console import terminal
from regstudy.console.document import Document
from regstudy.console.text import visible
from regstudy.errors import RegstudyError, UsageError, VerificationError

from ..files import folders, made_by
from ..files.made_by import MadeBy
from ..judging.findings import Findings
from ..reading.records.record import Records
from ..reading.trials import TEST_IMAGES
from ..reports import bound, report
from . import commands

CLOSE = 1e-9
"""Relative difference that another version of a library may make in the last digits."""

CHECKED = {".html", ".md", ".csv", ".svg"}
SHOWN = 10
"""Differences that are listed; of more it says how many."""

SHOWN_CHARACTERS = 80
"""Of a name that is none."""

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


def verify(given: str, parse: Callable[[list[str]], argparse.Namespace]) -> Document:
    """Verify a report, by its folder or its page; `parse` reads a command line's arguments. Gives what was checked, by which command.

    VerificationError lists what differs and names runs that are missing or changed, UsageError says why it cannot be verified.
    """
    try:
        folder = Path(given) if Path(given).is_dir() else Path(given).parent
        told = _told(folder, given)
    except OSError as error:
        raise UsageError(f"{visible(given)[:SHOWN_CHARACTERS]!r} cannot be read ({error.strerror or error})") from None
    arguments = _arguments(told, parse)
    source = commands.source(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        anew = Path(scratch) / "report"
        found, differing = _found(arguments, source, told)
        report.write(found, anew, told.command)
        now = made_by.read((anew / "report.html").read_text(encoding="utf-8"))
        differing += bound.changed(told, now) if now and told.runs else []
        checked = _files(anew)
        differing += [line for name in checked for line in _differences(name, folder, anew)]
        differing += _by_manifest(folder, checked, expected=bool(told.runs), explained=differing)
    if differing:
        more = f"; and {len(differing) - SHOWN} more" if len(differing) > SHOWN else ""
        raise VerificationError(
            f"{folder}: {terminal.plural(len(differing), 'difference')}: {'; '.join(differing[:SHOWN])}{more}"
        )
    _say_growth(arguments, source, told)
    terminal.say(f"{folder}: every number is what {told.command!r} gives ({terminal.plural(len(checked), 'file')})")
    return {"report": str(folder), "command": told.command, "files": checked, "notices": []}


def _told(folder: Path, given: str) -> MadeBy:
    """What the report says of how it was made; a note if another version made it."""
    page = folder / "report.html"
    if not page.is_file():
        raise UsageError(f"{given!r} is no report: expected a folder with report.html, or that file")
    told = made_by.read(page.read_text(encoding="utf-8", errors="replace"))
    if told is None:
        raise UsageError(f"{page} does not say how it was made: write it again with this version of regstudy")
    if told.version != regstudy.__version__:
        terminal.say(
            f"note: the report is from regstudy {told.version}, this is {regstudy.__version__}: sentences may differ where numbers do not"
        )
    if not told.runs:
        terminal.say(
            "note: the report does not name its runs, as those of earlier releases did not: those that its command finds now are taken"
        )
    return told


def _arguments(told: MadeBy, parse: Callable[[list[str]], argparse.Namespace]) -> argparse.Namespace:
    """The options of the command that made the report."""
    try:
        program, given = (words := shlex.split(told.command))[:3], words[3:]
    except ValueError:
        program, given = [], []
    if program != ["python", "-m", "analysis"] or given[:1] not in (["report"], ["compare"]):
        raise UsageError(f"the report says that it was made by {told.command!r}, which makes no report")
    try:
        with redirect_stdout(io.StringIO()):  # of help
            return parse(given)
    except SystemExit:
        raise UsageError(f"the report says that it was made by {told.command!r}, which makes no report") from None


def _found(arguments: argparse.Namespace, source: Records, told: MadeBy) -> tuple[Findings, list[str]]:
    """What the report's runs say, with the notices that it has; and those that it lacks. What was left out is not to be found again from its runs."""
    if not told.runs:
        return commands.found(arguments, source), []
    found = commands.found(arguments, bound.exactly(source, told, commands.statuses(arguments)))
    # Of anybody's runs, what differs within a group was told of those too that were left out.
    now = found.trials.notices if found.trials.has(TEST_IMAGES) else ()
    lacking = [f"the report does not say: {notice}" for notice in now if notice not in told.notices]
    return replace(found, trials=replace(found.trials, notices=told.notices)), lacking


def _say_growth(arguments: argparse.Namespace, source: Records, told: MadeBy) -> None:
    """A store that holds more by now is no fault of the report's."""
    if not told.runs or {run.run_id for run in source.runs()} <= {*told.runs, told.study}:
        return
    try:
        more = set(commands.found(arguments, source).trials.runs["run_id"]) - set(told.runs)
    except RegstudyError as error:
        terminal.say(f"note: the store has changed since, and the report's command now ends with: {error}")
        return
    if more:
        terminal.say(
            f"note: the store has grown since: the report's command now finds {terminal.plural(len(more), 'run')} more"
        )


def _by_manifest(folder: Path, checked: Sequence[str], *, expected: bool, explained: Sequence[str]) -> Iterator[str]:
    """What lies where the report's files are and is none of them; and files that hold what was not written, if only where nobody sees it."""
    listed = folders.report_files(folder)
    if expected and not folders.has_manifest(folder):
        yield f"{folders.REPORT_MANIFEST} is missing, or none of a report"
    known = listed if folders.has_manifest(folder) else dict.fromkeys([*listed, *checked], frozenset[str]())
    for name in folders.in_places(folder):
        if name != folders.REPORT_MANIFEST and (name not in known or (Path(name).suffix in CHECKED and name not in checked)):
            yield f"{visible(name)} is no part of the report"
        elif (
            name in known
            and not folders.is_as_written(folder / name, known[name])
            and not any(name in line for line in explained)
        ):
            yield f"{visible(name)} is not as it was written"


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
