"""Tables of a report, as text: one description for HTML, Markdown and whatever comes next. Those of single sections are theirs."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pandas as pd

from regstudy.console.screen import Table
from regstudy.schema import Summary

from ..files.rows import rows as each
from ..judging.effects.parameters import NUMBER
from ..judging.findings import Findings
from ..judging.ranking import DIVERGED, UNTESTED, Relation
from ..reading.measures import Measure
from . import wording

NONE = "–"
SAME = "·"
RELATIONS = {
    (Relation.SEPARATED, True): "better",
    (Relation.SEPARATED, False): "worse",
    (Relation.EQUIVALENT, True): "=",
    (Relation.EQUIVALENT, False): "=",
    (Relation.UNRESOLVED, True): "?",
    (Relation.UNRESOLVED, False): "?",
}
P_BEST, P_BEST_MEANS = "P(best)", "; P(best): share of redraws in which the mean is best"
"""A column's heading, and what the caption says of it."""

MARKS = {"Yes": "supported", "No": "refuted", "Open": "inconclusive"}
"""How an answer looks: the page's classes."""

ESTIMATE = "estimate (interval)"
MOST_CONFIGURATIONS = 20
"""Configurations that a figure has room for, on a screen; and a table of a search's, whose order is largely chance."""

MOST_PARAMETERS = 40
"""Parameters that are listed."""

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
    """A table of text; `name` is unique in a report, `title` is said of it where it is folded, if the name says too little.

    `marks` are words for a row's look, such as a verdict; `links` are addresses for the last column's cells; empty if there are none.
    """

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    marks: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    title: str = ""


@dataclass(frozen=True)
class Detail:
    """What stands beside the ranking of trials: the metric's name, its heading in a report and, on two lines, on a terminal, and a row's cell."""

    metric: str
    heading: str
    short: str
    cell: Callable[[Mapping[str, Any]], str]


DETAILS = (
    Detail("", "wrong images", "wrong\nimages", lambda row: f"{row['wrong_images']:.1f}"),
    Detail(Summary.ENDPOINT_TEST_LOSS, "test loss (nats)", "test loss", lambda row: f"{row['test_loss']:.4f}"),
    Detail(BEST, "best epoch (%, biased)", "best epoch,\nbiased", lambda row: f"{100 * row['best_epoch_accuracy_biased']:.2f}"),
)
"""The best epoch last, since it is biased."""


def details(found: Findings) -> list[Detail]:
    """What stands beside the ranking, which has the endpoint itself already."""
    return [own for own in DETAILS if own.metric != found.endpoint.key] if DETAIL in found.table else []


def ranking(found: Findings) -> Grid:
    """Ranks, means, intervals, and details."""
    reading, block, beside = found.endpoint, found.trials.words.block, details(found)
    unit = f" ({reading.unit})" if reading.unit else ""
    new = "new_low" in found.table
    of_mean = ["95% interval, these images", "for new images"] if new else ["95% interval of the mean"]
    headings = ["rank", "configuration", f"{block}s", f"{reading.words}{unit}", *of_mean, f"SD over {block}s"]
    headings += [detail.heading for detail in beside]
    best = found.table["best"].notna().any()
    few = found.table.head(listed(found))
    rows = [_ranked(row, reading, beside, best=bool(best), new=new) for row in each(few)]
    columns = [Column(text, text != "configuration") for text in [*headings, *([P_BEST] if best else [])]]
    caption = f"Ranking{_how_read(found.table)}"
    if len(rows) < len(found.table):
        caption += f". The first {len(rows)} of {len(found.table):,}, which have a run each: their order is largely chance"
    return Grid("ranking", caption, tuple(columns), tuple(rows))


def listed(found: Findings) -> int:
    """How many configurations the ranking's table holds: all; of a search's, which each have one run, the first of the order."""
    return len(found.table) if found.parameters is None else min(len(found.table), MOST_CONFIGURATIONS)


def _how_read(table: pd.DataFrame) -> str:
    """What its places mean, of those kinds that there are; what else needs a word."""
    told = [
        f"{rank(row, '')}: {means}"
        for standing, means in (
            (Relation.EQUIVALENT, "shown to be practically equivalent"),
            (Relation.UNRESOLVED, "order not known"),
        )
        for row in each(table[table["standing"] == standing].head(1))
    ]
    return "".join(f"; {text}" for text in told) + (P_BEST_MEANS if table["best"].notna().any() else "")


def pairs(found: Findings) -> Grid | None:
    """What is known of each pair; None where not each was compared with each, or there is one configuration."""
    ranked = found.ranking
    if ranked.compared != "each" or len(ranked.table) < 2:
        return None
    order = [str(name) for name in ranked.table["configuration"]]
    signs = {name: dict.fromkeys(order, SAME) for name in order}
    for row in each(ranked.pairs):
        better = (row["mean"] > 0) == found.scale.higher_is_better
        signs[row["first"]][row["second"]] = RELATIONS[Relation(row["relation"]), better]
        signs[row["second"]][row["first"]] = RELATIONS[Relation(row["relation"]), not better]
    columns = (Column("configuration", numeric=False), *(Column(name, numeric=False) for name in order))
    caption = "Each row against each column: better or worse where that is shown, = where they are shown to be practically equivalent, ? where neither is"
    return Grid("pairs", caption, columns, tuple((name, *(signs[name][other] for other in order)) for name in order))


def parameters(found: Findings) -> Grid | None:
    """A row per parameter, the clearest first; None of runs that are no search's."""
    told = found.parameters
    if told is None or told.empty:
        return None
    rows = tuple(_parameter(row) for row in each(told.head(MOST_PARAMETERS)))
    columns = tuple(
        Column(text, text != "parameter") for text in ("parameter", "values", "runs", "strength", "95% interval", "p, counted")
    )
    of = f", the clearest {MOST_PARAMETERS}" if len(told) > MOST_PARAMETERS else ""
    caption = (
        f"How {found.endpoint.words} follows each parameter by itself{of}: Spearman's rank correlation of numbers, the share of ranks' variance between categories (η²); "
        f"p is Holm's over {len(told)}. Parameters that vary together stand for each other"
    )
    return Grid("parameters", caption, columns, rows)


def _parameter(row: dict[str, object]) -> tuple[str, ...]:
    number = row["kind"] == NUMBER
    strength = (
        f"{float(str(row['strength'])):{'+' if number else ''}.2f}".replace("-", "−") if is_number(row["strength"]) else NONE
    )
    ends = [f"{float(str(row[end])):+.2f}".replace("-", "−") for end in ("low", "high") if is_number(row[end])]
    p = wording.p_value(float(str(row["p_adjusted"]))) if is_number(row["p_adjusted"]) else NONE
    return str(row["parameter"]), str(row["values"]), str(row["runs"]), strength, " to ".join(ends) or NONE, p


def rank(row: dict[str, Any], unresolved: str = ", unresolved") -> str:
    """A configuration's place: one, a shared one where that is shown, or the places between which nothing is known."""
    first, last = int(row["rank"]), int(row["rank_to"])
    if row["standing"] == DIVERGED:
        return "last"
    if row["standing"] == UNTESTED:
        return NONE
    if row["standing"] != Relation.UNRESOLVED:
        return f"{first}{'=' if row['standing'] == Relation.EQUIVALENT else ''}"
    return f"{first}–{last}{unresolved}"


def verdicts(found: Findings) -> Grid:
    """Claim, verdict, estimate with interval, n, further seeds; and, where nobody says what was planned, the verdict if blocks were added while looking."""
    block = found.trials.words.block
    rows, further_heading, otherwise_heading = [], f"further {block}s", f"if {block}s were added while looking"
    others = found.otherwise.judged if found.otherwise else ()
    for place, judged in enumerate(found.judged):
        n = str(judged.deciding.plain.n) if judged.deciding else NONE
        cells = (judged.text, wording.signed(wording.answer(judged)), wording.estimate(judged), n)
        rows.append((*cells, wording.further_cell(judged), *([wording.answer(others[place])] if others else [])))
    headings = ("claim", "verdict", ESTIMATE, "n", further_heading, *([otherwise_heading] if others else []))
    columns = tuple(Column(text, text in {"n", further_heading}) for text in headings)
    caption = f"Verdict on each claim; all intervals together hold with {1 - found.alpha:.0%} confidence"
    return Grid(
        "verdicts", caption, columns, tuple(rows), tuple(MARKS[wording.ANSWERS[judged.verdict]] for judged in found.judged)
    )


def runs(found: Findings) -> Grid:
    """Every run."""
    trials, reading = found.trials, found.endpoint
    more = [(heading, column, cell) for heading, column, cell in OF_A_RUN if trials.has(column)]
    rows = tuple(
        (
            str(row["configuration"]),
            str(row["seed"]),
            reading.value(row[reading.key]) if is_number(row[reading.key]) else "diverged" if row["diverged"] else NONE,
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
    return table(grid).text(WIDTH)


def table(grid: Grid) -> Table:
    """A table in characters, of any width."""
    shown = Table(grid.caption)
    for column in grid.columns:
        shown.column(column.heading, justify="right" if column.numeric else "left")
    for row in grid.rows:
        shown.row(*row)
    return shown


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


def _ranked(row: dict[str, float], reading: Measure, beside: Sequence[Detail], *, best: bool, new: bool) -> tuple[str, ...]:
    seeds, diverged = int(row["seeds"]), int(row["diverged"])
    cells = [
        rank(row),
        str(row["configuration"]),
        str(seeds) + (f" + {diverged} diverged" if diverged else ""),
        reading.value(row["mean"]) if seeds else "diverged" if diverged else NONE,
        f"{reading.value(row['low'])} to {reading.value(row['high'])}" if is_number(row["low"]) else NONE,
        *(
            [f"{reading.value(row['new_low'])} to {reading.value(row['new_high'])}" if is_number(row["new_low"]) else NONE]
            if new
            else []
        ),
        reading.spread(row["sd"]) if is_number(row["low"]) else NONE,
        *(detail.cell(row) if seeds else NONE for detail in beside),
    ]
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
