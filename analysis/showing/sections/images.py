"""Which images? Those that runs misclassify, if they are there."""

import numpy as np

from regstudy.console.terminal import plural

from ...judging import images
from ...reading.errors import Errors
from ...reading.trials import TEST_IMAGES
from .. import gallery, plots, run_pages
from ..figures import Drawing, both
from .section import Material, Section

HARDEST, HARDEST_NARROW, MOST_ROWS, MOST_PAIRS = 15, 10, 8, 8
"""Images, configurations and pairs of classes that fit in one figure."""


def _told(material: Material) -> dict[str, object] | None:
    found = material.found
    every = len(found.trials.runs) <= run_pages.MOST_RUNS
    order = [str(name) for name in found.table["configuration"]]
    shown = gallery.context(material.errors, found.reference, order=order, every_image=every)
    return {"gallery": shown} if shown else None


def _finding(material: Material) -> list[str]:
    errors = material.errors
    if errors.rows.empty:
        return []
    wrong = errors.wrong
    always, runs, total = len(images.always_hard(wrong)), plural(len(wrong), "run"), plural(wrong.shape[1], "image")
    every = f"all {runs}" if len(wrong) > 1 else "the one run"
    fails = f"{always:,} {'fails' if always == 1 else 'fail'}" if always else "none fails"
    return [f"Images: {fails} in {every}, of {total} that {'fails' if wrong.shape[1] == 1 else 'fail'} in any"]


def _figures(material: Material) -> list[Drawing]:
    wrong = material.errors.wrong
    return [*_hardest(material), *_confusions(material.errors)] if len(wrong) > 1 and wrong.shape[1] > 1 else []


def _hardest(material: Material) -> list[Drawing]:
    errors = material.errors
    wrong, labels = errors.wrong, errors.labels
    table = images.hardest(wrong).head(HARDEST)
    seeds = {str(name): len(own) for name, own in errors.runs.groupby("configuration", sort=False)}
    names = [name for name in material.look if name in seeds][:MOST_ROWS]
    pixels = errors.rows.drop_duplicates("index").set_index("index").get("pixels")
    taken = errors.rows.groupby("index")["predicted"].agg(lambda answers: answers.mode().iloc[0])
    pictures = [
        plots.Picture(
            int(image),
            errors.words(labels[int(image)]),
            errors.words(int(taken[image])),
            np.asarray(gallery.image(None if pixels is None else pixels.get(image))),
        )
        for image in table.index
    ]
    first = pictures[0]
    most = f"image {first.index}, {'an' if first.label[:1] in '8aeiou' else 'a'} {first.label}, is wrong in {int(table['runs'].iloc[0])} of {plural(len(wrong), 'run')}"
    runs_of = _runs_of(list(seeds.values()))
    below = f"under each: actual→predicted class, number; shaded: wrong in how many of {runs_of} runs, bold: in all"
    counts, look = table[names], {name: material.look[name] for name in names}
    figure, narrow = (
        plots.hardest(
            counts,
            seeds,
            pictures[:n],
            look,
            title=f"The hardest images: {most}",
            subtitle=f"the {len(pictures[:n])} hardest of {plural(wrong.shape[1], 'image')} that fail in any; {below}",
            narrow=small,
        )
        for n, small in ((HARDEST, False), (HARDEST_NARROW, True))
    )
    hidden = len(seeds) - len(names)
    more = f" {plural(hidden, 'configuration')} more, which count too, are not shown." if hidden > 0 else ""
    caption = f"The hardest images, what they are most often taken for, and in how many of its runs each configuration gets them wrong.{more}"
    return [Drawing("hardest_images", figure, caption, f"The hardest image, {most}.", table.reset_index(), narrow)]


def _runs_of(counts: list[int]) -> str:
    low, high = min(counts), max(counts)
    return f"{low}" if low == high else f"{low} to {high}"


def _confusions(errors: Errors) -> list[Drawing]:
    table = images.confusions(errors.rows)
    pairs = [
        f"{errors.words(int(a))} → {errors.words(int(b))}" for a, b in zip(table["label"], table["predicted"], strict=True)
    ]
    table = table.assign(pair=pairs)
    total, first = int(table["errors"].sum()), table.iloc[0]
    title = f"Confusions: {first['pair']} most often, {first['errors']:,} of {plural(total, 'error')}"
    subtitle = f"actual → predicted class, over {plural(len(errors.runs), 'run')} of all configurations; in brackets the share of all errors"
    figure, narrow = both(plots.confusions, table.head(MOST_PAIRS), total, title=title, subtitle=subtitle)
    caption = "Which class is taken for which: errors of the final models of all runs together, and how many different images they are."
    return [Drawing("confusions", figure, caption, f"{title}.", table[["pair", "errors", "images"]], narrow)]


IMAGES = Section("images", "Which images?", needs=(TEST_IMAGES,), finding=_finding, figures=_figures, told=_told)
