"""Finished tables to figures. No statistics, no pyplot state, no files."""

from .curves import curves, single
from .forest import ANSWER_LOOK, forest
from .labels import spread
from .lines import detectable, response, sparsity
from .looks import GREY, SERIES, Look, looks
from .opening import opening
from .rows import DOT_ALPHA, contest, dots
from .sheets import Picture, confusions, hardest
from .style import INK, NARROW, OF, TITLE, TOGETHER, WIDE, Quantity, drawn_with, style

__all__ = [
    "ANSWER_LOOK",
    "DOT_ALPHA",
    "GREY",
    "INK",
    "NARROW",
    "OF",
    "SERIES",
    "TITLE",
    "TOGETHER",
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
