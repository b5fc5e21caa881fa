"""A report as one picture, for a README, a pull request or a slide: headline, the first figure, what was run, and by which digest it is known."""

import re
import textwrap
from pathlib import Path

from markupsafe import escape
from matplotlib.figure import Figure

import regstudy
from regstudy.console.text import visible

from ..judging.findings import Findings
from ..showing import svg
from ..showing.figures import Drawing
from ..showing.rendering import markdown_text
from ..showing.words import opening
from .cite import Citation

WIDTH, HEIGHT, DPI = 1200, 630, 125
"""Pixels, as sites show a link's picture; with so few inches, words stay readable where it is shown at half its size."""

MOST_ROWS = 9
CHARACTERS, SMALL_CHARACTERS, LINES = 68, 128, 3
"""Of the headline's lines and of those below the figure; and how many lines the headline may have."""

EDGE = "#9a9a9a"


def write(found: Findings, drawing: Drawing, cited: Citation, folder: Path) -> None:
    """Write card.svg, card.png and card.md. The figure is the report's own, which has been saved: it is drawn anew for the card, and good for nothing else after."""
    headline, told = visible(opening.headline(found)), [visible(line) for line in _told(found, cited)]
    figure = _drawn(drawing.figure, headline, told, len(found.table))
    alt = f"{headline}. {drawing.alt} {' '.join(f'{line}.' for line in told)}"
    size = f'<svg width="{WIDTH}px" height="{HEIGHT}px" xmlns:xlink="http://www.w3.org/1999/xlink" role="img" aria-label="{escape(visible(alt))}" viewBox='
    text = re.sub(r"<svg .*?viewBox=", lambda _: size, svg.svg(figure), count=1)
    (folder / "card.svg").write_text(text, encoding="utf-8", newline="\n")
    figure.savefig(folder / "card.png", dpi=DPI, facecolor="white", metadata={"Software": None})
    (folder / "card.md").write_text(f"![{markdown_text(alt)}](card.png)\n", encoding="utf-8", newline="\n")


def _told(found: Findings, cited: Citation) -> tuple[str, str]:
    last = f"last run {cited.last}" if cited.last else ""
    known = (last, f"runs’ digest {cited.digest[:12]}", f"regstudy {regstudy.__version__}")
    return opening.opening(found).about.rstrip("."), " · ".join(part for part in known if part)


def _drawn(figure: Figure, headline: str, told: list[str], rows: int) -> Figure:
    lines = textwrap.wrap(headline, CHARACTERS, max_lines=LINES, placeholder=" …")
    small = [line for text in told for line in textwrap.wrap(text, SMALL_CHARACTERS, max_lines=2, placeholder=" …")]
    small += [f"The first {MOST_ROWS} of {rows:,} configurations are shown."] * (rows > MOST_ROWS)
    figure.set_size_inches(WIDTH / DPI, HEIGHT / DPI)
    figure.set_edgecolor(EDGE)  # so that it ends somewhere on white paper too
    figure.patch.set_linewidth(2)
    for axis in figure.axes if rows > MOST_ROWS else []:
        axis.set_ylim(MOST_ROWS - 0.4, -0.6)
        for artist in (*axis.lines, *axis.texts):
            artist.set_clip_on(True)
    top, bottom = 0.09 + 0.058 * len(lines), 0.03 + 0.038 * len(small)
    figure.set_layout_engine("constrained", rect=(0.02, bottom, 0.96, 1 - top - bottom))
    figure.text(0.025, 0.95, "\n".join(lines), ha="left", va="top", fontsize=16, fontweight="bold", linespacing=1.25)
    figure.text(0.025, 0.03, "\n".join(small), ha="left", va="bottom", fontsize=9, linespacing=1.35, color="#444444")
    return figure
