"""Scores against hand computation and independent formulas."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from regstudy.config import RunConfig
from regstudy.data.datasets import Split
from regstudy.training import scores
from regstudy.training.network import build

PROBABILITIES = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.2, 0.5, 0.3]])
LOG = F.pad(PROBABILITIES, (0, 7)).clamp_min(1e-30).log()
LABELS = torch.tensor([0, 1, 2])


def test_score_by_hand():
    score = scores.score(LOG, LABELS)
    assert score.accuracy == pytest.approx(2 / 3)
    assert score.loss == pytest.approx(-(math.log(0.7) + math.log(0.6) + math.log(0.3)) / 3)


def test_calibration_by_hand():
    calibration = scores.calibration(LOG, LABELS)
    brier = ((0.3**2 + 0.2**2 + 0.1**2) + (0.1**2 + 0.4**2 + 0.3**2) + (0.2**2 + 0.5**2 + 0.7**2)) / 3
    assert calibration.brier_score == pytest.approx(brier, rel=1e-6)
    assert calibration.negative_log_likelihood == pytest.approx(scores.score(LOG, LABELS).loss)
    # Confidences 0.7, 0.6 and 0.5 lie in three bins of width 1/15: |0.7 − 1| + |0.6 − 1| + |0.5 − 0|.
    assert calibration.expected_calibration_error == pytest.approx((0.3 + 0.4 + 0.5) / 3, rel=1e-6)


def test_calibration_error_against_numpy():
    rng = np.random.default_rng(0)
    logits = torch.from_numpy(rng.normal(size=(500, 10)) * 2)
    labels = torch.from_numpy(rng.integers(0, 10, 500))
    log = F.log_softmax(logits, 1)
    confidence, correct = log.exp().max(1).values.numpy(), (log.argmax(1) == labels).numpy()
    edges = np.linspace(0, 1, 16)
    expected = 0.0
    for low, high in pairwise(edges):
        inside = (confidence > low) & (confidence <= high)
        if inside.any():
            expected += inside.mean() * abs(correct[inside].mean() - confidence[inside].mean())
    assert scores.calibration(log, labels).expected_calibration_error == pytest.approx(expected)


def test_confusion_and_recall_by_hand():
    counts = scores.confusion(LOG, LABELS)
    assert counts.sum() == 3
    assert (counts[0, 0], counts[1, 1], counts[2, 1]) == (1, 1, 1)
    assert scores.recall(counts) == [1.0, 1.0, 0.0] + [None] * 7


def test_prediction_does_not_depend_on_batches_or_mode():
    model = build(RunConfig()).train()
    images = torch.randint(0, 256, (600, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    split = Split(images, torch.zeros(600, dtype=torch.int64))
    together = scores.predict(model, split)
    assert model.training
    singly = torch.cat([scores.predict(model, split[i : i + 50]) for i in range(0, 600, 50)])
    torch.testing.assert_close(together, singly)
    assert scores.evaluate(model, split).loss == pytest.approx(-together[:, 0].mean().item(), rel=1e-5)
