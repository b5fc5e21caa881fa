"""How both packages talk to a terminal: one-line errors, exit statuses, notices. Imports nothing heavy."""

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from regstudy.errors import RegstudyError, UsageError
from regstudy.redaction import redacted

BAD_INPUT = 2
"""Exit status for input that the user can correct."""


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, and which never guesses abbreviated options."""

    def __init__(self, **options: object) -> None:
        super().__init__(**{"allow_abbrev": False, **options})  # pyright: ignore[reportArgumentType]  # argparse's own keywords

    def error(self, message: str) -> NoReturn:
        """Raise UsageError instead of printing the whole usage."""
        raise UsageError(f"{message}; '{self.prog} --help' lists what is understood")


class Interrupted(BaseException):
    """The process was asked to stop by a signal; carries the signal's number."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(signal_number).name}")
        self.exit_status = 128 + signal_number
        # A store that is away would be waited for before the run could be ended.
        os.environ |= {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "2", "REGSTUDY_PATIENCE": "3"}


def dashed(arguments: Sequence[str]) -> list[str]:
    """Write the names of options with dashes: `mlflow run` passes on `--batch_size`, a shell user types `--batch-size`."""
    return [_dashed_option(argument) if argument.startswith("--") else argument for argument in arguments]


def _dashed_option(argument: str) -> str:
    name, equals, value = argument.partition("=")
    return name.replace("_", "-") + equals + value


def run_command(program: str, command: Callable[[], None]) -> int:
    """Run a command; give its exit status, after one line on stderr if it failed for a reason the user can mend."""
    try:
        command()
    except RegstudyError as error:
        warn(f"{program}: error: {error}")
        return BAD_INPUT
    except Interrupted as stop:
        warn(f"{program}: {stop}")
        return stop.exit_status
    except BrokenPipeError:
        # The reader of our output has gone (`… | head`): nothing is left to say, and nobody to say it to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def plural(n: int, noun: str) -> str:
    """A number with its noun: 1 epoch, 2 epochs."""
    return f"1 {noun}" if n == 1 else f"{n:,} {noun}s"


def in_words(seconds: float) -> str:
    """A length of time in the unit that suits it: 45 s, 12 min, 3.5 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def plain(value: object) -> str:
    """A value in its shortest spelling that gives it back: 0 for 0.0, 0.001 for 0.001."""
    return str(value).removesuffix(".0") if isinstance(value, float) else str(value)


def say(line: str) -> None:
    """Print one line on stdout, at once: what follows may take minutes."""
    print(redacted(line), flush=True)


def warn(line: str) -> None:
    """Print one line on stderr, after whatever stands in stdout's buffer."""
    sys.stdout.flush()
    print(redacted(line), file=sys.stderr, flush=True)
