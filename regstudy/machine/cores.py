"""How many processor cores a run may use: all that this process may run on, shared out among the runs at work on this machine."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from regstudy.errors import UsageError
from regstudy.machine import locks


def usable() -> int:
    """Cores that this process may use: by its affinity, by the quota of its container (rounded up), by LOKY_MAX_CPU_COUNT; UsageError if that is no number."""
    from joblib import cpu_count  # pyright: ignore[reportMissingTypeStubs]  # it has none; here: it costs 0.2 s

    try:
        return int(cpu_count())
    except ValueError:
        given = os.environ.get("LOKY_MAX_CPU_COUNT", "")
        raise UsageError(f"LOKY_MAX_CPU_COUNT: expected a whole number of cores, got {given!r}: change or unset it") from None


@contextmanager
def at_work(folder: Path | None = None) -> Iterator[Callable[[], int]]:
    """Be counted as a run while inside; gives what says this run's share of the cores, at least one.

    Enter before anything slow and ask after it, so that runs started together see each other. Where nothing can be locked, the share is
    all cores.
    """
    try:
        folder = folder or locks.folder("cores")
    except OSError:
        yield usable
        return
    own = folder / f"{os.getpid()}.lock"
    with locks.held(own) as counted:
        yield (lambda: max(1, usable() // (1 + _others(folder, own)))) if counted else usable


def _others(folder: Path, own: Path) -> int:
    return sum(locks.is_held(path) for path in folder.glob("*.lock") if path != own)
