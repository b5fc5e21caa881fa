"""What became of the weights? Dead kernels, small weights, and how far L1 alone could move them."""

from regstudy.schema import Summary

from ...files.rows import rows as each
from ...judging.findings import Findings
from .. import plots
from ..figures import Drawing
from ..grids import NONE, Column, Grid, is_number
from .compared import comparisons, dots
from .section import Material, Section

REACH, SCALE = (metric.value.partition("{")[0] for metric in (Summary.L1_REACH, Summary.INITIAL_SCALE))


def _figures(material: Material) -> list[Drawing]:
    return dots(material, Summary.DEAD_KERNELS, "Dead kernels") + _sparsity(material)


def _tables(material: Material) -> list[Grid | None]:
    found = material.found
    return [comparisons(found, (Summary.EXACT_ZEROS, Summary.DEAD_KERNELS), "weights"), _reach(found)]


def _sparsity(material: Material) -> list[Drawing]:
    prefix, suffix = Summary.BELOW.value.split("{}")
    runs = material.found.trials.runs
    columns = [name for name in runs.columns if name.startswith(prefix)]
    if not columns:
        return []
    long = runs.melt(["configuration", "seed"], columns, "threshold", "share").dropna()
    long["threshold"] = long["threshold"].str.removeprefix(prefix).str.removesuffix(suffix).astype(float)
    if long.empty:
        return []
    figure = plots.sparsity(long, material.look)
    caption = "Share of weights smaller than a threshold, relative to their layer's root mean square, BatchNorm folded in."
    return [Drawing("sparsity", figure, caption, caption, long.sort_values(["configuration", "seed", "threshold"]))]


def _reach(found: Findings) -> Grid | None:
    """How far L1 alone could move a weight of each layer over the run, beside the weights' initial scale; None without L1."""
    table = found.trials.runs
    layers = [name.removeprefix(REACH) for name in table.columns if name.startswith(REACH)]
    pulled = (table[[REACH + layer for layer in layers]] > 0).any(axis=1)
    own = table[pulled].drop_duplicates("configuration")
    if own.empty:
        return None
    rows = [
        (
            str(row["configuration"]),
            layer,
            f"{row[REACH + layer]:.2g}",
            f"{scale:.2g}",
            f"{100 * row[REACH + layer] / scale:.2g}%" if scale else NONE,
        )
        for row in each(own)
        for layer in layers
        if is_number(row[REACH + layer]) and is_number(scale := row[SCALE + layer])
    ]
    headings = ("configuration", "layer", "reach of L1", "initial scale", "reach of scale")
    columns = tuple(Column(text, text not in {"configuration", "layer"}) for text in headings)
    return Grid(
        "reach",
        "The largest displacement that L1 alone can cause in a weight over the run, beside its initial scale",
        columns,
        tuple(rows),
    )


WEIGHTS = Section(
    "weights", "What became of the weights?", needs=(Summary.DEAD_KERNELS.value,), figures=_figures, tables=_tables
)
