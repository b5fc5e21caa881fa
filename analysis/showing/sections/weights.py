"""What became of the weights? Dead kernels, small weights, and how far L1 alone could move them."""

import pandas as pd

from regstudy.console.terminal import plural
from regstudy.schema import Summary

from ...files.rows import rows as each
from ...judging.findings import Findings
from .. import plots
from ..figures import Drawing, both, by_rank, drawn, of_all_configurations
from ..grids import NONE, Column, Grid, is_number
from .compared import comparisons, dots, finding
from .section import Material, Section

WORTH_A_FIGURE = 0.03
"""Share of the weights: where configurations differ by less, lines would lie on top of each other."""

DEAD = Summary.DEAD_KERNELS
MEANS = "A kernel (a filter) is dead if no image makes it answer, or its weights are nearly all 0: their norm is under 1% of its layer’s median."
NONE_OF = {DEAD.value: "no kernel is dead", Summary.EXACT_ZEROS.value: "no weight is exactly zero"}
REACH, SCALE = (metric.value.partition("{")[0] for metric in (Summary.L1_REACH, Summary.INITIAL_SCALE))


def _finding(material: Material) -> list[str]:
    found, runs = material.found, material.found.trials.runs
    none = [words for key, words in NONE_OF.items() if key in runs and (runs[key] == 0).all()]
    told = finding(found, DEAD, "more dead kernels", "fewer dead kernels")
    alike = _alike(material)
    if told:
        return [f"Weights: {told[0]}", *told[1:], MEANS, *alike]
    if none:
        return [f"Weights: {' and '.join(none)} in any of {plural(len(runs), 'run')}", MEANS, *alike]
    return ["Weights: how many are small", *alike] if alike or not _small(material).empty else []


def _figures(material: Material) -> list[Drawing]:
    return dots(material, DEAD, "Dead kernels") + _sparsity(material)


def _tables(material: Material) -> list[Grid | None]:
    found = material.found
    return [comparisons(found, (Summary.EXACT_ZEROS, Summary.DEAD_KERNELS), "weights"), _reach(found)]


def _small(material: Material) -> pd.DataFrame:
    """Columns configuration, seed, threshold, share: of the weights below each threshold."""
    prefix, suffix = Summary.BELOW.value.split("{}")
    runs = material.found.trials.runs
    columns = [name for name in runs.columns if name.startswith(prefix)]
    small = runs.melt(["configuration", "seed"], columns, "threshold", "share").dropna()
    return small.assign(threshold=small["threshold"].str.removeprefix(prefix).str.removesuffix(suffix).astype(float))


def _medians(small: pd.DataFrame) -> pd.DataFrame:
    """A row per threshold, a column per configuration."""
    return small.groupby(["threshold", "configuration"])["share"].median().unstack()  # noqa: PD010  # one value each


def _alike(material: Material) -> list[str]:
    """In words, what would be lines on top of each other."""
    small = _small(material)
    if small.empty or _spread(small) >= WORTH_A_FIGURE:
        return []
    last = _medians(small).iloc[-1]
    shares = f"{last.min():.1%}" + (f" to {last.max():.1%}" if f"{last.min():.1%}" != f"{last.max():.1%}" else "")
    return [
        f"{shares} of the weights are small: under {small['threshold'].max():g} of their layer’s root mean square (medians; BatchNorm folded in)."
    ]


def _spread(small: pd.DataFrame) -> float:
    """The largest difference between two configurations at any threshold."""
    medians = _medians(small)
    return float((medians.max(axis=1) - medians.min(axis=1)).max())


def _sparsity(material: Material) -> list[Drawing]:
    small, seeds = _small(material), material.found.trials.words.block
    if small.empty or _spread(small) < WORTH_A_FIGURE:
        return []
    last = _medians(small).iloc[-1]
    title = f"Small weights: from {last.min():.0%} ({last.idxmin()}) to {last.max():.0%} ({last.idxmax()})"
    subtitle = (
        "share of weights below a threshold, relative to their layer’s root mean square; BatchNorm folded in; "
        f"{seeds}s thin, median bold; the title: at the largest threshold"
    )
    figure, narrow = both(plots.sparsity, drawn(material.found, small), material.look, title=title, subtitle=subtitle)
    caption = "Share of weights smaller than a threshold, relative to their layer's root mean square, BatchNorm folded in."
    caption += of_all_configurations(material.found)
    numbers = drawn(material.found, small).sort_values(["configuration", "seed", "threshold"])
    return [Drawing("sparsity", figure, caption, f"{caption} {title}", numbers, narrow)]


def _reach(found: Findings) -> Grid | None:
    """How far L1 alone could move a weight of each layer over the run, beside the weights' initial scale; None without L1."""
    table = found.trials.runs
    layers = [name.removeprefix(REACH) for name in table.columns if name.startswith(REACH)]
    pulled = (table[[REACH + layer for layer in layers]] > 0).any(axis=1)
    own = table[pulled].drop_duplicates("configuration").set_index("configuration", drop=False)
    if own.empty:
        return None
    own = own.loc[by_rank(found, own.index)]
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
    headings = ("configuration", "layer", "reach of L1", "initial scale", "reach, % of scale")
    columns = tuple(Column(text, text not in {"configuration", "layer"}) for text in headings)
    return Grid(
        "reach",
        "Reach of L1: how far its pull alone, always the same way, could move a weight over the whole run; beside it the standard deviation with which weights start",
        columns,
        tuple(rows),
        title="How far L1 can move a weight",
    )


WEIGHTS = Section(
    "weights",
    "What became of the weights?",
    needs=(DEAD.value,),
    finding=_finding,
    figures=_figures,
    tables=_tables,
)
