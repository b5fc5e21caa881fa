"""Predictions to figures: the contact sheet of misclassified images, the confusion matrix, the curves. Draws, computes nothing, writes no file."""

import io
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image
from torch import Tensor

from regstudy.training.loop import EpochMetrics
from regstudy.training.summary import Errors

ROWS = COLUMNS = 5
MOST_COUNTS = 26
"""Classes up to which a confusion matrix has room for its counts."""

LONGEST_NAME = 14
"""Characters of a class's name in a figure."""
LARGEST_TILE = 256
"""Pixels of a side beyond which an image on the contact sheet is thinned out; it is shown smaller."""

BLUE, GREY = "#0072B2", "#8c8c8c"


def pixel_column(images: Tensor) -> pa.Array:
    """Stored images: grey ones of 28 × 28 as their 784 values, all others as PNG."""
    if images.shape[1:] == (28, 28):
        return pa.array([image.numpy().tobytes() for image in images], pa.binary(28 * 28))
    return pa.array([_png(image) for image in images], pa.binary())


def _png(image: Tensor) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(as_picture(image)).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def as_picture(image: Tensor) -> np.ndarray:
    """(height, width) or (3, height, width) → as PIL and matplotlib have it, colours last."""
    values = image.cpu().numpy()
    return values if values.ndim == 2 else np.ascontiguousarray(values.transpose(1, 2, 0))


def contact_sheet(images: Tensor, errors: Errors, names: Sequence[str], title: str) -> Figure:
    """The 25 most confident errors, or as many as there are; images, uint8, are all test images."""
    figure = Figure(figsize=(6.4, 8.0))
    shown, total = min(len(errors.index), ROWS * COLUMNS), len(errors.index)
    wrong = images[errors.index[:shown]]
    wrong = wrong[..., :: (step := -(-max(wrong.shape[-2:]) // LARGEST_TILE)), ::step]
    sheet, corners = _tiled(wrong)
    # One picture on one axis: 25 take far longer.
    axis = figure.add_axes((0.02, 0.05, 0.96, 0.87))
    axis.set_axis_off()
    axis.imshow(sheet, cmap="gray_r", vmin=0, vmax=255, interpolation="nearest")
    side = max(wrong.shape[-2:])
    for i, (top, left) in enumerate(corners):
        actual, predicted = (shortened(names[int(label[i])]) for label in (errors.label, errors.predicted))
        line = "\n" if max(map(len, names)) > 1 else " "  # names of two garments do not fit beside each other
        words = f"{actual}{line}→ {predicted}  {errors.probability[i]:.0%}"
        axis.text(left + side / 2 - 0.5, top + 1.04 * side - 0.5, words, ha="center", va="top", fontsize=10)
    counted = f"the {shown} most confident of {total} errors" if total > shown else f"all {total} errors there are"
    figure.suptitle(f"{_plain(title)}\nactual → predicted, probability: {counted}", fontsize=11, y=0.985)
    return figure


def _tiled(images: Tensor) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """At most 25 images, each in a white square with room for words below, as one picture; and where each square begins: row and column of its pixel."""
    height, width = images.shape[-2:]
    side = max(height, width)
    down, right = side + -(-35 * side // 100), side + -(-15 * side // 100)
    grey = images.ndim == 3
    sheet = np.full((ROWS * down, COLUMNS * right, *(() if grey else (3,))), 0 if grey else 255, np.uint8)
    corners = [(down * (i // COLUMNS), right * (i % COLUMNS)) for i in range(len(images))]
    for image, (top, left) in zip(images, corners, strict=True):
        y, x = top + (side - height) // 2, left + (side - width) // 2
        sheet[y : y + height, x : x + width] = as_picture(image)
    return sheet[: ROWS * down - (down - side), : COLUMNS * right - (right - side)], corners


def confusion_matrix(counts: Tensor, names: Sequence[str], title: str) -> Figure:
    """Counts (classes, classes), errors shaded; the diagonal, which would outshine them, is left white. Of many classes only the shades are shown."""
    names = [shortened(name) for name in names]
    short = max(map(len, names)) == 1
    # To find room for long names takes as long as to draw.
    figure = Figure(figsize=(6.4, 6.2), layout=None if short else "constrained")
    if short:
        figure.subplots_adjust(left=0.08, right=0.98, bottom=0.08, top=0.94)
    axis = figure.add_subplot()
    errors = counts.numpy().astype(float)
    np.fill_diagonal(errors, 0)
    axis.imshow(errors, cmap="Oranges", vmin=0, vmax=max(errors.max(), 1) * 1.5)
    for actual in range(len(names) if len(names) <= MOST_COUNTS else 0):
        for predicted in range(len(names)):
            count = int(counts[actual, predicted])
            colour = GREY if actual == predicted or not count else "black"
            axis.text(predicted, actual, str(count), ha="center", va="center", color=colour, fontsize=9)
    rotation = 0 if short else 45
    every = slice(None, None, -(-len(names) // MOST_COUNTS))
    axis.set_xticks(range(len(names))[every], names[every], rotation=rotation, ha="right" if rotation else "center")
    axis.set_yticks(range(len(names))[every], names[every])
    axis.set_xlabel("predicted")
    axis.set_ylabel("actual")
    axis.set_title(_plain(title), loc="left", fontsize=11)
    return figure


def shortened(name: str) -> str:
    """A class's name as it fits into a figure."""
    return _plain(name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…")


def _plain(text: str) -> str:
    """Nothing of it is a formula."""
    return text.replace("$", r"\$")


def curves(history: Sequence[EpochMetrics], title: str) -> Figure:
    """Loss and accuracy over epochs; one panel each."""
    figure = Figure(figsize=(9.0, 3.8))
    left, right = figure.subplots(1, 2, gridspec_kw={"left": 0.1, "right": 0.985, "bottom": 0.13, "top": 0.89, "wspace": 0.28})
    epochs = [m.epoch for m in history]
    _lines(left, epochs, [m.train_loss for m in history], [m.test.loss for m in history], "loss (nats)")
    left.set_yscale("log")
    train, test = [100 * m.train_accuracy for m in history], [100 * m.test.accuracy for m in history]
    _lines(right, epochs, train, test, "accuracy (%)")
    figure.suptitle(
        f"{_plain(title)}: train (augmented, dropout on) and test, epochs counted from 0", x=0.01, ha="left", fontsize=11
    )
    return figure


def _lines(axis: Axes, epochs: list[int], train: list[float], test: list[float], unit: str) -> None:
    marker = "o" if len(epochs) < 3 else ""
    axis.plot(epochs, train, color=GREY, linestyle="--", marker=marker, label="train")
    axis.plot(epochs, test, color=BLUE, marker=marker, label="test")
    axis.set_xlabel("epoch")
    axis.set_ylabel(unit)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(alpha=0.3)
    axis.legend(frameon=False)
