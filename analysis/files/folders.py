"""Folders that are written into: which of their files are ours, and how those are replaced. Ours is what our manifest there lists, as it was written.

Nothing else is touched or uploaded, and what is in the way is named. No symbolic link is followed.
"""

import hashlib
import json
import os
import re
import shutil
import signal
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import regstudy
from regstudy.console.text import visible
from regstudy.errors import FolderError, SnapshotError

from . import made_by

REPORT_MANIFEST, SNAPSHOT_MANIFEST = "report.manifest.json", "manifest.json"
FORMAT, SNAPSHOT_FORMAT = 1, 1
PAGES, PLACES = ("report.html", "report.md"), ("figures", "tables", "runs")
AS_JSON, PRINTED, CARD = "report.json", "report.pdf", ("card.svg", "card.png", "card.md")
ASKED_FOR = (AS_JSON, PRINTED, *CARD)
"""What a report holds beside its pages only where it is asked to: in another's folder, files of these names are the user's."""

REPORT_FILE = re.compile(r"report\.(html|md|json|pdf)|card\.(svg|png|md)|(figures|tables|runs)/(?!\.{1,2}$)[^/\\\0]+")
SNAPSHOT_FILE = re.compile(r"(?!manifest\b)[a-z_]+\.(parquet|json)")
SHOWN = 5
"""Files that a message names; of more it says how many."""

FIGURE, RUN = re.compile(r'aria-label="Figure: (\w+)"'), re.compile(r' id="(run-\d+)"')
FIGURE_KINDS = ("svg", "png", "pdf", "csv")
TABLES = ("ranking", "pairs", "comparisons", "verdicts", "effects", "against_itself")
"""What a report of an earlier release, which has no manifest, consists of: the figures and runs that its page shows, and these tables."""

GALLERY = re.compile(rb'<!doctype html>\s*<html lang="en">\s*<head>\s*(<meta [^>]*>\s*)*<title>Misclassified images: ')
FIRST_BYTES = 4096

Listed = Mapping[str, frozenset[str]]
"""Our files by name, each with the digests that it may have; without any, the name alone makes it ours."""


def check_report(folder: Path, asked_for: Collection[str] = ()) -> Listed:
    """The files of an earlier report there, none if there is none; FolderError names what is in a new one's way, which is to hold these of ASKED_FOR."""
    if folder.exists() and not folder.is_dir():
        raise FolderError(f"{_shown(folder)} is a file: name a folder to write the report into")
    listed = report_files(folder)
    foreign = [word for name in in_places(folder, {*asked_for, *listed}) if (word := _why_foreign(folder, name, listed))]
    if foreign:
        raise FolderError(
            f"{_shown(folder)} holds what is of no earlier report, {_named(foreign)}, where the report is to be: move it elsewhere, or name another "
            "folder with --output"
        )
    return listed


def check_snapshot(folder: Path) -> None:
    """SnapshotError if the folder is there and holds anything but an earlier snapshot."""
    remedy = "name a new folder, or an earlier snapshot, which will be replaced"
    if folder.is_symlink():
        raise SnapshotError(f"{_shown(folder)} is a symbolic link: {remedy}")
    if folder.exists() and not folder.is_dir():
        raise SnapshotError(f"{_shown(folder)} is a file: {remedy}")
    names = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
    listed: Listed = {}
    if SNAPSHOT_MANIFEST in names:
        listed = _listed(folder / SNAPSHOT_MANIFEST, SNAPSHOT_FILE, SNAPSHOT_FORMAT) or {}
    own = SNAPSHOT_MANIFEST if listed else None
    foreign = [word for name in names if name != own and (word := _why_foreign(folder, name, listed))]
    if foreign:
        raise SnapshotError(f"{_shown(folder)} holds other files: {remedy}; of no snapshot are {_named(foreign)}")


def report_files(folder: Path) -> Listed:
    """What the folder's manifest lists; of an earlier release's report, what it wrote; nothing if neither is there."""
    if (folder / REPORT_MANIFEST).is_symlink() or (folder / REPORT_MANIFEST).exists():
        return _listed(folder / REPORT_MANIFEST, REPORT_FILE, FORMAT) or {}
    return _of_an_earlier_release(folder / PAGES[0])


def has_manifest(folder: Path) -> bool:
    """Whether the folder holds a report's manifest; those of an earlier release have none."""
    return _listed(folder / REPORT_MANIFEST, REPORT_FILE, FORMAT) is not None


def in_places(folder: Path, held: Collection[str] = ()) -> Iterator[str]:
    """All that lies where the files of a report go that holds these."""
    for name in _places(held):
        path = folder / name
        if name in PLACES and path.is_dir() and not path.is_symlink():
            yield from sorted(f"{name}/{inner.name}" for inner in path.iterdir())
        elif path.is_symlink() or path.exists():
            yield name


def beside(folder: Path, held: Collection[str] = ()) -> list[str]:
    """What else lies in the folder, where no files go of a report that holds these."""
    return sorted(path.name for path in folder.iterdir() if path.name not in _places(held))


def _places(held: Collection[str]) -> tuple[str, ...]:
    return (*PAGES, REPORT_MANIFEST, *(name for name in ASKED_FOR if name in held), *PLACES)


def files(folder: Path) -> list[str]:
    """All files in a folder and the folders in it."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def is_as_written(path: Path, digests: frozenset[str]) -> bool:
    """Whether a file, no link, has one of these digests."""
    return path.is_file() and not path.is_symlink() and (not digests or sha256(path) in digests)


@contextmanager
def replacing_report(folder: Path, drawn_with: str = "") -> Iterator[Path]:
    """A new folder to write a report into, which takes the place of the earlier one at the end; until then that is whole, and for good on an error.

    The manifest says what its figures are drawn with.
    """
    made: list[Path] = []
    try:
        made += make(folder)
        with (scratch := tempfile.TemporaryDirectory(dir=folder, prefix=".new-")):
            new, kept = Path(scratch.name) / "new", Path(scratch.name) / "kept"
            new.mkdir()
            yield new
            earlier = check_report(folder, files(new))  # again: somebody may have written there meanwhile
            with _undisturbed():
                _replace(folder, earlier, new, kept, drawn_with)
                scratch.cleanup()
    except OSError as error:
        unmake(made)
        raise FolderError(
            f"the report cannot be written into {_shown(folder)} ({error.strerror or error}): nothing there has changed"
        ) from None
    except BaseException:
        unmake(made)
        raise


def put_in_place(new: Path, folder: Path, old: Path) -> None:
    """A new folder in place of an earlier one, which goes to `old`, and comes back on an error."""
    with _undisturbed():
        if folder.exists():
            folder.rename(old)
        try:
            new.rename(folder)
        except OSError:
            if old.exists():
                old.rename(folder)
            raise


@contextmanager
def report_alone(folder: Path) -> Iterator[Path]:
    """A copy of a report without whatever else lies in its folder, to upload."""
    with tempfile.TemporaryDirectory() as scratch:
        for name, digests in report_files(folder).items():
            if is_as_written(folder / name, digests):
                (Path(scratch) / name).parent.mkdir(exist_ok=True)
                shutil.copyfile(folder / name, Path(scratch) / name)
        shutil.copyfile(folder / REPORT_MANIFEST, Path(scratch) / REPORT_MANIFEST)
        yield Path(scratch)


def check_gallery(page: Path) -> None:
    """FolderError if the file is there and is no gallery's page of ours."""
    if page.is_dir():
        raise FolderError(f"--output {visible(str(page))!r} is a folder: name a file, such as gallery.html")
    if not page.is_symlink() and not page.exists():
        return
    if page.is_symlink() or not page.is_file() or not GALLERY.match(page.read_bytes()[:FIRST_BYTES]):
        raise FolderError(f"{_shown(page)} is there and is no gallery that this command wrote: name a new file with --output")


def replace_gallery(page: Path, text: str) -> None:
    """Write a gallery's page, all of it or nothing, in place of an earlier one."""
    check_gallery(page)
    with tempfile.TemporaryDirectory(dir=page.parent, prefix=".new-") as scratch:
        (Path(scratch) / "new").write_text(text, encoding="utf-8")
        (Path(scratch) / "new").replace(page)


def make(folder: Path) -> list[Path]:
    """Make a folder; it and those above it that were not there, innermost first."""
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    return made


def unmake(folders: list[Path]) -> None:
    """Remove folders that are empty."""
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()


def sha256(path: Path) -> str:
    """A file's digest."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _replace(folder: Path, earlier: Listed, new: Path, kept: Path, drawn_with: str) -> None:
    names = files(new)
    listed, draft = {name: sha256(new / name) for name in names}, new / REPORT_MANIFEST
    about: dict[str, Any] = {"format": FORMAT, "kind": "report", "regstudy": regstudy.__version__, "files": listed}
    about |= {"drawn_with": drawn_with} if drawn_with else {}
    replacing = {"replacing": {name: sorted(digests) for name, digests in earlier.items()}} if earlier else {}
    _keep(folder, [*earlier, REPORT_MANIFEST], kept)
    places = [folder / place for place in PLACES if not (folder / place).exists()]
    try:
        # Killed from here on, both are known to be ours.
        _write_manifest(folder, draft, about | replacing)
        for name in names:
            (folder / name).parent.mkdir(exist_ok=True)
            (new / name).replace(folder / name)
        for name in set(earlier) - set(names):
            (folder / name).unlink(missing_ok=True)
        _write_manifest(folder, draft, about)
    except BaseException:
        for name in [*names, REPORT_MANIFEST]:
            if not (kept / name).exists():
                (folder / name).unlink(missing_ok=True)
        for name in files(kept):
            (kept / name).replace(folder / name)
        unmake(places)
        raise
    unmake([folder / place for place in PLACES if any(name.startswith(f"{place}/") for name in earlier)])


def _keep(folder: Path, names: list[str], kept: Path) -> None:
    """A second name for each file that is there, to put it back."""
    kept.mkdir()
    for name in names:
        if (folder / name).is_file():
            (kept / name).parent.mkdir(exist_ok=True)
            try:
                os.link(folder / name, kept / name, follow_symlinks=False)
            except OSError:  # a file system without
                shutil.copy2(folder / name, kept / name, follow_symlinks=False)


def as_manifest(about: Mapping[str, Any]) -> str:
    """A report's manifest as text."""
    return json.dumps(about, indent=1, sort_keys=True) + "\n"


def _write_manifest(folder: Path, draft: Path, about: Mapping[str, Any]) -> None:
    draft.write_text(as_manifest(about), encoding="utf-8")
    draft.replace(folder / REPORT_MANIFEST)


def _listed(manifest: Path, shape: re.Pattern[str], version: int) -> Listed | None:
    """A manifest's files with their digests, and those that it was to replace when its writer was killed; None if it is none of ours."""
    try:
        held = {} if manifest.is_symlink() or not manifest.is_file() else json.loads(manifest.read_text(encoding="utf-8"))
        if held["format"] != version or not isinstance(held["regstudy"], str):
            return None
        digests = {name: {digest} for name, digest in held["files"].items()}
        for name, earlier in held.get("replacing", {}).items():
            digests[name] = digests.get(name, set()) | set(earlier) if earlier else set()
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    if not all(shape.fullmatch(name) for name in digests):
        return None
    return {name: frozenset(own) for name, own in digests.items()}


def _of_an_earlier_release(page: Path) -> Listed:
    """What the earlier release wrote, by the names in its page; nothing if the page is not ours."""
    if page.is_symlink() or not page.is_file():
        return {}
    text = page.read_text(encoding="utf-8", errors="replace")
    told = made_by.read(text)
    if told is None:
        return {}
    if told.runs:  # this release's, whose manifest has been left behind: what lies beside it may be anybody's
        return {PAGES[0]: frozenset()}
    figures = [f"figures/{name}.{kind}" for name in FIGURE.findall(text) for kind in FIGURE_KINDS]
    runs = [f"runs/{name}.svg" for name in RUN.findall(text)]
    return dict.fromkeys([*PAGES, *figures, *(f"tables/{name}.csv" for name in TABLES), *runs], frozenset())


def _why_foreign(folder: Path, name: str, listed: Listed) -> str:
    """A name with why it is not ours; empty if it is."""
    path = folder / name
    if name == REPORT_MANIFEST:
        return "" if has_manifest(folder) else f"{visible(name)} (no manifest of a report)"
    if path.is_symlink():
        return f"{visible(name)} (a symbolic link)"
    if name not in listed or not path.is_file():
        return visible(name)
    return "" if is_as_written(path, listed[name]) else f"{visible(name)} (changed since it was written)"


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Let signals wait that would end the process."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _named(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


def _shown(path: Path) -> str:
    return visible(str(path))
