"""How both packages talk to a terminal: one-line errors, exit statuses, notices. Imports nothing heavy.

Every line leaves by `say`, `warn` or, in Rich's tables and bars, by `shown`: nothing in it acts on the terminal, nothing in it ends the process.
"""

import argparse
import atexit
import gc
import os
import re
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from rich.cells import cell_len

from regstudy.console import invocation, streams
from regstudy.console.redaction import redacted
from regstudy.console.text import filled, visible, wrapped
from regstudy.errors import RegstudyError, UsageError

BAD_INPUT = 2
"""Exit status for input that the user can correct."""

BETWEEN_COLLECTIONS = 50_000
"""Objects by which a process grows before Python looks for garbage: its own 700 are for programs that load little."""

WORDS_OF_A_SHELL = re.compile(r"""(?:'[^']*'|"[^"]*"|\\.|[^\s'"\\])+""")
"""Between these a command may go on in the next line."""

GIVEN = "_given"
"""Where a parser keeps which options were given."""

NAME_ENDS = r"""[\s'"<>;]"""
"""Where a refused name ends within the text that holds it."""


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, and which never guesses abbreviated options.

    `fill` adds a command's arguments once that command is asked for, not whenever all are listed.
    """

    def __init__(self, *, fill: "Callable[[Parser], None] | None" = None, **options: object) -> None:
        self._fill = fill
        super().__init__(**{"allow_abbrev": False, **options})  # pyright: ignore[reportArgumentType]  # argparse's own keywords
        for name in (None, "store"):
            self.register("action", name, _Once)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]  # overloads, by the kind of namespace
        """As argparse's, which calls it of a command's parser too: with the command's arguments, added the first time."""
        fill, self._fill = self._fill, None
        if fill:
            fill(self)
        found = super().parse_known_args(args, namespace)
        vars(found[0]).pop(GIVEN, None)
        return found

    def error(self, message: str) -> NoReturn:
        """Raise UsageError instead of printing the whole usage."""
        raise UsageError(f"{message}; '{self.prog} --help' lists what is understood")


class _Once(argparse.Action):
    """An option with one value. Given twice, the last would win without a word."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,  # noqa: ARG002  # as argparse calls it
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Keep the value; UsageError if there is one already."""
        given: dict[str, Any] = namespace.__dict__.setdefault(GIVEN, {})
        if option_string and self.dest in given and given[self.dest] != values:
            raise UsageError(f"{option_string} is there twice, {given[self.dest]!r} and {values!r}: give it once")
        given[self.dest] = values
        setattr(namespace, self.dest, values)


class Interrupted(BaseException):
    """The process was asked to stop by a signal; carries the signal's number."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(signal_number).name}")
        self.number, self.exit_status = signal_number, 128 + signal_number
        # A store that is away would be waited for before the run could be ended.
        os.environ |= {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "2", "REGSTUDY_PATIENCE": "3"}


def dashed(arguments: Sequence[str]) -> list[str]:
    """Write the names of options with dashes: `mlflow run` passes on `--batch_size`, a shell user types `--batch-size`."""
    return [_dashed_option(argument) if argument.startswith("--") else argument for argument in arguments]


def _dashed_option(argument: str) -> str:
    name, equals, value = argument.partition("=")
    return name.replace("_", "-") + equals + value


def begin() -> None:
    """Make a process of ours ready to talk, before anything heavy is loaded."""
    _restart_in_utf8()
    collect_rarely()
    streams.guard()
    invocation.remember()


def collect_rarely() -> None:
    """Torch, MLflow and pandas are some million objects, none of them garbage: to look through them time and again costs a third of a short command."""
    gc.set_threshold(BETWEEN_COLLECTIONS)
    atexit.register(gc.freeze)  # the interpreter's end looks through all of them, several times


def _restart_in_utf8() -> None:
    """MLflow and SQLite keep paths as UTF-8, in any locale: else a folder with an umlaut is none that they find. Output stays as it is."""
    if os.name != "posix" or sys.getfilesystemencoding() == "utf-8" or os.environ.get("PYTHONUTF8") == "1":
        return
    os.environ["PYTHONUTF8"] = "1"
    if sys.stdout:
        os.environ.setdefault("PYTHONIOENCODING", sys.stdout.encoding)
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606  # no shell is wanted


def run_command(program: str, command: Callable[[], None]) -> int:
    """Run a command; give its exit status, after one line on stderr if it failed for a reason the user can mend."""
    streams.spell_plainly()
    status, loss = _outcome(program, command), streams.loss()
    # A reader of our output that has gone (`… | head`) has what it wanted.
    if status or loss is None or isinstance(loss, BrokenPipeError):
        return status
    warn(f"{program}: error: stdout cannot be written ({loss.strerror}): make room, or send it elsewhere")
    return BAD_INPUT


def _outcome(program: str, command: Callable[[], None]) -> int:
    try:
        command()
        print(end="", flush=True)
    except RegstudyError as error:
        warn(f"{program}: error: {error}")
        return BAD_INPUT
    except Interrupted as stop:
        warn(f"{program}: {stop}")
        return stop.exit_status
    except UnicodeEncodeError as error:
        return _not_utf8(program, error)
    except SystemExit as end:  # after help
        print(end="", flush=True)
        return int(end.code or 0)
    except BrokenPipeError:
        if streams.are_guarded():
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _not_utf8(program: str, error: UnicodeEncodeError) -> int:
    """Names of files may be any bytes; those that are no UTF-8 can be kept neither by MLflow nor in a report."""
    if error.encoding != "utf-8":
        raise error
    before, after = error.object[: error.start], error.object[error.start :]
    name = re.split(NAME_ENDS, before)[-1] + re.split(NAME_ENDS, after)[0]
    warn(f"{program}: error: {name!r} is not UTF-8, as names in a store or report must be: rename it, or work elsewhere")
    return BAD_INPUT


def go_on_unheard() -> None:
    """From here on losing stdout is no failure, and is told on stderr at once: what is being trained goes on."""
    reason = "WARNING: stdout cannot be written any more ({}): training goes on, and the store keeps it all"
    streams.when_lost(lambda loss: streams.write_error(reason.format(loss.strerror)))


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


def shown(text: str, *, on_stderr: bool = False) -> str:
    """Text as it leaves us: what would act on the terminal is visible, commands can be pasted, and the stream has all its characters."""
    return streams.plain(invocation.pasteable(visible(text)), sys.stderr if on_stderr else sys.stdout)


def width() -> int | None:
    """Characters to a line on stdout: as COLUMNS says, else as wide as the terminal; None in a pipe or a file, where no line is broken."""
    given = os.environ.get("COLUMNS", "")
    if given.isascii() and given.isdigit() and int(given) > 0:
        return int(given)
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def say(line: str) -> None:
    """Print one line on stdout, at once: what follows may take minutes. On a terminal it is broken between words."""
    put(wrapped(shown(redacted(line)), width()))


def put(text: str) -> None:
    """Print what is laid out, and shown, already."""
    print(text, flush=True)


def say_command(label: str, command: str) -> None:
    """Print a command that can be pasted: where the terminal is narrow it goes on in the next line, as shells understand it."""
    begun = f"{label}: " if label else "  "
    line, room = begun + shown(redacted(command)), width()
    if room is not None and cell_len(line) > room:
        words = WORDS_OF_A_SHELL.findall(line.removeprefix(begun))
        line = "\n".join(filled(words, room, first=begun, rest="    ", ending=" \\"))
    put(line)


def say_next(command: str) -> None:
    """End a command with the most sensible next one."""
    say_command("next", command)


def warn(line: str) -> None:
    """Print one line on stderr, after whatever stands in stdout's buffer."""
    print(end="", flush=True)
    print(shown(redacted(line), on_stderr=True), file=sys.stderr, flush=True)


DIGITS = 18
"""Of a whole number that anybody means."""


def whole_number(text: str, option: str, most: int, takes: str = "a whole number ≥ 1") -> int | None:
    """An option's number, from 1 to `most`; None for no text. UsageError says what it takes."""
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > DIGITS or not 1 <= int(text) <= most:
        raise UsageError(f"{option}: expected {takes}, got {text!r}")
    return int(text)
