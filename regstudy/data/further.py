"""Data sets that torchvision reads and, as it downloads them, verifies by its own MD5: KMNIST, QMNIST, EMNIST, CIFAR-10. Not run with the originals yet."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from regstudy.console import terminal
from regstudy.data import sources
from regstudy.data.prepared import Prepared
from regstudy.errors import DataError

KANA = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")


@dataclass(frozen=True)
class Kind:
    """torchvision's class, its arguments for training and test images, and the classes' names where it has none of its own."""

    name: str
    train: Mapping[str, object]
    test: Mapping[str, object]
    addresses: Callable[[Any], list[str]]
    class_names: tuple[str, ...] = ()


def _of_mirrors(kind: Any) -> list[str]:
    return [f"{mirror}{kind.resources[0][0]}" for mirror in kind.mirrors]


TRAIN, TEST = {"train": True}, {"train": False}
KINDS = {
    "kmnist": Kind("KMNIST", TRAIN, TEST, _of_mirrors, KANA),
    "qmnist": Kind(
        "QMNIST", {"what": "train"}, {"what": "test"}, lambda kind: [kind.resources["train"][0][0]], tuple("0123456789")
    ),
    "emnist-letters": Kind("EMNIST", {"split": "letters", **TRAIN}, {"split": "letters", **TEST}, lambda kind: [kind.url]),
    "emnist-balanced": Kind("EMNIST", {"split": "balanced", **TRAIN}, {"split": "balanced", **TEST}, lambda kind: [kind.url]),
    "cifar-10": Kind("CIFAR10", TRAIN, TEST, lambda kind: [kind.url]),
}


def read(dataset: str, root: Path) -> Prepared:
    """The data set, downloaded into this folder if it is not there; DataError where it cannot be had, or is damaged."""
    kind = KINDS[dataset]
    train, test = (_one(kind, root, dataset, arguments) for arguments in (kind.train, kind.test))
    names = kind.class_names or _names(train)
    pixels = [_pixels(dataset, one) for one in (train, test)]
    labels = [_labels(dataset, one) for one in (train, test)]
    return Prepared(pixels[0], labels[0], pixels[1], labels[1], names)


def _one(kind: Kind, root: Path, dataset: str, arguments: Mapping[str, object]) -> Any:
    from torchvision import datasets

    found = getattr(datasets, kind.name)
    try:
        return found(str(root), download=False, **arguments)
    except (RuntimeError, OSError, EOFError):
        pass
    sources.refuse_remembered(kind.name)
    sources.probe(kind.name, kind.addresses(found))
    terminal.warn(f"downloading {kind.name} to {root}")
    try:
        with sources.default_timeout(sources.STALL_SECONDS):
            root.mkdir(parents=True, exist_ok=True)
            return found(str(root), download=True, **arguments)
    except (OSError, RuntimeError, EOFError) as error:
        raise DataError(
            f"{dataset} could not be had ({sources.one_line(error)}): run again, or name a folder that holds it with --data-root"
        ) from None


def _names(found: Any) -> tuple[str, ...]:
    """EMNIST's letters count from 1; torchvision names what is not there "N/A"."""
    return tuple(name for name in found.classes if name != "N/A")


def _pixels(dataset: str, found: Any) -> Any:
    """uint8 (n, height, width) or (n, 3, height, width); EMNIST's files have rows for columns."""
    images = np.asarray(found.data)
    if images.ndim == 4:
        return np.ascontiguousarray(images.transpose(0, 3, 1, 2))
    return np.ascontiguousarray(images.transpose(0, 2, 1)) if dataset.startswith("emnist") else images


def _labels(dataset: str, found: Any) -> Any:
    labels = np.asarray(found.targets, np.int64)
    if labels.ndim == 2:  # QMNIST's have who wrote it beside them
        labels = labels[:, 0]
    return labels - 1 if dataset == "emnist-letters" else labels
