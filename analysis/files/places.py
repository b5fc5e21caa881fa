"""What a user names to be read of anybody's runs: files of results, a tracker's folder, or a store. Told apart by their names, and by what is there; opens nothing."""

import re
from pathlib import Path

from regstudy.errors import UsageError

from . import folders

TABLES = (".csv", ".tsv", ".parquet")
"""Ends of the names of files of results."""

WANDB, EVENTS = ".wandb", "tfevents"
"""In the names of files that Weights & Biases and TensorBoard give to what a run writes."""

ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*:/|file:|databricks(?=://|\Z)", re.IGNORECASE)
EXPECTED = (
    f"expected a file of results ({', '.join(TABLES)}), a folder that TensorBoard (*{EVENTS}*) or Weights & Biases (*{WANDB}) wrote, or a store: "
    "a SQLite file, a folder such as mlruns, or its address"
)


def is_table(place: str) -> bool:
    """Whether a name is that of a file of results."""
    return not ADDRESS.match(place) and Path(place).suffix.lower() in TABLES


def is_results(place: str) -> bool:
    """Whether it is a file of results, or what a tracker wrote: one of its files, or a folder with such that is no store of MLflow's."""
    if is_table(place) or is_address(place):
        return is_table(place)
    path = Path(place)
    return is_run_file(path.name) or (
        path.is_dir() and not _is_store(place) and any(is_run_file(file.name) for file in path.rglob("*"))
    )


def _is_store(folder: str) -> bool:
    """Whether it holds an experiment as MLflow's file store does; artifacts below that may be a tracker's files."""
    return any(Path(folder).glob("*/meta.yaml"))


def is_run_file(name: str) -> bool:
    """Whether a file's name is one that a tracker gives to what a run writes."""
    return name.endswith(WANDB) or EVENTS in name


def is_address(place: str) -> bool:
    """Whether it is a store's URI, such as sqlite:///mlflow.db."""
    return ADDRESS.match(place) is not None


def is_place(word: str) -> bool:
    """Whether a word that may be a condition, FIELD=VALUE, is a place: an address, a file of results, or what is there."""
    return is_address(word) or Path(word).exists() or ("=" not in word and is_table(word))


def check(place: str, option: str) -> None:
    """UsageError unless it may be a file of results or a store: whether it is one is found out by opening it."""
    if is_table(place) or is_address(place):
        return
    if not Path(place).exists():
        raise UsageError(f"{option} {place}: there is no such file or folder: {EXPECTED}")
    if (Path(place) / folders.SNAPSHOT_MANIFEST).is_file():
        raise UsageError(f"{option} {place}: a snapshot, which holds no parameters: {EXPECTED}")
    if Path(place).is_dir() and not _is_store(place) and not is_results(place):
        raise UsageError(f"{option} {place}: nothing in it can be read: {EXPECTED}")


def uri(place: str) -> str:
    """A store's address: as it is, or of the path."""
    return place if is_address(place) else Path(place).absolute().as_uri()
