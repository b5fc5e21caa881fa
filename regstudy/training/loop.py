"""Training: fit() yields facts after each epoch. It knows nothing of MLflow, files or terminals, and reads no global random state."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from regstudy.config import RunConfig
from regstudy.data.datasets import Split, Splits
from regstudy.randomness import generator
from regstudy.schema import LAST_EPOCHS
from regstudy.training import optimizers, regularisers
from regstudy.training.augmentation import Draws, augment, draw
from regstudy.training.network import Network, OwnNetwork, SqueezeExpandNet, own_randomness
from regstudy.training.optimizers import learning_rate
from regstudy.training.regularisers.base import scoped
from regstudy.training.regularisers.penalties import l1_term, l1_weights, l2_term
from regstudy.training.scores import Score, evaluate

RIGHT = "right/of_last_epochs"
"""In a Learner's state: for each test image, in how many of the last epochs so far it was right."""

CLEAN_IMAGES = 10_000
"""Training images, un-augmented, that the generalisation gap is measured on."""

AUGMENTED_TOGETHER = 8
"""Batches per augmentation step: its many small operations cost less on more images, as long as those stay in the cache."""

MOST_PIXELS = AUGMENTED_TOGETHER * 128 * 28 * 28
"""Pixels per augmentation step: of larger images it takes fewer batches."""


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

    def __init__(self, model: Network, config: RunConfig) -> None:
        self.model, self.config, self.inputs = model, config, model.inputs
        self.optimizer = optimizers.make(model, config)
        self.penalised = scoped(model, config.l1_scope)
        self.weights = l1_weights(self.penalised, config)
        self.regularisers = regularisers.of(config, model, model.inputs)
        self.criterion = regularisers.criterion(self.regularisers)
        self.next_epoch = 0
        self.right: Tensor | None = None

    def state(self) -> dict[str, Tensor]:
        """Weights, normalisation statistics and the optimiser's by name, and the regularisers'; random numbers need none, they follow from seed and epoch."""
        state = self.model.state_dict() | optimizers.state(self.optimizer, self.model)
        for own in self.regularisers:
            state |= own.state()
        return state | ({} if self.right is None else {RIGHT: self.right})

    def restore(self, state: dict[str, Tensor], next_epoch: int) -> None:
        """Go on from a state as `state` gave it, at this epoch."""
        self.model.load_state_dict({name: state[name] for name in self.model.state_dict()})
        self.right = state[RIGHT].to(next(self.model.parameters()).device) if RIGHT in state else None
        optimizers.restore(self.optimizer, self.model, state)
        for own in self.regularisers:
            own.restore(state)
        self.next_epoch = next_epoch

    def start_epoch(self, epoch: int, batches: int, device: torch.device) -> None:
        """Set the epoch's learning rate, its dropout, and what else is drawn in it."""
        self.model.train()
        self.model.use_generator(generator(self.config.seed, "dropout", epoch, device))
        if isinstance(self.model, SqueezeExpandNet) and self.config.spatial_dropout:
            self.model.spatial_generator = generator(self.config.seed, "spatial dropout", epoch, device)
        for own in self.regularisers:
            own.start_epoch(epoch, batches)
        self.set_rate(learning_rate(self.config, epoch, 0, batches))

    def set_rate(self, rate: float) -> None:
        """The learning rate of the next steps."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate

    def step(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """One optimiser step on images and labels, with the configuration's regularisers: the log-probabilities, and the loss without penalties."""
        for own in self.regularisers:
            images = own.images(images)
        output = self.model(images)
        loss = objective = self.criterion(output, labels)
        for own in self.regularisers:
            penalty = own.penalty()
            objective = objective if penalty is None else objective + penalty
        self.optimizer.zero_grad()
        objective.backward()
        rate = self.optimizer.param_groups[0]["lr"]
        for own in self.regularisers:
            own.after_backward(rate)
        self.optimizer.step()
        for own in self.regularisers:
            own.after_step(rate)
        return output.detach(), loss.detach()

    def evaluated(self) -> AbstractContextManager[None]:
        """The model as it is evaluated: with its weights' average, if the configuration keeps one."""
        average = next((own for own in self.regularisers if isinstance(own, regularisers.WeightAverage)), None)
        return nullcontext() if average is None else average.in_place()

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


def _epoch(learner: Learner, data: Splits, epoch: int, advance: Callable[[int], None]) -> EpochMetrics:
    """Train for an epoch and look at what came of it."""
    model, config, start = learner.model, learner.config, time.perf_counter()
    with _randomness(learner, epoch, data.train.labels.device):
        trained = _train_epoch(learner, data.train, epoch, advance)
    trained_seconds = time.perf_counter() - start
    l1, l2 = learner.penalties()
    first_late = max(0, config.epochs - LAST_EPOCHS)
    late = epoch >= first_late
    if epoch == first_late:
        learner.right = torch.zeros(len(data.test), dtype=torch.uint8, device=data.test.labels.device)
    with learner.evaluated():
        return EpochMetrics(
            epoch=epoch,
            train_loss=trained.loss,
            last_batch_loss=trained.last_batch_loss,
            l1_penalty=l1,
            l2_penalty=l2,
            train_accuracy=trained.accuracy,
            learning_rate=learning_rate(config, epoch, 0, batches(len(data.train), config)),
            test=evaluate(model, data.test, learner.right if late else None),
            validation=None if data.validation is None else evaluate(model, data.validation),
            clean=evaluate(model, clean_images(data.train, config.dataset)) if late else None,
            seconds=time.perf_counter() - start,
            images_per_second=len(data.train) / trained_seconds,
        )


def is_sampled(train: Split, dataset: str) -> bool:
    """Whether the gap is measured on a part of the training images of the user's own data."""
    return len(train) > CLEAN_IMAGES and ":" in dataset


def clean_images(train: Split, dataset: str) -> Split:
    """Of the training images those that the gap is measured on: the first 10,000; of data of the user's own, which may be sorted by class, as many at equal distances."""
    if not is_sampled(train, dataset):
        return train[:CLEAN_IMAGES]
    return train[torch.arange(CLEAN_IMAGES, device=train.labels.device) * len(train) // CLEAN_IMAGES]


def batches(images: int, config: RunConfig) -> int:
    """Optimiser steps per epoch."""
    return math.ceil(images / config.batch_size)


def _randomness(learner: Learner, epoch: int, device: torch.device) -> AbstractContextManager[None]:
    """A network of the user's draws from torch's global state, which is set for the epoch: so a resumed run draws the same."""
    own = isinstance(learner.model, OwnNetwork) or bool(learner.config.regulariser)
    return own_randomness(learner.config.seed, "training", epoch, device) if own else nullcontext()


def _train_epoch(learner: Learner, train: Split, epoch: int, advance: Callable[[int], None]) -> _Pass:
    """Every image once, in random order, the last smaller batch included; losses are summed on the device, unread until the end."""
    config, device, n = learner.config, train.labels.device, len(train)
    steps = batches(n, config)
    learner.start_epoch(epoch, steps, device)
    order = torch.randperm(n, generator=generator(config.seed, "order", epoch)).to(device)
    size = (learner.inputs.height, learner.inputs.width)
    draws = draw(n, generator(config.seed, "augmentation", epoch), size).to(device)[order]
    loss_sum, correct = torch.zeros((), device=device), torch.zeros((), dtype=torch.int64, device=device)
    loss = loss_sum
    for number, (images, labels) in enumerate(_batches(train, order, draws, config)):
        if optimizers.by_step(config):
            learner.set_rate(learning_rate(config, epoch, number, steps))
        output, loss = learner.step(images, labels)
        loss_sum += loss * len(labels)
        correct += (output.argmax(1) == labels).sum()
        advance(len(labels))
    return _Pass(loss_sum.item() / n, loss.item(), correct.item() / n)


def _batches(train: Split, order: Tensor, draws: Draws, config: RunConfig) -> Iterator[tuple[Tensor, Tensor]]:
    """Images and labels of each batch in that order, augmented as the draws, which are in the same order, say."""
    size = config.batch_size
    together = max(1, min(AUGMENTED_TOGETHER, MOST_PIXELS // (size * train.images[0].numel())))
    for start in range(0, len(order), size * together):
        here = slice(start, start + size * together)
        some = train[order[here]]
        images = some.images if config.augmentation == "none" else augment(some.images, draws[here])
        yield from zip(images.split(size), some.labels.split(size), strict=True)
