"""Finished tables to figures. No statistics, no pyplot state, no files."""

from analysis.plots.curves import curves, single
from analysis.plots.labels import spread
from analysis.plots.lines import detectable, response, sparsity
from analysis.plots.rows import contest, dots, forest, ranking
from analysis.plots.sheets import hardest
from analysis.plots.style import GREY, INK, NARROW, OKABE_ITO, TOGETHER, Look, Quantity, looks, style

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
