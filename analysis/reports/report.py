"""Findings to a report: one HTML file that needs no network, Markdown, CSV, figures; and, where asked for, JSON, LaTeX, the page printed. The only module here that writes files of a report."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

import regstudy
from regstudy.console import document
from regstudy.console.document import Document

from ..files import folders
from ..files.rows import csv, rows
from ..judging.findings import Findings
from ..showing import csv_numbers, grids, methods, plots, rendering, run_pages, svg, wording
from ..showing.figures import Drawing
from ..showing.grids import MOST_CONFIGURATIONS
from ..showing.run_pages import Single
from ..showing.sections.claims import CLAIMS
from ..showing.sections.compared import CALIBRATION, OVERFITTING, SMOOTH
from ..showing.sections.curves import CURVES
from ..showing.sections.factors import EFFECTS, PARAMETERS, RESPONSE
from ..showing.sections.first import FIRST, OTHER_DATA
from ..showing.sections.images import IMAGES
from ..showing.sections.luck import LUCK
from ..showing.sections.section import Material
from ..showing.sections.stability.what_if import STABILITY
from ..showing.sections.trust import TRUST
from ..showing.sections.weights import WEIGHTS
from ..showing.words import checks, opening, scope
from . import bound, card, cite, formats, latex
from .formats import CSV, JSON, LATEX, MARKDOWN, PDF, Contents

PNG_DPI = 144
SECTIONS = (
    CLAIMS,
    PARAMETERS,
    OTHER_DATA,
    CURVES,
    SMOOTH,
    OVERFITTING,
    WEIGHTS,
    CALIBRATION,
    RESPONSE,
    EFFECTS,
    LUCK,
    STABILITY,
    TRUST,
    IMAGES,
)
"""Below the first screen, in the order of a reader's questions; one that has nothing to show is left out."""


USUAL = Contents()


def write(found: Findings, folder: Path, command: str, asked: Contents = USUAL, told: Document | None = None) -> Path:
    """Write what is asked for into a folder, replacing an earlier report there and nothing else; the path of report.html. `told` are the findings as JSON."""
    with folders.replacing_report(folder, plots.drawn_with()) as new:
        _write_files(found, new, command, asked)
        if JSON in asked.formats:
            _write(new / formats.FILES[JSON], json.dumps(document.plain(told), allow_nan=False, indent=1) + "\n")
        if PDF in asked.formats:
            formats.print_page(new / "report.html", new / formats.FILES[PDF])
    return folder / "report.html"


def _write_files(found: Findings, folder: Path, command: str, asked: Contents) -> None:
    for name in ("figures", "tables"):
        (folder / name).mkdir()
    material = Material.of(found)
    with plots.style():
        leading, *sections = [made for section in (FIRST, *SECTIONS) if (made := section.make(material)) is not None]
        drawn = [drawing for made in (leading, *sections) for drawing in made.figures]
        inline = {drawing.name: _save(drawing, folder / "figures") for drawing in drawn}
        read = _read(material)
        cited = cite.citation(found, read)
        if asked.card:
            card.write(found, leading.figures[0], cited, folder)
    for name, text in _tables(found, asked):
        _write(folder / "tables" / name, text)
    single = run_pages.read(found, material.errors)
    for own in [run for runs in single.values() for run in runs]:
        (folder / "runs").mkdir(exist_ok=True)
        _write(folder / _file(own.anchor), run_pages.page(own))
    context = _context(material, single, command, read) | {"first": leading.figures, "sections": sections, "inline": inline}
    context["cite"] = cited
    context["gallery"] = next((made.told["gallery"] for made in sections if made.told and "gallery" in made.told), None)
    context["ranking_svg"] = (folder / "figures" / "ranking.svg").read_text(encoding="utf-8")
    for name in folders.PAGES if MARKDOWN in asked.formats else folders.PAGES[:1]:
        _write(folder / name, rendering.render(f"{name}.j2", context))


def _tables(found: Findings, asked: Contents) -> Iterator[tuple[str, str]]:
    if CSV in asked.formats:
        yield from ((f"{name}.csv", csv(table)) for name, table in csv_numbers.frames(found).items())
    if LATEX in asked.formats:
        yield from ((f"{name}.tex", text) for name, text in latex.tables(found).items())


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def _read(material: Material) -> dict[str, str]:
    """The digest of what was read of each run, of the study's other data sets too."""
    each = [
        bound.digests(own.found.trials, own.errors.rows, set(own.errors.runs["run_id"])) for own in (material, *material.beside)
    ]
    return {run_id: digest for own in each for run_id, digest in own.items()}


def _context(
    material: Material, single: Mapping[str, list[Single]], command: str, read: Mapping[str, str]
) -> dict[str, object]:
    found = material.found
    trials, runs = found.trials, grids.runs(found)
    anchors = [run_pages.anchor(place) for place in range(len(runs.rows))] if single else []
    return {
        "headline": opening.headline(found),
        "opening": opening.opening(found),
        "checked": checks.verdict(checks.checks(found)),
        "summary": methods.summary(found),
        "advice": " ".join(filter(None, (methods.advice(found), scope.shared(found)))),
        "data_warning": _first(trials.runs, "data_warning"),
        "ranking": grids.ranking(found),
        "pairs": grids.pairs(found),
        "verdicts": grids.verdicts(found) if found.judged else None,
        "runs": runs if runs.links else replace(runs, links=tuple(f"#{anchor}" for anchor in anchors)),
        "runs_in_files": replace(runs, links=tuple(_file(anchor) for anchor in anchors)) if anchors else runs,
        "configurations": _configurations(found, single),
        "words": trials.words,
        "most": MOST_CONFIGURATIONS,
        "reference": found.reference,
        "store": trials.source.where,
        "from_store": any(run.experiment for run in trials.source.runs()),
        "experiment": trials.source.experiment,
        "version": regstudy.__version__,
        "command": command,
        "made_by": bound.made_by(trials, read, command, regstudy.__version__).as_json(),
        "series_css": svg.series_css(),
        "figure_style": svg.STYLE,
    }


def _file(anchor: str) -> str:
    """Where a run's own picture is, within a report."""
    return f"runs/{anchor}.svg"


def _configurations(found: Findings, single: Mapping[str, list[Single]]) -> list[dict[str, object]]:
    """A paragraph's facts about each configuration, in order of rank."""
    runs = found.trials.runs
    told: list[dict[str, object]] = []
    if found.parameters is not None:
        return told  # a search's have a run each, which the list of runs names
    for row in rows(found.table):
        name = str(row["configuration"])
        against = [(str(pair["configuration"]), _pair(pair, found)) for pair in rows(opening.against(found, name))]
        seeds = ", ".join(str(seed) for seed in dict.fromkeys(runs.loc[runs["configuration"] == name, "seed"]))
        told.append(
            {
                "name": name,
                "rank": grids.rank(row),
                "seeds": seeds,
                "against": against,
                "runs": single.get(name, []),
            }
        )
    return told


def _pair(pair: dict[str, Any], found: Findings) -> str:
    """What is known of a pair, seen from the one that `pair` is compared with."""
    mean, low, high = -pair["mean"], -pair["high"], -pair["low"]
    interval = f", {wording.level(pair['alpha'])} interval {found.endpoint.interval(low, high)}" if math.isfinite(low) else ""
    word = {"separated": "separated", "equivalent": "practically equivalent", "unresolved": "unresolved"}[str(pair["relation"])]
    return f"{word}, {found.endpoint.difference(mean)}{found.endpoint.difference_unit}{interval}, n = {pair['seeds']}"


def _first(runs: pd.DataFrame, column: str) -> str:
    return next((str(text) for text in runs[column] if text), "") if column in runs else ""


def _save(drawing: Drawing, folder: Path) -> Markup:
    """Write a figure as SVG, PNG and PDF; gives the SVG for HTML, with the narrow one if there is one."""
    svg.lay_out(drawing.figure)
    whole_svg = svg.svg(drawing.figure)
    _write(folder / f"{drawing.name}.svg", whole_svg)
    drawing.figure.savefig(folder / f"{drawing.name}.png", dpi=PNG_DPI, facecolor="white", metadata={"Software": None})
    drawing.figure.savefig(
        folder / f"{drawing.name}.pdf", facecolor="white", metadata={"Creator": None, "Producer": None, "CreationDate": None}
    )
    _write(folder / f"{drawing.name}.csv", csv(drawing.numbers))
    whole = svg.inline(whole_svg, drawing.name, drawing.alt, titled=drawing.titled)
    if drawing.narrow is None:
        return whole
    svg.lay_out(drawing.narrow, as_svg=True)
    narrow = svg.inline(svg.svg(drawing.narrow), f"{drawing.name}-narrow", drawing.alt, titled=drawing.titled)
    return Markup('<div class="wide-screen">{}</div><div class="narrow-screen">{}</div>').format(whole, narrow)
