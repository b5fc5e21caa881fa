"""The process's two output streams: what they cannot show is spelled plainly, and losing them ends nothing. Decides no exit status."""

import codecs
import io
import os
import select
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

SPELLED_PLAINLY = "regstudy.plain"
"""Error handler of codecs, by name."""

PLAIN = {
    "−": "-", "–": "-", "—": "-", "‐": "-", "‑": "-", "×": "x", "·": ".", "∕": "/", "÷": "/", "±": "+/-", "≈": "~", "≠": "!=",
    "≥": ">=", "≤": "<=", "→": "->", "←": "<-", "…": "...", "✓": "+", "✗": "x", "“": '"', "”": '"', "„": '"', "‘": "'", "’": "'",
    "°": " deg", "²": "^2", "½": "1/2", "√": "sqrt", "Δ": "Delta", "Σ": "sum", "α": "alpha", "λ": "lambda", "σ": "sigma", "χ": "chi",
    "\N{NO-BREAK SPACE}": " ", "\N{THIN SPACE}": " ", "\N{NARROW NO-BREAK SPACE}": " ", "━": "-", "╸": "-", "╺": "-",
}  # fmt: skip
"""What stands for a character where a stream cannot show it; any other is shown as its escape, such as \\xfc for ü."""


def _spell_plainly(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    characters = error.object[error.start : error.end]
    return "".join(PLAIN.get(one) or one.encode("ascii", "backslashreplace").decode() for one in characters), error.end


codecs.register_error(SPELLED_PLAINLY, _spell_plainly)


class Outlet(io.FileIO):
    """A descriptor that takes whatever is written: what cannot be passed on is dropped, the first reason kept and told."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self.loss: OSError | None = None
        self.on_loss: Callable[[OSError], None] | None = None

    def write(self, data: "ReadableBuffer", /) -> int:
        """Write, wait where the reader is slow, and never fail."""
        try:
            return self._passed_on(data)
        except OSError as error:
            if self.loss is None:
                self.loss = error
                if self.on_loss:
                    self.on_loss(error)
            return memoryview(data).nbytes

    def _passed_on(self, data: "ReadableBuffer") -> int:
        # FileIO gives None where a descriptor that does not block would have to.
        while (written := super().write(data)) is None:
            select.select([], [self], [])
        return written


def guard() -> None:
    """Take over stdout and stderr of this process, and keep files off the descriptors of streams that are closed."""
    _occupy()
    sys.stdout, sys.stderr = _guarded(sys.stdout, 1), _guarded(sys.stderr, 2)


def spell_plainly() -> None:
    """Whatever stdout and stderr are, let them spell plainly what they cannot show."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors != SPELLED_PLAINLY:
            stream.reconfigure(errors=SPELLED_PLAINLY)


def plain(text: str, stream: TextIO) -> str:
    """The text as the stream will show it: for layouts, which count characters."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, SPELLED_PLAINLY).decode(encoding)


def loss() -> OSError | None:
    """Why stdout could not be written, if that has not been told."""
    outlet = _outlet()
    return None if outlet is None or outlet.on_loss else outlet.loss


def is_lost() -> bool:
    """Whether nobody hears what is said on stdout."""
    outlet = _outlet()
    return outlet is not None and outlet.loss is not None


def are_guarded() -> bool:
    """Whether losing stdout shows here only."""
    return _outlet() is not None


def when_lost(tell: Callable[[OSError], None]) -> None:
    """Have it told at once when stdout is lost."""
    outlet = _outlet()
    if outlet is not None:
        outlet.on_loss = tell


def write_error(line: str) -> None:
    """A line straight to stderr's descriptor: whoever else is in the midst of writing is not disturbed."""
    Outlet(2).write(f"{line}\n".encode("ascii", SPELLED_PLAINLY))


def _outlet() -> Outlet | None:
    # Rich puts a proxy before stdout while it draws bars.
    stream = getattr(sys.stdout, "rich_proxied_file", sys.stdout)
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    return raw if isinstance(raw, Outlet) else None


def _occupy() -> None:
    """Closed descriptors are the next that files get: a database must not be opened as stdout. Writing there fails as before."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDONLY)


def _guarded(stream: TextIO | None, descriptor: int) -> TextIO:
    if stream is not None and (os.name != "posix" or not isinstance(stream, io.TextIOWrapper)):
        return stream
    encoding = "utf-8" if stream is None else stream.encoding
    at_once = stream is None or stream.line_buffering or stream.write_through
    return io.TextIOWrapper(io.BufferedWriter(Outlet(descriptor)), encoding, SPELLED_PLAINLY, line_buffering=at_once)
