"""Findings to the tables of a report, as text: one description for HTML, Markdown and whatever comes next."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote

from regstudy.schema import Summary

from ..files.rows import rows as each
from ..judging import published, single_runs
from ..judging.claims import Compared, Verdict
from ..judging.findings import Findings
from ..reading import measures
from ..reading.measures import Measure
from . import wording

NONE = "–"
REACH, SCALE = (metric.value.partition("{")[0] for metric in (Summary.L1_REACH, Summary.INITIAL_SCALE))


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
    reading, ours = found.endpoint, found.ours
    unit = f" ({reading.unit})" if reading.unit else ""
    headings = ["rank", "configuration", "seeds", f"{reading.words}{unit}", "95% interval of the mean", "SD over seeds"]
    if ours:
        headings += ["wrong images", "test loss", "best epoch (%, biased)"]
    best = found.table["best"].notna().any()
    rows = [_ranked(row, reading, ours=ours, best=bool(best)) for row in each(found.table)]
    columns = [Column(text, text != "configuration") for text in [*headings, *(["P(best)"] if best else [])]]
    return Grid("ranking", "Ranking; = marks a shared rank", tuple(columns), tuple(rows))


def verdicts(found: Findings) -> Grid:
    """Claim, verdict, estimate with interval, n, further seeds."""
    rows = []
    for judged in found.judged:
        further = NONE
        if judged.verdict == Verdict.INCONCLUSIVE:
            further = f"{judged.further:,}" if judged.further else "> 100,000"
        n = str(judged.deciding.plain.n) if judged.deciding else NONE
        sign = wording.SIGNS[judged.verdict]
        rows.append((judged.text, f"{sign} {wording.verdict_words(judged)}", wording.estimate(judged), n, further))
    headings = ("claim", "verdict", "estimate (95% interval)", "n", "further seeds")
    columns = tuple(Column(text, text in {"n", "further seeds"}) for text in headings)
    return Grid("verdicts", "Verdict on each claim", columns, tuple(rows), tuple(j.verdict.value for j in found.judged))


def contrasts(found: Findings) -> Grid:
    """Every contrast of every claim, with both tests."""
    rows = [(judged.text, *_contrast(result)) for judged in found.judged for result in judged.contrasts]
    headings = (
        "claim",
        "contrast",
        "measure",
        "estimate",
        "95% interval",
        "margin",
        "n",
        "t test p",
        "sign-flip p",
        "effect size",
        "seeds won",
    )
    columns = tuple(Column(text, text not in {"claim", "contrast", "measure"}) for text in headings)
    caption = (
        "Every contrast behind the claims; intervals and p-values by themselves, before Holm's correction. The t test is two-sided; for what is "
        "claimed not to be lower it is one-sided, against the margin. Effect sizes are positive where the data point as claimed"
    )
    return Grid("contrasts", caption, columns, tuple(rows))


def comparisons(found: Findings, keys: Iterable[str], name: str) -> Grid | None:
    """Other measures of each configuration against the reference, unadjusted; None if no run has them."""
    table = found.comparisons[found.comparisons["measure"].isin(list(keys))]
    if table.empty:
        return None
    rows = []
    for row in each(table):
        reading = measures.measure(str(row["measure"]))
        of = f"{reading.words}{f' ({reading.unit})' if reading.unit else ''}"
        against = (
            f"{reading.difference(row['difference'])}{reading.difference_unit}"
            if _is_number(row["difference"])
            else "reference"
        )
        interval = reading.interval(row["low"], row["high"]) if _is_number(row["low"]) else NONE
        rows.append((of, row["configuration"], reading.value(row["mean"]), against, interval, str(row["seeds"])))
    headings = ("measure", "configuration", "mean", f"against {found.reference}", "95% interval", "n")
    columns = tuple(Column(text, text not in {"measure", "configuration"}) for text in headings)
    return Grid(
        name,
        f"{name.capitalize()} against {found.reference}: differences, or ratios (×) of geometric means; unadjusted",
        columns,
        tuple(rows),
    )


def effects(found: Findings) -> Grid | None:
    """Main effects and interaction of a 2 × 2 study."""
    if found.effects is None:
        return None
    reading = found.endpoint
    rows = tuple(
        (
            str(row["effect"]),
            reading.difference(row["estimate"]) + reading.difference_unit,
            reading.interval(row["low"], row["high"]),
            f"{row['p']:.3g}",
            str(row["blocks"]),
        )
        for row in each(found.effects)
    )
    columns = tuple(Column(text, text != "effect") for text in ("effect", "estimate", "95% interval", "p", "seeds"))
    caption = (
        f"Effects on {reading.words}, × is the interaction: ordinary least squares with the seed as a block, the residual variance of all four "
        "pooled; unadjusted"
    )
    return Grid("effects", caption, columns, rows)


def beside_published(found: Findings) -> Grid | None:
    """The published numbers beside ours; None if these are not the published study's configurations."""
    if not found.ours:
        return None
    table = published.beside(found.trials.runs)
    if table.empty:
        return None
    rows = tuple(_beside_published(row) for row in each(table))
    headings = (
        "study",
        "configuration",
        "best epoch's",
        "published",
        "our mean",
        "SD over seeds",
        "our range",
        "n",
        "95% prediction interval",
        "published value",
    )
    columns = tuple(
        Column(text, text not in {"study", "configuration", "best epoch's", "published value"}) for text in headings
    )
    return Grid(
        "published",
        "Best epochs, as the published study reports them for single runs of its two versions, V1 and V2: biased upwards in both; epochs, bounded "
        "and skewed, have a range only, outside of which one more run of the same kind falls in about 2 of n + 1 cases",
        columns,
        rows,
    )


def _beside_published(row: dict[str, float]) -> tuple[str, ...]:
    value, mean, spread = (".0f", ".1f", ".1f") if "epoch" in str(row["number"]) else (".2f", ".2f", ".3f")
    return (
        str(row["study"]),
        str(row["configuration"]),
        str(row["number"]),
        f"{row['published']:{value}}",
        f"{row['mean']:{mean}}",
        f"{row['sd']:{spread}}" if _is_number(row["sd"]) else NONE,
        f"{row['lowest']:{value}} to {row['highest']:{value}}",
        str(row["seeds"]),
        f"{row['low']:{mean}} to {row['high']:{mean}}" if _is_number(row["low"]) else NONE,
        _where(row),
    )


def _where(row: dict[str, float]) -> str:
    """Where the published value lies: in the interval, or, if there is none, in the range."""
    if _is_number(row["low"]):
        return "inside" if row["inside"] else "outside"
    return ("in" if row["lowest"] <= row["published"] <= row["highest"] else "out of") + " our range"


def against_itself(found: Findings) -> Grid | None:
    """The A/A test on the runs themselves; None without a configuration of enough runs."""
    if found.contest is None or found.contest.itself.empty:
        return None
    rows = tuple(
        (
            str(row["configuration"]),
            f"2 × {int(row['group'])}",
            f"{row['separated']:.1%}",
            f"{row['equivalent']:.1%}",
            f"{row['named']:.1%}",
        )
        for row in each(found.contest.itself)
    )
    headings = ("configuration", "groups", "told apart", "practically equivalent", "best epochs two images apart")
    return Grid(
        "itself",
        f"A/A: runs of the same configuration, split at random into two groups {single_runs.SPLITS:,} times: how often this report's procedure tells "
        "them apart, or shows them equivalent; and how often one run of each would have made a winner",
        tuple(Column(text, text != "configuration") for text in headings),
        rows,
    )


def reach(found: Findings) -> Grid | None:
    """How far L1 alone could move a weight of each layer over the run, beside the weights' initial scale; None without L1."""
    table = found.trials.runs
    layers = [name.removeprefix(REACH) for name in table.columns if name.startswith(REACH)]
    own = table[table["l1"] > 0].drop_duplicates("configuration") if layers else table.head(0)
    if own.empty:
        return None
    rows = [
        (
            str(row["configuration"]),
            layer,
            f"{row[REACH + layer]:.2g}",
            f"{scale:.2g}",
            f"{100 * row[REACH + layer] / scale:.2g}%" if scale else NONE,
        )
        for row in each(own)
        for layer in layers
        if _is_number(row[REACH + layer]) and _is_number(scale := row[SCALE + layer])
    ]
    headings = ("configuration", "layer", "reach of L1", "initial scale", "reach of scale")
    columns = tuple(Column(text, text not in {"configuration", "layer"}) for text in headings)
    return Grid(
        "reach",
        "The largest displacement that L1 alone can cause in a weight over the run, beside its initial scale",
        columns,
        tuple(rows),
    )


def runs(found: Findings) -> Grid:
    """Every run."""
    table, reading = found.trials.runs, found.endpoint
    ours = found.ours
    rows = tuple(
        (
            str(row["configuration"]),
            str(row["seed"]),
            reading.value(row[reading.key]) if _is_number(row[reading.key]) else "diverged",
            *((_best(row), str(row["threads"]), row["command"]) if ours else ()),
            str(row["run_id"]),
        )
        for row in each(table)
    )
    headings = ["configuration", "seed", reading.words, *(["best epoch (%)", "threads", "command"] if ours else []), "run"]
    texts = {"configuration", "command", "run"}
    columns = tuple(Column(text, text not in texts) for text in headings)
    return Grid("runs", "Every run", columns, rows, links=_links(found))


def _links(found: Findings) -> tuple[str, ...]:
    """Each run's page, if the store is a server."""
    source = found.trials.source
    if not source.where.startswith("http"):
        return ()
    place = f"{source.where}/#/experiments/{quote(str(source.experiment_id), safe='')}/runs"
    return tuple(f"{place}/{quote(str(run_id), safe='')}" for run_id in found.trials.runs["run_id"])


def _ranked(row: dict[str, float], reading: Measure, *, ours: bool, best: bool) -> tuple[str, ...]:
    seeds, diverged = int(row["seeds"]), int(row["diverged"])
    cells = [
        f"{int(row['rank'])}{'=' if row['shared'] else ''}",
        str(row["configuration"]),
        str(seeds) + (f" + {diverged} diverged" if diverged else ""),
        reading.value(row["mean"]) if seeds else "diverged",
        f"{reading.value(row['low'])} to {reading.value(row['high'])}" if _is_number(row["low"]) else NONE,
        reading.spread(row["sd"]) if _is_number(row["low"]) else NONE,
    ]
    if ours:
        shown = seeds > 0
        cells += (
            [f"{row['wrong_images']:.1f}", f"{row['test_loss']:.4f}", f"{100 * row['best_epoch_accuracy_biased']:.2f}"]
            if shown
            else [NONE] * 3
        )
    return (*cells, *([f"{row['best']:.0%}" if _is_number(row["best"]) else NONE] if best else []))


def _contrast(result: Compared) -> tuple[str, ...]:
    reading, plain = _measure(result), result.plain
    told = f"{reading.difference(plain.mean)}{reading.difference_unit}" if plain.n else NONE
    if not plain.decidable:
        return (wording.contrast(result), reading.words, told, NONE, reading.margin(result.margin), str(plain.n), *[NONE] * 4)
    return (
        wording.contrast(result),
        reading.words,
        told,
        reading.interval(plain.low, plain.high),
        reading.margin(result.margin),
        str(plain.n),
        f"{result.p:.3g}",
        f"{result.p_sign_flip:.3g}",
        NONE if result.effect_size is None else f"{result.effect_size:+.2f}".replace("-", measures.MINUS),
        f"{result.won:.0%}",
    )


def _measure(result: Compared) -> Measure:
    return measures.measure(result.metric).as_ratio(ratio=result.scale == "ratio")


def _best(row: dict[str, float]) -> str:
    return f"{100 * row['best_accuracy']:.2f} ({int(row['best_epoch'])})" if _is_number(row["best_accuracy"]) else NONE


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


ROUGHNESS = (Summary.ROUGHNESS_TEST_ACCURACY, Summary.ROUGHNESS_TEST_LOSS)
OVERFITTING = (Summary.GAP_ACCURACY, Summary.GAP_LOSS, Summary.ENDPOINT_TEST_LOSS)
ANATOMY = (Summary.EXACT_ZEROS, Summary.DEAD_KERNELS)
CALIBRATION = (Summary.CALIBRATION_BRIER, Summary.CALIBRATION_ECE)
