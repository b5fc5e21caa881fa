"""Predictions to scores: loss, accuracy, calibration, recall. Loss and accuracy are of a model in evaluation mode."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from regstudy.data.datasets import Split

BATCH = 250
"""Images per evaluation step: twice as fast as 500 on a CPU, where larger activations are memory fetched anew each time."""

CALIBRATION_BINS = 15


@dataclass(frozen=True)
class Score:
    """Mean negative log-likelihood in nats; accuracy as a fraction."""

    loss: float
    accuracy: float


@dataclass(frozen=True)
class Calibration:
    """How far predicted probabilities can be believed; lower is better for each."""

    negative_log_likelihood: float
    brier_score: float
    expected_calibration_error: float


@torch.inference_mode()
def predict(model: nn.Module, split: Split) -> Tensor:
    """Log-probabilities (n, classes) in evaluation mode; the model's mode is put back."""
    was_training = model.training
    model.eval()
    try:
        return torch.cat([model(images) for images in split.images.split(BATCH)])
    finally:
        model.train(was_training)


def score(log_probabilities: Tensor, labels: Tensor) -> Score:
    """Loss and accuracy of (n, classes) log-probabilities."""
    loss = F.nll_loss(log_probabilities, labels).item()
    correct = (log_probabilities.argmax(1) == labels).sum().item()
    return Score(loss, correct / len(labels))


def evaluate(model: nn.Module, split: Split, right: Tensor | None = None) -> Score:
    """Predict, then score; `right` (n,), if it is given, counts for each image how often it was right."""
    log_probabilities = predict(model, split)
    if right is not None:
        right += log_probabilities.argmax(1) == split.labels
    return score(log_probabilities, split.labels)


def calibration(log_probabilities: Tensor, labels: Tensor) -> Calibration:
    """Proper scores, and the expected calibration error over equal-width confidence bins (Guo et al., 2017, eq. 3)."""
    log_probabilities, labels = log_probabilities.cpu(), labels.cpu()
    probabilities = log_probabilities.double().exp()
    brier = (probabilities - F.one_hot(labels, log_probabilities.shape[1])).square().sum(1).mean().item()
    confidence, predicted = probabilities.max(1)
    bins = (confidence * CALIBRATION_BINS).ceil().long().clamp(1, CALIBRATION_BINS) - 1
    correct = (predicted == labels).double()
    surplus = torch.zeros(CALIBRATION_BINS, dtype=torch.float64).index_add_(0, bins, confidence - correct)
    return Calibration(F.nll_loss(log_probabilities, labels).item(), brier, surplus.abs().sum().item() / len(labels))


def confusion(log_probabilities: Tensor, labels: Tensor) -> Tensor:
    """Counts (classes, classes): rows are actual, columns predicted classes."""
    classes = log_probabilities.shape[1]
    pairs = labels.cpu() * classes + log_probabilities.argmax(1).cpu()
    return torch.bincount(pairs, minlength=classes * classes).view(classes, classes)


def recall(counts: Tensor) -> list[float | None]:
    """Per class, the fraction of its images that are recognised; None for a class without images."""
    totals = counts.sum(1).tolist()
    return [hits / total if total else None for hits, total in zip(counts.diagonal().tolist(), totals, strict=True)]
