"""Finished tables to figures. No statistics, no pyplot state, no files."""

from .curves import curves, single
from .labels import spread
from .lines import detectable, response, sparsity
from .opening import opening
from .rows import contest, dots, forest
from .sheets import hardest
from .style import GREY, INK, NARROW, OKABE_ITO, TOGETHER, Look, Quantity, drawn_with, looks, style

__all__ = [
    "GREY",
    "INK",
    "NARROW",
    "OKABE_ITO",
    "TOGETHER",
    "Look",
    "Quantity",
    "contest",
    "curves",
    "detectable",
    "dots",
    "drawn_with",
    "forest",
    "hardest",
    "looks",
    "opening",
    "response",
    "single",
    "sparsity",
    "spread",
    "style",
]
