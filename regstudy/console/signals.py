"""Signals that end a process, as an exception in the main thread: a run is ended on the way out.

Python swallows what is raised while an object is finalized, wherever that happens. A signal that falls there is sent once more.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any

from regstudy.console.terminal import Interrupted

AGAIN_SECONDS = 0.05
"""A finalizer has ended by then."""


def interrupt_on(numbers: Iterable[int], afterwards: Callable[[int], None]) -> None:
    """Raise Interrupted at the first of these signals; do `afterwards`, given its number, when the same comes again.

    Another of them asks for what is being done: `mlflow run` sends SIGTERM 0.25 s after the SIGINT of a Ctrl+C, which both have had.
    """
    stop = Stop(afterwards)
    for number in numbers:
        signal.signal(number, stop)


class Stop:
    """A handler for signals."""

    def __init__(self, afterwards: Callable[[int], None]) -> None:
        self._afterwards, self._raised = afterwards, 0
        before = sys.unraisablehook
        earlier = getattr(before, "__self__", None)
        self.others = earlier.others if isinstance(earlier, Stop) else before
        sys.unraisablehook = self._swallowed

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        """The signal has come."""
        if self._raised:
            if number == self._raised:
                self._afterwards(number)
            return
        self._raised = number
        raise Interrupted(number)

    def _swallowed(self, what: Any) -> None:
        if not isinstance(what.exc_value, Interrupted):
            self.others(what)
            return
        self._raised = 0
        again = threading.Timer(AGAIN_SECONDS, os.kill, [os.getpid(), what.exc_value.number])
        again.daemon = True
        again.start()
