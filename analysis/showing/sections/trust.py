"""Can I trust this? What differences could be found, what was done, what to keep in mind, what identifies the runs."""

import json
import math

from ...judging.findings import Findings
from ...judging.statistics import LEAST
from ...reading import measures
from .. import methods, plots
from ..figures import Drawing, both, by_rank
from ..grids import NONE, Column, Grid, is_number
from ..words import checks, opening
from ..words.meanings import meanings
from .section import Material, Section

MOST_NAMES = 8
"""Configurations that a table has room for."""


def _told(material: Material) -> dict[str, object]:
    found = material.found
    return {
        "checks": checks.checks(found),
        "methods": methods.methods(found),
        "facts": _facts(found),
        "words": meanings(found),
    }


def _finding(material: Material) -> list[str]:
    found = material.found
    about = f", for {checks.about(found)} alone" if found.trials.study else ""
    return [f"Trust: {checks.verdict(checks.checks(found))}{about}"]


def _seen(found: Findings) -> str:
    """What difference so many blocks find."""
    return methods.finds(found, lambda natural: _size(found, natural))


def _size(found: Findings, natural: float) -> str:
    """A difference, with the test images that it is."""
    n = opening.images(found)
    return found.endpoint.margin(natural) + (f" ({opening.amount(found, natural * n)} images)" if n else "")


def _detectable(material: Material) -> list[Drawing]:
    found, block = material.found, material.found.trials.words.block
    power = found.power
    if power is None or power.seeds < LEAST:
        return []
    reading = found.endpoint
    table = power.table.rename(columns={"seeds": "n"}).assign(difference=power.table["difference"] * reading.factor)
    margin = None if found.scale.margin is None else found.scale.margin * reading.factor
    unit = reading.difference_unit.strip() or reading.words
    looked = found.looked
    blocks = f"{block}s" if looked.sequential else f"planned {block}s" if looked.known else f"{block}s fixed beforehand"
    figures = both(
        plots.detectable,
        table,
        (power.seeds, power.found_here * reading.factor) if math.isfinite(power.found_here) else None,
        unit=unit,
        margin=margin,
        block=block,
        title=f"Power: {_seen(found)}",
        subtitle=f"true difference that a comparison finds in 4 studies of 5, by the number of {blocks}",
    )
    alt = f"{_seen(found)}; the more {block}s, the smaller the difference that they find."
    caption = f"What difference a study with so many {blocks} finds by the ranking’s own test, in a comparison that varies as these do on average; from few {block}s, a rough guess."
    return [Drawing("power", figures[0], caption, alt, table, figures[1])]


def _sharpness(material: Material) -> list[Grid | None]:
    """A row per measure, a column per configuration: its distance from the reference in standard deviations."""
    found = material.found
    wide = found.sharpness.pivot(index="measure", columns="configuration", values="standardised")  # one value each
    names = by_rank(found, wide.columns)[:MOST_NAMES]
    if wide.empty or len(wide) < 2:  # one measure is no choice
        return []
    order = wide[names].max(axis=1).sort_values(ascending=False).index
    rows = tuple(
        (measures.measure(str(key)).words, *(f"{value:.2f}" if is_number(value) else NONE for value in wide.loc[key, names]))
        for key in order
    )
    columns = (Column("measure", numeric=False), *(Column(name) for name in names))
    block = found.trials.words.block
    caption = (
        f"Which measure would decide with the fewest {block}s? Each configuration's distance from {found.reference}, in standard deviations of the paired difference: twice as many "
        f"need a quarter of the {block}s. Seen afterwards, so no verdict rests on it; the ranking stays on the endpoint"
    )
    return [Grid("sharpness", caption, columns, rows, title=f"Measures that would decide with fewer {block}s")]


def _facts(found: Findings) -> list[tuple[str, str]]:
    """What identifies the runs: digests, versions, machines."""
    runs = found.trials.runs
    named = {
        "data, SHA-256": "data_digest",
        "split, SHA-256": "split_digest",
        "recipe": "recipe",
        "numerics version": "numerics_version",
        "metric definitions": "metrics_version",
        "parameters": "parameter_count",
        "regstudy": "version",
        "commit": "git_commit",
        "device": "device",
        "processor": "processor",
        "threads": "threads",
        "packages": "packages",
    }
    facts = [
        (label, ", ".join(sorted({_plain(str(value)) for value in runs[column]} - {""})))
        for label, column in named.items()
        if column in runs
    ]
    return [(label, text) for label, text in facts if text]


def _plain(recorded: str) -> str:
    """What a tag holds as it is read: names with their versions, if it is JSON of such."""
    try:
        versions = json.loads(recorded) if recorded.startswith("{") else None
    except ValueError:
        versions = None
    return ", ".join(f"{name} {version}" for name, version in versions.items()) if isinstance(versions, dict) else recorded


TRUST = Section("trust", "Can I trust this?", finding=_finding, figures=_detectable, tables=_sharpness, told=_told)
