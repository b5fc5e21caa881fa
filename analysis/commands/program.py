"""The installed command `regstudy`: the commands of both packages under one name, which shells can complete."""

import argparse
import os
import sys
from collections.abc import Sequence

import regstudy
from regstudy.commands import cli as writing
from regstudy.console import hooks, terminal

from . import cli as reading
from .options import declared

PROGRAM = "regstudy"
ABOUT = "Tracked experiments on regularisation: train and run studies on MLflow, rank, judge and report what has run."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command of either package; give the exit status."""
    hooks.keep_secrets()
    terminal.begin()
    whole = parser()
    if "_ARGCOMPLETE" in os.environ:
        import argcomplete

        argcomplete.autocomplete(whole)
    given = list(sys.argv[1:] if arguments is None else arguments)
    for known, run in ((writing.parser(), writing.main), (declared.parser(), reading.main)):
        if given and given[0] in commands(known):
            return run(given, PROGRAM)
    return terminal.run_command(PROGRAM, lambda: _help(whole, given))


def parser() -> argparse.ArgumentParser:
    """The parser of all commands of both packages."""
    whole = terminal.Parser(prog=PROGRAM, description=ABOUT, epilog=declared.EPILOG)
    whole.add_argument("--version", action="version", version=f"{PROGRAM} {regstudy.__version__}")
    each = whole.add_subparsers(title="commands", metavar="COMMAND", required=True, dest="command")
    writing.add_commands(each)
    declared.add_commands(each)
    return whole


def commands(known: argparse.ArgumentParser) -> list[str]:
    """The names of a parser's commands."""
    return [name for action in known._actions if isinstance(action.choices, dict) for name in action.choices]  # noqa: SLF001  # argparse has no public list


def _help(whole: argparse.ArgumentParser, given: list[str]) -> None:
    whole.parse_args(given)
