"""What others print in our processes, by Python's own hooks: tracebacks, log messages and warnings pass the redactor too. Swallows nothing."""

import logging
import sys
import threading
import traceback
import warnings
from typing import Any

from regstudy.console.redaction import redacted


def keep_secrets() -> None:
    """From now on, in this process."""
    sys.excepthook = _say
    sys.unraisablehook = _ignored
    threading.excepthook = lambda failed: _say(failed.exc_type, failed.exc_value, failed.exc_traceback)
    logging.setLogRecordFactory(_Record)
    warnings.formatwarning = _warning


def _say(kind: Any, error: Any, trace: Any) -> None:
    sys.stderr.write(_lines(traceback.format_exception(kind, error, trace)) + "\n")


def _ignored(failed: Any) -> None:
    sys.stderr.write(redacted(f"{failed.err_msg or 'Exception ignored in'}: {failed.object!r}") + "\n")
    _say(failed.exc_type, failed.exc_value, failed.exc_traceback)


def _lines(parts: list[str]) -> str:
    """Line by line: what stands around an address in a traceback does not belong to it."""
    return "\n".join(map(redacted, "".join(parts).splitlines()))


class _Record(logging.LogRecord):
    """A log message, and the traceback that comes with it."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        try:
            self.msg = _lines([self.getMessage()])
        except (TypeError, ValueError, KeyError):  # arguments that do not fit: whoever logged them is told by logging
            return
        self.args = None
        if self.exc_info and self.exc_info[0]:
            self.exc_text = _lines(traceback.format_exception(*self.exc_info))


_as_python_does = warnings.formatwarning


def _warning(message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None) -> str:
    return redacted(_as_python_does(message, category, filename, lineno, line))
