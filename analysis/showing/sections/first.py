"""The ranking: as the first screen's figure; and, of a study's other data sets, with its table and what it advises. Whether effects differ between data sets only a claim can say."""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from ...files.rows import rows
from ...judging.findings import Findings
from ...judging.ranking import Relation
from ...judging.statistics import LEAST
from ...reading.measures import MINUS
from .. import grids, methods, plots, wording
from ..figures import Drawing, drawn_blocks, drawn_of, labelled, long, of_all, quantity
from ..grids import Grid
from ..words import opening
from .section import Material, Section


def _ranking(material: Material) -> list[Drawing]:
    """Every run, and each configuration's difference from the one to use, in the order of rank."""
    found = material.found
    names = drawn_of(found)
    scores = found.scores.loc[drawn_blocks(found), names]
    anchor = opening.compared_with(found)
    differences = _differences(found, anchor, names)
    shown, bars = quantity(found), bool(differences["low"].notna().any())

    def drawn(width: float) -> Figure:
        return plots.opening(
            shown.shown(scores) if opening.images(found) else scores * found.endpoint.factor,
            differences,
            material.look,
            anchor=anchor,
            band=_band(found),
            labels=_labels(found, anchor, bars=bars),
            diverged=dict(zip(found.table["configuration"], found.table["diverged"].astype(int), strict=True)),
            width=width,
        )

    caption = _caption(found, sorted(set(differences["alpha"])) if bars else [])
    alt = f"{found.endpoint.words} of {', '.join(names)}, in order of rank" + "".join(
        f"; {row['configuration']} {row['told']}" for row in rows(differences)
    )
    return [Drawing("ranking", drawn(11.0), caption, f"{alt}.", long(scores), drawn(plots.NARROW))]


def _differences(found: Findings, anchor: str | None, names: Sequence[str]) -> pd.DataFrame:
    """Of each drawn configuration from the one that is compared with, as the figure shows it, with the words beside its bar."""
    if anchor is None:
        return pd.DataFrame(columns=["configuration", "mean", "low", "high", "told", "alpha"])
    table = opening.against(found, anchor)
    table = table[table["configuration"].isin(names)]
    too_few = table["seeds"] < LEAST
    table = table.assign(**{end: table[end].mask(too_few) for end in ("low", "high")})
    ends = [[_shown(found, row[end]) for end in ("low", "high")] for row in rows(table)]
    words = [told(found, row) for row in rows(table)]
    return table.assign(
        mean=[_shown(found, mean) for mean in table["mean"]],
        low=[min(pair) for pair in ends],
        high=[max(pair) for pair in ends],
        told=words,
    )


def _shown(found: Findings, difference: float) -> float:
    """Images more wrong, or the measure's own difference."""
    return opening.worse(found, difference) if opening.images(found) else difference * found.endpoint.factor


def told(found: Findings, row: dict[str, Any]) -> str:
    """What is known of a pair, a row of `opening.against`, as it stands beside its bar."""
    reading, counted = found.endpoint, bool(opening.images(found))
    ends = sorted(_shown(found, row[end]) for end in ("low", "high"))
    if not math.isfinite(row["mean"]):
        return "not compared"
    if row["seeds"] < LEAST:
        return f"open (too few {found.trials.words.block}s)"
    if not all(map(math.isfinite, ends)):
        return "open (no limits yet)"
    if row["relation"] == Relation.SEPARATED:
        cost = opening.worse(found, row["mean"])
        if counted:
            near, far = sorted(map(abs, ends))
            inside = f"{opening.amount(found, near, beside=far)} to {opening.amount(found, far)}"
            return f"{opening.amount(found, cost)} {'more' if cost > 0 else 'fewer'} ({inside})"
        return f"{'worse' if cost > 0 else 'better'}, {reading.difference(row['mean'])} ({reading.interval(row['low'], row['high'])})"
    inside = (
        " to ".join(f"{end:+.0f}".replace("-", MINUS) for end in ends) if counted else reading.interval(row["low"], row["high"])
    )
    return f"{'as good' if row['relation'] == Relation.EQUIVALENT else 'open'} ({inside})"


def _band(found: Findings) -> tuple[float, float] | None:
    if found.scale.margin is None:
        return None
    margin = found.scale.margin * (opening.images(found) or found.endpoint.factor)
    return -margin, margin


def _labels(found: Findings, anchor: str | None, *, bars: bool) -> tuple[tuple[str, str], tuple[str, str]]:
    """Title and subtitle of the figure's two panels."""
    words, images = found.trials.words, opening.images(found)
    better = "higher" if found.scale.higher_is_better else "lower"
    title = f"Wrong of {images:,} test images" if images else f"{labelled(found.endpoint)}, {better} is better"
    pairing = f", same {words.block}" if found.trials.pairing.paired else ""
    other = f"More wrong than with {anchor}{pairing}" if images else f"Difference from {anchor}{pairing}"
    return (title, f"a mark is one {words.block}; bar: mean"), (
        other,
        "bar: the interval that decides" if bars else "a mark is the mean",
    )


def _caption(found: Findings, alphas: Sequence[float]) -> str:
    """`alphas`: what the levels of the bars lack of 1."""
    block = found.trials.words.block
    caption = f"A mark is a {block}, the upright bar their mean."
    if alphas:
        levels = sorted({wording.level(alpha) for alpha in alphas})
        claims = "; claims have intervals of their own" if found.judged else ""
        caption += f" Horizontal bars decide, at {wording.listed(levels)} (pairs share α){claims}."
    return caption + of_all(found)


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
