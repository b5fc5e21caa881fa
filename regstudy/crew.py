"""Processes of this machine that work side by side and are replaced when they die. Knows nothing of what the work is.

Each has a pebble pool of its own: pebble gives up a pool, and all that waits in it, once a process dies before its first piece of work.
"""

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from threading import Lock
from typing import Any

from pebble import ProcessPool

STARTS = 4
"""How often a process is started for a piece of work that none has begun yet."""


class Crew:
    """As many processes as pieces of work are handed in at a time."""

    def __init__(self, initializer: Callable[[], None]) -> None:
        self._initializer = initializer
        self._lock, self._over = Lock(), False
        self._idle: list[ProcessPool] = []
        self._all: list[ProcessPool] = []

    def submit(self, work: Callable[..., Any], given: Sequence[Any]) -> "Future[Any]":
        """What the work gives, or the exception of a process that died at it."""
        result: Future[Any] = Future()
        self._hand_out(work, given, result, STARTS)
        return result

    def close(self) -> None:
        """Let the processes end, which have nothing left to do."""
        self._over = True
        for pool in self._all:
            pool.close()
        for pool in self._all:
            pool.join()

    def stop(self) -> None:
        """End all processes, whatever they are at."""
        self._over = True
        for child in multiprocessing.active_children():
            child.terminate()  # all at once: a pool would wait for its own
        for pool in self._all:
            pool.stop()
        for pool in self._all:
            pool.join()

    def _hand_out(self, work: Callable[..., Any], given: Sequence[Any], result: "Future[Any]", starts: int) -> None:
        pool = self._free()
        pool.schedule(work, args=given).add_done_callback(lambda done: self._take_back(pool, done, work, given, result, starts))

    def _take_back(
        self,
        pool: ProcessPool,
        done: "Future[Any]",
        work: Callable[..., Any],
        given: Sequence[Any],
        result: "Future[Any]",
        starts: int,
    ) -> None:
        error = None if done.cancelled() else done.exception()
        if isinstance(error, BrokenProcessPool) and starts > 1 and not self._over:
            self._hand_out(work, given, result, starts - 1)
            return
        with self._lock:
            self._idle.append(pool)
        if done.cancelled():
            result.cancel()
        elif error is not None:
            result.set_exception(error)
        else:
            result.set_result(done.result())

    def _free(self) -> ProcessPool:
        """A pool that is at nothing and whole, or a new one."""
        with self._lock:
            while self._idle:
                pool = self._idle.pop()
                if pool.active:
                    return pool
            # Not forked: neither torch's threads nor MLflow's connections survive that.
            context: Any = multiprocessing.get_context("spawn")
            self._all.append(ProcessPool(1, initializer=self._initializer, context=context))
            return self._all[-1]
