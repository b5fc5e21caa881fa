"""Misclassified images across runs: what the gallery's page shows, for the report and for a page of its own."""

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
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
from . import rendering, wording

MOST_IMAGES, MOST_CONFIGURATIONS = 60, 8
MOST_NAMED = 10
SIDE, SHOWN, SPRITE_COLUMNS = 28, 64, 10
"""Pixels of a digit's side, and of an image's in the page; images beside each other in the sprite."""

MOST_BLOCKS = 40
"""Runs of a configuration that are named one by one."""

BLANK = 235
"""The grey of an image that was not kept."""

PNG = b"\x89PNG"
"""What such a file begins with."""


@dataclass(frozen=True)
class Answer:
    """A wrong answer: what it is, in how many runs, with which mean probability, and in which of them."""

    word: str
    runs: int
    probability: str
    blocks: str


@dataclass(frozen=True)
class Saying:
    """What a configuration's runs said of an image: in how many of them it is wrong, as what, and which were right."""

    name: str
    wrong: int
    runs: int
    answers: tuple[Answer, ...]
    right: str


@dataclass(frozen=True)
class Told:
    """An image and what every run said of it; `answer` is the most frequent wrong one."""

    index: int
    label: int
    word: str
    answer: str
    wrong: int
    sayings: tuple[Saying, ...]


def context(
    errors: Errors, reference: str = "", *, order: Sequence[str] = (), every_image: bool = False
) -> dict[str, object] | None:
    """What the template shows, configurations against the reference if it is one; None if no run's errors are known, or there are none.

    `order`: of configurations; those that it lacks follow. `every_image`: the sprite also holds the images that only the page around the gallery shows.
    """
    if errors.rows.empty:
        return None
    wrong = errors.wrong
    table = images.hardest(wrong).head(MOST_IMAGES)
    known = list(dict.fromkeys(errors.runs["configuration"]))
    names = list(dict.fromkeys([*(name for name in order if name in known), *known]))[:MOST_CONFIGURATIONS]
    of_image = dict(list(errors.rows.groupby("index")))
    of_name = dict(list(errors.runs.groupby("configuration")))
    words = errors.words
    first = {int(row["index"]): row for row in rows(errors.rows.drop_duplicates("index"))}
    shown = [int(image) for image in table.index]
    labels = {image: int(first[image]["label"]) for image in shown}
    drawn = [*shown, *sorted(set(first) - set(shown))] if every_image else shown
    return {
        "digits": all(_is_digit(first[image].get("pixels")) for image in drawn),
        "sprite": _sprite([first[image].get("pixels") for image in drawn]),
        "places": {image: (place % SPRITE_COLUMNS, place // SPRITE_COLUMNS) for place, image in enumerate(drawn)},
        "columns": SPRITE_COLUMNS,
        "names": names,
        "more_names": len(set(errors.runs["configuration"])) - len(names),
        "runs": len(wrong),
        "images": [
            _told_of(errors.words, of_image[image], int(str(table.loc[image, "runs"])), {name: of_name[name] for name in names})
            for image in shown
        ],
        "labels": [(label, words(label)) for label in sorted(set(labels.values()))],
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
            f"Two seeds of one configuration disagree on {_about(luck.between_seeds)} on average: one is right, the other wrong."
        )
    if luck.between_configurations is not None:
        told.append(f"Two configurations with the same seed disagree on {_about(luck.between_configurations)}.")
    return told


def _about(images: float) -> str:
    """A mean count, to a tenth where that is not too fine."""
    return f"{images:.0f} images" if images >= 10 else f"{images:.1f} images"


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
        f"Model against model, {told.models_differ} of {plural(seeds, 'pair')} with a common seed differ (McNemar's exact test, Holm over the pairs; smallest corrected p {wording.p_in_words(told.least_p)}).",
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
    if _is_digit(pixels):
        return Image.fromarray(255 - np.frombuffer(pixels, np.uint8).reshape(SIDE, SIDE))
    with Image.open(io.BytesIO(pixels)) as stored:
        return stored.copy()


def _is_digit(pixels: object) -> bool:
    return isinstance(pixels, bytes) and len(pixels) == SIDE * SIDE and not pixels.startswith(PNG)


def png(picture: Image.Image) -> str:
    """PNG, as base64."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode()


def _told_of(words: Callable[[int], str], own: pd.DataFrame, wrong_in: int, of_name: Mapping[str, pd.DataFrame]) -> Told:
    """All that the runs said of an image; `own` are its errors, `of_name` the runs of each configuration."""
    image, label = (int(own[column].iloc[0]) for column in ("index", "label"))
    answer = int(own["predicted"].mode().iloc[0])
    by_name = dict(list(own.groupby("configuration")))
    sayings = tuple(_saying(words, by_name.get(name, own.head(0)), name, runs) for name, runs in of_name.items())
    return Told(image, label, words(label), words(answer), wrong_in, sayings)


def _saying(words: Callable[[int], str], own: pd.DataFrame, name: str, runs: pd.DataFrame) -> Saying:
    """What a configuration's runs took the image for, the most frequent answer first."""
    by = sorted(own.groupby("predicted"), key=lambda answer: -len(answer[1]))
    answers = [
        Answer(
            words(int(str(predicted))),
            len(those),
            f"{those['predicted_probability'].mean():.0%}",
            _blocks(those["seed"]),
        )
        for predicted, those in by
    ]
    right = runs.loc[~runs["run_id"].isin(own["run_id"]), "seed"]
    return Saying(name, len(own), len(runs), tuple(answers), _blocks(right))


def _blocks(seeds: "pd.Series[Any]") -> str:
    """Which they are; how many, where they are many."""
    return ", ".join(str(seed) for seed in seeds) if len(seeds) <= MOST_BLOCKS else f"{len(seeds):,} of them"


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
