"""Where a run's numbers come from: source code, packages, machine. Reads, and changes nothing."""

import json
import platform
import subprocess
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import torch

import regstudy
from regstudy.console.redaction import without_secrets
from regstudy.schema import Tag

PACKAGES = ("mlflow", "numpy", "torch", "torchvision")
MAX_DIFF = 1_000_000
"""Characters of an uncommitted diff that are kept; a longer one is cut, and says so."""


@dataclass(frozen=True)
class SourceState:
    """The commit that the code comes from, and what was changed since; all empty outside a git checkout."""

    commit: str
    diff: str


def source_state() -> SourceState:
    """The state of the checkout that holds this package."""
    folder = Path(regstudy.__file__).parent.parent
    commit = _git(folder, "rev-parse", "HEAD").strip()
    # A package installed somewhere below another project's checkout is not that project's source.
    if not commit or not _git(folder, "ls-files", "regstudy/schema.py"):
        return SourceState("", "")
    diff = without_secrets(_git(folder, "diff", "HEAD"))
    return SourceState(commit, diff if len(diff) <= MAX_DIFF else diff[:MAX_DIFF] + "\n… cut here\n")


def tags(source: SourceState, device: torch.device) -> dict[str, str]:
    """Source, packages and machine, as tags of a run."""
    # torch's own version says which CUDA it was built for.
    versions = {name: metadata.version(name) for name in PACKAGES} | {"torch": torch.__version__}
    git = {Tag.GIT_COMMIT: source.commit, Tag.GIT_DIRTY: str(bool(source.diff)).lower()} if source.commit else {}
    return {
        **git,
        Tag.VERSION: regstudy.__version__,
        Tag.PACKAGES: json.dumps({"python": platform.python_version(), **versions}),
        Tag.DEVICE: torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        Tag.PROCESSOR: _processor(),
        Tag.PLATFORM: platform.platform(),
        Tag.THREADS: str(torch.get_num_threads()),
    }


def _git(folder: Path, *arguments: str) -> str:
    """Output of a git command, or nothing: no git, no checkout and no commit are all fine."""
    try:
        return subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True, timeout=30, errors="replace"
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


def _processor() -> str:
    """The processor's name; platform.processor() is empty on most Linux systems."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
