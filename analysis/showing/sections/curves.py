"""How do the curves look? Each metric over epochs."""

import numpy as np
import pandas as pd

from .. import plots
from ..figures import Drawing, counted, curve_quantity, drawn_blocks, drawn_of, of_all
from .section import Material, Section

MOST_POINTS = 500
"""Of a curve: more are not seen, and would fill the page's file."""


def _curves(material: Material) -> list[Drawing]:
    found = material.found
    shown_of = set(drawn_of(found))
    look = {name: own for name, own in material.look.items() if name in shown_of}
    block, drawn = found.trials.words.block, []
    for curve in found.trials.curves:
        own = found.trials.epochs[["configuration", "seed", "epoch", curve.metric]].rename(columns={curve.metric: "value"})
        own = _thinned(own[own["configuration"].isin(shown_of) & own["seed"].isin(drawn_blocks(found))])
        if own["epoch"].nunique() < 2 or own["value"].isna().all():
            continue
        title, subtitle = curve.title, f"{counted(found)}; {block}s thin, median bold"
        shown = curve_quantity(found, curve)
        figure = plots.curves(own, look, quantity=shown, title=title, subtitle=subtitle)
        few = len(look) <= plots.TOGETHER
        narrow = plots.curves(own, look, quantity=shown, title=title, subtitle=subtitle, narrow=True) if few else None
        alt = f"{title} for {', '.join(look)}: a thin line per {block}, a bold median."
        caption = f"{title}. {block.capitalize()}s are thin lines, the median is bold.{of_all(found)}"
        drawn.append(Drawing(curve.name, figure, caption, alt, own, narrow))
    return drawn


def _thinned(points: pd.DataFrame) -> pd.DataFrame:
    """A line per configuration and block, with so many points at most, the last among them; of several runs of a block their mean."""
    place = ["configuration", "seed", "epoch"]
    if points.duplicated(place).any():
        points = points.groupby(place, sort=False)["value"].mean().reset_index()
    steps = np.sort(points["epoch"].unique())
    if len(steps) <= MOST_POINTS:
        return points
    kept = steps[np.unique(np.linspace(0, len(steps) - 1, MOST_POINTS).round().astype(int))]
    last = points["epoch"] == points.groupby(place[:2])["epoch"].transform("max")
    return points[points["epoch"].isin(kept) | last]


CURVES = Section("curves", "How do the curves look?", figures=_curves)
