"""TensorBoard's event files: a run per folder that has some; scalars are metrics, the values of the plugin HParams, or what folders are called, parameters."""

import importlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..record import FAILED, FINISHED, Record
from . import found
from .found import Found, Point

SESSION = re.compile(r"\d+\.\d+")
"""What torch's add_hparams calls the folder that it writes values of hyperparameters into, below the run's: the time."""

PAIR = re.compile(r"([A-Za-z_][\w.-]*)=([^=,]*)")
FOLDER = "folder"
FAILURE = 2
"""TensorBoard's STATUS_FAILURE."""


@dataclass
class _Run:
    """What a folder's files say."""

    points: list[tuple[str, int, float]] = field(default_factory=list)
    params: dict[str, str] = field(default_factory=dict)
    group: str = ""
    status: str = FINISHED
    began: float = 0.0
    plugins: dict[str, Any] = field(default_factory=dict)
    """By tag: only its first value says whose it is."""


def read(files: Sequence[Path], base: Path) -> Found:
    """The runs of these files; what folders are called counts from `base`."""
    runs: dict[Path, _Run] = {}
    notices: list[str] = []
    for path in files:
        own = runs.setdefault(path.parent, _Run())
        told = _read(path, own)
        notices += [told] if told else []
    for folder in sorted(runs, reverse=True):
        if SESSION.fullmatch(folder.name) and folder.parent in runs:
            _join(runs[folder.parent], runs.pop(folder))
    ordered = sorted(runs.items(), key=lambda item: (item[1].began, item[0]))
    records = [_record(folder.relative_to(base), own, base) for folder, own in ordered]
    points: list[Point] = [
        (record.run_id, *point) for record, (_, own) in zip(records, ordered, strict=True) for point in own.points
    ]
    return Found(records, points, tuple(notices))


def _read(path: Path, run: _Run) -> str:
    """Add what a file says to its run; what is to be said of it if its end cannot be read."""
    loaders = found.package("tensorboard.backend.event_processing.event_file_loader", path)
    messages = found.package("tensorboard.compat.proto.event_pb2", path)
    from google.protobuf.message import DecodeError

    done, size = 0, found.size(path)
    try:
        for content in loaders.RawEventFileLoader(str(path)).Load():
            _take(messages.Event.FromString(content), run)
            done += len(content) + 16  # around each: its length and two checksums
    except DecodeError:
        return found.cut(path, done, size)
    return found.cut(path, done, size) if done < size else ""


def _take(event: Any, run: _Run) -> None:
    run.began = min(run.began or event.wall_time, event.wall_time)
    if event.session_log.status == event.session_log.START and event.step > 0:
        # A writer that begins anew at a step: what a killed one had written from there on is void, as it is to TensorBoard.
        run.points = [point for point in run.points if point[1] < event.step]
    for value in event.summary.value:
        plugin = run.plugins.setdefault(value.tag, value.metadata.plugin_data)
        if plugin.plugin_name == "hparams":
            _take_parameters(plugin.content, run)
        elif (number := _number(value, plugin.plugin_name)) is not None:
            run.points.append((value.tag, event.step, number))


def _number(value: Any, plugin: str) -> float | None:
    """A scalar, as TensorFlow 1 and torch write it, or TensorFlow 2; None of anything else."""
    if value.HasField("simple_value"):
        return value.simple_value
    if plugin != "scalars" or not value.HasField("tensor"):
        return None
    from tensorboard.util import tensor_util

    array = tensor_util.make_ndarray(value.tensor)
    return float(array.item()) if array.size == 1 else None


def _take_parameters(content: bytes, run: _Run) -> None:
    data: Any = importlib.import_module("tensorboard.plugins.hparams.plugin_data_pb2").HParamsPluginData.FromString(content)
    began, ended = data.session_start_info, data.session_end_info
    run.params.update({name: _text(value) for name, value in began.hparams.items()})
    run.group = began.group_name or run.group
    if ended.status == FAILURE:
        run.status = FAILED


def _text(value: Any) -> str:
    kind = value.WhichOneof("kind")
    return found.text(getattr(value, kind)) if kind in {"number_value", "string_value", "bool_value"} else ""


def _join(run: _Run, session: _Run) -> None:
    """What add_hparams wrote aside; of metrics, those that the run has no curve of."""
    known = {metric for metric, _, _ in run.points}
    run.points += [point for point in session.points if point[0] not in known]
    run.params.update(session.params)
    run.group = session.group or run.group
    run.status = session.status if session.status != FINISHED else run.status


def _record(place: Path, run: _Run, base: Path) -> Record:
    name = place.as_posix() if place.parts else base.resolve().name
    params = run.params or dict(_of_folders(place.parts))
    tags = {"group": run.group} if run.group else {}
    return Record(name, name, run.status, int(run.began * 1000), tags, {}, params, base.resolve().name)


def _of_folders(parts: Iterable[str]) -> Iterator[tuple[str, str]]:
    """`lr=0.1,seed=3` says it itself; of others, what the first, the second … is called."""
    for number, part in enumerate(parts, 1):
        pairs = [PAIR.fullmatch(piece) for piece in part.split(",")]
        if all(pairs):
            yield from ((pair[1], pair[2]) for pair in pairs if pair)
        else:
            yield f"{FOLDER}{number}", part
