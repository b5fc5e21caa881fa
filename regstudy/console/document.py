"""A command's result as one JSON document: stdout is the document's alone, and whatever else is said meanwhile goes to stderr."""

import argparse
import json
import math
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from typing import Any

from regstudy.console.redaction import redacted
from regstudy.console.terminal import put

Document = dict[str, object]
"""What a command gives where JSON is asked for: keys as docs/guides/json.md lists them."""

HELP = "print the result as one JSON document on stdout, all else on stderr (docs/guides/json.md)"


def add_option(parser: argparse.ArgumentParser) -> None:
    """Let a command be asked for JSON."""
    parser.add_argument("--json", action="store_true", help=HELP)


@contextmanager
def alone(wanted: bool) -> Iterator[None]:
    """Keep everything but the document off stdout, if one is wanted."""
    if not wanted:
        yield
        return
    with redirect_stdout(sys.stderr):
        yield


def give(told: Mapping[str, object]) -> None:
    """Print a document, in ASCII: any stream has all its characters, and none of them acts on a terminal."""
    put(json.dumps(plain(told), allow_nan=False))


def plain(value: Any) -> Any:
    """A value as JSON has it: numbers unrounded, null for what is no finite number, texts without secrets."""
    if isinstance(value, Mapping):
        return {str(key): plain(own) for key, own in value.items()}
    if isinstance(value, str):
        return redacted(str(value))
    if isinstance(value, Iterable):
        return [plain(own) for own in value]
    if hasattr(value, "item"):  # numpy's scalars
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
