"""Dropout that draws the gaps between dropped activations instead of one number per activation.

Dropping each of n activations independently with probability p is a Bernoulli process; the distances between successive drops are
geometric (Devroye, Non-Uniform Random Variate Generation, 1986, ch. X.2). That takes n·p random numbers instead of n.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

FEW = 100
"""Below this expected number of drops, 'none at all' is likely enough to matter, and each activation is drawn for itself."""


def drop_positions(sizes: Sequence[int], p: float, generator: torch.Generator) -> list[Tensor]:
    """Which positions are dropped in tensors of these sizes, each independently with probability p.

    One int64 tensor per size, ascending but for repeats of the first at the end. All are drawn together: fewer, larger steps.
    """
    counts = [_gaps_needed(n, p) for n in sizes]
    uniform = torch.rand(sum(counts), generator=generator, device=generator.device)
    # 1 − uniform is in (0, 1] and exact; its logarithm is finite.
    gaps = uniform.neg_().add_(1).log_().mul_(1 / math.log1p(-p)).long().add_(1)
    return [
        _landed(own, n, p) if len(own) else _one_by_one(n, p, generator)
        for own, n in zip(gaps.split(counts), sizes, strict=True)
    ]


def _gaps_needed(n: int, p: float) -> int:
    """Ten standard deviations more than expected: the probability that they do not reach n is below 1e-20. None for a small tensor."""
    return int(n * p) + _spare(n, p) if n * p >= FEW else 0


def _spare(n: int, p: float) -> int:
    return int(10 * math.sqrt(n * p)) + 1


def _landed(gaps: Tensor, n: int, p: float) -> Tensor:
    positions = gaps.cumsum(0).sub_(1)
    # What lies beyond n, among the last of them, repeats the first drop: no effect, and no wait for the device to count.
    last = positions[-2 * _spare(n, p) :]
    last.copy_(torch.where(last < n, last, positions[0]))
    return positions


def _one_by_one(n: int, p: float, generator: torch.Generator) -> Tensor:
    return (torch.rand(n, generator=generator, device=generator.device) < p).nonzero().flatten()


def zero_(activations: Tensor, positions: Tensor) -> Tensor:
    """Set activations to zero in place, by their positions in memory; their gradients too."""
    return _Zero.apply(activations, positions)  # pyright: ignore[reportReturnType]  # apply() is untyped


class _Zero(torch.autograd.Function):
    """index_fill_ in memory order, whatever the layout: all positions are alike to dropout, and nothing is copied.

    The incoming gradient is filled in place. That is safe where the layer above makes its gradient anew, as convolutions and pools do;
    do not put this below a sum or a view, which hand one gradient to several places.
    """

    @staticmethod
    def forward(ctx: Any, activations: Tensor, positions: Tensor) -> Tensor:
        ctx.mark_dirty(activations)
        ctx.save_for_backward(positions)
        ctx.channels_last = activations.is_contiguous(memory_format=torch.channels_last)
        return _fill(activations, positions)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]  # torch types it (*args)
        (positions,) = ctx.saved_tensors
        layout = torch.channels_last if ctx.channels_last else torch.contiguous_format
        return _fill(gradient.contiguous(memory_format=layout), positions), None


def _fill(dense: Tensor, positions: Tensor) -> Tensor:
    dense.as_strided((dense.numel(),), (1,)).index_fill_(0, positions, 0.0)
    return dense
