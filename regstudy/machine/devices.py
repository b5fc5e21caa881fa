"""Where this machine computes. Asks torch only where there may be anything but a CPU: it takes seconds to load."""

import shutil
import sys
from pathlib import Path

from regstudy.errors import ConfigError

CPU = "cpu"


def chosen(wanted: str) -> str:
    """cpu, cuda or mps: the device of a configuration, `auto` filled in; ConfigError if this machine does not have it."""
    if wanted == CPU or (wanted == "auto" and not _may_be_more()):
        return CPU
    import torch

    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), CPU: True}
    if wanted == "auto":
        return next(name for name, there in available.items() if there)
    if not available[wanted]:
        there = ", ".join(name for name, is_there in available.items() if is_there)
        raise ConfigError(f"device: expected one that this machine has (auto, {there}), got {wanted!r}")
    return wanted


def _may_be_more() -> bool:
    """Apple's have MPS; NVIDIA's and AMD's drivers are known by their files."""
    drivers = any(Path("/dev").glob("nvidia*")) or Path("/dev/kfd").exists() or shutil.which("nvidia-smi") is not None
    return sys.platform == "darwin" or drivers or "torch" in sys.modules
