"""The factors: how much is enough, whether they interact, and what each parameter of a search does."""

from ...files.rows import rows as each
from ...judging.effects import factorial
from .. import grids, plots, wording
from ..figures import Drawing, quantity
from ..grids import Column, Grid
from .section import Material, Section


def _responses(material: Material) -> list[Drawing]:
    found, block = material.found, material.found.trials.words.block
    return [
        Drawing(
            f"response_{response.factor}",
            plots.response(
                response.scores,
                response.summary,
                factor=factorial.called(response.factor),
                quantity=quantity(found),
                block=block,
            ),
            f"How {found.endpoint.words} follows {factorial.called(response.factor)} alone. Every dot is a {block}, the bar the mean's 95% interval.",
            f"{found.endpoint.words} over {factorial.called(response.factor)} on a logarithmic axis with a place for 0.",
            response.scores,
        )
        for response in found.responses
    ]


def _effects(material: Material) -> list[Grid]:
    """Main effects and interactions of a grid."""
    found = material.found
    if found.effects is None:
        return []
    reading, block = found.endpoint, found.trials.words.block
    rows = tuple(
        (
            str(row["effect"]),
            reading.difference(row["estimate"]) + reading.difference_unit,
            reading.interval(row["low"], row["high"]),
            f"{row['p_adjusted']:.3g}",
            str(row["blocks"]),
        )
        for row in each(found.effects)
    )
    columns = tuple(Column(text, text != "effect") for text in ("effect", "estimate", "interval", "p, counted", f"{block}s"))
    caption = f"Effects on {reading.words}, × is the interaction: each a contrast within the {block}, tested over {block}s; the {len(rows)} share α, intervals at {wording.level(float(found.effects['alpha'].iloc[0]))}"
    return [Grid("effects", caption, columns, rows)]


def _parameters(material: Material) -> list[Grid | None]:
    return [grids.parameters(material.found)]


PARAMETERS = Section("parameters", "What do the parameters do?", tables=_parameters)
RESPONSE = Section("response", "How much is enough?", figures=_responses)
EFFECTS = Section("effects", "Do the factors interact?", tables=_effects)
