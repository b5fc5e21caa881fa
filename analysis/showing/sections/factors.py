"""The factors: how much is enough, and whether they interact."""

from ...files.rows import rows as each
from .. import plots
from ..figures import Drawing, quantity
from ..grids import Column, Grid
from .section import Material, Section


def _responses(material: Material) -> list[Drawing]:
    found, block = material.found, material.found.trials.words.block
    return [
        Drawing(
            f"response_{response.factor}",
            plots.response(
                response.scores, response.summary, factor=response.factor.upper(), quantity=quantity(found), block=block
            ),
            f"How {found.endpoint.words} follows {response.factor.upper()} alone. Every dot is a {block}, the bar the mean's 95% interval.",
            f"{found.endpoint.words} over {response.factor.upper()} on a logarithmic axis with a place for 0.",
            response.scores,
        )
        for response in found.responses
    ]


def _effects(material: Material) -> list[Grid]:
    """Main effects and interaction of a 2 × 2 study."""
    found = material.found
    if found.effects is None:
        return []
    reading, block = found.endpoint, found.trials.words.block
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
    columns = tuple(Column(text, text != "effect") for text in ("effect", "estimate", "95% interval", "p", f"{block}s"))
    caption = (
        f"Effects on {reading.words}, × is the interaction: ordinary least squares with the {block} as a block, the residual variance of all four "
        "pooled; unadjusted"
    )
    return [Grid("effects", caption, columns, rows)]


RESPONSE = Section("response", "How much is enough?", figures=_responses)
EFFECTS = Section("effects", "Do the factors interact?", tables=_effects)
