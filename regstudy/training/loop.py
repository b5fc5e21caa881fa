"""Training: fit() yields facts after each epoch. It knows nothing of MLflow, files or terminals, and reads no global random state."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from regstudy.config import RunConfig
from regstudy.data.datasets import Split, Splits
from regstudy.randomness import generator
from regstudy.schema import LAST_EPOCHS
from regstudy.training.augmentation import Draws, augment, draw
from regstudy.training.network import SqueezeExpandNet
from regstudy.training.regularisers import (
    add_l1_gradient,
    l1_term,
    l1_weights,
    l2_term,
    parameter_groups,
    proximal_step,
    scoped,
)
from regstudy.training.scores import Score, evaluate

MOMENTUM = "momentum/"
"""Before a parameter's name: its momentum in a Learner's state."""

RIGHT = "right/of_last_epochs"
"""In a Learner's state: for each test image, in how many of the last epochs so far it was right."""

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

    @property
    def diverged(self) -> bool:
        """Training has left the numbers: nothing after this epoch would mean anything."""
        return not (math.isfinite(self.train_loss) and math.isfinite(self.test.loss))


@dataclass(frozen=True)
class _Pass:
    """One pass over the training images."""

    loss: float
    last_batch_loss: float
    accuracy: float


class Learner:
    """A model with what trains it, between two epochs: all that the next epoch's numbers depend on; and `right`, what the last epochs so far saw of each test image.

    None before these, and where they were begun by a version that did not count.
    """

    def __init__(self, model: SqueezeExpandNet, config: RunConfig) -> None:
        self.model, self.config = model, config
        self.optimizer = torch.optim.SGD(parameter_groups(model, config), lr=config.lr, momentum=config.momentum, fused=True)
        self.penalised = scoped(model, config.l1_scope)
        self.weights = l1_weights(self.penalised, config)
        self.next_epoch = 0
        self.right: Tensor | None = None

    def state(self) -> dict[str, Tensor]:
        """Weights, normalisation statistics and momentum by name; random numbers need none, they follow from seed and epoch."""
        momentum = {
            f"{MOMENTUM}{name}": self.optimizer.state[parameter]["momentum_buffer"]
            for name, parameter in self.model.named_parameters()
            if self.optimizer.state[parameter].get("momentum_buffer") is not None
        }
        return self.model.state_dict() | momentum | ({} if self.right is None else {RIGHT: self.right})

    def restore(self, state: dict[str, Tensor], next_epoch: int) -> None:
        """Go on from a state as `state` gave it, at this epoch."""
        self.model.load_state_dict({name: t for name, t in state.items() if not name.startswith((MOMENTUM, RIGHT))})
        self.right = state[RIGHT].to(self.weights.device) if RIGHT in state else None
        for name, parameter in self.model.named_parameters():
            if f"{MOMENTUM}{name}" in state:
                # In the parameter's own memory layout: the sums of another one would round otherwise.
                buffer = torch.empty_like(parameter).copy_(state[f"{MOMENTUM}{name}"])
                self.optimizer.state[parameter]["momentum_buffer"] = buffer.detach()
        self.next_epoch = next_epoch

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


def fit(learner: Learner, data: Splits, advance: Callable[[int], None] = lambda _images: None) -> Iterator[EpochMetrics]:
    """Train in place, from the learner's next epoch on, and yield after each; stop consuming to stop training.

    The last epoch is the first with a loss that is no finite number, if there is one. `advance` hears of each batch.
    """
    for epoch in range(learner.next_epoch, learner.config.epochs):
        metrics = _epoch(learner, data, epoch, advance)
        learner.next_epoch = epoch + 1
        yield metrics
        if metrics.diverged:
            return


def learning_rate(config: RunConfig, epoch: int) -> float:
    """The rate in an epoch, counted from 0."""
    return config.lr if config.schedule == "constant" else config.lr * STEP_FACTOR ** (epoch // STEP_EVERY)


def _epoch(learner: Learner, data: Splits, epoch: int, advance: Callable[[int], None]) -> EpochMetrics:
    """Train for an epoch and look at what came of it."""
    model, config, start = learner.model, learner.config, time.perf_counter()
    trained = _train_epoch(learner, data.train, epoch, advance)
    trained_seconds = time.perf_counter() - start
    l1, l2 = learner.penalties()
    first_late = max(0, config.epochs - LAST_EPOCHS)
    late = epoch >= first_late
    if epoch == first_late:
        learner.right = torch.zeros(len(data.test), dtype=torch.uint8, device=data.test.labels.device)
    return EpochMetrics(
        epoch=epoch,
        train_loss=trained.loss,
        last_batch_loss=trained.last_batch_loss,
        l1_penalty=l1,
        l2_penalty=l2,
        train_accuracy=trained.accuracy,
        learning_rate=learning_rate(config, epoch),
        test=evaluate(model, data.test, learner.right if late else None),
        validation=None if data.validation is None else evaluate(model, data.validation),
        clean=evaluate(model, data.train[:CLEAN_IMAGES]) if late else None,
        seconds=time.perf_counter() - start,
        images_per_second=len(data.train) / trained_seconds,
    )


def _train_epoch(learner: Learner, train: Split, epoch: int, advance: Callable[[int], None]) -> _Pass:
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
