"""A folder that nobody else can have prepared, and nobody else can change: made 0700, owners checked, foreign links not followed.

An OSError names the place and what is wrong with it. Deletes nothing, and changes nobody else's permissions.
"""

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import platformdirs

OWNERS_ARE_KNOWN = hasattr(os, "geteuid")
"""Elsewhere than on Unix a user's cache is the system's to protect."""


def cache() -> Path:
    """The user's cache by the system's list of users: the same in a session, under cron, `sudo` and `env -i`, whatever their variables say."""
    try:
        import pwd

        return Path(pwd.getpwuid(os.geteuid()).pw_dir) / ".cache" / "regstudy"
    except (ImportError, KeyError):  # no such list, or a user who is not in it
        return platformdirs.user_cache_path("regstudy")  # ~/… where there is no home at all: nothing to write into


def make(path: Path) -> Path:
    """The folder, made at need and closed to everybody else."""
    if not path.is_absolute():
        raise FileNotFoundError(errno.ENOENT, "this user has no home folder", str(path))
    require(path)
    for folder in reversed([path, *path.parents]):
        if not folder.exists():
            folder.mkdir(mode=0o700, exist_ok=True)
    require(path)  # it may have been made by somebody else meanwhile
    if OWNERS_ARE_KNOWN and stat.S_IMODE(path.lstat().st_mode) & 0o077:
        path.chmod(0o700)
    return path


def require(path: Path) -> None:
    """OSError unless the folder, as far as it is there, is a real one and this user's, and nobody else can put another in its place."""
    for place, state in _there(path):
        _refuse_others(place, state)
    for _, state in _there(path, above=False):
        if not stat.S_ISDIR(state.st_mode):
            raise NotADirectoryError(errno.ENOTDIR, "a link or a file, no folder", str(path))
        if OWNERS_ARE_KNOWN and state.st_uid != os.geteuid():
            raise PermissionError(errno.EPERM, "it belongs to another user", str(path))


def require_shared(path: Path) -> None:
    """OSError if a folder that was chosen, perhaps for several users, can be written by everybody, or is one's whom no group connects."""
    for _, state in _there(path.resolve(), above=False):
        mode, groups = state.st_mode, {os.getegid(), *os.getgroups()} if OWNERS_ARE_KNOWN else set[int]()
        if OWNERS_ARE_KNOWN and mode & stat.S_IWOTH:
            raise PermissionError(errno.EPERM, "everybody can write there", str(path))
        if _is_others(state) and not (mode & stat.S_IWGRP and state.st_gid in groups):
            raise PermissionError(errno.EPERM, "it belongs to another user", str(path))


def _there(path: Path, *, above: bool = True) -> Iterator[tuple[Path, os.stat_result]]:
    """What is there of a path, from its end: as it is spelt, and where its links lead."""
    spelt = path.absolute()
    places = [spelt, *spelt.parents, *path.resolve().parents] if above else [spelt]
    for place in dict.fromkeys(places):
        try:
            yield place, place.lstat()
        except FileNotFoundError:
            continue


def _refuse_others(place: Path, state: os.stat_result) -> None:
    """Whoever can write a folder can put another in the place of what is in it, unless it is sticky as the temporary folder is."""
    if place == Path(place.anchor) or not OWNERS_ARE_KNOWN:
        return
    if _is_others(state):
        raise PermissionError(errno.EPERM, f"{place} belongs to another user", str(place))
    if state.st_mode & stat.S_IWOTH and not state.st_mode & stat.S_ISVTX and not stat.S_ISLNK(state.st_mode):
        raise PermissionError(errno.EPERM, f"everybody can write in {place}", str(place))


def _is_others(state: os.stat_result) -> bool:
    return OWNERS_ARE_KNOWN and state.st_uid not in {0, os.geteuid()}
