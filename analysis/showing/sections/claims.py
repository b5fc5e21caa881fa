"""What about each claim? Its verdict in words, and every contrast behind it."""

import math
from dataclasses import replace

import pandas as pd

from regstudy.console.terminal import plural
from regstudy.console.text import visible
from regstudy.schema import Summary

from ...judging.claims import Compared, Judged
from ...judging.findings import Findings
from ...judging.populations import NewImages
from ...judging.statistics import LEAST
from ...reading import measures
from ...reading.measures import Measure
from .. import plots, wording
from ..figures import Drawing, both
from ..grids import MARKS, NONE, Column, Grid
from .section import Material, Section


def _finding(material: Material) -> list[str]:
    told = wording.so_many_hold(material.found.judged)
    return [f"Claims: {', '.join(told)}"] if told else []


def _told(material: Material) -> dict[str, object] | None:
    found = material.found
    block = found.trials.words.block
    judged = [
        (
            judged.text,
            wording.signed(wording.answer(judged)),
            MARKS[wording.ANSWERS[judged.verdict]],
            wording.sentence(judged, block),
        )
        for judged in found.judged
    ]
    return {"judged": judged} if judged else None


def _forest(material: Material) -> list[Drawing]:
    rows = _once(material.found)
    if not rows:
        return []
    table = pd.DataFrame(rows)
    apart, block = int(table["apart"].sum()), material.found.trials.words.block
    few = table["n"].max() < LEAST
    told = f"too few {block}s to tell" if few else f"{apart} of {len(rows)} {_show(apart)} a difference"
    title = f"Comparisons behind the claims: {told}"
    subtitle = f"first minus second (first ÷ second where ×){_number(table, block)}; bar: its interval, pale if it shows no difference; grey band: too small to matter"
    figure, narrow = both(plots.forest, table, title=title, subtitle=subtitle)
    caption = (
        "Each pair that a claim compares, once for each measure, with the interval that decides, at its share of α. Differences inside the grey band are too small to matter. "
        "✓ Yes, ✗ No, ? Open: the claims that it decides, by their numbers."
    )
    alt = "; ".join(f"{row['contrast']}, {row['quantity']}: {row['told']}" for row in rows)
    return [Drawing("contrasts", figure, caption, alt, table.drop(columns=["told", "apart"]), narrow)]


def _show(n: int) -> str:
    return "shows" if n == 1 else "show"


def _number(table: pd.DataFrame, block: str) -> str:
    """How many blocks are compared, to follow a subtitle."""
    low, high = int(table["n"].min()), int(table["n"].max())
    return f"; {plural(high, block)}" if low == high else f"; {low} to {high} {block}s"


def _once(found: Findings) -> list[dict[str, object]]:
    """A row per measure and pair, in one direction: against the reference, else as the claim puts it that rests on it. Of several claims' contrasts of a pair, the widest interval."""
    first = _subjects(found)
    made: dict[tuple[object, ...], dict[str, object]] = {}
    for place, judged in enumerate(found.judged, 1):
        for result in judged.contrasts:
            if not result.plain.decidable:
                continue
            row = _contrast_row(place, judged, result, turned=first[_pair(result)] != result.subject)
            key = (row["quantity"], row["scale"], row["contrast"])
            made[key] = _merged(made[key], row) if key in made else row
    return list(made.values())


def _subjects(found: Findings) -> dict[tuple[str, ...], str]:
    """Of each pair the one that is compared with the other."""
    resting = [judged.deciding for judged in found.judged if judged.deciding is not None]
    first: dict[tuple[str, ...], str] = {}
    for result in [*resting, *(result for judged in found.judged for result in judged.contrasts)]:
        turned = result.subject == found.reference and not result.against_number
        first.setdefault(_pair(result), result.rival if turned else result.subject)
    return first


def _pair(result: Compared) -> tuple[str, ...]:
    return tuple(sorted((result.subject, result.rival)))


def _merged(one: dict[str, object], other: dict[str, object]) -> dict[str, object]:
    """Two claims' rows of the same contrast: the wider interval, and what either decides."""
    wider = max(one, other, key=lambda row: float(str(row["high"])) - float(str(row["low"])))
    answers = [answer for row in (one, other) for answer in str(row["answer"]).split("; ") if answer]
    deciding = one if one["answer"] else other
    claims = dict.fromkeys([*str(one["claim"]).split("; "), *str(other["claim"]).split("; ")])
    return wider | {
        "claim": "; ".join(claims),
        "verdict": deciding["verdict"],
        "answer": "; ".join(dict.fromkeys(answers)),
    }


def _contrast_row(place: int, judged: Judged, result: Compared, *, turned: bool) -> dict[str, object]:
    """What is drawn of a contrast of the claim at this place; `turned`: of the rival against the subject."""
    reading, ratio, plain = _measure(result), result.scale == "ratio", result.plain
    decides = judged.deciding is not None and result.plain is judged.deciding.plain
    low, high, _ = wording.deciding(result)
    if turned and not result.against_number:
        result = replace(result, subject=result.rival, rival=result.subject)
        mean, low, high = -plain.mean, -high, -low
    else:
        mean = plain.mean
    if plain.n < LEAST:
        low = high = math.nan

    def show(natural: float) -> float:
        return math.exp(natural) if ratio else natural * reading.factor

    unit = "" if ratio else reading.difference_unit.strip()
    return {
        "claim": visible(judged.text),
        "contrast": wording.contrast(result),
        "quantity": f"{reading.words}{f', {unit}' if unit else ''}",
        "scale": result.scale,
        "apart": _excludes_none(low, high) and _excludes_none(plain.low, plain.high),
        "estimate": show(mean),
        "low": show(low),
        "high": show(high),
        "margin": show(result.margin),
        "verdict": wording.verdict_words(judged) if decides else "",
        "answer": f"{place} {wording.answer(judged)}" if decides else "",
        "told": reading.difference(mean) + (f" ({reading.interval(low, high)})" if math.isfinite(low) else ""),
        "n": plain.n,
    }


def _excludes_none(low: float, high: float) -> bool:
    """Whether an interval, on the scale of differences or of logarithms, shows a difference; without one nothing does."""
    return low > 0 or high < 0


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
        "A row for each comparison of each claim, as the claim puts it, so that a pair may have several: the first minus the second, or divided by it (×); the interval's level is that of the contrast's share of α, the p-values are by themselves. The test is two-sided; for what is "
        "claimed not to be lower it is one-sided, against the margin. Effect sizes are positive where the data point as claimed"
    )
    return [Grid("contrasts", caption, columns, tuple(rows), title="Every comparison, as each claim puts it")]


def _contrast(result: Compared, new_images: NewImages | None) -> tuple[str, ...]:
    reading, plain = _measure(result), result.plain
    said = plain.decidable and plain.n >= LEAST  # of fewer nothing may be concluded, and no interval invites it
    told = f"{reading.difference(plain.mean)}{reading.difference_unit}" if plain.n else NONE
    new = [] if new_images is None else [_for_new_images(result, new_images, reading)]
    interval = [reading.interval(plain.low, plain.high), wording.level(result.alpha), *new]
    tested = [
        wording.p_value(result.p),
        wording.p_value(result.p_sign_flip),
        NONE if result.effect_size is None else f"{result.effect_size:+.2f}".replace("-", measures.MINUS),
        f"{result.won:.0%}",
    ] if said else [NONE] * 4  # fmt: skip
    return (
        wording.contrast(result),
        reading.words,
        told,
        *(interval if said else [NONE] * len(interval)),
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


CLAIMS = Section("claims", "What about each claim?", finding=_finding, figures=_forest, tables=_contrasts, told=_told)
