"""Training: fit() yields facts after each epoch. It knows nothing of MLflow, files or terminals, and reads no global random state."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from regstudy.augment import Draws, augment, draw
from regstudy.config import RunConfig
from regstudy.datasets import Split, Splits
from regstudy.evaluation import Score, evaluate
from regstudy.model import SqueezeExpandNet
from regstudy.penalties import add_l1_gradient, l1_term, l1_weights, l2_term, parameter_groups, proximal_step, scoped
from regstudy.randomness import generator
from regstudy.schema import LAST_EPOCHS

STEP_EVERY, STEP_FACTOR = 6, 0.1
"""The schedule that the published study built and never stepped."""

CLEAN_IMAGES = 10_000
"""Training images, un-augmented, that the generalisation gap is measured on."""

AUGMENTED_TOGETHER = 8
"""Batches per augmentation step: its many small operations cost less on more images, as long as those stay in the cache."""


@dataclass(frozen=True)
class EpochMetrics:
    """What one epoch showed; `clean` is the score on training images without augmentation, taken in the last epochs only."""

    epoch: int
    train_loss: float
    last_batch_loss: float
    l1_penalty: float
    l2_penalty: float
    train_accuracy: float
    learning_rate: float
    test: Score
    validation: Score | None
    clean: Score | None
    seconds: float
    images_per_second: float


@dataclass(frozen=True)
class _Pass:
    """One pass over the training images."""

    loss: float
    last_batch_loss: float
    accuracy: float


class _Learner:
    """A model with what trains it."""

    def __init__(self, model: SqueezeExpandNet, config: RunConfig) -> None:
        self.model, self.config = model, config
        self.optimizer = torch.optim.SGD(parameter_groups(model, config), lr=config.lr, momentum=config.momentum, fused=True)
        self.penalised = scoped(model, config.l1_scope)
        self.weights = l1_weights(self.penalised, config)

    def start_epoch(self, epoch: int, device: torch.device) -> None:
        """Set the epoch's learning rate and its dropout."""
        self.model.train()
        self.model.use_generator(generator(self.config.seed, "dropout", epoch, device))
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.config, epoch)

    def step(self, loss: Tensor) -> None:
        """One optimiser step, with L1 in the way that the configuration asks for."""
        penalised, proximal = self.config.l1 > 0, self.config.l1_kind == "proximal"
        self.optimizer.zero_grad()
        loss.backward()
        if penalised and not proximal:
            add_l1_gradient(self.penalised, self.config)
        self.optimizer.step()
        if penalised and proximal:
            proximal_step(self.penalised, self.config, self.optimizer.param_groups[0]["lr"])

    @torch.no_grad()
    def penalties(self) -> tuple[float, float]:
        """The L1 and the L2 term of the objective, as they stand."""
        l2 = l2_term(scoped(self.model, self.config.l2_scope), self.config)
        return l1_term(self.penalised, self.weights).item(), l2.item()


def fit(
    model: SqueezeExpandNet, data: Splits, config: RunConfig, advance: Callable[[int], None] = lambda _images: None
) -> Iterator[EpochMetrics]:
    """Train in place and yield after each epoch; stop consuming to stop training. `advance` hears of each batch."""
    learner = _Learner(model, config)
    for epoch in range(config.epochs):
        start = time.perf_counter()
        trained = _train_epoch(learner, data.train, epoch, advance)
        trained_seconds = time.perf_counter() - start
        l1, l2 = learner.penalties()
        late = epoch >= config.epochs - LAST_EPOCHS
        yield EpochMetrics(
            epoch=epoch,
            train_loss=trained.loss,
            last_batch_loss=trained.last_batch_loss,
            l1_penalty=l1,
            l2_penalty=l2,
            train_accuracy=trained.accuracy,
            learning_rate=learning_rate(config, epoch),
            test=evaluate(model, data.test),
            validation=None if data.validation is None else evaluate(model, data.validation),
            clean=evaluate(model, data.train[:CLEAN_IMAGES]) if late else None,
            seconds=time.perf_counter() - start,
            images_per_second=len(data.train) / trained_seconds,
        )


def learning_rate(config: RunConfig, epoch: int) -> float:
    """The rate in an epoch, counted from 0."""
    return config.lr if config.schedule == "constant" else config.lr * STEP_FACTOR ** (epoch // STEP_EVERY)


def _train_epoch(learner: _Learner, train: Split, epoch: int, advance: Callable[[int], None]) -> _Pass:
    """Every image once, in random order, the last smaller batch included; losses are summed on the device, unread until the end."""
    config, device, n = learner.config, train.labels.device, len(train)
    learner.start_epoch(epoch, device)
    order = torch.randperm(n, generator=generator(config.seed, "order", epoch)).to(device)
    draws = draw(n, generator(config.seed, "augmentation", epoch)).to(device)[order]
    loss_sum, correct = torch.zeros((), device=device), torch.zeros((), dtype=torch.int64, device=device)
    loss = loss_sum
    for images, labels in _batches(train, order, draws, config):
        output = learner.model(images)
        loss = F.nll_loss(output, labels)
        learner.step(loss)
        loss_sum += loss.detach() * len(labels)
        correct += (output.detach().argmax(1) == labels).sum()
        advance(len(labels))
    return _Pass(loss_sum.item() / n, loss.item(), correct.item() / n)


def _batches(train: Split, order: Tensor, draws: Draws, config: RunConfig) -> Iterator[tuple[Tensor, Tensor]]:
    """Images and labels of each batch in that order, augmented as the draws, which are in the same order, say."""
    size = config.batch_size
    for start in range(0, len(order), size * AUGMENTED_TOGETHER):
        here = slice(start, start + size * AUGMENTED_TOGETHER)
        some = train[order[here]]
        images = some.images if config.augmentation == "none" else augment(some.images, draws[here])
        yield from zip(images.split(size), some.labels.split(size), strict=True)
