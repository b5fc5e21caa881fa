r"""A report's tables for LaTeX: pandas' own, with booktabs' rules, and every character as the one that it is.

Letters that pdfLaTeX has no glyph for, such as those of other scripts in names, stay as they are: LuaLaTeX and XeLaTeX take them.
"""

import re
import textwrap

import pandas as pd

from regstudy.console.text import visible

from ..judging.findings import Findings
from ..reading.measures import COMPARED
from ..showing import grids
from ..showing.grids import Grid
from ..showing.sections.compared import comparisons

NEEDED = "% \\usepackage{booktabs}; written by regstudy, numbers as the report shows them\n"
NARROW = "\\footnotesize\\setlength{\\tabcolsep}{3pt}"
LINE_END = r" \\ "
WIDE, HEADING = 30, 14
"""Characters from which on a column of text, and a heading, is broken into lines."""

ESCAPES = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\ensuremath{<}", ">": r"\ensuremath{>}",
    "|": r"\ensuremath{|}", "`": r"\textasciigrave{}", "[": "{[}", "]": "{]}", "*": "{*}", **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "−": r"\ensuremath{-}", "–": "--", "—": "---", "×": r"\ensuremath{\times}", "±": r"\ensuremath{\pm}", "·": r"\ensuremath{\cdot}",
    "≥": r"\ensuremath{\geq}", "≤": r"\ensuremath{\leq}", "≈": r"\ensuremath{\approx}", "→": r"\ensuremath{\to}", "²": r"\ensuremath{^2}",
    "✓": r"\ensuremath{\surd}", "✗": r"\ensuremath{\times}", "α": r"\ensuremath{\alpha}", "λ": r"\ensuremath{\lambda}",
    "η": r"\ensuremath{\eta}", "ρ": r"\ensuremath{\rho}", "Σ": r"\ensuremath{\Sigma}", "∕": "/", "√": r"\ensuremath{\surd}", "“": "``", "”": "''", "‘": "`", "’": "'", "…": r"\ldots{}", "\u00a0": "~",
}  # fmt: skip
"""In LaTeX's own packages; a bracket or an asterisk at the beginning of a row would belong to the end of the row before."""

TRANSLATED = str.maketrans(ESCAPES)


def tables(found: Findings) -> dict[str, str]:
    """The ranking, the verdicts and the comparisons of the other measures, by name, as far as there are any."""
    verdicts = grids.verdicts(found) if found.judged else None
    made = (grids.ranking(found), verdicts, comparisons(found, COMPARED, "comparisons"))
    return {grid.name: table(grid) for grid in made if grid is not None}


def table(grid: Grid) -> str:
    """A table as a float with its caption, labelled tab:NAME."""
    headings = [_heading(column.heading) for column in grid.columns]
    cells = pd.DataFrame([[escaped(cell) for cell in row] for row in grid.rows], columns=range(len(headings)))
    text = (
        cells.style.hide(axis="index")
        .format_index(lambda place: headings[int(str(place))], axis=1)
        .to_latex(
            hrules=True,
            column_format="".join(_format(grid, place) for place in range(len(grid.columns))),
            caption=escaped(grid.caption),
            label=f"tab:{grid.name}",
            position="htbp",
            position_float="centering",
        )
    )
    return NEEDED + text.replace("\\begin{tabular}", f"{NARROW}\n\\begin{{tabular}}", 1)


def escaped(text: str) -> str:
    """Text that LaTeX sets as it is: neighbouring hyphens would become a dash, apostrophes a quotation mark."""
    return "{}".join(part.translate(TRANSLATED) for part in re.split(r"(?<=-)(?=-)|(?<=')(?=')", visible(text)))


def _heading(text: str) -> str:
    lines = [escaped(line) for line in textwrap.wrap(text, HEADING, break_long_words=False)] or [""]
    return lines[0] if len(lines) == 1 else rf"\shortstack{{{LINE_END.join(lines)}}}"


def _format(grid: Grid, place: int) -> str:
    if grid.columns[place].numeric:
        return "r"
    return "p{.22\\linewidth}" if any(len(row[place]) > WIDE for row in grid.rows) else "l"
