"""Finished tables to figures. No statistics, no pyplot state, no files."""

from .curves import curves, single
from .forest import VERDICT_LOOK, forest
from .labels import spread
from .lines import detectable, response, sparsity
from .looks import GREY, SERIES, Look, looks
from .rows import contest, dots, ranking
from .sheets import Picture, confusions, hardest
from .style import INK, NARROW, OF, TOGETHER, Quantity, style

__all__ = [
    "GREY",
    "INK",
    "NARROW",
    "OF",
    "SERIES",
    "TOGETHER",
    "VERDICT_LOOK",
    "Look",
    "Picture",
    "Quantity",
    "confusions",
    "contest",
    "curves",
    "detectable",
    "dots",
    "forest",
    "hardest",
    "looks",
    "ranking",
    "response",
    "single",
    "sparsity",
    "spread",
    "style",
]
