"""Processes of this machine that work side by side and are replaced when they die. Knows nothing of what the work is.

Each has a pebble pool of its own: pebble gives up a pool, and all that waits in it, once a process dies before its first piece of work.
"""

import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.context import SpawnContext, SpawnProcess
from threading import Lock
from types import ModuleType
from typing import Any
from weakref import WeakSet

from pebble import ProcessPool

STARTS = 4
"""How often a process is started for a piece of work that none has begun yet."""

STOP_SECONDS = 8.0
"""How long processes have for ending what they are at, of the 10 s that service managers give; a pool would give 3."""


class _Spawned(SpawnProcess):
    def start(self) -> None:
        """A new process imports the program that starts it, unless there is none to see: a script that is not guarded against that would run again."""
        with _starting:
            _started.add(self)
            program = sys.modules["__main__"]
            sys.modules["__main__"] = ModuleType("__main__")
            try:
                super().start()
            finally:
                sys.modules["__main__"] = program


_starting = Lock()
_started: "WeakSet[_Spawned]" = WeakSet()
"""Those of all crews: a program may have children of its own, which are nobody's here to end."""


class _WithoutMain(SpawnContext):
    Process = _Spawned


@dataclass(frozen=True)
class _Work:
    """What is to be done, and where whoever gave it waits for the result."""

    function: Callable[..., Any]
    arguments: Sequence[Any]
    result: "Future[Any]"


class Crew:
    """As many processes as pieces of work are handed in at a time."""

    def __init__(self, initializer: Callable[[], None]) -> None:
        self._initializer = initializer
        self._lock, self._over = Lock(), False
        self._idle: list[ProcessPool] = []
        self._all: list[ProcessPool] = []

    def submit(self, function: Callable[..., Any], arguments: Sequence[Any]) -> "Future[Any]":
        """What the function gives, or the exception of a process that died at it."""
        work = _Work(function, arguments, Future())
        self._hand_out(work, STARTS)
        return work.result

    def close(self) -> None:
        """End the processes, which have nothing left to do."""
        self._over = True
        for pool in self._all:
            pool.stop()
        for pool in self._all:
            pool.join()

    def stop(self) -> None:
        """Tell all processes to end, and end those that do not."""
        self._over = True
        with _starting:
            started = list(_started)
        children, deadline = [child for child in started if child.is_alive()], time.monotonic() + STOP_SECONDS
        for child in children:
            child.terminate()  # all at once: a pool would wait for its own
        for child in children:
            child.join(max(0.0, deadline - time.monotonic()))
        self.close()

    def _hand_out(self, work: _Work, starts: int) -> None:
        pool = self._free()
        try:
            done = pool.schedule(work.function, args=work.arguments)
        except RuntimeError as error:  # its process has died this moment
            self._fail_or_repeat(work, starts, error)
            return
        done.add_done_callback(lambda done: self._take_back(pool, done, work, starts))

    def _take_back(self, pool: ProcessPool, done: "Future[Any]", work: _Work, starts: int) -> None:
        if done.cancelled():
            work.result.cancel()
            return
        error = done.exception()
        if isinstance(error, BrokenProcessPool):
            self._fail_or_repeat(work, starts, error)
            return
        with self._lock:
            self._idle.append(pool)
        if error is not None:
            work.result.set_exception(error)
        else:
            work.result.set_result(done.result())

    def _fail_or_repeat(self, work: _Work, starts: int, error: BaseException) -> None:
        """Nobody has begun the work: it is no failure of its own, unless that goes on."""
        if starts > 1 and not self._over:
            self._hand_out(work, starts - 1)
        else:
            work.result.set_exception(error)

    def _free(self) -> ProcessPool:
        """A pool that is at nothing and whole, or a new one."""
        with self._lock:
            while self._idle:
                pool = self._idle.pop()
                if pool.active:
                    return pool
            # Not forked: neither torch's threads nor MLflow's connections survive that.
            context: Any = _WithoutMain()
            self._all.append(ProcessPool(1, initializer=self._initializer, context=context))
            return self._all[-1]
