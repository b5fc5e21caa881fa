"""Commands whose imports are done before they begin: forked from a process that has imported everything and computed nothing.

A process that imports torch and MLflow takes seconds of a core before it does anything. Where that start is not what is tested, a command is
forked instead; all else is as if a shell had started it. Tests of the true start use `subprocess.Popen`, and this is asked as that is.
"""

import atexit
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from functools import cache
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent


@cache
def context() -> ForkServerContext:
    """Its processes are forked from `preloaded`. The first start takes as long as a shell's."""
    made = multiprocessing.get_context("forkserver")
    made.set_forkserver_preload(["preloaded", "forked", "at_once"])
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PYTHONPATH", f"{HERE}:{ROOT}")
        forkserver.ensure_running()
    return made


class Forked:
    """A command at work, and what it has said so far, each line with its time."""

    def __init__(self, process: ForkServerProcess, words: Connection) -> None:
        self.process, self.begun = process, time.monotonic()
        self.lines: list[tuple[float, str]] = []
        self.reader = threading.Thread(target=self._listen, args=[words], daemon=True)
        self.reader.start()

    def _listen(self, words: Connection) -> None:
        with open(words.fileno(), encoding="utf-8", errors="replace", closefd=False) as text:
            self.lines.extend((time.monotonic(), line) for line in text)
        words.close()

    @property
    def pid(self) -> int:
        assert self.process.pid
        return self.process.pid

    @property
    def returncode(self) -> int | None:
        return self.process.exitcode

    @property
    def text(self) -> str:
        return "".join(line for _, line in self.lines)

    def poll(self) -> int | None:
        return self.process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self.process.join(timeout)
        if self.process.exitcode is None:
            raise subprocess.TimeoutExpired(self.process.name, timeout or 0.0)
        return self.process.exitcode

    def communicate(self, timeout: float | None = None) -> tuple[str, None]:
        """All that it said, once nobody can say more."""
        self.reader.join(timeout)
        if self.reader.is_alive():
            raise subprocess.TimeoutExpired(self.process.name, timeout or 0.0)
        self.wait(timeout)
        return self.text, None

    def until(self, words: str, seconds: float) -> str:
        """The first line with these words, waited for."""
        deadline = time.monotonic() + seconds
        while not (found := [line for _, line in self.lines if words in line]):
            assert time.monotonic() < deadline, self.text
            assert self.reader.is_alive(), self.text
            time.sleep(0.02)
        return found[0]

    def kill(self) -> None:
        self.process.kill()

    def terminate(self) -> None:
        self.process.terminate()


def start(module: str, *arguments: str, folder: Path | str = ".", measured: bool = True, **variables: str) -> Forked:
    """`python -m module` in a folder, in a session of its own. Not `measured`: it takes an epoch to last a second."""
    ours, theirs = multiprocessing.Pipe(duplex=False)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    process = context().Process(
        target=call, args=[theirs, str(Path(folder).absolute()), environment, measured, module, arguments]
    )
    process.start()
    theirs.close()
    atexit.register(_end, process)
    return Forked(process, ours)


def _end(process: ForkServerProcess) -> None:
    """Python waits for its children; what a test that failed has left would go on, or sleep for ever."""
    if process.exitcode is None and process.pid:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def call(
    words: Connection, folder: str, environment: dict[str, str], measured: bool, module: str, arguments: tuple[str, ...]
) -> None:
    """In the forked process."""
    os.setsid()
    for stream in (1, 2):
        os.dup2(words.fileno(), stream)
    words.close()
    # The server's streams may be files, which can be sought in.
    sys.stdout, sys.stderr = (open(stream, "w", buffering=1, closefd=False) for stream in (1, 2))  # noqa: SIM115
    os.environ.clear()
    os.environ |= environment
    os.chdir(folder)
    tempfile.tempdir = None
    if not measured:
        from regstudy.study import speed

        speed.epoch_seconds = lambda *_: 1.0  # measuring takes seconds, at each start, and is another test's affair
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
