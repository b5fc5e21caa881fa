"""Dropout that draws the gaps between dropped activations instead of one number per activation.

Dropping each of n activations independently with probability p is a Bernoulli process; the distances between successive drops are
geometric (Devroye, Non-Uniform Random Variate Generation, 1986, ch. X.2). That takes n·p random numbers instead of n.
"""

import math

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

FEW = 100
"""Below this expected number of drops, 'none at all' is likely enough to matter, and each activation is drawn for itself."""


def drop_positions(n: int, p: float, generator: torch.Generator) -> Tensor:
    """Which of n positions are dropped, each independently with probability p; int64, ascending but for repeats of the first at the end."""
    device = generator.device
    mean = n * p
    if mean < FEW:
        return (torch.rand(n, generator=generator, device=device) < p).nonzero().flatten()
    # Ten standard deviations more gaps than expected: the probability that they do not reach n is below 1e-20.
    enough = int(mean + 10 * math.sqrt(mean)) + 1
    uniform = torch.rand(enough, generator=generator, device=device)
    gaps = uniform.neg_().log1p_().mul_(1 / math.log1p(-p)).long().add_(1)
    positions = gaps.cumsum_(0).sub_(1)
    # What lies beyond n repeats the first drop: no effect, and no wait for the device to count.
    return torch.where(positions < n, positions, positions[0])


def zero_(activations: Tensor, positions: Tensor) -> Tensor:
    """Set activations to zero in place, by their positions in memory; their gradients too."""
    return _Zero.apply(activations, positions)  # pyright: ignore[reportReturnType]  # apply() is untyped


class _Zero(torch.autograd.Function):
    """index_fill_ in memory order, whatever the layout: all positions are alike to dropout, and no copy is made."""

    @staticmethod
    def forward(ctx: FunctionCtx, activations: Tensor, positions: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]  # torch types it (*args)
        ctx.mark_dirty(activations)
        ctx.save_for_backward(positions)
        channels_last = activations.is_contiguous(memory_format=torch.channels_last)
        ctx.layout = torch.channels_last if channels_last else torch.contiguous_format  # pyright: ignore[reportAttributeAccessIssue]  # free attribute, as torch documents
        return _fill(activations, positions)

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]  # torch types it (*args)
        (positions,) = ctx.saved_tensors  # pyright: ignore[reportAttributeAccessIssue]  # set by save_for_backward
        return _fill(gradient.clone(memory_format=ctx.layout), positions), None  # pyright: ignore[reportAttributeAccessIssue]  # set in forward


def _fill(dense: Tensor, positions: Tensor) -> Tensor:
    dense.as_strided((dense.numel(),), (1,)).index_fill_(0, positions, 0.0)
    return dense
