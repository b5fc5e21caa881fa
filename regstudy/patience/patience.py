"""Patience with a store that is away: a call waits for it, for a bounded time, and one line says so when it goes, another when it is back.

Refuses to wait for what waiting does not mend (a wrong password, an unknown database). A call that was cut off is repeated only once it has
ended. Calls of daemon threads, heartbeats and displays, are made once: whoever makes them asks again anyway.
"""

import contextvars
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import mlflow
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    stop_after_delay,
    wait_random,
    wait_random_exponential,
)

from regstudy.console.terminal import in_words, warn
from regstudy.errors import TrackingError
from regstudy.patience import faults

VARIABLE = "REGSTUDY_PATIENCE"
"""Names the seconds after which a store that is away is given up."""

MOST_SECONDS = 900.0
LONGEST_SECONDS = 604_800.0
TOLD_SECONDS = 10.0
"""A call that has taken so long is told of."""

LEAST_SECONDS = 1.0
"""Any call may take so long, however impatient one is."""

LONGEST_PAUSE = 5.0

COLLISIONS = 10
"""So often is a call made that finds each time that another has just written the same; with several machines once is likely, twice is not."""

Answer = TypeVar("Answer")


def seconds() -> float:
    """How long a store may be away before it is given up."""
    text = os.environ.get(VARIABLE) or str(MOST_SECONDS)
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= LONGEST_SECONDS:
        raise TrackingError(f"{VARIABLE}: expected a number of seconds from 0 to {LONGEST_SECONDS:.0f}, got {text!r}")
    return number


class Outage:
    """Whether the store is away, as this process knows it; each change is said once, whichever thread notices it first."""

    def __init__(self) -> None:
        self._lock, self._told = threading.Lock(), False
        self.work, self.remedy = "", "try again once it answers"

    def begin(self, reason: str) -> None:
        """The store does not answer; nothing is said a second time."""
        with self._lock:
            told, self._told = self._told, True
        if not told:
            warn(
                f"the tracking store {mlflow.get_tracking_uri()} does not answer ({reason}): waiting for it, up to {in_words(seconds())} "
                f"({VARIABLE}){self.work}"
            )

    def end(self) -> None:
        """It answers."""
        with self._lock:
            told, self._told = self._told, False
        if told:
            warn("the tracking store answers again")

    def given_up(self, reason: str) -> TrackingError:
        """What is said when the time is over."""
        with self._lock:
            self._told = False
        waited = in_words(seconds())
        return TrackingError(
            f"the tracking store {mlflow.get_tracking_uri()} has not answered for {waited} ({reason}): {self.remedy}"
        )

    def refused(self, reason: str) -> TrackingError:
        """What is said of a store that waiting does not mend."""
        return TrackingError(f"the tracking store {mlflow.get_tracking_uri()} refuses ({reason}): mend that; {self.remedy}")


outage = Outage()


@contextmanager
def working(work: str, remedy: str) -> Iterator[None]:
    """While inside, the lines say what waits, and how to go on after the store was given up."""
    before = outage.work, outage.remedy
    outage.work, outage.remedy = f"; {work}", remedy
    try:
        yield
    finally:
        outage.work, outage.remedy = before


def ask(call: Callable[[], Answer], arrived: Callable[[], Answer | None] = lambda: None, slow: str = "") -> Answer:
    """The store's answer, however long that takes within bounds; TrackingError once they are reached, or at once where it refuses.

    `arrived` gives what an earlier attempt has left in the store, for calls that must not be made twice; it is asked before each repetition.
    `slow` is said of a call that may take long though the store answers.
    """
    if threading.current_thread().daemon:
        return call()
    begun = time.monotonic()
    tries = Retrying(
        retry=retry_if_exception(faults.is_passing),
        wait=wait_random_exponential(multiplier=0.2, max=LONGEST_PAUSE),
        stop=stop_after_delay(seconds()),
        before_sleep=_tell,
        reraise=True,
    )
    collisions = Retrying(
        retry=retry_if_exception(faults.is_collision),
        wait=wait_random(0, 0.1),
        stop=stop_after_attempt(COLLISIONS),
        reraise=True,
    )
    repeated = False

    def attempt() -> Answer:
        nonlocal repeated
        before = _answered(arrived, begun, slow) if repeated else None
        repeated = True
        return collisions(_answered, call, begun, slow) if before is None else before

    try:
        answer = tries(attempt)
    except Exception as error:
        if faults.is_refusal(error):
            raise outage.refused(faults.reason(error)) from error
        if not faults.is_passing(error):
            raise
        raise outage.given_up(faults.reason(error)) from error
    outage.end()
    return answer


def once(call: Callable[[], Answer]) -> Answer:
    """The answer to a call that is not repeated, since its caller has another way; told of if it takes long."""
    if threading.current_thread().daemon:
        return call()
    answer = _answered(call, time.monotonic(), "")
    outage.end()
    return answer


def _answered(call: Callable[[], Answer], begun: float, slow: str) -> Answer:
    """The call's answer, from a thread of its own: neither a driver that waits in its own code nor a hanging server keeps a signal from us."""
    done, result = threading.Event(), _Result()
    context = contextvars.copy_context()

    def run() -> None:
        try:
            result.value = context.run(call)
        except BaseException as error:  # noqa: BLE001  # raised again where it is waited for
            result.error = error
        finally:
            done.set()

    threading.Thread(target=run, daemon=True, name="store").start()
    if not done.wait(min(TOLD_SECONDS, _left(begun))):
        if slow:
            warn(slow)
        else:
            outage.begin(f"no answer for {in_words(time.monotonic() - begun)}")
        if not done.wait(_left(begun)):
            raise outage.given_up("no answer")
    if result.error is not None:
        raise result.error
    return result.value


class _Result:
    value: Any = None
    error: BaseException | None = None


def _left(begun: float) -> float:
    return max(LEAST_SECONDS, seconds() - (time.monotonic() - begun))


def _tell(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    if error is not None:
        outage.begin(faults.reason(error))
