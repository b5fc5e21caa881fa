"""Locks that end with their process, however it ends: how processes of one machine and user see what the others are at.

They lie in a folder that is the user's alone, the same for all his processes. Nobody waits for a lock without a word, or for ever.
"""

import atexit
import os
import platform
import re
import shutil
import stat
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from filelock import FileLock, Timeout

from regstudy.console.terminal import warn
from regstudy.machine import private_folder

TOLD_SECONDS = 3.0
"""After so long a process says what it waits for."""

MOST_SECONDS = 60.0
"""After so long it waits no more."""


def folder(kind: str) -> Path:
    """Where locks of a kind lie, made at need; OSError where it cannot be."""
    return private_folder.make(place() / kind)


def machine() -> str:
    """A name for all processes that see each other's locks; empty where nothing can be locked."""
    try:
        file = folder("machine") / "id"
        if not _holds_id(file):
            with waited_for(file.with_suffix(".lock"), "another process that names this machine"):
                if not _holds_id(file):
                    file.write_text(uuid.uuid4().hex)
        return file.read_text()
    except OSError:
        return ""


@contextmanager
def waited_for(path: Path, holder: str) -> Iterator[None]:
    """Hold a lock while inside; says after some seconds whom it waits for. TimeoutError if that takes too long."""
    lock = FileLock(path)
    try:
        lock.acquire(timeout=TOLD_SECONDS)
    except Timeout:
        warn(f"waiting for {holder}")
        _acquire(lock, holder)
    try:
        yield
    finally:
        lock.release()


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
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return False  # a link: no lock of ours
        with FileLock(path, timeout=0):
            path.unlink(missing_ok=True)
    except Timeout:
        return True
    except OSError:  # another user's, or gone since
        return False
    return False


def _acquire(lock: FileLock, holder: str) -> None:
    try:
        lock.acquire(timeout=MOST_SECONDS)
    except Timeout:
        raise TimeoutError(
            f"{holder} has held {lock.lock_file} for more than {MOST_SECONDS:.0f} s: end it if it hangs, and try again"
        ) from None


def _holds_id(file: Path) -> bool:
    return file.is_file() and len(file.read_text()) == len(uuid.uuid4().hex)


@cache
def place() -> Path:
    """REGSTUDY_LOCKS, else the user's cache; the temporary folder where that cannot be used."""
    first, temporary = _wanted(), Path(tempfile.gettempdir()) / f"regstudy-{_user()}"
    try:
        return _with_locks(first)
    except OSError as error:
        refused = f"no locks can be kept in {first} ({error.strerror or error})"
    try:
        place = _with_locks(temporary)
        warn(f"{refused}: they are kept in {place}")
    except OSError as error:
        place = _of_this_process()
        warn(
            f"{refused}, nor in {temporary} ({error.strerror or error}): runs of other processes here count as another machine's"
        )
    return place


def _wanted() -> Path:
    """A folder per machine, since homes are shared."""
    chosen = os.environ.get("REGSTUDY_LOCKS")
    machine_name = re.sub(r"[^A-Za-z0-9.-]", "_", platform.node())
    return Path(chosen).absolute() if chosen else private_folder.cache() / "locks" / f"on-{machine_name}"


def _with_locks(path: Path) -> Path:
    """The folder, once a lock was held there: some file systems have none."""
    probe = private_folder.make(path) / f"probe-{uuid.uuid4().hex}.lock"
    with FileLock(probe, timeout=0):
        probe.unlink(missing_ok=True)
    return path


def _of_this_process() -> Path:
    path = Path(tempfile.mkdtemp(prefix="regstudy-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def _user() -> str:
    return str(os.geteuid()) if hasattr(os, "geteuid") else os.environ.get("USERNAME", "user")
