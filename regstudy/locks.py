"""Locks that end with their process, however it ends: how processes of one machine and user see what the others are at."""

import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


def folder(kind: str) -> Path:
    """Where locks of a kind lie, made at need; OSError where it cannot be."""
    path = Path(tempfile.gettempdir()) / f"regstudy-{_user()}" / kind
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def machine() -> str:
    """A name for all processes that see each other's locks; empty where nothing can be locked."""
    try:
        file = folder("machine") / "id"
        with FileLock(file.with_suffix(".lock")):
            if not file.exists():
                file.write_text(uuid.uuid4().hex)
            return file.read_text()
    except OSError:
        return ""


@contextmanager
def held(path: Path) -> Iterator[bool]:
    """Hold a lock while inside, and leave no file behind; False if another process has it."""
    lock = FileLock(path)
    try:
        lock.acquire(timeout=1)  # another process may be looking at the file, for an instant
    except (OSError, Timeout):
        yield False
        return
    try:
        yield True
    finally:
        path.unlink(missing_ok=True)
        lock.release()


def is_held(path: Path) -> bool:
    """Whether another process holds the lock; the file of one that ended without a word is removed."""
    if not path.exists():
        return False
    try:
        with FileLock(path, timeout=0):
            path.unlink(missing_ok=True)
    except Timeout:
        return True
    except OSError:  # another user's, or gone since
        return False
    return False


def _user() -> str:
    return str(os.getuid()) if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
