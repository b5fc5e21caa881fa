"""Misclassified images across runs: what the gallery's page shows, for the report and for a page of its own."""

import base64
import io
from pathlib import Path

import numpy as np
from PIL import Image

from regstudy.console.terminal import plural
from regstudy.errors import NothingToAnalyse
from regstudy.schema import CLASS_NAMES

from ..files import folders
from ..files.rows import rows
from ..judging import images
from ..reading import errors as reading
from ..reading.errors import Errors
from ..reading.trials import Trials
from . import rendering

MOST_IMAGES, MOST_CONFIGURATIONS = 60, 8
MOST_NAMED, CERTAIN = 10, 0.05
SIDE, SPRITE_COLUMNS = 28, 10


def context(errors: Errors, reference: str = "", *, every_image: bool = False) -> dict[str, object] | None:
    """What the template shows, configurations against the reference if it is one; None if no run's errors are known, or there are none.

    `every_image`: the sprite also holds the images that only the page around the gallery shows.
    """
    if errors.rows.empty:
        return None
    wrong = errors.wrong
    table = images.hardest(wrong).head(MOST_IMAGES)
    names = list(dict.fromkeys(errors.runs["configuration"]))[:MOST_CONFIGURATIONS]
    words = class_names(errors.dataset)
    first = {int(row["index"]): row for row in rows(errors.rows.drop_duplicates("index"))}
    shown = [int(image) for image in table.index]
    cells = {name: _cells(errors, name, shown, words) for name in names}
    seeds = errors.runs.groupby("configuration", sort=False)["seed"].nunique()
    labels = {image: int(first[image]["label"]) for image in shown}
    drawn = [*shown, *sorted(set(first) - set(shown))] if every_image else shown
    return {
        "sprite": _sprite([first[image]["pixels"] for image in drawn]),
        "places": {image: (place % SPRITE_COLUMNS, place // SPRITE_COLUMNS) for place, image in enumerate(drawn)},
        "columns": SPRITE_COLUMNS,
        "names": names,
        "more_names": len(set(errors.runs["configuration"])) - len(names),
        "seeds": {name: int(seeds[name]) for name in names},
        "images": [(image, labels[image], words[labels[image]]) for image in shown],
        "labels": [(label, words[label]) for label in sorted(set(labels.values()))],
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


def class_names(dataset: str) -> tuple[str, ...]:
    """What the ten labels stand for."""
    return CLASS_NAMES.get(dataset, tuple("0123456789"))


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


def pair_in_words(errors: Errors, first: str, second: str) -> list[str]:
    """What the counts say of two configurations."""
    names = set(errors.runs["configuration"])
    if errors.rows.empty or not {first, second} <= names:
        return ["Their misclassified images are not in the store."]
    table = images.fixed_and_broken(errors.wrong, first, second)
    if table.empty:
        return ["In every common seed they misclassify the same images."]
    certain = [f"#{image}" for image in table.index[table["p_adjusted"] < CERTAIN]]
    which = f" ({', '.join(certain[:MOST_NAMED])}{', …' if len(certain) > MOST_NAMED else ''})" if certain else ""
    seeds = int(table["seeds"].iloc[0])
    single = (
        f"{plural(seeds, 'common seed')} {'is' if seeds == 1 else 'are'} too few to show of any single image that the difference is more than luck of the seeds (exact sign tests, Holm over all images)."
        if len(table) * 2.0 ** (1 - seeds) >= CERTAIN  # the smallest p that so many seeds allow
        else f"For {plural(len(certain), 'image')}{which} the difference is more than luck of the seeds allows (exact sign tests, Holm over all images)."
    )
    models = images.mcnemar(errors.wrong, first, second)
    differing, least = int((models["p_adjusted"] < CERTAIN).sum()), models["p_adjusted"].min()
    return [
        f"In {plural(seeds, 'common seed')} they differ on {plural(len(table), 'image')}: only {first} is wrong {table['only_first'].sum()} times, only {second} {table['only_second'].sum()} times.",
        single,
        f"Model against model, {differing} of {plural(seeds, 'pair')} with a common seed differ (McNemar's exact test, Holm over the pairs; smallest corrected p {least:.2g}).",
    ]


def write(trials: Trials, page: Path) -> None:
    """Write the gallery as one page that needs no network; NothingToAnalyse if the runs' errors are not there."""
    shown = context(reading.read(trials))
    if shown is None:
        raise NothingToAnalyse("none of these runs has misclassified images in its artifacts")
    title = f"Misclassified images: {trials.source.experiment}"
    text = rendering.render("gallery_page.html.j2", {"gallery": shown, "title": title})
    folders.replace_gallery(page, text)


def image(pixels: bytes) -> np.ndarray:
    """A stored image, uint8, 28×28, bright on dark."""
    return np.frombuffer(pixels, np.uint8).reshape(SIDE, SIDE)


def png(bright: np.ndarray) -> str:
    """Grey values (uint8) as PNG, dark on light, as base64."""
    buffer = io.BytesIO()
    Image.fromarray(255 - bright).save(buffer, "PNG", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode()


def _cells(errors: Errors, name: str, shown: list[int], words: tuple[str, ...]) -> dict[int, tuple[str, str, int]]:
    """By image: the commonest wrong answer, its mean probability, and how many seeds give any wrong answer."""
    own = errors.rows[(errors.rows["configuration"] == name) & errors.rows["index"].isin(shown)]
    cells: dict[int, tuple[str, str, int]] = {}
    for image, those in own.groupby("index"):
        answer = int(those["predicted"].mode().iloc[0])
        probability = those.loc[those["predicted"] == answer, "predicted_probability"].mean()
        cells[int(str(image))] = (words[answer], f"{probability:.0%}", len(those))
    return cells


def _sprite(pixels: list[bytes]) -> str:
    """All images in one PNG."""
    rows = -(-len(pixels) // SPRITE_COLUMNS)
    sheet = np.zeros((rows * SIDE, SPRITE_COLUMNS * SIDE), np.uint8)
    for place, own in enumerate(pixels):
        top, left = place // SPRITE_COLUMNS * SIDE, place % SPRITE_COLUMNS * SIDE
        sheet[top : top + SIDE, left : left + SIDE] = image(own)
    return png(sheet)
