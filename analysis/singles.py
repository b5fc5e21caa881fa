"""Each run by itself, for the report: its curve among its configuration's other seeds, and the images that it misclassifies."""

import math
from dataclasses import dataclass

import pandas as pd
from markupsafe import Markup

from analysis import drawings, gallery, plots, vector
from analysis.findings import Findings
from analysis.frames import rows
from analysis.gallery import Errors
from analysis.measures import Measure
from analysis.plots import Look
from regstudy.schema import Metric
from regstudy.terminal import plural

MOST_RUNS = 60
"""Runs up to which a report shows each: beyond, the page would take long to make and to open."""


@dataclass(frozen=True)
class Single:
    """One run: `anchor` names its place in the page; `curve` is None without at least two epochs; `images` None if they are not known.

    `images`: number in the test set, actual class, wrong answer, its probability; the surest first.
    """

    anchor: str
    seed: str
    told: str
    curve: Markup | None
    images: list[tuple[int, str, str, str]] | None


def read(found: Findings, errors: Errors) -> dict[str, list[Single]]:
    """The runs of each configuration; none if there are more than `MOST_RUNS`."""
    runs = found.trials.runs
    if len(runs) > MOST_RUNS:
        return {}
    words = gallery.class_names(str(runs["dataset"].iloc[0]) if found.ours else "")
    known = set(errors.runs["run_id"])
    look = plots.looks(list(dict.fromkeys(runs["configuration"])))
    singles: dict[str, list[Single]] = {}
    with plots.style():
        for place, run in enumerate(rows(runs)):
            name, seed, where = str(run["configuration"]), str(run["seed"]), anchor(place)
            own = errors.rows[errors.rows["run_id"] == run["run_id"]] if run["run_id"] in known else None
            images = None if own is None else _images(own, words)
            counted = "" if images is None else f"; {plural(len(images), 'image')} wrong after the last epoch"
            told = _value(run[found.endpoint.key], found.endpoint) + counted
            curve = _curve(found, name, run["seed"], look[name], where)
            singles.setdefault(name, []).append(Single(where, seed, told, curve, images))
    return singles


def anchor(place: int) -> str:
    """What the place of the run in this row of the trials is called in the page."""
    return f"run-{place}"


def _value(value: float, endpoint: Measure) -> str:
    if not math.isfinite(value):
        return "diverged"
    return f"{endpoint.words} {endpoint.value(value)}{'' if endpoint.unit == '%' else ' '}{endpoint.unit}".rstrip()


def _curve(found: Findings, name: str, seed: object, look: Look, where: str) -> Markup | None:
    metric = str(Metric.TEST_ACCURACY if found.ours else found.endpoint.key)
    epochs = found.trials.epochs
    own = epochs.loc[epochs["configuration"] == name, ["seed", "epoch", metric]].rename(columns={metric: "value"})
    single = own[own["seed"] == seed]
    if single["epoch"].nunique() < 2 or single["value"].isna().all():
        return None
    quantity = drawings.curve_quantity(found, metric)
    figure = plots.single(own, seed, look, quantity)
    return vector.inline(
        vector.svg(figure), where, f"{quantity.name} of {name}, seed {seed}, over epochs; its other seeds pale."
    )


def _images(own: pd.DataFrame, words: tuple[str, ...]) -> list[tuple[int, str, str, str]]:
    surest = own.sort_values(["predicted_probability", "index"], ascending=[False, True])
    return [
        (int(row["index"]), words[int(row["label"])], words[int(row["predicted"])], f"{row['predicted_probability']:.0%}")
        for row in rows(surest)
    ]
