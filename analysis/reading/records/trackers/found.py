"""What was found in a tracker's files."""

import importlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from regstudy.console.text import visible
from regstudy.errors import SnapshotError

from ..snapshot import Record

Point = tuple[str, str, int, float]
"""run_id, metric, step, value."""

LARGEST_STEP = 2**63 - 1


@dataclass(frozen=True)
class Found:
    """Runs, oldest first, without their metrics; the points of these; and what is to be said of damaged files."""

    records: Sequence[Record]
    points: Sequence[Point]
    notices: tuple[str, ...] = ()


def package(name: str, path: Path) -> ModuleType:
    """A module of a tracker's package; SnapshotError says how to get it."""
    top = name.partition(".")[0]
    try:
        importlib.import_module(top)  # first: what is missing is the package, not a part of it
        return importlib.import_module(name)
    except ImportError as error:
        why = "which is not installed" if error.name == top else f"which cannot be imported ({visible(str(error))})"
        raise SnapshotError(
            f"{str(path)!r} needs the Python package {top} to be read, {why}: pip install {top}, or regstudy[trackers]"
        ) from None


def cut(path: Path, read: int, size: int) -> str:
    """What is said of a file whose end, or what follows a damaged place, was not read."""
    return f"{visible(str(path))} is damaged or was cut off after {read:,} of {size:,} bytes: what is before was read"


def content(path: Path) -> bytes:
    """A whole file; SnapshotError where the system does not give it."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from None


def size(path: Path) -> int:
    """A file's bytes; SnapshotError where the system does not let it be opened."""
    try:
        with path.open("rb") as file:
            return file.seek(0, os.SEEK_END)
    except OSError as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: OSError) -> SnapshotError:
    return SnapshotError(f"{str(path)!r} cannot be read: {visible(error.strerror or str(error))}")


def text(value: object) -> str:
    """A parameter's value as MLflow would log it: whole numbers without a point, lists as JSON."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return value if isinstance(value, str) else json.dumps(value) if isinstance(value, (list, dict)) else str(value)
