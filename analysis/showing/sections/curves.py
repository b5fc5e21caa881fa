"""How do the curves look? Each metric over epochs."""

import math

import numpy as np
import pandas as pd

from regstudy.schema import Metric, Summary

from ...judging.findings import Findings
from ...judging.statistics import LEAST
from ...reading.measures import Curve
from .. import plots, wording
from ..figures import Drawing, counted, curve_quantity, drawn_blocks, drawn_of, of_all
from .compared import beside_reference, finding
from .section import Material, Section

MOST_POINTS, MOST_OF_MANY, MANY = 400, 120, 6
"""Of a curve: more are not seen, and would fill the page's file; fewer where there are so many panels."""


def _finding(material: Material) -> list[str]:
    told = _ends(material.found)
    return [f"Curves: {told}"] if told and _drawn(material) else []


def _ends(found: Findings) -> str:
    """What the ranking's tests show of the endpoint against the reference; empty of one configuration, or where the endpoint is not where the first curve ends."""
    table, reference = found.table, found.reference
    counts = found.trials.curves[0].counts_images if found.trials.curves else False
    if len(table) < 2 or counts != found.endpoint.counts_images:
        return ""
    if table["seeds"].max() < LEAST or wording.untested(found.ranking, found.trials.words.block):
        return f"too few {found.trials.words.block}s to tell which ends better"
    higher = beside_reference(found)
    words = {True: "fewer images wrong", False: "more images wrong"} if counts else {
        True: f"higher {found.endpoint.words}", False: f"lower {found.endpoint.words}"
    }  # fmt: skip
    told = [
        f"{words[side]} at the end with {wording.names([name for name in table['configuration'] if higher.get(name) is side])}"
        for side in (False, True)
        if side in higher.values()
    ]
    if told:
        return f"{', and '.join(told)} than with {reference}"
    return f"no configuration is shown to end better or worse than {reference} ({wording.blocks_in_words(found)})"


def _curves(material: Material) -> list[Drawing]:
    found, look = material.found, {name: material.look[name] for name in drawn_of(material.found)}
    block = found.trials.words.block
    made = []
    for curve, own in _drawn(material):
        title = _title(found, curve, own)
        shown = curve_quantity(found, curve)
        of_images = f"of {shown.test_images:,} test images; " if shown.test_images else ""
        figure, narrow = (
            plots.curves(
                own,
                look,
                quantity=shown,
                title=title,
                subtitle=f"{of_images}{counted(found)}; {pale}, median bold",
                reference=found.reference,
                narrow=small,
            )
            for pale, small in ((f"{block}s thin", False), (f"pale: the range of {block}s", True))
        )
        alt = f"{title}. {_called(curve)} for {', '.join(look)}: a thin line per {block}, a bold median."
        caption = f"{_called(curve)}, one panel each; bold: the median of its {block}s.{of_all(found)}"
        heading = curve is found.trials.curves[0] and bool(_ends(found))
        made.append(Drawing(curve.name, figure, caption, alt, own, narrow, titled=not heading))
    return made


def _drawn(material: Material) -> list[tuple[Curve, pd.DataFrame]]:
    """The curves that have more than a point, with columns configuration, seed, epoch, value."""
    found = material.found
    shown_of, blocks = set(drawn_of(found)), drawn_blocks(found)
    made = []
    for curve in found.trials.curves:
        own = found.trials.epochs[["configuration", "seed", "epoch", curve.metric]].rename(columns={curve.metric: "value"})
        own = own[own["configuration"].isin(shown_of) & own["seed"].isin(blocks)]
        if len(own["epoch"].unique()) > 1 and own["value"].notna().any():
            made.append((curve, _thinned(own, MOST_POINTS if len(shown_of) <= MANY else MOST_OF_MANY)))
    return made


def _title(found: Findings, curve: Curve, own: pd.DataFrame) -> str:
    """What the curve's own test shows, else where the medians end."""
    what = _called(curve)
    if curve is found.trials.curves[0] and (told := _ends(found)):
        return f"{what}: {told.replace('more images wrong', 'more').replace('fewer images wrong', 'fewer')}"
    if curve.metric == Metric.TEST_LOSS:
        told = finding(found, Summary.ENDPOINT_TEST_LOSS, "higher at the end", "lower at the end", " at the end")
        if told:
            return f"{what}: {told[0]}"
    medians = "" if curve.counts_images else _medians(own)
    return f"{what}: {medians}" if medians else what


def _called(curve: Curve) -> str:
    """What is drawn: of an accuracy, what is wrong."""
    return curve.title.replace("Test accuracy", "Wrong test images") if curve.counts_images else curve.title


def _medians(own: pd.DataFrame) -> str:
    """Where the lowest median ends and where the highest, and whose they are."""
    last = own[own["epoch"] == own.groupby(["configuration", "seed"])["epoch"].transform("max")]
    ends = last.groupby("configuration")["value"].median().dropna()
    ends = ends[np.isfinite(ends)]
    if ends.empty:
        return ""
    low, high = (f"{value:.3g}".replace("-", "−") for value in (ends.min(), ends.max()))
    if low == high or math.isclose(ends.min(), ends.max()):
        return f"the {'medians end' if len(ends) > 1 else 'median ends'} at {low}"
    return f"medians end between {low} ({ends.idxmin()}) and {high} ({ends.idxmax()})"


def _thinned(points: pd.DataFrame, most: int) -> pd.DataFrame:
    """A line per configuration and block, with so many points at most, the last among them; of several runs of a block their mean."""
    place = ["configuration", "seed", "epoch"]
    if points.duplicated(place).any():
        points = points.groupby(place, sort=False)["value"].mean().reset_index()
    steps = np.sort(points["epoch"].unique())
    if len(steps) <= most:
        return points
    kept = steps[np.unique(np.linspace(0, len(steps) - 1, most).round().astype(int))]
    last = points["epoch"] == points.groupby(place[:2])["epoch"].transform("max")
    return points[points["epoch"].isin(kept) | last]


CURVES = Section("curves", "How do the curves look?", finding=_finding, figures=_curves)
