"""Where runs are read from: MLflow's store, or several, files of results, or snapshots. All give the same records; nothing is written here."""

from collections.abc import Sequence
from pathlib import Path

from ...files import places
from . import snapshot, table
from .record import Records
from .several import Several
from .trackers import folder

NAMED = 8
"""Experiments that a message names."""


def from_store(experiment: str | None, place: str = "") -> Records:
    """An experiment by name, else MLflow's own choice, of the store in use, or of the one at a place: a SQLite file, a folder or an address.

    NothingToAnalyse or TrackingError if there is no such store or experiment. Nothing there is changed.
    """
    from . import mlflow_store  # imported here: MLflow takes as long as all else of a ranking from a snapshot

    return mlflow_store.opened(experiment, place)


def of_anybody(names: Sequence[str], named: Sequence[str] = ()) -> Records:
    """Files of results, trackers' folders and stores, as one; without any the store in use. Of each store the experiment or experiments of these names, else MLflow's own choice."""
    files = [place for place in named if places.is_results(place)]
    opened = [place for place in named if place not in files] or ([] if files else [""])
    parts: list[Records] = [from_store(name, place) for place in opened for name in names or [None]]
    parts += [_of_files(files)] if files else []
    return parts[0] if len(parts) == 1 else Several(parts)


def _of_files(paths: Sequence[str]) -> table.TableRecords:
    tables = [path for path in paths if places.is_table(path)]
    parts = [table.load(tables)] if tables else []
    return table.joined([*parts, *(folder.load(path) for path in paths if path not in tables)])


def elsewhere(source: Records) -> str:
    """Where else in the store there may be something, for the end of a message."""
    others: Sequence[str] = getattr(source, "others", ())
    if not others:
        return ""
    more = f" and {len(others) - NAMED} more" if len(others) > NAMED else ""
    return f"; the store also has {', '.join(map(repr, others[:NAMED]))}{more}: name one with --experiment"


def from_snapshots(folders: Sequence[str]) -> Records:
    """One or several snapshots, as one store."""
    return snapshot.load([Path(folder) for folder in folders])
