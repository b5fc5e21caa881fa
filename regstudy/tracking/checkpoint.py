"""Exact training state after an epoch: one file per run, written atomically, removed when the run has finished. Holds no pickle.

Weights, normalisation and momentum are the tensors of a safetensors file; its header holds the history so far as JSON, the run's ID, and a
SHA-256 of every other byte of the file. What that does not vouch for is never trained on. Asking whether there is a checkpoint, and
whether it is sound, imports no torch.
"""

import dataclasses
import hashlib
import json
import os
import re
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs

from regstudy.errors import DamagedCheckpoint, UsageError
from regstudy.machine import private_folder

if TYPE_CHECKING:
    from torch import Tensor

    from regstudy.training.loop import EpochMetrics

RUN_ID = re.compile("[0-9a-f]{32}")
SCORES = ("test", "validation", "clean")
NO_DIGEST = "0" * 64
DIGEST_MARK = b'"sha256":"'
"""What stands before the digest in the header, and nowhere in the history: there a quotation mark is escaped."""


@dataclass(frozen=True)
class Checkpoint:
    """A run after its last whole epoch: what it showed so far, on how many threads, and the learner's state."""

    history: "tuple[EpochMetrics, ...]"
    threads: int
    state: "dict[str, Tensor]"


def require_folder() -> None:
    """UsageError if checkpoints cannot be kept: better before the first epoch than after it."""
    folder = _folder()
    try:
        _make(folder)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _unusable(folder, error) from None


def save_after_epoch(run_id: str, history: "Sequence[EpochMetrics]", threads: int, state: "dict[str, Tensor]") -> None:
    """Write the run's checkpoint in place of an earlier one; at no moment is there half a file under its name."""
    from safetensors.torch import save

    path = where(run_id)
    _make(path.parent)
    facts = {"history": json.dumps([dataclasses.asdict(metrics) for metrics in history]), "threads": str(threads)}
    facts |= {"run": run_id, "sha256": NO_DIGEST}
    content = _sealed(save(_apart(state), metadata=facts))
    try:
        _replace(path, content)
    except OSError as error:  # a disk that is full, say
        raise _unusable(path.parent, error) from None


def _replace(path: Path, content: bytes) -> None:
    """The file with this content, or as it was; nothing beside it."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _apart(state: "dict[str, Tensor]") -> "dict[str, Tensor]":
    """Tensors that share no memory, which safetensors asks for: in a network of the user's two names may have one weight."""
    return {name: tensor.detach().cpu().clone().contiguous() for name, tensor in state.items()}


def load(run_id: str) -> Checkpoint | None:
    """The run's checkpoint; None if this machine has none. DamagedCheckpoint if it is not as it was written, or another run's."""
    from safetensors.torch import load

    path = where(run_id)
    if not path.exists():
        return None
    try:
        content = _sound(path, run_id)
    except DamagedCheckpoint as reason:
        raise DamagedCheckpoint(f"the checkpoint {path} {reason}: it is not used") from None
    facts = _facts(content)
    history = tuple(_metrics(entry) for entry in json.loads(facts["history"]))
    return Checkpoint(history, int(facts["threads"]), load(content))


def exists(run_id: str) -> bool:
    """Whether there is anything on this machine to continue the run from."""
    return where(run_id).exists()


def damage(run_id: str) -> str:
    """What is wrong with the run's checkpoint, in words that follow the file's path; empty if nothing is, or if there is none."""
    path = where(run_id)
    try:
        if path.exists():
            _sound(path, run_id)
    except DamagedCheckpoint as reason:
        return str(reason)
    return ""


def set_aside(run_id: str) -> Path:
    """Keep a damaged checkpoint under another name beside it; where that is."""
    path = where(run_id)
    # The run's own name comes late, so that removing its checkpoint does not take this along.
    return path.rename(path.with_name(f"damaged-{time.time_ns()}-{path.name}"))


def remove(run_id: str) -> None:
    """Forget the run's checkpoint, and what a process that was killed while writing left of one."""
    for path in where(run_id).parent.glob(f"{where(run_id).name}*"):
        path.unlink(missing_ok=True)


def file_name(run_id: str) -> str:
    """What a run's files are called: its ID, which is a path only if it has the shape of MLflow's; what else a store may hold there is hashed."""
    return run_id if not run_id or RUN_ID.fullmatch(run_id) else hashlib.sha256(run_id.encode()).hexdigest()


def where(run_id: str) -> Path:
    """The file that is or would be the run's checkpoint; UsageError if others may have prepared the folder."""
    folder = _folder()
    try:
        (private_folder.require_shared if _is_chosen() else private_folder.require)(folder)
    except OSError as error:
        raise _unusable(folder, error) from None
    return folder / f"{file_name(run_id)}.safetensors"


def _folder() -> Path:
    """REGSTUDY_CHECKPOINTS, for machines that share a folder; else the user's cache."""
    return (
        Path(os.environ["REGSTUDY_CHECKPOINTS"]) if _is_chosen() else platformdirs.user_cache_path("regstudy") / "checkpoints"
    )


def _is_chosen() -> bool:
    return bool(os.environ.get("REGSTUDY_CHECKPOINTS"))


def _make(folder: Path) -> None:
    if _is_chosen():
        folder.mkdir(parents=True, exist_ok=True)
        private_folder.require_shared(folder)
    else:
        private_folder.make(folder)


def _unusable(folder: Path, error: OSError) -> UsageError:
    return UsageError(
        f"checkpoints cannot be kept in {folder} ({error.strerror or error}): set REGSTUDY_CHECKPOINTS to a folder that can be written, by you or your group alone"
    )


def _sound(path: Path, run_id: str) -> bytes:
    """The file's content, read once; DamagedCheckpoint says what is wrong with it, in words that follow its path."""
    content = _read(path)
    reason = _breach(content, run_id)
    if reason:
        raise DamagedCheckpoint(reason)
    return content


def _read(path: Path) -> bytes:
    if not path.is_file():  # a folder cannot be read, and a pipe would keep us waiting
        raise DamagedCheckpoint("is no file")
    try:
        return path.read_bytes()
    except OSError as error:
        raise DamagedCheckpoint(f"cannot be read ({error.strerror})") from None


def _sealed(content: bytes) -> bytes:
    """The same file with its digest in the place that was kept for it."""
    before, mark, after = content.partition(DIGEST_MARK)
    return before + mark + hashlib.sha256(content).hexdigest().encode() + after[len(NO_DIGEST) :]


def _breach(content: bytes, run_id: str) -> str:
    """Why a file is not the one that was written for the run; empty if it is."""
    if not content:
        return "is empty"
    before, mark, after = content.partition(DIGEST_MARK)
    if not mark:
        return "has no digest (it is damaged, or from an earlier version of regstudy)"
    written = before + mark + NO_DIGEST.encode() + after[len(NO_DIGEST) :]
    if hashlib.sha256(written).hexdigest().encode() != after[: len(NO_DIGEST)]:
        return "is damaged (its content does not have the SHA-256 that it was written with)"
    owner = _facts(content)["run"]
    return "" if owner == run_id else f"is that of another run, {owner}"


def _facts(content: bytes) -> dict[str, str]:
    """The metadata of a safetensors file: eight bytes say how long the JSON after them is."""
    length = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + length])["__metadata__"]


def _metrics(entry: dict[str, Any]) -> "EpochMetrics":
    from regstudy.training.loop import EpochMetrics
    from regstudy.training.scores import Score

    scores = {name: None if entry[name] is None else Score(**entry[name]) for name in SCORES}
    return EpochMetrics(**{**entry, **scores})
