"""Figures show what they were given."""

import pytest
import torch

from regstudy.data.datasets import CLASSES, DIGIT_NAMES
from regstudy.run import figures
from regstudy.schema import CLASS_NAMES
from regstudy.training import summary
from regstudy.training.loop import EpochMetrics
from regstudy.training.scores import Score, confusion


def predictions(wrong: int, n: int = 60) -> tuple[torch.Tensor, torch.Tensor]:
    labels = torch.arange(n) % CLASSES
    predicted = torch.where(torch.arange(n) < wrong, (labels + 1) % CLASSES, labels)
    probabilities = torch.full((n, CLASSES), 0.01)
    probabilities[torch.arange(n), predicted] = torch.linspace(0.9, 0.5, n)
    return probabilities.log(), labels


@pytest.mark.parametrize(
    ("wrong", "shown", "words"),
    [(40, 25, "the 25 most confident of 40 errors"), (3, 3, "all 3 errors there are"), (0, 0, "all 0 errors there are")],
)
@pytest.mark.parametrize("size", [(28, 28), (20, 28), (3, 30, 20), (3, 600, 300)])
def test_contact_sheet_shows_each_error_with_labels_and_probability(wrong, shown, words, size):
    log, labels = predictions(wrong)
    images = torch.randint(1, 255, (60, *size), dtype=torch.uint8)
    figure = figures.contact_sheet(images, summary.errors(log, labels), DIGIT_NAMES, "l1=0")
    (axis,) = figure.axes
    assert len(axis.texts) == shown
    assert words in figure.get_suptitle()
    assert [text.get_text() for text in axis.texts[:2]] == ["0 → 1  90%", "1 → 2  89%"][:shown]
    sheet = torch.as_tensor(axis.images[0].get_array())
    step = 3 if max(size) > 256 else 1
    drawn = images[:shown, ..., ::step, ::step].movedim(1, -1) if len(size) == 3 else images[:shown, ::step, ::step]
    high, wide = drawn.shape[1:3]
    for image, text in zip(drawn, axis.texts, strict=True):
        x, y = text.get_position()
        left, middle = round(x + 0.5 - wide / 2), round(y + 0.5 - 0.54 * max(high, wide))
        top = middle - high // 2
        assert (sheet[top : top + high, left : left + wide] == image).all()
    blank = 0 if len(size) == 2 else 255
    assert int((sheet != blank).sum()) == drawn.numel()


def test_confusion_matrix_prints_every_count():
    log, labels = predictions(7)
    figure = figures.confusion_matrix(confusion(log, labels), CLASS_NAMES["fashion-mnist"], "title")
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert len(texts) == 100
    assert sum(map(int, texts)) == 60
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()][9] == "boot"


def test_curves_are_the_history():
    history = [EpochMetrics(i, 1 / (i + 1), 0, 0, 0, 0.5, 0.1, Score(2 / (i + 1), 0.8), None, None, 1, 1) for i in range(3)]
    left, right = figures.curves(history, "title").axes
    assert left.lines[0].get_ydata() == pytest.approx([1, 1 / 2, 1 / 3])
    assert left.lines[1].get_ydata() == pytest.approx([2, 1, 2 / 3])
    assert right.lines[1].get_ydata() == pytest.approx([80] * 3)
