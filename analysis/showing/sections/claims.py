"""What about each claim? Its verdict in words, and every contrast behind it."""

import math

import pandas as pd

from regstudy.console.text import visible
from regstudy.schema import Summary

from ...judging.claims import Compared, Judged
from ...judging.populations import NewImages
from ...reading import measures
from ...reading.measures import Measure
from .. import plots, wording
from ..figures import Drawing
from ..grids import NONE, Column, Grid
from .section import Material, Section


def _told(material: Material) -> dict[str, object] | None:
    found = material.found
    block = found.trials.words.block
    judged = [
        (judged, wording.answer(judged), wording.SIGNS[judged.verdict], wording.sentence(judged, block))
        for judged in found.judged
    ]
    return {"judged": judged} if judged else None


def _forest(material: Material) -> list[Drawing]:
    rows = []
    for judged in material.found.judged:
        for result in judged.contrasts:
            reading = measures.measure(result.metric).as_ratio(ratio=result.scale == "ratio")
            if result.plain.decidable:
                rows.append(_contrast_row(judged, result, reading))
    if not rows:
        return []
    table = pd.DataFrame(rows)
    figure = plots.forest(table)
    caption = "Each contrast with the interval at its share of α; the shaded band is smaller than the claim's margin. A claim's verdict stands beside the contrast that decides it."
    alt = "; ".join(
        f"{row['contrast']}, {row['quantity']}: {row['estimate']:.3g} ({row['low']:.3g} to {row['high']:.3g})" for row in rows
    )
    return [Drawing("contrasts", figure, caption, alt, table)]


def _contrast_row(judged: Judged, result: Compared, reading: Measure) -> dict[str, object]:
    ratio = result.scale == "ratio"

    def show(natural: float) -> float:
        return math.exp(natural) if ratio else natural * reading.factor

    return {
        "claim": visible(judged.text),
        "contrast": wording.contrast(result),
        "quantity": reading.words
        if ratio
        else f"{reading.words},{reading.difference_unit}"
        if reading.difference_unit
        else reading.words,
        "scale": result.scale,
        "estimate": show(result.plain.mean),
        "low": show(result.plain.low),
        "high": show(result.plain.high),
        "margin": show(result.margin),
        "expect": result.expect,
        "verdict": wording.verdict_words(judged),
        "answer": wording.answer(judged),
        "deciding": result is judged.deciding,
        "n": result.plain.n,
    }


def _contrasts(material: Material) -> list[Grid]:
    """Every contrast of every claim, with both tests."""
    found = material.found
    if not found.judged:
        return []
    rows = [(judged.text, *_contrast(result, found.new_images)) for judged in found.judged for result in judged.contrasts]
    headings = (
        "claim",
        "contrast",
        "measure",
        "estimate",
        "interval",
        "level",
        *(["for new images"] if found.new_images else []),
        "margin",
        "n",
        "p",
        "sign-flip p",
        "effect size",
        f"{found.trials.words.block}s won",
    )
    columns = tuple(Column(text, text not in {"claim", "contrast", "measure"}) for text in headings)
    caption = (
        "Every contrast behind the claims; the interval's level is that of the contrast's share of α, the p-values are by themselves. The test is two-sided; for what is "
        "claimed not to be lower it is one-sided, against the margin. Effect sizes are positive where the data point as claimed"
    )
    return [Grid("contrasts", caption, columns, tuple(rows))]


def _contrast(result: Compared, new_images: NewImages | None) -> tuple[str, ...]:
    reading, plain = _measure(result), result.plain
    told = f"{reading.difference(plain.mean)}{reading.difference_unit}" if plain.n else NONE
    new = [] if new_images is None else [_for_new_images(result, new_images, reading)]
    interval = [reading.interval(plain.low, plain.high), wording.level(result.alpha), *new]
    tested = [
        f"{result.p:.3g}",
        f"{result.p_sign_flip:.3g}",
        NONE if result.effect_size is None else f"{result.effect_size:+.2f}".replace("-", measures.MINUS),
        f"{result.won:.0%}",
    ] if plain.decidable else [NONE] * 4  # fmt: skip
    return (
        wording.contrast(result),
        reading.words,
        told,
        *(interval if plain.decidable else [NONE] * len(interval)),
        reading.margin(result.margin),
        str(plain.n),
        *tested,
    )


def _for_new_images(result: Compared, new_images: NewImages, reading: Measure) -> str:
    """The interval that allows for which test images were drawn; of other measures than accuracy it is not known."""
    if result.metric != Summary.ENDPOINT_TEST_ACCURACY or result.scale == "ratio" or result.on:
        return NONE
    second = None if result.against_number else result.rival
    low, high = new_images.interval(result.plain, result.subject, second, result.alpha, anytime=result.anytime)
    return reading.interval(low, high) if math.isfinite(low) else NONE


def _measure(result: Compared) -> Measure:
    return measures.measure(result.metric).as_ratio(ratio=result.scale == "ratio")


CLAIMS = Section("claims", "What about each claim?", figures=_forest, tables=_contrasts, told=_told)
