"""A study in words and tables for its run's page in MLflow: the verdicts, then the ranking, as the report has them."""

from dataclasses import replace

from regstudy.design.design import described
from regstudy.schema import DESIGN_FILE

from ..judging.findings import Findings
from ..showing import grids, rendering
from ..showing.grids import Grid
from ..showing.words import opening

MOST_ROWS = 20
"""Of a table; MLflow takes 8,000 characters, and the report has them all."""

LONGEST = 8_000
FEWEST = 3
LEFT_OUT = {"best epoch (%, biased)", grids.P_BEST}
"""Columns for which there is room in a report."""


def of_study(found: Findings) -> str:
    """The Markdown of its description, as many rows of its tables as MLflow takes."""
    text = ""
    for most in range(MOST_ROWS, FEWEST - 1, -1):
        text = _text(found, most)
        if len(text) <= LONGEST:
            break
    return text[:LONGEST]


def _text(found: Findings, most: int) -> str:
    study = found.trials.study
    return rendering.render(
        "note.md.j2",
        {
            "headline": opening.headline(found),
            "verdicts": _first(grids.verdicts(found), most) if found.judged else None,
            "ranking": _first(_narrow(grids.ranking(found)), most),
            "about": "" if study is None else study.design.about.strip(),
            "described": "" if study is None else described(study.design),
            "design_file": DESIGN_FILE,
        },
    )


def _narrow(grid: Grid) -> Grid:
    kept = [place for place, column in enumerate(grid.columns) if column.heading not in LEFT_OUT]
    rows = tuple(tuple(row[place] for place in kept) for row in grid.rows)
    caption = grid.caption.removesuffix(grids.P_BEST_MEANS)
    return replace(grid, caption=caption, columns=tuple(grid.columns[place] for place in kept), rows=rows)


def _first(grid: Grid, most: int) -> Grid:
    more = f". The first {most} of {len(grid.rows):,}" if len(grid.rows) > most else ""
    return replace(grid, rows=grid.rows[:most], caption=grid.caption + more)
