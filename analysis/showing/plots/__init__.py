"""Finished tables to figures. No statistics, no pyplot state, no files."""

from .curves import curves, single
from .forest import VERDICT_LOOK, forest
from .labels import spread
from .lines import detectable, response, sparsity
from .looks import GREY, SERIES, Look, looks
from .opening import opening
from .rows import DOT_ALPHA, contest, dots
from .sheets import Picture, confusions, hardest
from .style import INK, NARROW, OF, TOGETHER, WIDE, Quantity, drawn_with, style

__all__ = [
    "DOT_ALPHA",
    "GREY",
    "INK",
    "NARROW",
    "OF",
    "SERIES",
    "TOGETHER",
    "VERDICT_LOOK",
    "WIDE",
    "Look",
    "Picture",
    "Quantity",
    "confusions",
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
