"""Optimisers, their state by name, and the learning rate's schedules."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from regstudy.config import RunConfig
from regstudy.training.regularisers.penalties import parameter_groups

MOMENTUM = "momentum/"
"""Before a parameter's name: its momentum in the state that is kept."""

KEPT = {"momentum_buffer": MOMENTUM, "exp_avg": "adam_mean/", "exp_avg_sq": "adam_square/", "step": "adam_step/"}
"""What an optimiser keeps of a parameter, by torch's name: what stands before the parameter's own in the state that is kept."""

ADAM_SQUARE = 0.999
"""β₂, as by default."""

STEP_EVERY, STEP_FACTOR = 6, 0.1
"""The schedule that the published study built and never stepped."""

RISE, START, END = 0.3, 25.0, 1e4
"""One-cycle: the share of steps that it rises in, what its highest is divided by at the start, and that once more at the end; torch's defaults."""


def make(model: nn.Module, config: RunConfig) -> torch.optim.Optimizer:
    """The configuration's optimiser. Decoupled weight decay is a regulariser's, for both: with L2 = 0, Adam and that are AdamW."""
    groups = parameter_groups(model, config)
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=config.lr, momentum=config.momentum, fused=True)
    return torch.optim.Adam(groups, lr=config.lr, betas=(config.momentum, ADAM_SQUARE), fused=True)


def state(optimizer: torch.optim.Optimizer, model: nn.Module) -> dict[str, Tensor]:
    """What it keeps of each parameter, by name."""
    return {
        f"{prefix}{name}": optimizer.state[parameter][key]
        for name, parameter in model.named_parameters()
        for key, prefix in KEPT.items()
        if optimizer.state[parameter].get(key) is not None
    }


def restore(optimizer: torch.optim.Optimizer, model: nn.Module, kept: Mapping[str, Tensor]) -> None:
    """Go on from what `state` gave."""
    for name, parameter in model.named_parameters():
        for key, prefix in KEPT.items():
            if f"{prefix}{name}" in kept:
                value = kept[f"{prefix}{name}"]
                # In the parameter's own memory layout: the sums of another one would round otherwise.
                like = parameter if value.shape == parameter.shape else value.to(parameter.device)
                optimizer.state[parameter][key] = torch.empty_like(like).copy_(value).detach()


def by_step(config: RunConfig) -> bool:
    """Whether the rate changes within an epoch."""
    return config.schedule in {"cosine", "one-cycle"}


def learning_rate(config: RunConfig, epoch: int, step: int = 0, steps: int = 1) -> float:
    """The rate at a step of an epoch, both counted from 0, of so many steps per epoch."""
    if config.schedule == "constant":
        return config.lr
    if config.schedule == "step":
        return config.lr * STEP_FACTOR ** (epoch // STEP_EVERY)
    done, last = epoch * steps + step, config.epochs * steps - 1
    if config.schedule == "cosine":  # Loshchilov and Hutter 2017, equation 5, without restarts, to 0 after the last step
        return config.lr * (1 + math.cos(math.pi * done / (last + 1))) / 2
    return _one_cycle(config.lr, done, last)


def _one_cycle(highest: float, done: int, last: int) -> float:
    """Smith and Topin 2019, as torch's OneCycleLR has it: a half cosine up, a half cosine down."""
    lowest, top = highest / START, max(RISE * (last + 1) - 1, 0.0)
    if done <= top and top > 0:
        return _between(lowest, highest, done / top)
    return _between(highest, lowest / END, (done - top) / max(last - top, 1.0))


def _between(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2


def summed_rate(config: RunConfig, steps: int) -> float:
    """The sum over all steps of a run of the learning rate."""
    within = range(steps) if by_step(config) else (0,)
    times = 1 if by_step(config) else steps
    return sum(learning_rate(config, epoch, step, steps) * times for epoch in range(config.epochs) for step in within)
