"""Which figures a report has: findings in, figures with their words and numbers out. One function per figure; it is left out where it would say nothing."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from regstudy.console.terminal import plural
from regstudy.console.text import visible
from regstudy.schema import Metric, Summary

from ..files.rows import rows
from ..judging import images, statistics
from ..judging.claims import Compared, Judged
from ..judging.findings import Findings
from ..judging.single_runs import TIED
from ..reading import measures
from . import plots, wording
from .plots import Look, Quantity

Looks = dict[str, Look]
CURVES = {
    Metric.TEST_ACCURACY: ("test_accuracy", "Test accuracy over epochs"),
    Metric.TEST_LOSS: ("test_loss", "Test loss over epochs"),
    Metric.TRAIN_LOSS: ("train_loss", "Train loss over epochs, without penalties"),
}
HARDEST, MOST_SEEDS, MOST_ROWS = 40, 20, 8
"""Images, seeds and configurations that fit in one figure."""


@dataclass(frozen=True)
class Drawing:
    """A figure with its name, the section it belongs to, its caption, what it shows in words for those who do not see it, and its numbers.

    `narrow` is the same for small screens, where the figure would have to be scrolled.
    """

    name: str
    section: str
    figure: Figure
    caption: str
    alt: str
    numbers: pd.DataFrame
    narrow: Figure | None = None


def draw(found: Findings, wrong: pd.DataFrame, labels: Mapping[int, str]) -> list[Drawing]:
    """All figures that there is something for; `wrong` as in `analysis.judging.images`, `labels` what its images are."""
    # Colours follow the factors, not the ranks: they are the same in every report of a study.
    look = plots.looks(list(dict.fromkeys(found.trials.runs["configuration"])))
    return [drawing for make in FIGURES for drawing in make(found, look)] + _hardest(wrong, labels, look)


def _ranking(found: Findings, look: Looks) -> list[Drawing]:
    scores = _long(found.scores)
    figure, narrow = (
        plots.ranking(
            found.table,
            scores,
            look,
            reference=found.reference,
            margin=found.scale.margin,
            quantity=quantity(found),
            width=width,
        )
        for width in (11.0, plots.NARROW)
    )
    caption = (
        f"Every dot is a seed, the bar the 95% interval of the mean; the band is the margin around {found.reference}'s mean."
    )
    if found.scale.margin is None:
        caption = "Every dot is a seed, the bar the 95% interval of the mean."
    alt = f"{found.endpoint.words} of {', '.join(found.table['configuration'])}, in order of rank."
    return [Drawing("ranking", "first", figure, caption, alt, scores, narrow)]


def _curves(found: Findings, look: Looks) -> list[Drawing]:
    drawn = []
    names = (
        CURVES
        if "test_images" in found.trials.runs
        else {found.endpoint.key: (_file(found.endpoint.key), f"{found.endpoint.words} over steps")}
    )
    for metric, (name, title) in names.items():
        own = found.trials.epochs[["configuration", "seed", "epoch", str(metric)]].rename(columns={str(metric): "value"})
        if own["epoch"].nunique() < 2 or own["value"].isna().all():
            continue
        subtitle = f"{_counted(found)}; seeds thin, median bold"
        shown = curve_quantity(found, str(metric))
        figure = plots.curves(own, look, quantity=shown, title=title, subtitle=subtitle)
        few = len(look) <= plots.TOGETHER
        narrow = plots.curves(own, look, quantity=shown, title=title, subtitle=subtitle, narrow=True) if few else None
        alt = f"{title} for {', '.join(look)}: a thin line per seed, a bold median."
        drawn.append(Drawing(name, "curves", figure, f"{title}. Seeds are thin lines, the median is bold.", alt, own, narrow))
    return drawn


def _forest(found: Findings, _look: Looks) -> list[Drawing]:
    rows = []
    for judged in found.judged:
        for result in judged.contrasts:
            reading = measures.measure(result.metric).as_ratio(ratio=result.scale == "ratio")
            if result.plain.decidable:
                rows.append(_contrast_row(judged, result, reading))
    if not rows:
        return []
    table = pd.DataFrame(rows)
    figure = plots.forest(table)
    caption = "Each contrast with its 95% interval; the shaded band is smaller than the claim's margin. A claim's verdict stands beside the contrast that decides it."
    alt = "; ".join(
        f"{row['contrast']}, {row['quantity']}: {row['estimate']:.3g} ({row['low']:.3g} to {row['high']:.3g})" for row in rows
    )
    return [Drawing("contrasts", "claims", figure, caption, alt, table)]


def _contrast_row(judged: Judged, result: Compared, reading: measures.Measure) -> dict[str, object]:
    ratio = result.scale == "ratio"

    def show(natural: float) -> float:
        return math.exp(natural) if ratio else natural * reading.factor

    return {
        "claim": visible(judged.text),
        "contrast": wording.contrast(result),
        "quantity": reading.words
        if ratio
        else f"{reading.words},{reading.difference_unit}"
        if reading.difference_unit
        else reading.words,
        "scale": result.scale,
        "estimate": show(result.plain.mean),
        "low": show(result.plain.low),
        "high": show(result.plain.high),
        "margin": show(result.margin),
        "expect": result.expect,
        "verdict": wording.verdict_words(judged),
        "deciding": result is judged.deciding,
        "n": result.plain.n,
    }


def _dots(found: Findings, look: Looks) -> list[Drawing]:
    """Roughness, gap, dead kernels and calibration: each seed a dot."""
    wanted = (
        (Summary.ROUGHNESS_TEST_ACCURACY, "smooth", "Roughness of the test accuracy"),
        (Summary.GAP_ACCURACY, "overfitting", "Gap: accuracy on training images minus test accuracy"),
        (Summary.DEAD_KERNELS, "weights", "Dead kernels"),
        (Summary.CALIBRATION_ECE, "calibration", "Expected calibration error"),
    )
    drawn = []
    for metric, section, title in wanted:
        own = found.comparisons[found.comparisons["measure"] == metric]
        values = found.trials.runs
        if own.empty or values[metric].nunique() < 2:
            continue
        reading = measures.measure(metric)
        scores = _long(_wide(values, metric) * reading.factor)
        figure = plots.dots(
            scores,
            _summary(scores, log=reading.ratio),
            look,
            title=title,
            subtitle=f"{_counted(found)}; every dot is a seed{'; logarithmic axis' if reading.ratio else ''}",
            label=_labelled(reading),
            log=reading.ratio,
        )
        alt, mean = f"{title} of each configuration: every dot is a seed.", "geometric mean" if reading.ratio else "mean"
        drawn.append(
            Drawing(
                _file(metric), section, figure, f"{title}. Every dot is a seed, the bar the {mean}'s 95% interval.", alt, scores
            )
        )
    return drawn


def _sparsity(found: Findings, look: Looks) -> list[Drawing]:
    prefix, suffix = Summary.BELOW.value.split("{}")
    runs = found.trials.runs
    columns = [name for name in runs.columns if name.startswith(prefix)]
    if not columns:
        return []
    long = runs.melt(["configuration", "seed"], columns, "threshold", "share").dropna()
    long["threshold"] = long["threshold"].str.removeprefix(prefix).str.removesuffix(suffix).astype(float)
    if long.empty:
        return []
    figure = plots.sparsity(long, look)
    caption = "Share of weights smaller than a threshold, relative to their layer's root mean square, BatchNorm folded in."
    return [Drawing("sparsity", "weights", figure, caption, caption, long.sort_values(["configuration", "seed", "threshold"]))]


def _responses(found: Findings, _look: Looks) -> list[Drawing]:
    return [
        Drawing(
            f"response_{response.factor}",
            "response",
            plots.response(response.scores, response.summary, factor=response.factor.upper(), quantity=quantity(found)),
            f"How {found.endpoint.words} follows {response.factor.upper()} alone. Every dot is a seed, the bar the mean's 95% interval.",
            f"{found.endpoint.words} over {response.factor.upper()} on a logarithmic axis with a place for 0.",
            response.scores,
        )
        for response in found.responses
    ]


def _contest(found: Findings, _look: Looks) -> list[Drawing]:
    if found.contest is None:
        return []
    table = found.contest.table
    told = ", ".join(f"{row['configuration']} {row['share']:.0%}" for row in rows(table))
    caption = f"If each configuration had run once, and its best epoch had counted: how often each would have won. '{TIED}' is an exact tie."
    return [Drawing("contest", "luck", plots.contest(table), caption, f"Winners of contests of single runs: {told}.", table)]


def _detectable(found: Findings, _look: Looks) -> list[Drawing]:
    power = found.power
    if power is None:
        return []
    reading = found.endpoint
    table = power.table.rename(columns={"seeds": "n"}).assign(difference=power.table["difference"] * reading.factor)
    margin = None if found.scale.margin is None else found.scale.margin * reading.factor
    unit = reading.difference_unit.strip() or reading.words
    figure = plots.detectable(table, (power.seeds, power.ours * reading.factor), unit=unit, margin=margin)
    alt = f"With {plural(power.seeds, 'seed')}, differences of {reading.margin(power.ours)} are found in 80% of studies; more seeds find smaller ones."
    return [
        Drawing(
            "power",
            "trust",
            figure,
            f"What differences so many seeds find, for a single comparison that varies as these do on average; from few seeds, a rough guess. {alt}",
            alt,
            table,
        )
    ]


def _hardest(wrong: pd.DataFrame, labels: Mapping[int, str], look: Looks) -> list[Drawing]:
    if len(wrong) < 2 or wrong.shape[1] < 2:
        return []
    table = images.hardest(wrong).head(HARDEST)
    shown = wrong.groupby(level="configuration", sort=False).head(MOST_SEEDS)[table.index]
    shown = shown.loc[list(dict.fromkeys(shown.index.get_level_values("configuration")))[:MOST_ROWS]]
    more = len(wrong) - len(shown)
    caption = "Who gets the hardest images wrong: a row per seed, a column per image." + (
        f" {plural(more, 'run')} more, which count too, are not shown." if more else ""
    )
    hardest = table.index[0]
    alt = f"The hardest image, {labels[int(hardest)]}, is wrong in {table['runs'].iloc[0]} of {plural(len(wrong), 'run')}."
    figure = plots.hardest(shown, {int(image): f"{labels[int(image)]} · {image}" for image in table.index}, look)
    return [Drawing("hardest_images", "images", figure, caption, alt, table.reset_index())]


FIGURES = (_ranking, _forest, _curves, _dots, _sparsity, _responses, _contest, _detectable)
"""In the order of the sections."""


def quantity(found: Findings) -> Quantity:
    """What the endpoint's axis shows."""
    images = int(found.trials.runs["test_images"].iloc[0]) if found.endpoint.counts_images else None
    return Quantity(found.endpoint.words, found.endpoint.unit, images, "higher" if found.scale.higher_is_better else "lower")


def curve_quantity(found: Findings, metric: str) -> Quantity:
    """What the axis of a metric over epochs shows."""
    if not found.ours:
        return replace(quantity(found), over="step")
    if metric == Metric.TEST_ACCURACY:
        return Quantity("test accuracy", "%", int(found.trials.runs["test_images"].iloc[0]), "higher")
    return Quantity("negative log-likelihood", "nats", None, "lower")


def _wide(runs: pd.DataFrame, column: str) -> pd.DataFrame:
    wide = runs.pivot(index="seed", columns="configuration", values=column)  # noqa: PD010  # pivot_table drops what is all NaN
    return wide[list(dict.fromkeys(runs["configuration"]))]


def _long(scores: pd.DataFrame) -> pd.DataFrame:
    """Columns configuration, block, value."""
    long = scores.rename_axis(index="block", columns="configuration").reset_index().melt("block", value_name="value")
    return long[["configuration", "block", "value"]]


def _summary(scores: pd.DataFrame, *, log: bool) -> pd.DataFrame:
    """Mean and 95% interval of each configuration's seeds; on a logarithmic scale, the geometric mean and its."""
    rows = []
    for name, own in scores.groupby("configuration", sort=False):
        values = own["value"].dropna().to_numpy(float)
        interval = statistics.mean_interval(np.log(values[values > 0]) if log else values)
        numbers = {"mean": interval.mean, "low": interval.low, "high": interval.high}
        shown = {key: math.exp(value) for key, value in numbers.items()} if log else numbers
        rows.append({"configuration": name, "n": interval.n, **shown})
    return pd.DataFrame(rows)


def _labelled(reading: measures.Measure) -> str:
    unit = {"%": "points"}.get(reading.unit, reading.unit)
    return f"{reading.words} ({unit})" if unit else reading.words


def _counted(found: Findings) -> str:
    return f"{plural(len(found.table), 'configuration')}, {wording.seeds_in_words(found.table)}"


def _file(metric: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in metric)
