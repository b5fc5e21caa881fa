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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wrong", "shown", "words"), [(40, 25, "the 25 most confident of 40 errors"), (3, 3, "all 3 errors there are")]
)
def test_contact_sheet_shows_each_error_with_labels_and_probability(wrong, shown, words):
    log, labels = predictions(wrong)
    images = torch.randint(0, 256, (60, 28, 28), dtype=torch.uint8)
    figure = figures.contact_sheet(images, summary.errors(log, labels), DIGIT_NAMES, "l1=0")
    drawn = [axis for axis in figure.axes if axis.images]
    assert len(drawn) == shown
    assert drawn[0].texts[0].get_text() == "0 → 1  90%"
    assert (torch.as_tensor(drawn[0].images[0].get_array()) == images[0]).all()
    assert words in figure.get_suptitle()


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
