"""Which files and folders may hold results of runs, by their names: known before anything is loaded that could read them."""

from pathlib import Path

from .folders import SNAPSHOT_MANIFEST

SUFFIXES = (".csv", ".tsv", ".parquet")
WANDB = ".wandb"
EVENTS = "tfevents"


def is_table(path: str) -> bool:
    """Whether a name is one of a file with rows of results."""
    return Path(path).suffix.lower() in SUFFIXES


def is_run_file(name: str) -> bool:
    """Whether a file's name is one that Weights & Biases or TensorBoard give to what a run writes."""
    return name.endswith(WANDB) or EVENTS in name


def may_hold(path: str) -> bool:
    """Whether it is a table, a run's file, or a folder that may have such: anything but a snapshot of a store."""
    return (
        is_table(path)
        or is_run_file(Path(path).name)
        or (Path(path).is_dir() and not (Path(path) / SNAPSHOT_MANIFEST).exists())
    )
