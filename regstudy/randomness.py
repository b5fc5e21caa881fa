"""One generator per purpose: no draw for one purpose shifts those for another, and none reads global state."""

import hashlib

import torch


def generator(seed: int, purpose: str, epoch: int = 0, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator derived from (seed, purpose, epoch); resuming at an epoch needs no stored state."""
    digest = hashlib.sha256(f"{seed}/{purpose}/{epoch}".encode()).digest()
    return torch.Generator(device).manual_seed(int.from_bytes(digest[:8], "big", signed=True))
