"""Measures beside the endpoint, each compared with the reference: smoothness, overfitting, calibration."""

from collections.abc import Iterable, Sequence

from regstudy.schema import Summary

from ...files.rows import rows as each
from ...judging.findings import Findings
from ...reading import measures
from .. import plots
from ..figures import Drawing, counted, file_name, labelled, long, summary, wide
from ..grids import NONE, Column, Grid, is_number
from .section import Material, Section


def dots(material: Material, metric: str, title: str) -> list[Drawing]:
    """The metric of each configuration, every block a dot; none if no run has it, or all have the same."""
    found, block = material.found, material.found.trials.words.block
    own, values = found.comparisons[found.comparisons["measure"] == metric], found.trials.runs
    if own.empty or values[metric].nunique() < 2:
        return []
    reading = measures.measure(metric)
    scores = long(wide(values, metric) * reading.factor)
    figure = plots.dots(
        scores,
        summary(scores, log=reading.ratio),
        material.look,
        title=title,
        subtitle=f"{counted(found)}; every dot is a {block}{'; logarithmic axis' if reading.ratio else ''}",
        label=labelled(reading),
        log=reading.ratio,
    )
    alt, mean = f"{title} of each configuration: every dot is a {block}.", "geometric mean" if reading.ratio else "mean"
    caption = f"{title}. Every dot is a {block}, the bar the {mean}'s 95% interval."
    return [Drawing(file_name(metric), figure, caption, alt, scores)]


def comparisons(found: Findings, keys: Iterable[str], name: str) -> Grid | None:
    """Other measures of each configuration against the reference, unadjusted; None if no run has them."""
    table = found.comparisons[found.comparisons["measure"].isin(list(keys))]
    if table.empty:
        return None
    rows = []
    for row in each(table):
        reading = measures.measure(str(row["measure"]))
        of = f"{reading.words}{f' ({reading.unit})' if reading.unit else ''}"
        against = (
            f"{reading.difference(row['difference'])}{reading.difference_unit}" if is_number(row["difference"]) else "reference"
        )
        interval = reading.interval(row["low"], row["high"]) if is_number(row["low"]) else NONE
        rows.append((of, row["configuration"], reading.value(row["mean"]), against, interval, str(row["seeds"])))
    headings = ("measure", "configuration", "mean", f"against {found.reference}", "95% interval", "n")
    columns = tuple(Column(text, text not in {"measure", "configuration"}) for text in headings)
    return Grid(
        name,
        f"{name.capitalize()} against {found.reference}: differences, or ratios (×) of geometric means; unadjusted",
        columns,
        tuple(rows),
    )


def _section(name: str, title: str, drawn: tuple[Summary, str], keys: Sequence[str], table: str = "") -> Section:
    metric, heading = drawn
    return Section(
        name,
        title,
        needs=(metric.value,),
        figures=lambda material: dots(material, metric, heading),
        tables=lambda material: [comparisons(material.found, keys, table or name)],
    )


SMOOTH = _section(
    "smooth",
    "Is it smoother?",
    (Summary.ROUGHNESS_TEST_ACCURACY, "Roughness of the test accuracy"),
    (Summary.ROUGHNESS_TEST_ACCURACY, Summary.ROUGHNESS_TEST_LOSS),
    "roughness",
)
OVERFITTING = _section(
    "overfitting",
    "Does it overfit?",
    (Summary.GAP_ACCURACY, "Gap: accuracy on training images minus test accuracy"),
    (Summary.GAP_ACCURACY, Summary.GAP_LOSS, Summary.ENDPOINT_TEST_LOSS),
)
CALIBRATION = _section(
    "calibration",
    "Are its probabilities right?",
    (Summary.CALIBRATION_ECE, "Expected calibration error"),
    (Summary.CALIBRATION_BRIER, Summary.CALIBRATION_ECE),
)
