"""Each run by itself, for the report: its curve among its configuration's other seeds, and the images that it misclassifies."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd
from markupsafe import Markup

from regstudy.console.terminal import plural

from ..files.rows import rows
from ..judging.findings import Findings
from ..reading.errors import Errors
from ..reading.trials import Words
from . import figures, gallery, methods, plots, rendering, svg
from .plots import Look

MOST_RUNS = 60
"""Runs up to which a report shows each: beyond, the page would take long to make and to open."""

CURVE_WIDTH = 640
"""Of the curve in a run's picture, in pixels."""


@dataclass(frozen=True)
class Wrong:
    """An image that a run misclassifies: its number in the test set, actual class, the answer and its probability, in words; `png` as base64."""

    index: int
    actual: str
    answer: str
    probability: str
    png: str


@dataclass(frozen=True)
class Single:
    """One run: `anchor` names its place in the page and its file; `told` is what came of it, in a line.

    `curve` is SVG, None without at least two points; `images`, the surest first, None if they are not known. `words` are the runs' own.
    """

    anchor: str
    configuration: str
    seed: str
    run_id: str
    told: str
    curve: str | None
    curve_in_words: str
    images: list[Wrong] | None
    words: Words

    @property
    def inline(self) -> Markup | None:
        """The curve for HTML."""
        return None if self.curve is None else svg.inline(self.curve, self.anchor, self.curve_in_words)


def read(found: Findings, errors: Errors) -> dict[str, list[Single]]:
    """The runs of each configuration; none if there are more than `MOST_RUNS`."""
    runs = found.trials.runs
    if len(runs) > MOST_RUNS:
        return {}
    known = set(errors.runs["run_id"])
    look = plots.looks(list(dict.fromkeys(runs["configuration"])))
    singles: dict[str, list[Single]] = {}
    with plots.style():
        for place, run in enumerate(rows(runs)):
            name, seed = str(run["configuration"]), str(run["seed"])
            own = errors.rows[errors.rows["run_id"] == run["run_id"]] if run["run_id"] in known else None
            images = None if own is None else _images(own, errors.words)
            counted = "" if images is None else f"; {plural(len(images), 'image')} wrong after the last epoch"
            told = _value(found, run[found.endpoint.key]) + counted
            curve, words_of_it = _curve(found, name, run["seed"], look[name])
            single = Single(anchor(place), name, seed, str(run["run_id"]), told, curve, words_of_it, images, found.trials.words)
            singles.setdefault(name, []).append(single)
    return singles


def page(single: Single) -> str:
    """A run as one picture (SVG, on white), for where no HTML is shown."""
    curve, height = (None, 0.0) if single.curve is None else svg.nested(single.curve, CURVE_WIDTH)
    return rendering.render("run.svg.j2", {"run": single, "curve": curve, "curve_height": height})


def anchor(place: int) -> str:
    """What the place of the run in this row of the trials is called in the page."""
    return f"run-{place}"


def _value(found: Findings, value: float) -> str:
    endpoint = found.endpoint
    if not math.isfinite(value):
        return "diverged"
    return (
        f"{endpoint.words} {endpoint.value(value)}{'' if endpoint.unit == '%' else ' '}{endpoint.unit}".rstrip()
        + methods.endpoint_words(found)
    )


def _curve(found: Findings, name: str, seed: object, look: Look) -> tuple[str | None, str]:
    shown, epochs, spoken = found.trials.curves[0], found.trials.epochs, found.trials.words
    own = epochs.loc[epochs["configuration"] == name, ["seed", "epoch", shown.metric]].rename(columns={shown.metric: "value"})
    single = own[own["seed"] == seed]
    quantity = figures.curve_quantity(found, shown)
    words = f"{quantity.name} of {name}, {spoken.block} {seed}, over {spoken.step}s; its other {spoken.block}s pale."
    if single["epoch"].nunique() < 2 or single["value"].isna().all():
        return None, words
    return svg.svg(plots.single(own, seed, look, quantity)), words


def _images(own: pd.DataFrame, words: Callable[[int], str]) -> list[Wrong]:
    surest = own.sort_values(["predicted_probability", "index"], ascending=[False, True])
    return [
        Wrong(
            int(row["index"]),
            words(int(row["label"])),
            words(int(row["predicted"])),
            f"{row['predicted_probability']:.0%}",
            gallery.png(gallery.image(row.get("pixels"))),
        )
        for row in rows(surest)
    ]
