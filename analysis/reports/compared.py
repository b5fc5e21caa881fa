"""A report's folder beside the report written anew: every file of it, and which files there are. Knows no element of a page and no name of a file."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from regstudy.console.terminal import plural
from regstudy.console.text import visible

from ..files import alike, folders, pictures
from ..showing import plots

PICTURES = (".png", ".pdf")
"""Figures that others hold too: they are not committed, so a checkout has none of a kind."""

SHOWN = 5
"""Names that are told; of more it says how many."""


@dataclass
class Compared:
    """What differs, a line per file; and by how it was compared, the names of the others."""

    differences: list[str] = field(default_factory=list)
    same: list[str] = field(default_factory=list)
    line_endings: list[str] = field(default_factory=list)
    alike: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    beside: list[str] = field(default_factory=list)
    drawn_with: str = ""

    @property
    def told(self) -> str:
        """How many files were compared, and how."""
        ways = (
            (self.same, "byte for byte"),
            (self.line_endings, "with a checkout's line endings (CRLF)"),
            (self.alike, "but for last digits, hundredths of a point or how they are packed"),
            (self.words, "by words and numbers"),
        )
        told = [(len(names), how) for names, how in ways if names]
        if len(told) == 1:
            return f"{plural(told[0][0], 'file')}, {told[0][1]}"
        return f"{plural(sum(n for n, _ in told), 'file')}: {', '.join(f'{n:,} {how}' for n, how in told)}"

    @property
    def not_compared(self) -> list[str]:
        """What nothing is said of, in sentences."""
        told = []
        if self.words:
            told.append(
                f"drawn with {self.drawn_with}, and this is {plots.drawn_with()}: of {plural(len(self.words), 'file')} with drawings words and numbers "
                f"are verified, their curves, dots and pixels are not ({named(self.words)})"
            )
        if self.absent:
            told.append(f"not there, so not compared: {len(self.absent):,} PNG and PDF files that its manifest lists")
        if self.beside:
            told.append(f"no part of the report, so not looked at: {named(self.beside)}")
        return told


def compared(folder: Path, anew: Path) -> Compared:
    """Every file of a report with the one written anew."""
    files = folders.files(anew)
    held, expected = (_manifest(place) for place in (folder, anew))
    here, there = (str(manifest.get("drawn_with", "")) for manifest in (expected, held))
    result = Compared(drawn_with=visible(there))
    result.beside = [visible(name) for name in folders.beside(folder)]
    result.absent = [name for name in files if _may_lack(folder, name, files)]
    result.differences += [
        f"{visible(name)} is no part of the report" for name in folders.in_places(folder) if name not in files
    ]
    for name in files:
        if name not in result.absent and name != folders.REPORT_MANIFEST:
            _compare(result, name, folder, anew, drawn_here=there in {"", here})
    wrong = [*_by_manifest(folder, held, expected, result)] if expected else []
    result.differences += wrong
    result.same += [] if wrong or not expected else [folders.REPORT_MANIFEST]
    return result


def numbers(folder: Path, anew: Path) -> Compared:
    """Tables alone, of those that both have: for the report of another release, whose words are others."""
    result = Compared()
    for name in folders.files(anew):
        if name.endswith(".csv") and (folder / name).is_file():
            _compare(result, name, folder, anew, drawn_here=True)
    return result


def _may_lack(folder: Path, name: str, files: list[str]) -> bool:
    """Whether a picture is not there, nor any other of its kind."""
    kind = Path(name).suffix
    return kind in PICTURES and not any(_is_there(folder / other) for other in files if other.endswith(kind))


def _is_there(path: Path) -> bool:
    return path.exists() or path.is_symlink()


def _compare(result: Compared, name: str, folder: Path, anew: Path, *, drawn_here: bool) -> None:
    path = folder / name
    if not path.is_file() or path.is_symlink() or (folder / name).parent.is_symlink():
        how = "is no file" if _is_there(path) else "is missing"
        result.differences.append(f"{name} {how}")
        return
    there, expected = path.read_bytes(), (anew / name).read_bytes()
    if there == expected:
        result.same.append(name)
    elif path.suffix not in PICTURES and _unix_lines(there) == expected:
        result.line_endings.append(name)
    elif not (told := _difference(path.suffix, there, expected, with_drawings=True)):
        result.alike.append(name)
    elif not drawn_here and not (told := _difference(path.suffix, there, expected, with_drawings=False)):
        result.words.append(name)
    else:
        result.differences.append(f"{name}{'' if path.suffix in PICTURES else ','} {told}")


def _difference(kind: str, there: bytes, expected: bytes, *, with_drawings: bool) -> str:
    """In what a file is not the one expected; empty if in nothing that counts."""
    if kind == ".png":
        return pictures.png_difference(there, expected) if with_drawings else pictures.png_fault(there)
    if kind == ".pdf":
        return pictures.pdf_difference(there, expected) if with_drawings else pictures.pdf_fault(there)
    try:
        text = _unix_lines(there).decode()
    except UnicodeDecodeError:
        return "which is no text (UTF-8)"
    return alike.difference(text, expected.decode(), with_drawings=with_drawings)


def _manifest(folder: Path) -> dict[str, Any]:
    """A report's manifest; empty if there is none."""
    if not folders.has_manifest(folder):
        return {}
    return json.loads((folder / folders.REPORT_MANIFEST).read_text(encoding="utf-8"))


def _by_manifest(folder: Path, held: dict[str, Any], expected: dict[str, Any], result: Compared) -> Iterator[str]:
    """What the manifest says otherwise; not of files that are told of already."""
    name = folders.REPORT_MANIFEST
    if not held:
        yield f"{name} is missing, or none of a report"
        return
    text = _unix_lines((folder / name).read_bytes()).decode()
    if text != folders.as_manifest(held) or {**held, "files": 0, "drawn_with": 0} != {**expected, "files": 0, "drawn_with": 0}:
        yield f"{name} does not hold what this release writes"
    for each in sorted({*held["files"], *expected["files"]}):
        if any(each in line for line in result.differences):
            continue
        if (each in held["files"]) != (each in expected["files"]):
            yield f"{name} {'lists' if each in held['files'] else 'does not list'} {visible(each)}"
        elif each not in result.absent and _digest(folder / each) != held["files"][each]:
            yield f"{name} has another digest of {each}"


def _unix_lines(data: bytes) -> bytes:
    """Text as it was before a checkout gave each line Windows' ending; which no format of ours tells apart."""
    return data.replace(b"\r\n", b"\n") if data.count(b"\r") == data.count(b"\n") == data.count(b"\r\n") else data


def _digest(path: Path) -> str:
    data = path.read_bytes()
    return hashlib.sha256(data if path.suffix in PICTURES else _unix_lines(data)).hexdigest()


def named(names: list[str]) -> str:
    """The first of them, and how many more there are."""
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
