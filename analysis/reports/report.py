"""Findings to a report: one HTML file that needs no network, Markdown, CSV, figures. The only module here that writes files of a report."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
from markupsafe import Markup

import regstudy

from ..files import folders
from ..files.rows import csv, rows
from ..judging import published
from ..judging.findings import Findings
from ..showing import (
    csv_numbers,
    figures,
    gallery,
    methods,
    plots,
    rendering,
    report_tables,
    run_pages,
    svg,
    wording,
)
from ..showing.figures import Drawing
from ..showing.gallery import Errors
from ..showing.report_tables import Grid
from ..showing.run_pages import Single
from . import bound

PNG_DPI = 144
SECTIONS = {
    "claims": "What about each claim?",
    "curves": "How do the curves look?",
    "smooth": "Is it smoother?",
    "overfitting": "Does it overfit?",
    "weights": "What became of the weights?",
    "calibration": "Are its probabilities right?",
    "response": "How much is enough?",
    "effects": "Do the factors interact?",
    "luck": "What would single runs have concluded?",
    "trust": "Can I trust this?",
}
"""Sections below the first screen, in the order of a reader's questions; one without a table or figure is left out."""


def write(found: Findings, folder: Path, command: str) -> Path:
    """Write all formats into a folder, replacing an earlier report there and nothing else; the path of report.html."""
    with folders.replacing_report(folder) as new:
        _write_files(found, new, command)
    return folder / "report.html"


def _write_files(found: Findings, folder: Path, command: str) -> None:
    for name in ("figures", "tables"):
        (folder / name).mkdir()
    errors = gallery.read(found.trials) if found.ours else gallery.unread(found.trials)
    words = gallery.class_names(_first(found.trials.runs, "dataset"))
    with plots.style():
        drawn = figures.draw(found, errors.wrong, {image: words[label] for image, label in errors.labels.items()})
        inline = {drawing.name: _save(drawing, folder / "figures") for drawing in drawn}
    for name, table in csv_numbers.frames(found).items():
        _write(folder / "tables" / f"{name}.csv", csv(table))
    ranking_svg = (folder / "figures" / "ranking.svg").read_text(encoding="utf-8")
    single = run_pages.read(found, errors)
    for own in [run for runs in single.values() for run in runs]:
        (folder / "runs").mkdir(exist_ok=True)
        _write(folder / _file(own.anchor), run_pages.page(own))
    context = _context(found, drawn, errors, single, command) | {"inline": inline, "ranking_svg": ranking_svg}
    for name in folders.PAGES:
        _write(folder / name, rendering.render(f"{name}.j2", context))


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def headline(found: Findings) -> str:
    """The finding, as far as there is one."""
    return wording.headline(found.ranking, found.judged, wording.seeds_in_words(found.table))


def _context(
    found: Findings, drawn: Sequence[Drawing], errors: Errors, single: Mapping[str, list[Single]], command: str
) -> dict[str, object]:
    trials, runs = found.trials, report_tables.runs(found)
    anchors = [run_pages.anchor(place) for place in range(len(runs.rows))] if single else []
    read = bound.digests(trials, errors.rows, set(errors.runs["run_id"]))
    return {
        "headline": headline(found),
        "summary": methods.summary(found),
        "advice": methods.advice(found),
        "data_warning": _first(trials.runs, "data_warning"),
        "ranking": report_tables.ranking(found),
        "verdicts": report_tables.verdicts(found) if found.judged else None,
        "judged": [
            (judged, wording.verdict_words(judged), wording.SIGNS[judged.verdict], wording.sentence(judged))
            for judged in found.judged
        ],
        "sections": _sections(found, drawn),
        "first": [drawing for drawing in drawn if drawing.section == "first"],
        "runs": runs if runs.links else replace(runs, links=tuple(f"#{anchor}" for anchor in anchors)),
        "runs_in_files": replace(runs, links=tuple(_file(anchor) for anchor in anchors)) if anchors else runs,
        "configurations": _configurations(found, single),
        "methods": methods.methods(found),
        "notices": trials.notices,
        "facts": _facts(found),
        "contest": _contest(found),
        "apart": published.APART if _is_published(found) else "",
        "gallery": gallery.context(
            errors, _first(trials.runs, "dataset"), found.reference, every_image=len(trials.runs) <= run_pages.MOST_RUNS
        ),
        "image_figures": [drawing for drawing in drawn if drawing.section == "images"],
        "store": trials.source.where,
        "from_store": trials.source.experiment_id is not None,
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


def _sections(found: Findings, drawn: Sequence[Drawing]) -> list[tuple[str, str, list[Grid], list[Drawing]]]:
    """Name, title, tables and figures of each section that has any."""
    tables: dict[str, list[Grid | None]] = {
        "claims": [report_tables.contrasts(found) if found.judged else None],
        "smooth": [report_tables.comparisons(found, report_tables.ROUGHNESS, "roughness")],
        "overfitting": [report_tables.comparisons(found, report_tables.OVERFITTING, "overfitting")],
        "weights": [report_tables.comparisons(found, report_tables.ANATOMY, "weights"), report_tables.reach(found)],
        "calibration": [report_tables.comparisons(found, report_tables.CALIBRATION, "calibration")],
        "effects": [report_tables.effects(found)],
        "luck": [report_tables.beside_published(found), report_tables.against_itself(found)],
    }
    sections = []
    for name, title in SECTIONS.items():
        own = [grid for grid in tables.get(name, []) if grid is not None]
        shown = [drawing for drawing in drawn if drawing.section == name]
        if own or shown or name == "trust":
            sections.append((name, title, own, shown))
    return sections


def _configurations(found: Findings, single: Mapping[str, list[Single]]) -> list[dict[str, object]]:
    """A paragraph's facts about each configuration, in order of rank."""
    runs, pairs = found.trials.runs, found.ranking.pairs
    told: list[dict[str, object]] = []
    for row in rows(found.table):
        name = str(row["configuration"])
        own = pairs[(pairs["first"] == name) | (pairs["second"] == name)]
        against = [
            (str(pair["second"] if pair["first"] == name else pair["first"]), _pair(pair, name, found)) for pair in rows(own)
        ]
        seeds = ", ".join(str(seed) for seed in runs.loc[runs["configuration"] == name, "seed"])
        told.append(
            {
                "name": name,
                "rank": f"{row['rank']}{', shared' if row['shared'] else ''}",
                "seeds": seeds,
                "against": against,
                "runs": single.get(name, []),
            }
        )
    return told


def _pair(pair: dict[str, object], name: str, found: Findings) -> str:
    sign = 1 if pair["first"] == name else -1
    mean, low, high = (float(str(pair[column])) for column in ("mean", "low", "high"))
    low, high = sorted((sign * low, sign * high))
    interval = f" ({found.endpoint.interval(low, high)})" if math.isfinite(low) else ""
    word = {"separated": "separated", "equivalent": "practically equivalent", "unresolved": "not told apart"}[
        str(pair["relation"])
    ]
    return f"{word}, {found.endpoint.difference(sign * mean)}{found.endpoint.difference_unit}{interval}, n = {pair['seeds']}"


def _facts(found: Findings) -> list[tuple[str, str]]:
    """What identifies the runs: digests, versions, machines."""
    runs = found.trials.runs
    if not found.ours:
        return []
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
    facts = [(label, ", ".join(sorted({str(value) for value in runs[column]} - {""}))) for label, column in named.items()]
    return [(label, text) for label, text in facts if text]


def _contest(found: Findings) -> dict[str, object] | None:
    """What the seed-luck slider draws from: best epochs' wrong test images by configuration and seed."""
    if found.contest is None:
        return None
    runs = found.trials.runs
    wide = runs.pivot(index="seed", columns="configuration", values="best_accuracy")  # noqa: PD010  # pivot_table drops what is all NaN
    names = list(dict.fromkeys(runs["configuration"]))
    n = int(runs["test_images"].iloc[0])
    wrong = {name: [round((1 - value) * n) for value in wide[name].dropna()] for name in names}
    return {
        "wrong": {name: values for name, values in wrong.items() if values},
        "test_images": n,
        "leads": f"{found.contest.clear:.0%}",
    }


def _is_published(found: Findings) -> bool:
    """Whether these are runs of the published study's own design."""
    return found.trials.study is not None and found.trials.study.design.name == published.DESIGN


def _first(runs: pd.DataFrame, column: str) -> str:
    return next((str(text) for text in runs[column] if text), "") if column in runs else ""


def _save(drawing: Drawing, folder: Path) -> Markup:
    """Write a figure as SVG, PNG and PDF; gives the SVG for HTML, with the narrow one if there is one."""
    drawing.figure.draw_without_rendering()
    drawing.figure.set_layout_engine("none")  # as it was laid out just now: else each file would do it again
    whole_svg = svg.svg(drawing.figure)
    _write(folder / f"{drawing.name}.svg", whole_svg)
    drawing.figure.savefig(folder / f"{drawing.name}.png", dpi=PNG_DPI, facecolor="white", metadata={"Software": None})
    drawing.figure.savefig(
        folder / f"{drawing.name}.pdf", facecolor="white", metadata={"Creator": None, "Producer": None, "CreationDate": None}
    )
    _write(folder / f"{drawing.name}.csv", csv(drawing.numbers))
    whole = svg.inline(whole_svg, drawing.name, drawing.alt)
    if drawing.narrow is None:
        return whole
    narrow = svg.inline(svg.svg(drawing.narrow), f"{drawing.name}-narrow", drawing.alt)
    return Markup('<div class="wide-screen">{}</div><div class="narrow-screen">{}</div>').format(whole, narrow)
