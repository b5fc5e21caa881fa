"""How do the curves look? Each metric over epochs."""

from .. import plots
from ..figures import Drawing, counted, curve_quantity
from .section import Material, Section


def _curves(material: Material) -> list[Drawing]:
    found, look = material.found, material.look
    block, drawn = found.trials.words.block, []
    for curve in found.trials.curves:
        own = found.trials.epochs[["configuration", "seed", "epoch", curve.metric]].rename(columns={curve.metric: "value"})
        if own["epoch"].nunique() < 2 or own["value"].isna().all():
            continue
        title, subtitle = curve.title, f"{counted(found)}; {block}s thin, median bold"
        shown = curve_quantity(found, curve)
        figure = plots.curves(own, look, quantity=shown, title=title, subtitle=subtitle)
        few = len(look) <= plots.TOGETHER
        narrow = plots.curves(own, look, quantity=shown, title=title, subtitle=subtitle, narrow=True) if few else None
        alt = f"{title} for {', '.join(look)}: a thin line per {block}, a bold median."
        caption = f"{title}. {block.capitalize()}s are thin lines, the median is bold."
        drawn.append(Drawing(curve.name, figure, caption, alt, own, narrow))
    return drawn


CURVES = Section("curves", "How do the curves look?", figures=_curves)
