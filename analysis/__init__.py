"""Reads the runs that regstudy wrote, or anybody, and compares them. These names are for notebooks; each is loaded when it is used."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api import Judgement, Pair, Ranking, compare, judge, rank, rank_scores, read, read_runs, report, verify
    from .reading.trials import Trials

__all__ = [
    "Judgement",
    "Pair",
    "Ranking",
    "Trials",
    "compare",
    "judge",
    "rank",
    "rank_scores",
    "read",
    "read_runs",
    "report",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.api"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
