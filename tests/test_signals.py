"""A signal ends what is under way, wherever it falls."""

import os
import signal
import sys
import time
from collections.abc import Iterator

import pytest

from regstudy.console import signals
from regstudy.console.terminal import Interrupted


@pytest.fixture
def afterwards(monkeypatch) -> Iterator[list[int]]:
    """What was done at the signals that came after the first."""
    done: list[int] = []
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.getsignal(number) for number in numbers}
    signals.interrupt_on(numbers, done.append)
    yield done
    for number, handler in before.items():
        signal.signal(number, handler)


class Noisy:
    """Is told to end while it is finalized, where Python swallows what is raised."""

    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        for _ in range(1000):
            pass


def test_a_signal_that_falls_into_a_finalizer_is_heard(afterwards):
    noisy = [Noisy()]
    noisy.clear()
    with pytest.raises(Interrupted) as caught:
        time.sleep(10)
    assert caught.value.exit_status == 143
    assert not afterwards


def test_another_signal_asks_for_what_is_being_done(afterwards):
    """As mlflow run does at Ctrl+C."""

    def stopped() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(10)

    with pytest.raises(Interrupted) as caught:
        stopped()
    os.kill(os.getpid(), signal.SIGTERM)
    assert not afterwards
    assert caught.value.exit_status == 130


def test_the_first_signal_is_raised_and_the_same_again_is_handed_on(afterwards):
    def told_to_end() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)

    with pytest.raises(Interrupted):
        told_to_end()
    os.kill(os.getpid(), signal.SIGTERM)
    assert afterwards == [signal.SIGTERM]


def test_what_else_is_swallowed_is_shown_as_before(afterwards, monkeypatch):
    shown = []
    monkeypatch.setattr(sys.unraisablehook.__self__, "others", shown.append)

    class Failing:
        def __del__(self) -> None:
            raise ValueError("its own")

    Failing()
    assert [str(what.exc_value) for what in shown] == ["its own"]
