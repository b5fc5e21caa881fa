"""From a configuration to its data set's source: one that is verified here, one of torchvision's, or the user's own, which is read to know its digest."""

import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np

from regstudy import own_code
from regstudy.config import ARRAYS, FOLDER, RunConfig, anchored
from regstudy.data import folders, further, prepared, sources
from regstudy.data.prepared import Prepared
from regstudy.data.sources import Source
from regstudy.errors import ConfigError, DataError

Key = tuple[str, str, int | None, str, int]
"""What decides how a data set is read: its name, its folder, and the fields of the configuration that speak of that."""


def find(config: RunConfig) -> Source:
    """The source of the configuration's data, downloaded if need be; DataError or ConfigError says why it cannot be had."""
    dataset = config.dataset
    if config.image_size is not None and not dataset.startswith(FOLDER):
        raise ConfigError(f"image_size: is for a folder of images, got {config.image_size} with dataset {dataset}")
    if dataset in {"auto", "mnist-5k", *sources.ARCHIVES}:
        return sources.locate(dataset, config.data_root)
    root = ""
    if dataset in further.KINDS:
        root = str(sources.data_folder(config.data_root)[0])
    else:
        dataset = anchored(dataset)
    found = read(dataset, root, config)
    return Source(dataset, Path(root) if root else None, found.warning, prepared.digest(found), len(found.test_labels))


def require_use(config: RunConfig) -> None:
    """ConfigError for a field that does nothing to this data set. Of several, as a study may have, another may use it."""
    if config.unreadable != "refuse" and not config.dataset.startswith(FOLDER):
        raise ConfigError(f"unreadable: is for a folder of images, got {config.unreadable} with dataset {config.dataset}")
    if config.split_seed and not _is_own(config.dataset):
        raise ConfigError(
            f"split_seed: is for images of your own, got {config.split_seed} with dataset {config.dataset}, whose test images are given"
        )


def read(dataset: str, root: str, config: RunConfig) -> Prepared:
    """Images and labels of a data set that is not verified here."""
    return _read((dataset, root, config.image_size, config.unreadable, config.split_seed), _stamp(dataset))


def _stamp(dataset: str) -> object:
    """What is another when files were changed."""
    if dataset.startswith(FOLDER):
        return folders.stamp(Path(dataset.removeprefix(FOLDER)))
    if dataset.startswith(ARRAYS):
        path = Path(dataset.removeprefix(ARRAYS))
        return (path.stat().st_size, path.stat().st_mtime_ns) if path.is_file() else None
    return own_code.digest(own_code.among([dataset]))


def _is_own(dataset: str) -> bool:
    return dataset.startswith((FOLDER, ARRAYS)) or own_code.is_reference(dataset)


@lru_cache(maxsize=2)
def _read(key: Key, _stamp: object) -> Prepared:
    """Kept, since nobody changes a data set in place; read again once its files have changed."""
    dataset, root, image_size, unreadable, split_seed = key
    if dataset in further.KINDS:
        return further.read(dataset, Path(root))
    if dataset.startswith(FOLDER):
        return folders.read(Path(dataset.removeprefix(FOLDER)), image_size, unreadable, split_seed)
    if dataset.startswith(ARRAYS):
        return _arrays(Path(dataset.removeprefix(ARRAYS)), split_seed)
    return _from_function(dataset, split_seed)


def _arrays(path: Path, split_seed: int) -> Prepared:
    where = f"{ARRAYS}{path}"
    if not path.is_file():
        raise DataError(f"{where}: there is no such file: name a .npz file with arrays {', '.join(prepared.NAMES)}")
    try:
        with zipfile.ZipFile(path) as archive:
            needed = sum(member.file_size for member in archive.infolist())
        prepared.require_memory(2 * needed, f"{where}: its arrays", "make them smaller")
        with np.load(path, allow_pickle=False) as held:
            return prepared.from_arrays(dict(held), where, split_seed)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, tokenize.TokenError) as error:
        raise DataError(
            f"{where}: cannot be read ({sources.one_line(error)}): expected what numpy.savez writes of arrays of numbers"
        ) from None


def _from_function(reference: str, split_seed: int) -> Prepared:
    function = own_code.load(reference)
    try:
        given = function()
    except (Exception, SystemExit) as error:  # noqa: BLE001  # the user's code
        raise own_code.failed(reference, "failed when it was called", error) from None
    if not isinstance(given, Mapping):
        raise DataError(
            f"dataset: expected {reference!r} to give a dict of arrays {', '.join(prepared.NAMES)}, got {type(given).__name__}"
        )
    try:
        return prepared.from_arrays(dict(given), f"dataset {reference!r}", split_seed)
    except (ValueError, TypeError) as error:  # numpy's, of what is no array
        raise own_code.failed(reference, "gave what makes no arrays", error) from None
