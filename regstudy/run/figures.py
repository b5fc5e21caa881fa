"""Predictions to figures: the contact sheet of misclassified images, the confusion matrix, the curves. Draws, computes nothing, writes no file."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from regstudy.schema import CLASS_NAMES
from regstudy.training.loop import EpochMetrics
from regstudy.training.summary import Errors

ROWS = COLUMNS = 5
BLUE, GREY = "#0072B2", "#8c8c8c"


def class_names(dataset: str) -> tuple[str, ...]:
    """What the ten labels stand for."""
    return CLASS_NAMES.get(dataset, tuple("0123456789"))


def contact_sheet(images: Tensor, errors: Errors, names: Sequence[str], title: str) -> Figure:
    """The 25 most confident errors, or as many as there are; images (n, 28, 28) uint8 are all test images."""
    figure = Figure(figsize=(6.4, 8.0))
    shown, total = min(len(errors.index), ROWS * COLUMNS), len(errors.index)
    # Placed by hand: to lay out 25 axes takes half a second.
    room = {"left": 0.02, "right": 0.98, "bottom": 0.05, "top": 0.92, "wspace": 0.15, "hspace": 0.35}
    axes = figure.subplots(ROWS, COLUMNS, gridspec_kw=room)
    for axis in axes.flat:
        axis.set_axis_off()
    for i, axis in zip(range(shown), axes.flat, strict=False):
        axis.imshow(images[errors.index[i]].cpu().numpy(), cmap="gray_r", vmin=0, vmax=255, interpolation="nearest")
        actual, predicted = names[int(errors.label[i])], names[int(errors.predicted[i])]
        line = "\n" if max(map(len, names)) > 1 else " "  # names of two garments do not fit beside each other
        words = f"{actual}{line}→ {predicted}  {errors.probability[i]:.0%}"
        axis.text(0.5, -0.04, words, transform=axis.transAxes, ha="center", va="top", fontsize=10)
    counted = f"the {shown} most confident of {total} errors" if total > shown else f"all {total} errors there are"
    figure.suptitle(f"{title}\nactual → predicted, probability: {counted}", fontsize=11, y=0.985)
    return figure


def confusion_matrix(counts: Tensor, names: Sequence[str], title: str) -> Figure:
    """Counts (10, 10), errors shaded; the diagonal, which would outshine them, is left white."""
    figure = Figure(figsize=(6.4, 6.2), layout="constrained")
    axis = figure.add_subplot()
    errors = counts.numpy().astype(float)
    np.fill_diagonal(errors, 0)
    axis.imshow(errors, cmap="Oranges", vmin=0, vmax=max(errors.max(), 1) * 1.5)
    for actual in range(len(names)):
        for predicted in range(len(names)):
            count = int(counts[actual, predicted])
            colour = GREY if actual == predicted or not count else "black"
            axis.text(predicted, actual, str(count), ha="center", va="center", color=colour, fontsize=9)
    rotation = 45 if max(map(len, names)) > 1 else 0
    axis.set_xticks(range(len(names)), names, rotation=rotation, ha="right" if rotation else "center")
    axis.set_yticks(range(len(names)), names)
    axis.set_xlabel("predicted")
    axis.set_ylabel("actual")
    axis.set_title(title, loc="left", fontsize=11)
    return figure


def curves(history: Sequence[EpochMetrics], title: str) -> Figure:
    """Loss and accuracy over epochs; one panel each."""
    figure = Figure(figsize=(9.0, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    epochs = [m.epoch for m in history]
    _lines(left, epochs, [m.train_loss for m in history], [m.test.loss for m in history], "loss (nats)")
    left.set_yscale("log")
    train, test = [100 * m.train_accuracy for m in history], [100 * m.test.accuracy for m in history]
    _lines(right, epochs, train, test, "accuracy (%)")
    figure.suptitle(f"{title}: train (augmented, dropout on) and test, epochs counted from 0", x=0.01, ha="left", fontsize=11)
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
