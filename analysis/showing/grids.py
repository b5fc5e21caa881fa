"""Tables of a report, as text: one description for HTML, Markdown and whatever comes next. Those of single sections are theirs."""

import math
from dataclasses import dataclass
from urllib.parse import quote

from regstudy.console.screen import Table
from regstudy.schema import Summary

from ..files.rows import rows as each
from ..judging.claims import Verdict
from ..judging.findings import Findings
from ..reading.measures import Measure
from . import wording

NONE = "–"
WIDTH = 120
"""Characters of a table in a notebook's text."""

BEST, BEST_EPOCH = Summary.BEST_TEST_ACCURACY.value, Summary.BEST_EPOCH.value


@dataclass(frozen=True)
class Column:
    """A column's heading, and whether it holds numbers, which are aligned right and sorted by value."""

    heading: str
    numeric: bool = True


@dataclass(frozen=True)
class Grid:
    """A table of text; `name` is unique in a report.

    `marks` are words for a row's look, such as a verdict; `links` are addresses for the last column's cells; empty if there are none.
    """

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    marks: tuple[str, ...] = ()
    links: tuple[str, ...] = ()


def ranking(found: Findings) -> Grid:
    """Ranks, means, intervals; the best epoch last, since it is biased."""
    reading, block = found.endpoint, found.trials.words.block
    detailed = DETAIL in found.table
    unit = f" ({reading.unit})" if reading.unit else ""
    headings = ["rank", "configuration", f"{block}s", f"{reading.words}{unit}", "95% interval of the mean", f"SD over {block}s"]
    if detailed:
        headings += ["wrong images", "test loss", "best epoch (%, biased)"]
    best = found.table["best"].notna().any()
    rows = [_ranked(row, reading, detailed=detailed, best=bool(best)) for row in each(found.table)]
    columns = [Column(text, text != "configuration") for text in [*headings, *(["P(best)"] if best else [])]]
    return Grid("ranking", "Ranking; = marks a shared rank", tuple(columns), tuple(rows))


def verdicts(found: Findings) -> Grid:
    """Claim, verdict, estimate with interval, n, further seeds."""
    rows, further_heading = [], f"further {found.trials.words.block}s"
    for judged in found.judged:
        further = NONE
        if judged.verdict == Verdict.INCONCLUSIVE:
            further = f"{judged.further:,}" if judged.further else "> 100,000"
        n = str(judged.deciding.plain.n) if judged.deciding else NONE
        sign = wording.SIGNS[judged.verdict]
        rows.append((judged.text, f"{sign} {wording.verdict_words(judged)}", wording.estimate(judged), n, further))
    headings = ("claim", "verdict", "estimate (95% interval)", "n", further_heading)
    columns = tuple(Column(text, text in {"n", further_heading}) for text in headings)
    return Grid("verdicts", "Verdict on each claim", columns, tuple(rows), tuple(j.verdict.value for j in found.judged))


def runs(found: Findings) -> Grid:
    """Every run."""
    trials, reading = found.trials, found.endpoint
    more = [(heading, column, cell) for heading, column, cell in OF_A_RUN if trials.has(column)]
    rows = tuple(
        (
            str(row["configuration"]),
            str(row["seed"]),
            reading.value(row[reading.key]) if is_number(row[reading.key]) else "diverged",
            *(cell(row) for _, _, cell in more),
            str(row["run_id"]),
        )
        for row in each(trials.runs)
    )
    headings = ["configuration", trials.words.block, reading.words, *(heading for heading, _, _ in more), "run"]
    texts = {"configuration", "command", "run"}
    columns = tuple(Column(text, text not in texts) for text in headings)
    return Grid("runs", "Every run", columns, rows, links=_links(found))


def as_text(grid: Grid) -> str:
    """A table in characters, for where no HTML is shown."""
    shown = Table(grid.caption)
    for column in grid.columns:
        shown.column(column.heading, justify="right" if column.numeric else "left", overflow="fold")
    for row in grid.rows:
        shown.row(*row)
    return shown.text(WIDTH)


def is_number(value: object) -> bool:
    """Whether there is something to show."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _links(found: Findings) -> tuple[str, ...]:
    """Each run's page, if the store is a server."""
    source = found.trials.source
    if not source.where.startswith("http"):
        return ()
    place = f"{source.where}/#/experiments/{quote(str(source.experiment_id), safe='')}/runs"
    return tuple(f"{place}/{quote(str(run_id), safe='')}" for run_id in found.trials.runs["run_id"])


def _ranked(row: dict[str, float], reading: Measure, *, detailed: bool, best: bool) -> tuple[str, ...]:
    seeds, diverged = int(row["seeds"]), int(row["diverged"])
    cells = [
        f"{int(row['rank'])}{'=' if row['shared'] else ''}",
        str(row["configuration"]),
        str(seeds) + (f" + {diverged} diverged" if diverged else ""),
        reading.value(row["mean"]) if seeds else "diverged",
        f"{reading.value(row['low'])} to {reading.value(row['high'])}" if is_number(row["low"]) else NONE,
        reading.spread(row["sd"]) if is_number(row["low"]) else NONE,
    ]
    if detailed:
        shown = seeds > 0
        cells += (
            [f"{row['wrong_images']:.1f}", f"{row['test_loss']:.4f}", f"{100 * row['best_epoch_accuracy_biased']:.2f}"]
            if shown
            else [NONE] * 3
        )
    return (*cells, *([f"{row['best']:.0%}" if is_number(row["best"]) else NONE] if best else []))


def _best(row: dict[str, float]) -> str:
    return f"{100 * row[BEST]:.2f} ({int(row[BEST_EPOCH])})" if is_number(row[BEST]) else NONE


DETAIL = "wrong_images"
"""Column of the ranking beside which the others stand that only some runs have."""

OF_A_RUN = (
    ("best epoch (%)", BEST, _best),
    ("threads", "threads", lambda row: str(row["threads"])),
    ("command", "command", lambda row: str(row["command"])),
)
"""What is told of a run beside its endpoint, if the runs have it: heading, column, and the row's cell."""
