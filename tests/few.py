"""Few digits to train on: for tests of what happens around a training, which of 4,000 takes most of their time."""

import io
from functools import cache
from pathlib import Path

import numpy as np

from regstudy.config import RunConfig
from regstudy.data import datasets, sources

DATASET = "arrays:few.npz"
"""400 digits to train on, 100 to test, in the folder of the command or design that names it."""


@cache
def _content() -> bytes:
    whole = datasets.load(sources.locate("mnist-5k", None), RunConfig(dataset="mnist-5k"))
    parts = {"train": whole.train[slice(None, None, 10)], "test": whole.test[slice(None, None, 10)]}
    arrays = {f"{name}_{what}": getattr(part, what).numpy() for name, part in parts.items() for what in ("images", "labels")}
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def put(folder: Path, design: str = "") -> None:
    """The digits into a folder, and a design that names them, as small.yaml."""
    (folder / "few.npz").write_bytes(_content())
    if design:
        (folder / "small.yaml").write_text(design)
