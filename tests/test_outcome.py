"""Per-run numbers from curves and predictions."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from regstudy.config import RunConfig
from regstudy.data.datasets import Split, Splits
from regstudy.schema import Metric, Summary
from regstudy.training import summary
from regstudy.training.loop import EpochMetrics
from regstudy.training.network import build
from regstudy.training.scores import Score


def epoch(
    i: int, accuracy: float, loss: float = 0.1, clean: Score | None = None, validation: Score | None = None
) -> EpochMetrics:
    return EpochMetrics(i, 0.2, 0.3, 0.0, 0.0, 0.9, 0.025, Score(loss, accuracy), validation, clean, 1.0, 100.0)


def summarised(history: list[EpochMetrics], test_images: int = 20) -> dict[str, float]:
    """All numbers of a run with this history; its network is as it was initialised."""
    pixels, labels = torch.zeros(test_images, 28, 28, dtype=torch.uint8), torch.arange(test_images) % 10
    test, config = Split(pixels, labels), RunConfig()
    data = Splits("mnist-5k", test, None, test, "data", "split")
    return summary.summarise(build(config), data, config, history, torch.full((test_images, 10), 0.1).log())


def test_endpoint_is_the_mean_of_the_last_five_and_best_is_apart():
    accuracies = [0.5, 0.99, 0.6, 0.7, 0.8, 0.9, 0.7]
    history = [epoch(i, a, clean=Score(0.05, 0.95) if i >= 2 else None) for i, a in enumerate(accuracies)]
    values = summarised(history)
    assert values[Summary.ENDPOINT_TEST_ACCURACY] == pytest.approx(np.mean(accuracies[-5:]))
    assert values[Summary.ENDPOINT_EPOCHS] == 5
    assert (values[Summary.BEST_TEST_ACCURACY], values[Summary.BEST_EPOCH]) == (0.99, 1)
    assert values[Summary.GAP_ACCURACY] == pytest.approx(0.95 - np.mean(accuracies[-5:]))
    assert values[Summary.GAP_LOSS] == pytest.approx(0.05 - 0.1)
    assert Summary.ENDPOINT_VALIDATION_ACCURACY not in values


def test_fewer_epochs_are_all_averaged_and_counted():
    values = summarised([epoch(i, a, clean=Score(0, 1), validation=Score(0.5, a / 2)) for i, a in enumerate([0.4, 0.6])])
    assert values[Summary.ENDPOINT_EPOCHS] == 2
    assert values[Summary.ENDPOINT_TEST_ACCURACY] == pytest.approx(0.5)
    assert values[Summary.ENDPOINT_VALIDATION_ACCURACY] == pytest.approx(0.25)
    assert values[Summary.ENDPOINT_VALIDATION_LOSS] == 0.5


def test_roughness_by_hand():
    # Second half of eight: 1, 2, 1, 3; steps 1, −1, 2; mean square 2; ρ = √(2/2).
    assert summary.roughness([9, 9, 9, 9, 1, 2, 1, 3]) == pytest.approx(1.0)
    # An odd number: the second half is the longer one.
    assert summary.roughness([5, 5, 1, 2, 4]) == pytest.approx(math.sqrt((1 + 4) / 2 / 2))


@pytest.mark.parametrize("epochs", [1, 2, 3, 4])
def test_too_few_epochs_have_no_roughness(epochs):
    assert summary.roughness([0.1] * epochs) is None
    values = summarised([epoch(i, 0.5, clean=Score(0, 1)) for i in range(epochs)])
    assert not [name for name in values if name.startswith("roughness/")]


def test_roughness_of_independent_noise_is_its_standard_deviation():
    rng = np.random.default_rng(0)
    assert summary.roughness(list(rng.normal(5, 0.3, 40_000))) == pytest.approx(0.3, rel=0.03)


def test_roughness_has_a_floor_of_half_an_image():
    flat = [epoch(i, 0.99, clean=Score(0, 1)) for i in range(10)]
    for test_images in (20, 500):
        assert summarised(flat, test_images)[Summary.ROUGHNESS_TEST_ACCURACY] == 0.5 / test_images


@given(st.lists(st.floats(0, 1), min_size=6, max_size=30), st.floats(0.1, 10))
def test_roughness_scales_with_the_curve(curve, factor):
    rough, scaled = summary.roughness(curve), summary.roughness([factor * value + 1 for value in curve])
    assert rough is not None
    assert scaled == pytest.approx(factor * rough, abs=1e-9)


def test_errors_come_most_confident_first():
    probabilities = torch.full((5, 10), 0.01)
    labels = torch.tensor([0, 1, 2, 3, 4])
    for row, (predicted, p) in enumerate([(0, 0.9), (5, 0.6), (6, 0.8), (7, 0.8), (4, 0.5)]):
        probabilities[row, predicted] = p
    errors = summary.errors(probabilities.log(), labels)
    assert errors.index.tolist() == [2, 3, 1]
    assert errors.predicted.tolist() == [6, 7, 5]
    assert errors.label.tolist() == [2, 3, 1]
    assert errors.probability.tolist() == pytest.approx([0.8, 0.8, 0.6])


def test_no_errors_are_no_trouble():
    assert len(summary.errors(torch.eye(10).clamp_min(1e-9).log(), torch.arange(10)).index) == 0


def test_what_was_not_measured_is_not_logged():
    plain = summary.epoch_values(epoch(0, 0.5))
    assert Metric.CLEAN_LOSS not in plain
    assert Metric.VALIDATION_LOSS not in plain
    full = summary.epoch_values(epoch(0, 0.5, clean=Score(1, 2), validation=Score(3, 4)))
    assert set(full) == set(Metric)
