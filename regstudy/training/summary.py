"""A finished run's facts: curves and predictions to the numbers that a run is judged by. Pure functions, no MLflow."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from regstudy.config import RunConfig
from regstudy.data.datasets import Splits
from regstudy.schema import LAST_EPOCHS, LAST_SEEN, RIGHT_OF_LAST, Metric, Summary
from regstudy.training import scores, weights
from regstudy.training.loop import EpochMetrics
from regstudy.training.network import Network, blocks, convolutions
from regstudy.training.scores import Score

MIN_DIFFERENCES = 2
"""Roughness is a mean over successive differences; of fewer than two it says nothing."""


@dataclass(frozen=True)
class Errors:
    """The misclassified test images, most confident errors first; all of shape (m,)."""

    index: Tensor
    label: Tensor
    predicted: Tensor
    probability: Tensor  # of the predicted class


def epoch_values(metrics: EpochMetrics) -> dict[str, float]:
    """One epoch under the names it is logged by; what was not measured is left out."""
    values: dict[str, float] = {
        Metric.TRAIN_LOSS: metrics.train_loss,
        Metric.TRAIN_LAST_BATCH_LOSS: metrics.last_batch_loss,
        Metric.TRAIN_L1_PENALTY: metrics.l1_penalty,
        Metric.TRAIN_L2_PENALTY: metrics.l2_penalty,
        Metric.TRAIN_ACCURACY: metrics.train_accuracy,
        Metric.TRAIN_LEARNING_RATE: metrics.learning_rate,
        Metric.TEST_LOSS: metrics.test.loss,
        Metric.TEST_ACCURACY: metrics.test.accuracy,
        Metric.SECONDS: metrics.seconds,
        Metric.IMAGES_PER_SECOND: metrics.images_per_second,
        Metric.EPOCHS_DONE: metrics.epoch + 1,
    }
    if metrics.validation is not None:
        values |= {Metric.VALIDATION_LOSS: metrics.validation.loss, Metric.VALIDATION_ACCURACY: metrics.validation.accuracy}
    if metrics.clean is not None:
        values |= {Metric.CLEAN_LOSS: metrics.clean.loss, Metric.CLEAN_ACCURACY: metrics.clean.accuracy}
    return values


def summarise(
    model: Network, data: Splits, config: RunConfig, history: Sequence[EpochMetrics], log_probabilities: Tensor
) -> dict[str, float]:
    """All per-run numbers under their names; log-probabilities (n, classes) are the final model's on the test images.

    A diverged run has no endpoint, gap or roughness, and nothing that is no finite number.
    """
    values = {**_calibration_and_recall(log_probabilities, data.test.labels), **_anatomy(model, data, config)}
    if not history[-1].diverged:
        values |= {**_endpoints(history), **_roughness(history, len(data.test))}
    return {name: value for name, value in values.items() if math.isfinite(value)}


def errors(log_probabilities: Tensor, labels: Tensor) -> Errors:
    """What the model got wrong, sorted by its probability for the wrong answer, ties by index."""
    probabilities, labels = log_probabilities.cpu().exp(), labels.cpu()
    highest, predicted = probabilities.max(1)
    wrong = (predicted != labels).nonzero().flatten()
    wrong = wrong[highest[wrong].argsort(descending=True, stable=True)]
    return Errors(wrong, labels[wrong], predicted[wrong], highest[wrong])


def roughness(curve: Sequence[float]) -> float | None:
    """√(mean(Δ²)/2) over the second half of a curve: the standard deviation of independent noise that would give such steps."""
    second_half = curve[len(curve) // 2 :]
    steps = [b - a for a, b in pairwise(second_half)]
    if len(steps) < MIN_DIFFERENCES:
        return None
    return math.sqrt(sum(step**2 for step in steps) / len(steps) / 2)


def _endpoints(history: Sequence[EpochMetrics]) -> dict[str, float]:
    last = history[-LAST_EPOCHS:]
    test = _mean_score([m.test for m in last])
    values: dict[str, float] = {
        Summary.ENDPOINT_TEST_ACCURACY: test.accuracy,
        Summary.ENDPOINT_TEST_LOSS: test.loss,
        Summary.ENDPOINT_EPOCHS: len(last),
    }
    validation = [m.validation for m in last if m.validation is not None]
    if validation:
        held_out = _mean_score(validation)
        values |= {Summary.ENDPOINT_VALIDATION_ACCURACY: held_out.accuracy, Summary.ENDPOINT_VALIDATION_LOSS: held_out.loss}
    clean = _mean_score([m.clean for m in last if m.clean is not None])
    best = max(history, key=lambda m: m.test.accuracy)
    return values | {
        Summary.GAP_ACCURACY: clean.accuracy - test.accuracy,
        Summary.GAP_LOSS: clean.loss - test.loss,
        Summary.BEST_TEST_ACCURACY: best.test.accuracy,
        Summary.BEST_EPOCH: best.epoch,
    }


def _mean_score(each: Sequence[Score]) -> Score:
    return Score(sum(s.loss for s in each) / len(each), sum(s.accuracy for s in each) / len(each))


def _roughness(history: Sequence[EpochMetrics], test_images: int) -> dict[str, float]:
    of_accuracy = roughness([m.test.accuracy for m in history])
    of_loss = roughness([m.test.loss for m in history])
    if of_accuracy is None or of_loss is None:
        return {}
    half_an_image = 0.5 / test_images
    return {Summary.ROUGHNESS_TEST_ACCURACY: max(of_accuracy, half_an_image), Summary.ROUGHNESS_TEST_LOSS: of_loss}


def _calibration_and_recall(log_probabilities: Tensor, labels: Tensor) -> dict[str, float]:
    calibration = scores.calibration(log_probabilities, labels)
    counts = scores.confusion(log_probabilities, labels)
    recalls = {Summary.RECALL.format(i): value for i, value in enumerate(scores.recall(counts)) if value is not None}
    return {
        Summary.CALIBRATION_NLL: calibration.negative_log_likelihood,
        Summary.CALIBRATION_BRIER: calibration.brier_score,
        Summary.CALIBRATION_ECE: calibration.expected_calibration_error,
        Summary.MISCLASSIFIED: int(counts.sum() - counts.diagonal().sum()),
        **recalls,
    }


def _anatomy(model: Network, data: Splits, config: RunConfig) -> dict[str, float]:
    """What is known of the network's weights: kernels and reach only of our own blocks, zeros of any convolutions."""
    if not convolutions(model):
        return {}
    zeros = weights.sparsity(model)
    of_any = {Summary.EXACT_ZEROS.value: zeros.exact_zeros}
    if not blocks(model):
        return of_any
    kernels = weights.kernels(model, data.test)
    reaches = weights.reach(model, config, len(data.train)) if config.optimizer == "sgd" else {}
    return {
        **of_any,
        **{Summary.BELOW.format(threshold): share for threshold, share in zeros.below.items()},
        Summary.SILENT_KERNELS: kernels.never_fire,
        Summary.SMALL_KERNELS: kernels.small_norm,
        Summary.DEAD_KERNELS: kernels.dead,
        **{Summary.L1_REACH.format(layer): r.displacement for layer, r in reaches.items()},
        **{Summary.INITIAL_SCALE.format(layer): r.initial_scale for layer, r in reaches.items()},
    }


def prediction_columns(
    log_probabilities: Tensor, labels: Tensor, right: Tensor | None = None, epochs: int = LAST_EPOCHS
) -> dict[str, Tensor]:
    """One row per test image: index, label, prediction, and the probability of both; in how many of the last epochs it was right, and of how many, if that was counted."""
    counted = (
        {} if right is None else {RIGHT_OF_LAST: right.cpu(), LAST_SEEN: torch.full(right.shape, epochs, dtype=torch.uint8)}
    )
    probabilities, labels = log_probabilities.cpu().exp(), labels.cpu()
    highest, predicted = probabilities.max(1)
    return {
        "index": torch.arange(len(labels), dtype=torch.int32),
        "label": labels.to(_kind(log_probabilities)),
        "predicted": predicted.to(_kind(log_probabilities)),
        "predicted_probability": highest,
        "label_probability": probabilities.gather(1, labels[:, None]).flatten(),
        **counted,
    }


def _kind(log_probabilities: Tensor) -> torch.dtype:
    """Of so many classes."""
    return torch.uint8 if log_probabilities.shape[1] <= 256 else torch.int32
