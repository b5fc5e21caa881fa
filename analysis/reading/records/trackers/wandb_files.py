"""What Weights & Biases keeps of a run on the machine it ran on, offline or not, in `wandb/*/run-*.wandb`: config, history, summary.

Its package gives the messages' types; their frames are LevelDB's log format (https://github.com/google/leveldb/blob/main/doc/log_format.md), for which it has no reader in Python any more.
"""

import json
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from regstudy.console.text import visible

from ..record import FAILED, FINISHED, RUNNING, Record
from . import found
from .found import Found, Point

HEADER = b":W&B\xe1\xbe\x00"
"""Its name, a number and the format's version."""

BLOCK, FRAME = 32_768, 7
FULL, LAST = 1, 4
"""Kinds of frames with which a message ends."""


@dataclass
class _Run:
    """What a run's messages say so far; none of it is sent anywhere."""

    name: str = ""
    project: str = ""
    began: float = 0.0
    status: str = RUNNING
    tags: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    points: list[tuple[str, int, float]] = field(default_factory=list)
    summary: dict[str, float] = field(default_factory=dict)
    step: int = 0


def read(files: Sequence[Path]) -> Found:
    """The runs of these files; a run that was resumed has several."""
    runs: dict[str, _Run] = {}
    notices: list[str] = []
    for path in sorted(files, key=lambda file: (file.parent.name, file)):
        told = _read(path, runs)
        notices += [told] if told else []
    ordered = sorted(runs.items(), key=lambda item: (item[1].began, item[0]))
    records = [_record(run_id, own) for run_id, own in ordered]
    points: list[Point] = [(run_id, *point) for run_id, own in ordered for point in _points(own)]
    return Found(records, points, tuple(notices))


def _read(path: Path, runs: dict[str, _Run]) -> str:
    """Add what a file says to its run; what is to be said of it if not all of it can be read."""
    messages = found.package("wandb.proto.wandb_internal_pb2", path)
    from google.protobuf.message import DecodeError

    content = found.content(path)
    if content[: len(HEADER)] != HEADER:
        return f"{visible(str(path))} does not begin as a file of Weights & Biases does: left out"
    done, own = len(HEADER), None
    for end, message in _messages(content):
        record = messages.Record()
        try:
            record.ParseFromString(message)
        except DecodeError:
            break
        if record.HasField("run"):
            own = runs.setdefault(record.run.run_id, _Run())
        if own is not None:
            _take(record, own)
        done = end
    return found.cut(path, done, len(content)) if done < len(content) else ""


def _messages(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Whole messages, each with the place where it ends, up to the first frame that is not as it was written."""
    place, parts = len(HEADER), b""
    while place + FRAME <= len(content):
        left = BLOCK - place % BLOCK
        if left < FRAME:  # too little for a frame: filled up
            place += left
            continue
        checksum, length, kind = struct.unpack_from("<IHB", content, place)
        held = content[place + FRAME - 1 : place + FRAME + length]
        if len(held) <= length or zlib.crc32(held) != checksum:
            return
        place, parts = place + FRAME + length, parts + held[1:]
        if kind in {FULL, LAST}:
            yield place, parts
            parts = b""


def _take(record: Any, run: _Run) -> None:
    kind = record.WhichOneof("record_type")
    if kind == "run":
        _begin(record.run, run)
    elif kind == "config":
        _configure(record.config, run)
    elif kind == "history":
        run.step = _step(record.history)
        run.points += [(name, run.step, value) for name, value in _numbers(record.history.item)]
    elif kind == "summary":
        run.summary.update(_numbers(record.summary.update))
        for item in record.summary.remove:
            run.summary.pop(_name(item), None)
    elif kind == "exit":
        run.status = FAILED if record.exit.exit_code else FINISHED


def _step(history: Any) -> int:
    """As the run counts, which older versions say beside their own count of messages."""
    return next((int(_value(item)) for item in history.item if _name(item) == "_step"), history.step.num)  # pyright: ignore[reportArgumentType]  # a number


def _begin(begun: Any, run: _Run) -> None:
    """A run begins, goes on in another file, or is described anew."""
    run.name, run.project, run.status = begun.display_name or run.name, begun.project or run.project, RUNNING
    run.began = run.began or begun.start_time.seconds + begun.start_time.nanos / 1e9
    named = {"group": begun.run_group, "job_type": begun.job_type, "project": begun.project, "sweep": begun.sweep_id}
    run.tags.update({**dict.fromkeys(begun.tags, "true"), **{name: value for name, value in named.items() if value}})
    _configure(begun.config, run)


def _configure(config: Any, run: _Run) -> None:
    for item in config.update:
        name = _name(item)
        if not name.startswith("_wandb"):
            run.params = {
                known: value for known, value in run.params.items() if known != name and not known.startswith(f"{name}.")
            }
            run.params.update({key: found.text(value) for key, value in _leaves(name, _value(item))})
    for item in config.remove:
        run.params.pop(_name(item), None)


def _numbers(items: Iterable[Any]) -> Iterator[tuple[str, float]]:
    """Numbers by their names; not W&B's own, which begin with _, nor what media are described by."""
    for item in items:
        for name, value in _leaves(_name(item), _value(item)):
            if isinstance(value, (int, float)) and not isinstance(value, bool) and not name.startswith("_"):
                yield name, float(value)


def _name(item: Any) -> str:
    return item.key or ".".join(item.nested_key)


def _value(item: Any) -> object:
    """What it holds; None for what is no JSON."""
    try:
        return json.loads(item.value_json)
    except ValueError:
        return None


def _leaves(name: str, value: object) -> Iterator[tuple[str, object]]:
    """What is in fields within fields, named as W&B does, by points; media, which say of which type they are, are none."""
    if not isinstance(value, dict) or not value:
        yield name, value
    elif "_type" not in value:
        for key, own in value.items():
            yield from _leaves(f"{name}.{key}", own)


def _points(run: _Run) -> list[tuple[str, int, float]]:
    """Its history; and of its summary what that has nothing of."""
    known = {name for name, _, _ in run.points}
    return [*run.points, *((name, run.step, value) for name, value in run.summary.items() if name not in known)]


def _record(run_id: str, run: _Run) -> Record:
    return Record(run_id, run.name or run_id, run.status, int(run.began * 1000), run.tags, {}, run.params, run.project)
