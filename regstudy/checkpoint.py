"""Exact training state after an epoch: one file per run, written atomically, removed when the run has finished. Holds no pickle.

Weights, normalisation and momentum are the tensors of a safetensors file; the history so far is JSON in its header. Asking whether there is
a checkpoint imports no torch.
"""

import dataclasses
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs

from regstudy.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor

    from regstudy.training import EpochMetrics

RUN_ID = re.compile("[0-9a-f]{32}")
SCORES = ("test", "validation", "clean")


@dataclass(frozen=True)
class Checkpoint:
    """A run after its last whole epoch: what it showed so far, on how many threads, and the learner's state."""

    history: "tuple[EpochMetrics, ...]"
    threads: int
    state: "dict[str, Tensor]"


def require_folder() -> None:
    """UsageError if checkpoints cannot be kept: better before the first epoch than after it."""
    folder = _path("").parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UsageError(
            f"checkpoints cannot be kept in {folder} ({error.strerror}): set REGSTUDY_CHECKPOINTS to a folder that can be written"
        ) from None


def save_after_epoch(run_id: str, history: "Sequence[EpochMetrics]", threads: int, state: "dict[str, Tensor]") -> None:
    """Write the run's checkpoint in place of an earlier one; at no moment is there half a file under its name."""
    from safetensors.torch import save

    path = _path(run_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    facts = {"history": json.dumps([dataclasses.asdict(metrics) for metrics in history]), "threads": str(threads)}
    content = save({name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}, metadata=facts)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name, delete=False) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(file.name, path)  # noqa: PTH105  # a name, not a Path


def load(run_id: str) -> Checkpoint | None:
    """The run's checkpoint; None if this machine has none."""
    import safetensors

    path = _path(run_id)
    if not path.is_file():
        return None
    with safetensors.safe_open(path, framework="pt") as file:
        facts = file.metadata()
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # not a dict
    history = tuple(_metrics(entry) for entry in json.loads(facts["history"]))
    return Checkpoint(history, int(facts["threads"]), state)


def exists(run_id: str) -> bool:
    """Whether the run can be continued on this machine."""
    return _path(run_id).is_file()


def remove(run_id: str) -> None:
    """Forget the run's checkpoint, and what a process that was killed while writing left of one."""
    for path in _path(run_id).parent.glob(f"{_path(run_id).name}*"):
        path.unlink(missing_ok=True)


def file_name(run_id: str) -> str:
    """What a run's files are called: its ID, which is a path only if it has the shape of MLflow's; what else a store may hold there is hashed."""
    return run_id if not run_id or RUN_ID.fullmatch(run_id) else hashlib.sha256(run_id.encode()).hexdigest()


def _path(run_id: str) -> Path:
    """REGSTUDY_CHECKPOINTS, for machines that share a folder; else the user's cache."""
    chosen = os.environ.get("REGSTUDY_CHECKPOINTS")
    folder = Path(chosen) if chosen else platformdirs.user_cache_path("regstudy") / "checkpoints"
    return folder / f"{file_name(run_id)}.safetensors"


def _metrics(entry: dict[str, Any]) -> "EpochMetrics":
    from regstudy.evaluation import Score
    from regstudy.training import EpochMetrics

    scores = {name: None if entry[name] is None else Score(**entry[name]) for name in SCORES}
    return EpochMetrics(**{**entry, **scores})
