"""What a report is written as, beside its page and figures; and the page printed. Loads nothing heavy, so that what cannot be is said at once."""

import argparse
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from regstudy.errors import FolderError, UsageError

from ..files import folders

HTML, MARKDOWN, CSV, JSON, LATEX, PDF = FORMATS = ("html", "md", "csv", "json", "latex", "pdf")
USUAL = (HTML, MARKDOWN, CSV)
FILES = {JSON: folders.AS_JSON, PDF: folders.PRINTED}
"""Of formats that are one file, which a report holds only where it is asked to."""

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
LONGEST = 120
"""Seconds that a browser may take to print a page."""


@dataclass(frozen=True)
class Contents:
    """Which formats, and whether a card; the page and its figures are always written: the page says how all was made."""

    formats: tuple[str, ...] = USUAL
    card: bool = False

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> "Contents":
        """What a command's options ask for; of one that does not know them, the usual. UsageError names a format that is none."""
        return cls(read(getattr(arguments, "format", "")), getattr(arguments, "card", False))

    @classmethod
    def named(cls, names: str | Iterable[str], *, card: bool) -> "Contents":
        """What a program asks for, a list or a text with commas; UsageError as for a command's, also where a page cannot be printed."""
        asked = cls(read(names if isinstance(names, str) else ",".join(names), "formats="), card)
        if PDF in asked.formats:
            browser()
        return asked

    def as_words(self) -> list[str]:
        """As a command's options ask for the same."""
        return [*(["--format", ",".join(self.formats)] if self.formats != USUAL else []), *(["--card"] if self.card else [])]

    @property
    def files(self) -> tuple[str, ...]:
        """The files beside what each report has."""
        return (*(FILES[name] for name in self.formats if name in FILES), *(folders.CARD if self.card else ()))


def read(text: str, option: str = "--format ") -> tuple[str, ...]:
    """Formats from a list with commas, the usual ones if it is empty; UsageError names one that is none."""
    names = tuple(dict.fromkeys(name.strip() for name in text.split(","))) if text else USUAL
    for name in names:
        if name not in FORMATS:
            raise UsageError(f"{option}{name!r}: expected one of {', '.join(FORMATS)}, or several with commas")
    return names


def browser() -> str:
    """The path of one that prints pages; UsageError says what to install."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        raise UsageError(
            "--format pdf: the page is printed by Chromium or Chrome, and neither is there: install one (Debian: apt install chromium), or leave pdf out"
        )
    return found


def print_page(page: Path, to: Path) -> None:
    """Print a page to PDF; FolderError if the browser does not."""
    root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []  # Chromium starts for root in no other way
    with tempfile.TemporaryDirectory() as profile:
        own = [f"--user-data-dir={profile}", "--disable-gpu", "--no-pdf-header-footer", f"--print-to-pdf={to.absolute()}"]
        command = [browser(), "--headless", *root, *own, page.absolute().as_uri()]
        try:
            told = subprocess.run(command, capture_output=True, timeout=LONGEST, check=False).stderr
        except (OSError, subprocess.TimeoutExpired) as error:
            told = str(error).encode()
    if not to.is_file():
        reason = next(reversed(told.decode(errors="replace").strip().splitlines()), "no reason given")
        raise FolderError(f"the page was not printed ({reason}): nothing is written; leave pdf out of --format")
