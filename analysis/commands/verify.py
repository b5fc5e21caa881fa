"""Writes a report anew from the very runs that it says it was made of, and says in what its files differ. Changes nothing in the report or the store."""

import argparse
import io
import re
import shlex
import tempfile
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path

import regstudy
from regstudy.console import terminal
from regstudy.console.document import Document
from regstudy.console.text import visible
from regstudy.errors import RegstudyError, UsageError, VerificationError

from ..files import made_by
from ..files.made_by import MadeBy
from ..judging.findings import Findings
from ..reading.records.record import Records
from ..reading.trials import TEST_IMAGES, Trials
from ..reports import bound, compared
from ..reports.compared import Compared
from ..reports.formats import FILES, PDF, Contents
from . import commands

SHOWN = 10
"""Differences that are listed; of more it says how many."""

SHOWN_CHARACTERS = 80
"""Of a name that is none."""

AS_WRITTEN = re.compile(r"""(?:[\w@%+=:,./-]|\*{3}|'[^']*'|"'"|(?<=\S) (?=\S))+""", re.ASCII)
"""A command as reports hold it, secrets left out: words, each quoted where a shell would find more in it."""


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
    source, asked = commands.source(arguments), Contents.of(arguments)
    of_today = told.version == regstudy.__version__ and bool(told.runs)
    with tempfile.TemporaryDirectory() as scratch:
        anew = Path(scratch) / "report"
        found, said = _found(arguments, source, told)
        commands.write(found, anew, told.command, replace(asked, formats=tuple(own for own in asked.formats if own != PDF)))
        now = made_by.read((anew / "report.html").read_text(encoding="utf-8"))
        differing = bound.changed(told, now) if now and told.runs else []
        printed = [FILES[PDF]] if PDF in asked.formats else []
        result = compared.compared(folder, anew, printed) if of_today else compared.numbers(folder, anew)
    wrong, notes = _of_the_rest(told, said, found, _whole(arguments, source, told), source) if told.runs else ([], [])
    _refuse([*differing, *result.differences, *wrong], folder)
    if not of_today:
        raise VerificationError(f"{folder}: {_of_another_release(told, result)}")
    notices = [*notes, *result.not_compared]
    for note in notices:
        terminal.say(f"note: {note}")
    runs = terminal.plural(len(told.runs), "run")
    terminal.say(f"{folder}: every file is what {told.command!r} gives of its {runs} ({result.told})")
    return {"report": str(folder), "command": told.command, "compared": result.told, "notices": notices}


def _told(folder: Path, given: str) -> MadeBy:
    """What the report says of how it was made."""
    page = folder / "report.html"
    if not page.is_file():
        raise UsageError(f"{given!r} is no report: expected a folder with report.html, or that file")
    told = made_by.read(page.read_text(encoding="utf-8", errors="replace"))
    if told is None:
        raise UsageError(f"{page} does not say how it was made: write it again with this version of regstudy")
    return told


def _arguments(told: MadeBy, parse: Callable[[list[str]], argparse.Namespace]) -> argparse.Namespace:
    """The options of the command that made the report."""
    none = UsageError(f"the report says that it was made by {visible(told.command)!r}, which makes no report")
    try:
        program, given = (words := shlex.split(told.command))[:3], words[3:]
    except ValueError:
        raise none from None
    if (
        program != ["python", "-m", "analysis"]
        or given[:1] not in (["report"], ["compare"])
        or not AS_WRITTEN.fullmatch(told.command)
    ):
        raise none
    try:
        with redirect_stdout(io.StringIO()):  # of help
            return parse(given)
    except SystemExit:
        raise none from None


def _found(arguments: argparse.Namespace, source: Records, told: MadeBy) -> tuple[Findings, tuple[str, ...]]:
    """What the report's runs say, with the notices that it has; and those that they give by themselves. What was left out is not to be found again from them."""
    if not told.runs:
        return (found := commands.found(arguments, source)), found.trials.notices
    found = commands.found(arguments, bound.exactly(source, told, commands.statuses(arguments)))
    return replace(found, trials=replace(found.trials, notices=told.notices)), found.trials.notices


def _whole(arguments: argparse.Namespace, source: Records, told: MadeBy) -> Trials | str | None:
    """What the report's command reads now, or why it cannot; None where that can say nothing that the report's own runs do not."""
    if _is_kept(source) or told.notices or not {run.run_id for run in source.runs()} <= {*told.runs, told.study}:
        try:
            return commands.read(arguments, source)
        except RegstudyError as error:
            return str(error)
    return None


def _is_kept(source: Records) -> bool:
    """Whether it is files, which lie where the command says and lose no run."""
    return source.experiment_id is None


def _of_the_rest(
    told: MadeBy, said: tuple[str, ...], found: Findings, whole: Trials | str | None, source: Records
) -> tuple[list[str], list[str]]:
    """What the report says of more than its runs: what is wrong, and what is to be known of the rest. A store that holds more by now is no fault of the report's."""
    more = set() if whole is None or isinstance(whole, str) else set(whole.runs["run_id"]) - set(told.runs)
    known = (*said, *whole.notices) if isinstance(whole, Trials) else said
    # Of anybody's runs, what differs within a group was told of those too that were left out.
    lacking = [notice for notice in said if notice not in told.notices] if found.trials.has(TEST_IMAGES) else []
    taken = [notice for notice in told.notices if notice not in known]
    now = [notice for notice in known if notice not in (*told.notices, *said)]
    moved = (told.store, told.experiment) != (source.where, source.experiment)
    wrong = [f"the report does not say: {notice}" for notice in lacking]
    if _is_kept(source) and isinstance(whole, Trials) and not more:
        wrong += [f"the report does not say: {notice}" for notice in now]
        wrong += [f"the report says what its runs do not: {visible(notice)}" for notice in taken]
        wrong += [
            f"the report says that it is of {_of(told.experiment, told.store)}, expected {_of(source.experiment, source.where)}"
        ] * moved
        return wrong, []
    notes = [f"taken as it stands, as it is of runs that were left out: {visible(notice)}" for notice in taken]
    notes += [
        f"runs were read from {_of(source.experiment, source.where)}; the report names {_of(told.experiment, told.store)}"
    ] * moved
    if isinstance(whole, str):
        notes.append(f"the store has changed since, and the report's command now ends with: {whole}")
    elif more:
        notes.append(f"the store has grown since: the report's command now finds {terminal.plural(len(more), 'run')} more")
    return wrong, notes + [f"the report's command now says, too: {notice}" for notice in now]


def _of(experiment: str, store: str) -> str:
    return f"{visible(experiment)!r} of {visible(store)}"


def _refuse(differing: list[str], folder: Path) -> None:
    if not differing:
        return
    more = f"; and {len(differing) - SHOWN} more" if len(differing) > SHOWN else ""
    raise VerificationError(f"{folder}: {terminal.plural(len(differing), 'difference')}: {'; '.join(differing[:SHOWN])}{more}")


def _of_another_release(told: MadeBy, result: Compared) -> str:
    """What is verified of a report whose words and scripts this release cannot write: its tables."""
    who = f"written by regstudy {visible(told.version)}, and this is {regstudy.__version__}"
    if not told.runs:
        who = "written by an earlier release, which did not name its runs: those that its command finds now were taken"
    tables = len(result.same + result.line_endings + result.alike)
    numbers = f"the numbers in {terminal.plural(tables, 'table')} (CSV) are what {told.command!r} gives, but " if tables else ""
    return (
        f"{who}: {numbers}nothing else of it is verified, neither its pages' words and scripts nor its figures: verify it with that release, "
        "or write it anew with its command"
    )
