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

NEEDED = "% \\usepackage{{{packages}}}; written by regstudy, numbers as the report shows them\n"
LINE_END = r" \\ "
HEADING, PIECE = 14, 12
"""Characters of a heading's line; and of a word, from which on it may be broken where columns are narrow."""

TEXT_WIDTH = 345.0
"""Points that a line has in LaTeX's `article` on A4 at 10 pt."""

LOOSE, TIGHT = 3.0, 2.5
"""Points on each side of a column: as it is wide by itself, and of one whose cells are broken."""

SIZES = {"footnotesize": 8.7, "scriptsize": 8.1}
"""Of type, with an em's points in Computer Modern and what was made of it."""

WIDTHS = {0.4: " .,:;'|!ijlIft()[]", 0.84: "mwMWQ%@&+<>=~^±−×≥≤≈", 1.06: "W→—"}
"""Characters so many ems wide, at most; capitals are 0.79, all others 0.56."""

EMS = {character: ems for ems, characters in WIDTHS.items() for character in characters}

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
    natural = _fits(grid)
    size, widths = ("footnotesize", []) if natural else _broken(grid)
    shown = escaped if natural else _breakable
    headings = [(_heading if natural else _breakable)(column.heading) for column in grid.columns]
    cells = pd.DataFrame([[shown(cell) for cell in row] for row in grid.rows], columns=range(len(headings)))
    text = (
        cells.style.hide(axis="index")
        .format_index(lambda place: headings[int(str(place))], axis=1)
        .to_latex(
            hrules=True,
            column_format="".join("r" if column.numeric else "l" for column in grid.columns)
            if natural
            else _format(grid, widths),
            caption=escaped(grid.caption),
            label=f"tab:{grid.name}",
            position="htbp",
            position_float="centering",
        )
    )
    gap = LOOSE if natural else TIGHT
    begin, end = (rf"\{word}{{tabular}}" for word in ("begin", "end"))
    if not natural and _together(widths) > TEXT_WIDTH:  # smaller type yet, the whole of it
        text = text.replace(begin, rf"\resizebox{{\textwidth}}{{!}}{{{begin}", 1).replace(end, f"{end}}}", 1)
    text = text.replace("\\centering\n", f"\\centering\n\\{size}\\setlength{{\\tabcolsep}}{{{gap:g}pt}}\n", 1)
    return NEEDED.format(packages="booktabs" if natural else "array,booktabs,graphicx") + text


def escaped(text: str) -> str:
    """Text that LaTeX sets as it is: neighbouring hyphens would become a dash, apostrophes a quotation mark."""
    return "{}".join(part.translate(TRANSLATED) for part in re.split(r"(?<=-)(?=-)|(?<=')(?=')", visible(text)))


def _heading(text: str) -> str:
    lines = [escaped(line) for line in textwrap.wrap(text, HEADING, break_long_words=False)] or [""]
    return lines[0] if len(lines) == 1 else rf"\shortstack{{{LINE_END.join(lines)}}}"


def _fits(grid: Grid) -> bool:
    """Whether each column is as wide as its widest cell, and all together no wider than a line."""
    widths = [
        max(_points(line) for line in (*textwrap.wrap(column.heading, HEADING, break_long_words=False), *own))
        for column, own in zip(grid.columns, _columns(grid), strict=True)
    ]
    return sum(widths) + 2 * LOOSE * len(widths) <= TEXT_WIDTH


def _broken(grid: Grid) -> tuple[str, list[float]]:
    """The size of type, and each column's points, at which cells broken into lines fill the width; the least that they may have if that is more."""
    size, least = "", list[float]()
    for size, em in SIZES.items():
        texts = [(column.heading, *own) for column, own in zip(grid.columns, _columns(grid), strict=True)]
        least = [max(_points(piece, em) for text in own for piece in ("", *_pieces(text))) + 1 for own in texts]
        more = [max(0.0, max(_points(text, em) for text in own) - low) for own, low in zip(texts, least, strict=True)]
        room = TEXT_WIDTH - _together(least)
        if room >= 0:
            share = min(1.0, room / sum(more)) if sum(more) else 0.0
            return size, [low + share * own for low, own in zip(least, more, strict=True)]
    return size, least


def _together(widths: list[float]) -> float:
    return sum(widths) + 2 * TIGHT * (len(widths) - 1)


def _columns(grid: Grid) -> list[list[str]]:
    return [[visible(row[place]) for row in grid.rows] for place in range(len(grid.columns))]


def _points(text: str, em: float = SIZES["footnotesize"]) -> float:
    return em * sum(EMS.get(character, 0.79 if character.isupper() or ord(character) > 0x24F else 0.56) for character in text)


def _pieces(text: str) -> list[str]:
    """What is not broken: of long words, up to a sign or so many characters."""
    parts = [
        part
        for word in text.split()
        for part in (re.split(r"(?<=[_/=.,:-])(?=[^\W\d])", word) if len(word) > PIECE else [word])
    ]
    return [part[start : start + PIECE] for part in parts for start in range(0, len(part), PIECE)]


def _breakable(text: str) -> str:
    """Escaped, with places in long words where a line may end."""
    return " ".join(r"\allowbreak{}".join(map(escaped, _pieces(word))) for word in visible(text).split())


def _format(grid: Grid, widths: list[float]) -> str:
    sides = ["raggedleft" if column.numeric else "raggedright" for column in grid.columns]
    columns = [rf">{{\{side}\arraybackslash}}p{{{width:.1f}pt}}" for side, width in zip(sides, widths, strict=True)]
    return f"@{{}}{''.join(columns)}@{{}}"
