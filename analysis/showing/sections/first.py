"""What the first screen shows: the ranking as a figure."""

from .. import plots
from ..figures import Drawing, long, quantity
from .section import Material, Section


def _ranking(material: Material) -> list[Drawing]:
    found, block = material.found, material.found.trials.words.block
    scores = long(found.scores)
    figure, narrow = (
        plots.ranking(
            found.table,
            scores,
            material.look,
            reference=found.reference,
            margin=found.scale.margin,
            quantity=quantity(found),
            width=width,
        )
        for width in (11.0, plots.NARROW)
    )
    caption = (
        f"Every dot is a {block}, the bar the 95% interval of the mean; the band is the margin around {found.reference}'s mean."
    )
    if found.scale.margin is None:
        caption = f"Every dot is a {block}, the bar the 95% interval of the mean."
    alt = f"{found.endpoint.words} of {', '.join(found.table['configuration'])}, in order of rank."
    return [Drawing("ranking", figure, caption, alt, scores, narrow)]


FIRST = Section("first", "Which is best?", figures=_ranking)
