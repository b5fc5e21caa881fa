"""The command line `python -m analysis`. Understands options without importing mlflow or pandas, so that help and errors come at once."""

import argparse
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from regstudy.console import document, terminal
from regstudy.console.redaction import redacted
from regstudy.errors import RegstudyError, UsageError

from ..files import folders
from ..reports import formats
from .options import parsed
from .options.declared import PROGRAM

JSON = "--json"
"""Changes how a result is told, so it is no part of the command that made it."""


def main(arguments: Sequence[str] | None = None, program: str = PROGRAM) -> int:
    """Run a command; give the exit status. `program` is what the user calls it by."""
    given = terminal.dashed(sys.argv[1:] if arguments is None else arguments)
    return terminal.run_command(program, lambda: _command(given, program))


def _command(given: list[str], program: str) -> None:
    try:
        _run(given, program)
    except RegstudyError as error:
        if os.environ.get("MLFLOW_RUN_ID"):
            from regstudy.tracking import adopted

            adopted.fail(str(error))
        raise


def _run(given: list[str], program: str) -> None:
    arguments = parsed.parse(given, program)
    if arguments.command == "verify":
        from . import verify

        with document.alone(arguments.json):
            checked = verify.verify(arguments.report, parsed.parse)
        if arguments.json:
            document.give(checked)
        return
    if arguments.command == "mcp":
        from .agents import server

        server.serve(arguments, parsed.parse)
        return
    if formats.PDF in formats.read(getattr(arguments, "format", "")):
        formats.browser()
    made = _make_folder(arguments)
    command = as_command([word for word in given if word != JSON])
    try:
        run = _loaded(arguments.command)
        with document.alone(_as_json(arguments)):
            told = run(arguments, command)
        if told is not None:
            document.give(told)
    except BaseException:
        folders.unmake(made)
        raise


def _loaded(command: str) -> Callable[[argparse.Namespace, str], "document.Document | None"]:
    """What carries out a command; MLflow, which one needs and another does not, takes as long to load as all else."""
    match command:
        case "power":
            from .power import power as run
        case parsed.CHOICES:
            from .choices import choices as run
        case "gate":
            from .gate import gate as run
        case "promote":
            from .promote import promote as run
        case _:
            from . import commands

            return getattr(commands, command)
    return run


def _as_json(arguments: argparse.Namespace) -> bool:
    """Whether stdout is a document's alone; `gate` takes a file instead."""
    return arguments.command == "decided" or (arguments.command != "gate" and arguments.json)


def as_command(given: Sequence[str]) -> str:
    """The command line as reports hold it, whoever called it however: without secrets."""
    return redacted(shlex.join([*PROGRAM.split(), *given]))


def _make_folder(arguments: argparse.Namespace) -> list[Path]:
    """Make the folder that is to be written into, unless it holds what is not ours, before anything heavy is loaded; those that were not there."""
    output = arguments.folder if arguments.command == "snapshot" else getattr(arguments, "output", "")
    if not output:
        return []
    try:
        if arguments.command == "snapshot":
            folders.check_snapshot(Path(output))
            return []
        if arguments.command == "gallery":
            folders.check_gallery(Path(output))
            return folders.make(Path(output).parent)
        folders.check_report(Path(output), formats.Contents.of(arguments).files)
        return folders.make(Path(output))
    except OSError as error:
        option = "" if arguments.command == "snapshot" else "--output "
        raise UsageError(f"{option}{output!r} cannot be made ({error.strerror}): name a folder that can be written") from None
