"""Finished tables to figures. No statistics, no pyplot state, no files."""

from analysis.showing.plots.curves import curves, single
from analysis.showing.plots.labels import spread
from analysis.showing.plots.lines import detectable, response, sparsity
from analysis.showing.plots.rows import contest, dots, forest, ranking
from analysis.showing.plots.sheets import hardest
from analysis.showing.plots.style import GREY, INK, NARROW, OKABE_ITO, TOGETHER, Look, Quantity, looks, style

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
