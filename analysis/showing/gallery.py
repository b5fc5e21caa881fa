"""Misclassified images across runs: what the gallery's page shows, for the report and for a page of its own."""

import base64
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from regstudy.console.terminal import plural
from regstudy.errors import NothingToAnalyse

from ..files import folders
from ..files.rows import rows
from ..judging import images
from ..judging.images import Between
from ..reading import errors as reading
from ..reading.errors import Errors
from ..reading.trials import Trials
from . import rendering

MOST_IMAGES, MOST_CONFIGURATIONS = 60, 8
MOST_NAMED = 10
SIDE, SHOWN, SPRITE_COLUMNS = 28, 64, 10
"""Pixels of a digit's side, and of an image's in the page; images beside each other in the sprite."""

BLANK = 235
"""The grey of an image that was not kept."""

PNG = b"\x89PNG"
"""What such a file begins with."""


def context(errors: Errors, reference: str = "", *, every_image: bool = False) -> dict[str, object] | None:
    """What the template shows, configurations against the reference if it is one; None if no run's errors are known, or there are none.

    `every_image`: the sprite also holds the images that only the page around the gallery shows.
    """
    if errors.rows.empty:
        return None
    wrong = errors.wrong
    table = images.hardest(wrong).head(MOST_IMAGES)
    names = list(dict.fromkeys(errors.runs["configuration"]))[:MOST_CONFIGURATIONS]
    words = errors.words
    first = {int(row["index"]): row for row in rows(errors.rows.drop_duplicates("index"))}
    shown = [int(image) for image in table.index]
    cells = {name: _cells(errors, name, shown, words) for name in names}
    seeds = errors.runs.groupby("configuration", sort=False)["seed"].nunique()
    labels = {image: int(first[image]["label"]) for image in shown}
    drawn = [*shown, *sorted(set(first) - set(shown))] if every_image else shown
    return {
        "sprite": _sprite([first[image].get("pixels") for image in drawn]),
        "places": {image: (place % SPRITE_COLUMNS, place // SPRITE_COLUMNS) for place, image in enumerate(drawn)},
        "columns": SPRITE_COLUMNS,
        "names": names,
        "more_names": len(set(errors.runs["configuration"])) - len(names),
        "seeds": {name: int(seeds[name]) for name in names},
        "images": [(image, labels[image], words(labels[image])) for image in shown],
        "labels": [(label, words(label)) for label in sorted(set(labels.values()))],
        "cells": cells,
        "total": len(wrong.columns),
        "told": in_words(errors),
        "against": [
            (f"{name} against {reference}", pair_in_words(errors, name, reference))
            for name in names
            if reference in names and name != reference
        ],
        "unknown": errors.unknown,
    }


def in_words(errors: Errors) -> list[str]:
    """What the counts say, in sentences."""
    if errors.rows.empty:
        return ["No run's misclassified images are known." if errors.unknown else "No run misclassifies an image."]
    wrong = errors.wrong
    always, luck = len(images.always_hard(wrong)), images.flips(wrong)
    are = "is" if len(wrong.columns) == 1 else "are"
    told = [
        f"{plural(len(wrong.columns), 'test image')} {are} misclassified by at least one of {plural(len(wrong), 'run')}; {always:,} by every run."
    ]
    if luck.between_seeds is not None:
        told.append(
            f"On {luck.between_seeds:.1f} images on average one of two seeds of the same configuration is right and the other wrong."
        )
    if luck.between_configurations is not None:
        told.append(f"Of two configurations with the same seed, on {luck.between_configurations:.1f}.")
    return told


def between(errors: Errors, first: str, second: str) -> Between | None:
    """What the two get wrong, in numbers; None where that is not known, or the same."""
    known = not errors.rows.empty and {first, second} <= set(errors.runs["configuration"])
    return images.between(errors.wrong, first, second) if known else None


def pair_in_words(errors: Errors, first: str, second: str) -> list[str]:
    """What the counts say of two configurations."""
    told = between(errors, first, second)
    if told is None:
        known = not errors.rows.empty and {first, second} <= set(errors.runs["configuration"])
        return [
            "In every common seed they misclassify the same images."
            if known
            else "Their misclassified images are not in the store."
        ]
    certain, seeds = [f"#{image}" for image in told.certain], told.seeds
    which = f" ({', '.join(certain[:MOST_NAMED])}{', …' if len(certain) > MOST_NAMED else ''})" if certain else ""
    single = (
        f"For {plural(len(certain), 'image')}{which} the difference is more than luck of the seeds allows (exact sign tests, Holm over all images)."
        if told.can_be_certain
        else f"{plural(seeds, 'common seed')} {'is' if seeds == 1 else 'are'} too few to show of any single image that the difference is more than luck of the seeds (exact sign tests, Holm over all images)."
    )
    return [
        f"In {plural(seeds, 'common seed')} they differ on {plural(told.images, 'image')}: only {first} is wrong {told.only_first} times, only {second} {told.only_second} times.",
        single,
        f"Model against model, {told.models_differ} of {plural(seeds, 'pair')} with a common seed differ (McNemar's exact test, Holm over the pairs; smallest corrected p {told.least_p:.2g}).",
    ]


def write(trials: Trials, page: Path) -> None:
    """Write the gallery as one page that needs no network; NothingToAnalyse if the runs' errors are not there."""
    shown = context(reading.read(trials))
    if shown is None:
        raise NothingToAnalyse("none of these runs has misclassified images in its artifacts")
    title = f"Misclassified images: {trials.source.experiment}"
    text = rendering.render("gallery_page.html.j2", {"gallery": shown, "title": title})
    folders.replace_gallery(page, text)


def image(pixels: object) -> Image.Image:
    """A stored image as it is shown: 784 values are digits, bright on dark, which are shown dark on light; all others are PNG; a blank where none was kept."""
    if not isinstance(pixels, bytes):
        return Image.new("L", (SIDE, SIDE), BLANK)
    if len(pixels) == SIDE * SIDE and not pixels.startswith(PNG):
        return Image.fromarray(255 - np.frombuffer(pixels, np.uint8).reshape(SIDE, SIDE))
    with Image.open(io.BytesIO(pixels)) as stored:
        return stored.copy()


def png(picture: Image.Image) -> str:
    """PNG, as base64."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode()


def _cells(errors: Errors, name: str, shown: list[int], words: Callable[[int], str]) -> dict[int, tuple[str, str, int]]:
    """By image: the commonest wrong answer, its mean probability, and how many seeds give any wrong answer."""
    own = errors.rows[(errors.rows["configuration"] == name) & errors.rows["index"].isin(shown)]
    cells: dict[int, tuple[str, str, int]] = {}
    for image, those in own.groupby("index"):
        answer = int(those["predicted"].mode().iloc[0])
        probability = those.loc[those["predicted"] == answer, "predicted_probability"].mean()
        cells[int(str(image))] = (words(answer), f"{probability:.0%}", len(those))
    return cells


def _sprite(pixels: list[object]) -> str:
    """All images in one PNG, a tile each: as large as digits are, or as they are shown, whichever is less of a loss."""
    pictures = [image(own) for own in pixels]
    side = SIDE if all(picture.size == (SIDE, SIDE) for picture in pictures) else SHOWN
    rows = -(-len(pictures) // SPRITE_COLUMNS)
    mode = "L" if all(picture.mode == "L" for picture in pictures) else "RGB"
    sheet = Image.new(mode, (SPRITE_COLUMNS * side, rows * side), "white")
    for place, picture in enumerate(pictures):
        tile = picture if picture.size == (side, side) else ImageOps.pad(picture, (side, side), color="white")
        sheet.paste(tile, (place % SPRITE_COLUMNS * side, place // SPRITE_COLUMNS * side))
    return png(sheet)
