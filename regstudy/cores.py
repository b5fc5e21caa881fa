"""How many processor cores a run may use: all that this process may run on, shared out among the runs at work on this machine."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


def usable() -> int:
    """Cores that the operating system lets this process run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def at_work(folder: Path | None = None) -> Iterator[Callable[[], int]]:
    """Be counted as a run while inside; gives what says this run's share of the cores, at least one.

    Each run holds a lock on a file of its own, which the operating system releases however the process ends. Enter before anything slow
    and ask after it, so that runs started together see each other. Where the folder cannot be written, the share is all cores.
    """
    folder = folder or Path(tempfile.gettempdir()) / f"regstudy-{_user()}"
    own = folder / f"{os.getpid()}.lock"
    lock = FileLock(own)
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        lock.acquire(timeout=1)  # another run may be looking at the file, for an instant
    except (OSError, Timeout):
        yield usable
        return
    try:
        yield lambda: max(1, usable() // (1 + _others(folder, own)))
    finally:
        lock.release()
        own.unlink(missing_ok=True)


def _user() -> str:
    return str(os.getuid()) if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")


def _others(folder: Path, own: Path) -> int:
    """Runs that hold their locks; the files of runs that ended without a word are removed."""
    return sum(_is_held(path) for path in folder.glob("*.lock") if path != own)


def _is_held(path: Path) -> bool:
    try:
        with FileLock(path, timeout=0):
            path.unlink(missing_ok=True)
    except Timeout:
        return True
    except OSError:  # another user's, or gone since
        return False
    return False
