"""The ranking: as the first screen's figure; and, of a study's other data sets, with its table and what it advises. Whether effects differ between data sets only a claim can say."""

import re
from collections.abc import Iterator
from dataclasses import replace

from .. import grids, methods, plots, wording
from ..figures import Drawing, drawn_blocks, drawn_of, long, of_all, quantity
from ..grids import Grid
from .section import Material, Section


def _ranking(material: Material) -> list[Drawing]:
    found, block = material.found, material.found.trials.words.block
    names = drawn_of(found)
    table, scores = (
        found.table[found.table["configuration"].isin(names)],
        long(found.scores.loc[drawn_blocks(found), [name for name in found.scores if name in names]]),
    )
    figure, narrow = (
        plots.ranking(
            table,
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
    caption += of_all(found)
    if len(table) < len(found.table):
        caption += f" The first {len(table)} of {len(found.table):,}."
    alt = f"{found.endpoint.words} of {', '.join(table['configuration'])}, in order of rank."
    return [Drawing("ranking", figure, caption, alt, scores, narrow)]


def _on_others(material: Material) -> list[Drawing]:
    return [
        replace(drawing, name=f"{drawing.name}_{slug}", caption=f"On {name}. {drawing.caption}")
        for name, slug, other in _others(material)
        for drawing in _ranking(other)
    ]


def _tables_of_others(material: Material) -> list[Grid | None]:
    """The ranking and the pairs of each, under what they say in words."""
    made: list[Grid | None] = []
    for name, slug, other in _others(material):
        found = other.found
        said = wording.standing(found.ranking, wording.blocks_in_words(found), found.trials.words.block)
        ranking, pairs = grids.ranking(found), grids.pairs(found)
        made.append(replace(ranking, name=f"ranking_{slug}", caption=f"On {name}. {said} {methods.advice(found)}"))
        made.append(None if pairs is None else replace(pairs, name=f"pairs_{slug}", caption=f"On {name}. {pairs.caption}"))
    return made


def _others(material: Material) -> Iterator[tuple[str, str, Material]]:
    """Each with its data set's name, and that as part of a file's."""
    for place, other in enumerate(material.beside, 2):
        name = other.found.trials.dataset
        yield name, re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or f"data_{place}", other


FIRST = Section("first", "Which is best?", figures=_ranking)
OTHER_DATA = Section("other_data", "And on the other data?", figures=_on_others, tables=_tables_of_others)
