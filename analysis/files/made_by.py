"""What a report says of how it was made: the command, and exactly which runs it speaks of. In its page, as JSON; trusts nothing that it reads there."""

import json
import re
from dataclasses import asdict, dataclass, field
from typing import Any

BLOCK = re.compile(r'<script type="application/json" id="made-by">(.*?)</script>', re.DOTALL)


@dataclass(frozen=True)
class MadeBy:
    """The command and version; store and experiment as the page names them; what was noted; `runs`: the digest of what was read of each run.

    `study`: the study's run, `seeds` and `design`: the seeds that its design had and the digest of the design. A report of an earlier release names no runs.
    """

    command: str
    version: str
    store: str = ""
    experiment: str = ""
    notices: tuple[str, ...] = ()
    runs: dict[str, str] = field(default_factory=dict)
    study: str | None = None
    seeds: tuple[int, ...] = ()
    design: str = ""

    def as_json(self) -> dict[str, Any]:
        """For the page."""
        return asdict(self)


def read(page: str) -> MadeBy | None:
    """What a page says; None if it is no page of ours."""
    block = BLOCK.search(page)
    try:
        held = json.loads(block[1]) if block else None
        return None if held is None else _checked(held)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return None


def _checked(held: dict[str, Any]) -> MadeBy:
    texts = [held["command"], held["version"], held.get("store", ""), held.get("experiment", ""), held.get("design", "")]
    notices, runs, seeds, study = held.get("notices", ()), held.get("runs", {}), held.get("seeds", ()), held.get("study")
    if not all(isinstance(text, str) for text in (*texts, *notices, *runs, *runs.values(), study or "")):
        raise TypeError("expected texts")
    command, version, store, experiment, design = texts
    return MadeBy(command, version, store, experiment, tuple(notices), dict(runs), study, tuple(map(int, seeds)), design)
