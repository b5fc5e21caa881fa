"""Trials to a report: one HTML file that needs no network, Markdown, CSV, figures. The only module here that writes files."""

import base64
import io
import math
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from analysis import plots, ranking
from analysis.query import Trials
from regstudy.schema import Metric
from regstudy.terminal import plural

FILES = ("report.html", "report.md", "ranking.csv", "figures")
PNG_DPI = 144


@dataclass(frozen=True)
class Drawing:
    """A figure with its name, its caption, and what it shows in words, for those who do not see it."""

    name: str
    figure: Figure
    caption: str
    alt: str


@dataclass(frozen=True)
class Sheet:
    """A configuration's contact sheet of misclassified images, as PNG bytes, and the seed it is from."""

    configuration: str
    seed: int
    png: bytes


def write(trials: Trials, sheets: Sequence[Sheet], folder: Path, command: str) -> Path:
    """Write all formats into a folder, replacing an earlier report there; the path of report.html."""
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    table = ranking.rank(trials.runs)
    with plots.style():
        drawings = _drawings(trials, list(table["configuration"]))
        inline = {drawing.name: _save(drawing, folder / "figures") for drawing in drawings}
    for sheet in sheets:
        (folder / "figures" / _sheet_file(sheet)).write_bytes(sheet.png)
    table.to_csv(folder / "ranking.csv", index=False)
    context = _context(trials, table, drawings, sheets, command) | {"inline": inline}
    for template in ("report.html", "report.md"):
        (folder / template).write_text(_render(template, context))
    return folder / "report.html"


def remove_old(folder: Path) -> None:
    """Remove an earlier report's files from a folder, and nothing else."""
    for name in FILES:
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _drawings(trials: Trials, order: list[str]) -> list[Drawing]:
    # Colours follow the factors, not the ranks: they are the same in every report of a study.
    look = plots.looks(list(trials.runs["configuration"].unique()))
    n = int(trials.runs["test_images"].iloc[0])
    names = ", ".join(order)
    return [
        Drawing(
            "ranking",
            plots.ranking_dots(trials.runs, order, look),
            "Every dot is a seed's mean over its last epochs, the bar their mean.",
            f"Wrong test images per configuration, fewest first: {names}.",
        ),
        Drawing(
            "test_accuracy",
            plots.accuracy_curves(trials.epochs, look, n),
            "Test accuracy after each epoch.",
            f"Test accuracy over epochs for {names}.",
        ),
        Drawing(
            "test_loss",
            plots.loss_curves(trials.epochs, look, Metric.TEST_LOSS),
            "Test loss after each epoch.",
            f"Test loss over epochs for {names}.",
        ),
        Drawing(
            "train_loss",
            plots.loss_curves(trials.epochs, look, Metric.TRAIN_LOSS),
            "Train loss of each epoch.",
            f"Train loss over epochs for {names}.",
        ),
    ]


def _context(
    trials: Trials, table: pd.DataFrame, drawings: Sequence[Drawing], sheets: Sequence[Sheet], command: str
) -> dict[str, object]:
    runs = trials.runs
    return {
        "headline": headline(table),
        "standing": ranking.standing(table),
        "ranked": table.to_dict("records"),
        "several_seeds": bool((table["seeds"] > 1).any()),
        "dataset": str(runs["dataset"].iloc[0]),
        "data_digest": str(runs["data_digest"].iloc[0]),
        "data_warning": next((text for text in runs["data_warning"] if text), ""),
        "test_images": int(runs["test_images"].iloc[0]),
        "epochs": _range(runs["epochs"]),
        "averaged": _range(table["epochs_averaged"]),
        "runs": runs.to_dict("records"),
        "notices": trials.notices,
        "drawings": drawings,
        "sheets": [(sheet, base64.b64encode(sheet.png).decode(), _sheet_file(sheet)) for sheet in sheets],
        "store": trials.source.where,
        "experiment": trials.source.experiment,
        "command": command,
    }


def headline(table: pd.DataFrame) -> str:
    """The finding, as far as there is one."""
    n, fewest, most = len(table), int(table["seeds"].min()), int(table["seeds"].max())
    if n == 1:
        return f"One configuration, {plural(most, 'seed')}: nothing to compare yet"
    if most == 1:
        return f"{n} configurations, one seed each: no winner can be named"
    seeds = f"{fewest} seeds each" if fewest == most else f"{fewest} to {most} seeds each"
    return f"{n} configurations, {seeds}: means and spreads, not yet tested"


def _render(template: str, context: dict[str, object]) -> str:
    environment = Environment(
        loader=PackageLoader("analysis"),
        autoescape=template.endswith(".html"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "points": _points,
        "nats": _nats,
        "interval": _interval,
        "count": _images,
        "md": _markdown_text,
        "plural": plural,
    }
    return environment.get_template(f"{template}.j2").render(context)


def _nats(loss: float) -> str:
    return f"{loss:.4f}" if math.isfinite(loss) else "diverged"


def _interval(row: dict[str, float]) -> str:
    return f"{100 * row['low']:.2f} to {100 * row['high']:.2f}" if row["seeds"] > 1 else "–"


def _images(count: float) -> str:
    return f"{count:.1f}" if math.isfinite(count) else "diverged"


def _points(fraction: float) -> str:
    return f"{100 * fraction:.2f}" if math.isfinite(fraction) else "diverged"


def _range(numbers: "pd.Series[int]") -> str:
    low, high = int(numbers.min()), int(numbers.max())
    return f"{low}" if low == high else f"{low} to {high}"


def _markdown_text(text: object) -> str:
    """Text that Markdown shows as it is."""
    return re.sub(r"([\\`*_{}\[\]<>()#+!|~])", r"\\\1", str(text).replace("\n", " "))


def _sheet_file(sheet: Sheet) -> str:
    return "misclassified_" + re.sub(r"[^A-Za-z0-9.]+", "_", sheet.configuration).strip("_") + ".png"


def _save(drawing: Drawing, folder: Path) -> Markup:
    """Write a figure as SVG and PNG; gives the SVG for HTML."""
    drawing.figure.draw_without_rendering()
    drawing.figure.set_layout_engine("none")  # as it was laid out just now: else each file would do it again
    svg = _svg(drawing.figure)
    (folder / f"{drawing.name}.svg").write_text(svg)
    drawing.figure.savefig(folder / f"{drawing.name}.png", dpi=PNG_DPI, metadata={"Software": None})
    return _inline_svg(svg, drawing)


def _svg(figure: Figure) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def _inline_svg(svg: str, drawing: Drawing) -> Markup:
    """For HTML: without the XML prologue, with IDs of its own, described for screen readers."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{drawing.name}-", svg)
    alt = Markup.escape(drawing.alt)
    opening = rf'<svg viewBox="\1" role="img" aria-label="{alt}">'
    return Markup(re.sub(r'<svg [^>]*?viewBox="([^"]*)"[^>]*>', opening, svg, count=1))  # noqa: S704  # matplotlib has escaped its texts
