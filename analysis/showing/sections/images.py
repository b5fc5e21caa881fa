"""Which images? Those that runs misclassify, if they are there."""

from regstudy.console.terminal import plural

from ...judging import images
from ...reading.trials import TEST_IMAGES
from .. import gallery, plots, run_pages
from ..figures import Drawing
from .section import Material, Section

HARDEST, MOST_SEEDS, MOST_ROWS = 40, 20, 8
"""Images, seeds and configurations that fit in one figure."""


def _told(material: Material) -> dict[str, object] | None:
    found = material.found
    every = len(found.trials.runs) <= run_pages.MOST_RUNS
    shown = gallery.context(material.errors, found.reference, every_image=every)
    return {"gallery": shown} if shown else None


def _hardest(material: Material) -> list[Drawing]:
    errors, look = material.errors, material.look
    wrong = errors.wrong
    if len(wrong) < 2 or wrong.shape[1] < 2:
        return []
    labels = {image: errors.words(label) for image, label in errors.labels.items()}
    table = images.hardest(wrong).head(HARDEST)
    shown = wrong.groupby(level="configuration", sort=False).head(MOST_SEEDS)[table.index]
    shown = shown.loc[list(dict.fromkeys(shown.index.get_level_values("configuration")))[:MOST_ROWS]]
    more = len(wrong) - len(shown)
    caption = "Who gets the hardest images wrong: a row per seed, a column per image." + (
        f" {plural(more, 'run')} more, which count too, are not shown." if more else ""
    )
    hardest = table.index[0]
    alt = f"The hardest image, {labels[int(hardest)]}, is wrong in {table['runs'].iloc[0]} of {plural(len(wrong), 'run')}."
    figure = plots.hardest(shown, {int(image): f"{labels[int(image)]} · {image}" for image in table.index}, look)
    return [Drawing("hardest_images", figure, caption, alt, table.reset_index())]


IMAGES = Section("images", "Which images?", needs=(TEST_IMAGES,), figures=_hardest, told=_told)
