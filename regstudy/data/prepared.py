"""Images and labels as arrays, whatever they came from, and what must hold of them before anything is trained."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regstudy.errors import DataError

MOST_CLASSES = 1_000
LEAST_SIDE, MOST_SIDE = 4, 1024
TEST_SHARE = 5
"""Of every five images of a class one tests, where nobody said which."""

SPARE = 0.8
"""Share of the free memory that a data set may take."""

NAMES = {
    "train_images": "x_train",
    "train_labels": "y_train",
    "test_images": "x_test",
    "test_labels": "y_test",
}
"""What arrays are called, and what else they may be."""

WHOLE = ("images", "labels")
"""What they are called that are not split yet."""

Array = NDArray[np.uint8]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Prepared:
    """Images (n, height, width) or (n, 3, height, width) and labels (n,), which count `class_names`; `files` are the test images' own, if they have any."""

    train_images: Array
    train_labels: Labels
    test_images: Array
    test_labels: Labels
    class_names: tuple[str, ...]
    warning: str = ""
    files: tuple[str, ...] = ()


def from_arrays(given: Mapping[str, object], where: str, split_seed: int) -> Prepared:
    """Arrays by their names, as `arrays:` files and functions give them; DataError names what is missing or wrong."""
    named = {name: given.get(name, given.get(other)) for name, other in NAMES.items()}
    if all(value is not None for value in named.values()):
        train, test = _images(named["train_images"], where, "train_images"), _images(named["test_images"], where, "test_images")
        labels, names = _labels([named["train_labels"], named["test_labels"]], given.get("class_names"), where)
        return checked(Prepared(train, labels[0], test, labels[1], names), where)
    if any(given.get(name) is None for name in WHOLE):
        there = ", ".join(sorted(map(str, given))) or "nothing"
        raise DataError(f"{where}: expected arrays {', '.join(NAMES)}, or {' and '.join(WHOLE)}, got {there}")
    images = _images(given["images"], where, "images")
    labels, names = _labels([given["labels"]], given.get("class_names"), where)
    _same_length(images, labels[0], where, "images")
    return split(images, labels[0], names, where, split_seed)


def split(
    images: Array, labels: Labels, names: Sequence[str], where: str, split_seed: int, files: Sequence[str] = ()
) -> Prepared:
    """Every fifth image of each class tests, at least one, drawn by a seed that is not the block's: all runs are judged on the same images."""
    rng = np.random.default_rng(split_seed)
    tests = np.zeros(len(labels), bool)
    for label in range(len(names)):
        own = np.flatnonzero(labels == label)
        if len(own) < 2:
            raise DataError(
                f"{where}: class {names[label]!r} has {len(own)} of the two images that it takes at least, one to train and one to test"
            )
        tests[rng.permutation(own)[: max(1, len(own) // TEST_SHARE)]] = True
    own_files = tuple(file for file, is_test in zip(files, tests, strict=True) if is_test) if files else ()
    return checked(Prepared(images[~tests], labels[~tests], images[tests], labels[tests], tuple(names), files=own_files), where)


def checked(prepared: Prepared, where: str) -> Prepared:
    """The same; DataError if it cannot be trained on."""
    _same_length(prepared.train_images, prepared.train_labels, where, "train_images")
    _same_length(prepared.test_images, prepared.test_labels, where, "test_images")
    if len(prepared.class_names) < 2:
        raise DataError(
            f"{where}: expected images of two classes at least, got {len(prepared.class_names)}: {', '.join(prepared.class_names)}"
        )
    if len(prepared.class_names) > MOST_CLASSES:
        raise DataError(
            f"{where}: expected at most {MOST_CLASSES:,} classes, got {len(prepared.class_names):,}: are the labels numbers of images?"
        )
    if prepared.train_images.shape[1:] != prepared.test_images.shape[1:]:
        raise DataError(
            f"{where}: expected test images of the training images' shape {prepared.train_images.shape[1:]}, got {prepared.test_images.shape[1:]}"
        )
    missing = set(range(len(prepared.class_names))) - set(prepared.train_labels.tolist())
    if missing:
        raise DataError(f"{where}: class {prepared.class_names[min(missing)]!r} has no training image")
    return prepared


def digest(of: Prepared) -> str:
    """SHA-256, in hex, over all images and labels in their order: what `datasets.sha256` gives of them as tensors."""
    held = hashlib.sha256()
    for array in (of.train_images, of.train_labels, of.test_images, of.test_labels):
        held.update(f"torch.{array.dtype}{array.shape}".encode())
        held.update(np.ascontiguousarray(array).data)
    return held.hexdigest()


def require_memory(needed: int, what: str, remedy: str) -> None:
    """DataError if so many bytes do not fit into the memory that is free, before any is taken."""
    free = free_memory()
    if free is not None and needed > SPARE * free:
        raise DataError(f"{what} take {needed / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are free: {remedy}")


def free_memory() -> int | None:
    """Of the machine, or of the container if that has less; None where it is not known."""
    limits: list[int] = []
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        line = next((line for line in meminfo.read_text().splitlines() if line.startswith("MemAvailable")), "")
        limits += [int(line.split()[1]) * 1024] if line else []
    elif hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    most, used = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")
    if most.exists() and used.exists() and most.read_text().strip().isdigit():
        limits.append(int(most.read_text()) - int(used.read_text()))
    return min(limits, default=None)


def _images(given: object, where: str, name: str) -> Array:
    """uint8 (n, height, width) or (n, 3, height, width)."""
    array: NDArray[Any] = np.asarray(given)
    shape = array.shape
    if array.dtype != np.uint8:
        whole = array.dtype.kind in "ui" and (array.size == 0 or (array.min() >= 0 and array.max() <= 255))
        if not whole:
            raise DataError(
                f"{where}: {name}: expected whole numbers from 0 to 255 (uint8), got {array.dtype}: scale them by 255 and round, if they are from 0 to 1"
            )
        array = array.astype(np.uint8)
    if array.ndim == 4 and array.shape[3] in {1, 3}:
        array = array.transpose(0, 3, 1, 2)
    if array.ndim == 4 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 3 and not (array.ndim == 4 and array.shape[1] == 3):
        raise DataError(f"{where}: {name}: expected shape (n, height, width) or (n, height, width, 3), got {shape}")
    if not len(array) or not all(LEAST_SIDE <= side <= MOST_SIDE for side in array.shape[-2:]):
        raise DataError(
            f"{where}: {name}: expected images with sides from {LEAST_SIDE} to {MOST_SIDE:,} pixels, got shape {shape}"
        )
    return np.ascontiguousarray(array)


def _labels(given: Sequence[object], names: object, where: str) -> tuple[list[Labels], tuple[str, ...]]:
    """Each as numbers from 0, and what they stand for: the names that are given, else the labels themselves."""
    arrays = [np.asarray(one).reshape(-1) for one in given]
    if any(array.dtype.kind not in "uiUSb" for array in arrays):
        raise DataError(
            f"{where}: labels: expected whole numbers or names, got {', '.join(str(array.dtype) for array in arrays)}"
        )
    if names is not None:
        known = tuple(map(str, np.asarray(names).reshape(-1).tolist()))
        if any(
            array.dtype.kind not in "ui" or (array.size and (array.min() < 0 or array.max() >= len(known))) for array in arrays
        ):
            raise DataError(
                f"{where}: labels: expected whole numbers from 0 to {len(known) - 1}, since class_names has {len(known)}"
            )
        return [array.astype(np.int64) for array in arrays], known
    values, places = np.unique(np.concatenate(arrays), return_inverse=True)
    ends = np.cumsum([len(array) for array in arrays])[:-1]
    return [part.astype(np.int64) for part in np.split(places.reshape(-1), ends)], tuple(map(str, values.tolist()))


def _same_length(images: Array, labels: Labels, where: str, name: str) -> None:
    if len(images) != len(labels):
        raise DataError(
            f"{where}: {name}: expected as many labels as images, got {len(labels):,} labels and {len(images):,} images"
        )
    if not len(images):
        raise DataError(f"{where}: {name}: expected some images, got none")
