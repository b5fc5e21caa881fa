"""Where trials run: in this process, in processes of this machine, or on a Ray cluster. Knows nothing of what a trial is or needs.

Each place takes a trial and gives a future of how it ended. A crash of the process at work ends that future alone, with an exception.
"""

import io
import logging
import multiprocessing
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from regstudy.console import hooks, signals, terminal
from regstudy.console.terminal import Interrupted
from regstudy.errors import DamagedCheckpoint, LostRun, RegstudyError, UsageError
from regstudy.run.task import Assignment

RAY_SECONDS = 5.0
"""How long a cluster has for taking a call."""

STOP_SECONDS = 4.0
"""How long a cluster's trials have for ending their runs when the study is stopped."""


@dataclass(frozen=True)
class End:
    """How a trial ended: with a run; without (it is done, or another study is at it); or with an error, which a retry may mend."""

    run_id: str | None
    error: str = ""
    mendable: bool = True


Train = Callable[[Assignment], str | None]
"""Trains a trial; its run's ID, or None if nothing was left to do. A function that processes can import."""


@dataclass(frozen=True)
class Place:
    """Takes trials; `width` of them at a time, None: as many as one likes."""

    submit: Callable[[Assignment], "Future[End]"]
    width: int | None


@contextmanager
def here(train: Train) -> Iterator[Place]:
    """Trials run in this process, one after another."""

    def submit(given: Assignment) -> "Future[End]":
        future: Future[End] = Future()
        future.set_result(_attempt(train, given))
        return future

    yield Place(submit, 1)


@contextmanager
def processes(train: Train, jobs: int) -> Iterator[Place]:
    """Trials run in so many processes of this machine; one that crashes is replaced."""
    from regstudy.machine.workers import Crew

    crew = Crew(_obey_parent)
    try:
        yield Place(lambda given: crew.submit(_attempt_quietly, [train, given]), jobs)
    except BaseException:
        crew.stop()
        raise
    crew.close()


@contextmanager
def ray_tasks(train: Train, address: str | None, threads: int, gpus: float, at_a_time: int | None) -> Iterator[Place]:
    """Trials run as tasks of a Ray cluster, or of a Ray that is started here meanwhile; each has its cores and GPUs. UsageError if no Ray is there."""
    ray = _ray(address)
    logging.getLogger("ray").setLevel(logging.ERROR)
    on_terminate = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(
            address,
            runtime_env=_runtime_environment(),
            log_to_driver=False,
            logging_level=logging.ERROR,
            include_dashboard=None if address else False,
        )
    except (ConnectionError, ValueError, RuntimeError) as error:
        reason = next(iter(str(error).splitlines()), "")
        named = f"--address {address}" if address else "--executor ray"
        raise UsageError(
            f"{named}: no Ray can be used ({reason}): start it, or leave {named.split(maxsplit=1)[0]} out; RAY_ADDRESS names one too"
        ) from None
    signal.signal(signal.SIGTERM, on_terminate)  # Ray's own would end this process at once
    # Retries are counted by the study, for crashes and errors alike.
    task = ray.remote(num_cpus=threads, num_gpus=gpus, max_retries=0)(_attempt_quietly)
    sent: list[Any] = []

    def submit(given: Assignment) -> "Future[End]":
        sent.append(task.remote(train, given))
        return sent[-1].future()

    try:
        yield Place(submit, at_a_time)
    except BaseException:
        for reference in sent:
            ray.cancel(reference, force=False)
        ray.wait(sent, num_returns=len(sent), timeout=STOP_SECONDS)
        raise
    finally:
        ray.shutdown()


def require_answer(address: str | None) -> None:
    """UsageError where nothing listens at host:port: Ray itself would try for minutes, and say so in its own log only."""
    host, colon, port = (address or "").removeprefix("ray://").rpartition(":")
    if not colon or not port.isdigit():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=RAY_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise UsageError(f"--address {address}: nothing answers there ({error}): start Ray, or leave --address out") from None


def _ray(address: str | None) -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if address is None or address.startswith(("127.0.0.1:", "localhost:")):
        # The name says little; it makes Ray stay on the loopback interface, on every system.
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    try:
        import ray
    except ImportError:
        raise UsageError(
            "--executor ray: Ray is not installed; pip install -r requirements-ray.txt, or choose another executor"
        ) from None
    return ray


def _runtime_environment() -> dict[str, Any]:
    """What workers need: this package, and the variables that it or MLflow reads."""
    prefixes = ("MLFLOW_", "REGSTUDY_")
    variables = {name: value for name, value in os.environ.items() if name.startswith(prefixes)}
    # Where the user's own code may be; on other machines only if they share the folder.
    variables["PYTHONPATH"] = os.pathsep.join(filter(None, [str(Path.cwd()), os.environ.get("PYTHONPATH", "")]))
    return {"py_modules": [str(Path(__file__).parent.parent)], "env_vars": variables}


def _attempt(train: Train, given: Assignment) -> End:
    try:
        return End(train(given))
    except LostRun:
        return End(None)  # another process is at it
    except RegstudyError as error:
        # The next attempt sets it aside.
        return End(None, str(error), mendable=isinstance(error, DamagedCheckpoint))
    except Exception as error:  # noqa: BLE001  # whatever it is belongs to this trial, and is told
        return End(None, f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}")


_training = threading.Event()


def _attempt_quietly(train: Train, given: Assignment) -> End:
    """In a process of its own, whose prints nobody reads; ends it when it is told to stop."""
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        _training.set()
        try:
            return _attempt(train, given)
        except Interrupted as stop:
            os._exit(stop.exit_status)
        finally:
            _training.clear()


def _obey_parent() -> None:
    """End the run and this process on SIGTERM, and when the parent has died without a word."""
    hooks.keep_secrets()
    terminal.collect_rarely()

    interrupt = signals.Stop(lambda _: None)  # the run is being ended; a second signal must not cut that short

    def stop(signal_number: int, frame: FrameType | None) -> None:
        if not _training.is_set():
            os._exit(128 + signal_number)
        interrupt(signal_number, frame)

    def watch() -> None:
        parent = multiprocessing.parent_process()
        if parent is not None:
            parent.join()
            os.kill(os.getpid(), signal.SIGTERM)

    signal.signal(signal.SIGTERM, stop)
    threading.Thread(target=watch, daemon=True).start()
