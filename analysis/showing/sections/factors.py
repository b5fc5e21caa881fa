"""The factors: how much is enough, whether they interact, and what each parameter of a search does."""

from regstudy.console.terminal import plain, plural

from ...files.rows import rows as each
from ...judging.effects import factorial
from ...judging.effects.response import Response
from ...judging.findings import Findings
from ...judging.ranking import Relation
from ...judging.statistics import LEAST
from .. import grids, plots, wording
from ..figures import Drawing, both, quantity
from ..grids import Column, Grid, is_number
from .section import Material, Section

CROSS = "×"
"""In the name of an interaction."""


def _enough(material: Material) -> list[str]:
    told = [_response(material.found, response) for response in material.found.responses]
    return [f"How much: {'; '.join(told)}"] if told else []


def _response(found: Findings, response: Response) -> str:
    """Which strengths the ranking's tests show to be worse or better than the smallest, all else equal."""
    names = _names(found, response)
    first, *others = names
    apart = {
        (str(row["first"]), str(row["second"])): float(row["mean"])
        for row in each(found.ranking.pairs)
        if row["relation"] == Relation.SEPARATED
    }
    above = {
        value: mean > 0
        for value in others
        if (mean := apart.get((names[value], names[first]), -apart.get((names[first], names[value]), 0.0)))
    }
    better = {value: up == found.scale.higher_is_better for value, up in above.items()}
    told = [
        f"{word} than with {plain(first)} at {wording.names([plain(value) for value in which])}"
        for word, side in (("worse", False), ("better", True))
        if (which := [value for value, is_better in better.items() if is_better is side])
    ]
    called = factorial.called(response.factor)
    return (
        f"{called} {' and '.join(told)}"
        if told
        else f"no strength of {called} is shown to be better or worse than {plain(first)}"
    )


def _names(found: Findings, response: Response) -> dict[float, str]:
    """The configuration of each strength, in ascending order."""
    runs, scores = found.trials.runs, response.scores
    own = runs.merge(scores, left_on=[response.factor, "seed", found.endpoint.key], right_on=["value", "seed", "score"])
    return {float(str(value)): str(those["configuration"].iloc[0]) for value, those in own.groupby("value")}


def _responses(material: Material) -> list[Drawing]:
    found, block = material.found, material.found.trials.words.block
    made = []
    for response in found.responses:
        called, title = factorial.called(response.factor), _response(found, response)
        figures = both(
            plots.response,
            response.scores,
            response.summary,
            factor=called,
            quantity=quantity(found),
            title=title[0].upper() + title[1:],
            subtitle=f"every dot a {block}, line: mean, bar: its 95% interval; {called} on a logarithmic axis with a place for 0",
        )
        caption = f"How {found.endpoint.words} follows {called} alone. Every dot is a {block}, the bar the mean's 95% interval."
        alt = f"{found.endpoint.words} over {called} on a logarithmic axis with a place for 0. {title}."
        alone = len(found.responses) == 1
        made.append(
            Drawing(f"response_{response.factor}", figures[0], caption, alt, response.scores, figures[1], titled=not alone)
        )
    return made


def _factors(material: Material) -> list[str]:
    """Effects and interactions whose interval, at their share of α, excludes none."""
    found = material.found
    if found.effects is None:
        return []
    reading, rows = found.endpoint, [row for row in each(found.effects) if is_number(row["low"])]
    apart = [row for row in rows if row["low"] > 0 or row["high"] < 0]
    main = [row for row in apart if CROSS not in str(row["effect"])]
    crossed = [row for row in apart if CROSS in str(row["effect"])]
    told = [f"{row['effect']} {'raises' if row['estimate'] > 0 else 'lowers'} {reading.words}" for row in main]
    told += (
        [f"{wording.names([str(row['effect']) for row in crossed])} {'interact' if len(crossed) > 1 else 'interacts'}"]
        if crossed
        else []
    )
    blocks = int(found.effects["blocks"].max())
    n = plural(blocks, found.trials.words.block)
    tested = any(CROSS in str(row["effect"]) for row in rows)
    told += [f"no interaction that {n} can see"] if tested and not crossed else []
    told = told or [f"no effect that {n} can see"]
    if not rows or blocks < LEAST:
        return [f"Factors: too few {found.trials.words.block}s to tell"]
    shown = "; ".join(
        f"{row['effect']} {reading.difference(row['estimate'])}{reading.difference_unit} ({reading.interval(row['low'], row['high'])})"
        for row in rows[: wording.FEW + 1]
    )
    return [f"Factors: {', '.join(told)}", f"{shown}; {n}."]


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
            wording.p_value(row["p_adjusted"]),
            str(row["blocks"]),
        )
        for row in each(found.effects)
    )
    columns = tuple(Column(text, text != "effect") for text in ("effect", "estimate", "interval", "p, counted", f"{block}s"))
    caption = f"Effects on {reading.words}, × is the interaction: each a contrast within the {block}, tested over {block}s; the {len(rows)} share α, intervals at {wording.level(float(found.effects['alpha'].iloc[0]))}"
    return [Grid("effects", caption, columns, rows)]


def _parameters(material: Material) -> list[Grid | None]:
    return [grids.parameters(material.found)]


def _which(material: Material) -> list[str]:
    found = material.found
    if found.parameters is None or found.parameters.empty:
        return []
    clear = [str(row["parameter"]) for row in each(found.parameters) if row["p_adjusted"] < found.alpha]
    told = (
        f"{found.endpoint.words} goes with {wording.names(clear)}"
        if clear
        else f"none is shown to go with {found.endpoint.words}"
    )
    return [f"Parameters: {told} in {plural(len(found.trials.runs), 'run')}"]


PARAMETERS = Section("parameters", "What do the parameters do?", finding=_which, tables=_parameters)
RESPONSE = Section("response", "How much is enough?", finding=_enough, figures=_responses)
EFFECTS = Section("effects", "Do the factors interact?", finding=_factors, tables=_effects)
