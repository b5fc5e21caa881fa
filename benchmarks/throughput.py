"""Images per second: the product's training steps beside the usual loop and beside the bare arithmetic, interleaved."""

import itertools
import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch
import torch.nn.functional as F

from regstudy.config import RunConfig
from regstudy.data.datasets import Splits
from regstudy.training.loop import Learner, fit
from regstudy.training.network import build
from regstudy.training.scores import evaluate
from tests import reference

BATCH, WARM_UP = 128, 5
ROUND = 100
"""Batches of a round: short rounds, and many, since the machine's own speed drifts within seconds."""

WORKERS = (1, 2, 4)


@dataclass(frozen=True)
class Throughput:
    """Images per second of each contender, one number per round."""

    product: list[float]
    usual: list[float]
    usual_with_workers: list[float]
    workers: int
    bare: list[float]
    evaluation: list[float]

    def ratio(self, other: list[float]) -> float:
        """The product's median over another's."""
        return median(self.product) / median(other)


def measure(data: Splits, usual_root: str, rounds: int, usual_batches: int) -> Throughput:
    """Each round times every contender once, one after the other, so that what the machine does meanwhile meets all of them."""
    product(data)
    workers = max(WORKERS, key=lambda number: _usual(usual_root, number, usual_batches))
    contenders: list[Callable[[], float]] = [
        lambda: product(data),
        lambda: _usual(usual_root, 0, usual_batches),
        lambda: _usual(usual_root, workers, usual_batches),
        lambda: _bare(data),
        lambda: _evaluation(data),
    ]
    figures = [[contender() for contender in contenders] for _ in range(rounds)]
    ours, usual, with_workers, bare, evaluation = (list(column) for column in zip(*figures, strict=True))
    return Throughput(ours, usual, with_workers, workers, bare, evaluation)


def product(data: Splits) -> float:
    """The published recipe with L1, after a warm-up as long as the others': augmentation, dropout, penalty and metrics included."""
    config = RunConfig(l1=0.001, dataset="mnist", epochs=1)
    few = Splits(data.dataset, data.train[: (WARM_UP + ROUND) * BATCH], None, data.test[:1000], "", "")
    done: list[float] = []
    for _ in fit(Learner(build(config), config), few, lambda _: done.append(time.perf_counter())):
        pass
    return ROUND * BATCH / (done[-1] - done[WARM_UP - 1])


def _usual(data_root: str, workers: int, batches: int) -> float:
    """The loop that people write: per-image transforms in a DataLoader."""
    # More workers than cores: that is part of what is compared.
    warnings.filterwarnings("ignore", "This DataLoader will create", UserWarning)
    model = reference.network()
    sgd = reference.optimizer(model, 0.0)

    def train(batch: Any) -> int:
        images, labels = batch
        reference.step(model, sgd, images, labels, 0.001)
        return len(labels)

    return _timed(train, itertools.islice(reference.training_loader(data_root, workers), WARM_UP + batches))


def _bare(data: Splits) -> float:
    """The arithmetic alone: no dropout, no augmentation, no penalty, no metrics, one batch that lies in memory, plain SGD."""
    images = data.train.images[:BATCH, None].float().sub(33.3).div(78.6).contiguous(memory_format=torch.channels_last)
    labels = data.train.labels[:BATCH]
    model = reference.network(dropout=0.0).to(memory_format=torch.channels_last)
    model = torch.nn.Sequential(*(layer for layer in _flat(model) if not isinstance(layer, torch.nn.Dropout)))
    sgd = torch.optim.SGD(model.parameters(), lr=0.001)

    def train(_: int) -> int:
        sgd.zero_grad()
        F.nll_loss(model(images), labels).backward()
        sgd.step()
        return BATCH

    return _timed(train, range(WARM_UP + ROUND))


def _evaluation(data: Splits) -> float:
    model = build(RunConfig(dataset="mnist"))
    start = time.perf_counter()
    evaluate(model, data.test)
    return len(data.test) / (time.perf_counter() - start)


def _flat(model: torch.nn.Sequential) -> Iterable[torch.nn.Module]:
    for layer in model:
        yield from layer if isinstance(layer, torch.nn.Sequential) else [layer]


def _timed(train: Callable[[Any], int], batches: Iterable[Any]) -> float:
    """Images per second after a warm-up; what happens between batches (loading them) counts."""
    seen, start = 0, 0.0
    for number, batch in enumerate(batches):
        if number == WARM_UP:
            seen, start = 0, time.perf_counter()
        seen += train(batch)
    return seen / (time.perf_counter() - start)
