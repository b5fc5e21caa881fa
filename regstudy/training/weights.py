"""What training did to the weights: exact and near zeros, dead kernels, and how far L1 could have moved anything.

Magnitudes are of kernels with batch normalisation folded in: convolution → ReLU → normalisation gives the same output for a kernel of any
positive scale, so raw magnitudes say nothing across layers or runs.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from regstudy.config import RunConfig
from regstudy.data.datasets import Split
from regstudy.training.loop import batches
from regstudy.training.network import Network, blocks, convolutions
from regstudy.training.optimizers import summed_rate
from regstudy.training.regularisers.base import scoped
from regstudy.training.regularisers.penalties import l1_pull
from regstudy.training.scores import BATCH

LADDER = (0.001, 0.01, 0.1)
"""Thresholds for near zeros, as fractions of the layer's root mean square."""

SMALL_NORM = 0.01
"""A kernel is dead if its folded norm is under this fraction of its layer's median."""


@dataclass(frozen=True)
class Sparsity:
    """Fractions of all convolution weights: exactly zero, and below each threshold of LADDER."""

    exact_zeros: float
    below: dict[float, float]


@dataclass(frozen=True)
class Kernels:
    """Counts among all kernels (output channels of the blocks): those that never fire, those of small norm, and either."""

    never_fire: int
    small_norm: int
    dead: int


@dataclass(frozen=True)
class Reach:
    """For one layer: the most that L1 alone could move a weight over the run, and the initial standard deviation of its weights."""

    displacement: float
    initial_scale: float


@torch.no_grad()
def folded_kernels(model: Network) -> dict[str, Tensor]:
    """Convolution weights (out, in, h, w) times their normalisation's scale; the classifier, which has none, as it is."""
    folded = {name: weight.detach() for name, weight in convolutions(model).items()}
    for name, block in zip(folded, blocks(model), strict=False):
        norm = block.norm
        assert norm.running_var is not None
        scale = norm.weight.abs() / (norm.running_var + norm.eps).sqrt()
        folded[name] = folded[name] * scale[:, None, None, None]
    return folded


def sparsity(model: Network) -> Sparsity:
    """How many convolution weights are exactly zero, or small beside their layer's root mean square."""
    weights = torch.cat([weight.detach().flatten() for weight in convolutions(model).values()])
    relative = torch.cat([_relative_to_rms(kernel) for kernel in folded_kernels(model).values()])
    below = {threshold: (relative < threshold).double().mean().item() for threshold in LADDER}
    return Sparsity((weights == 0).double().mean().item(), below)


def kernels(model: Network, test: Split) -> Kernels:
    """Count the kernels that do nothing on these images, or next to nothing."""
    silent = ~fires(model, test)
    small = torch.cat([_small(kernel) for kernel in list(folded_kernels(model).values())[: len(blocks(model))]])
    return Kernels(int(silent.sum()), int(small.sum()), int((silent | small).sum()))


def reach(model: Network, config: RunConfig, training_images: int) -> dict[str, Reach]:
    """Σ over steps of lr · pull / (1 − momentum), beside the initial scale: per convolution a standard deviation, 1/√(3 · fan in). Of the squeeze-expand network with SGD.

    `batchnorm` is any layer's scales, which start at 1: under the published L1, on all parameters, they are pulled hardest.
    """
    penalised = {id(parameter) for parameter in scoped(model, config.l1_scope)}
    path = summed_rate(config, batches(training_images, config)) / (1 - config.momentum)
    initial = {name: (weight, 1 / math.sqrt(3 * weight[0].numel())) for name, weight in convolutions(model).items()}
    initial["batchnorm"] = (blocks(model)[0].norm.weight, 1.0)
    return {
        name: Reach(path * l1_pull(weight, config) if id(weight) in penalised else 0.0, scale)
        for name, (weight, scale) in initial.items()
    }


def _relative_to_rms(kernel: Tensor) -> Tensor:
    rms = kernel.square().mean().sqrt()
    return (kernel.abs() / rms if rms > 0 else kernel.abs()).flatten()


def _small(kernel: Tensor) -> Tensor:
    """Which output channels of (out, in, h, w) have a norm under SMALL_NORM of the median; all, where the median is zero."""
    norms = kernel.flatten(1).norm(dim=1)
    median = norms.median()
    return norms < SMALL_NORM * median if median > 0 else torch.ones_like(norms, dtype=torch.bool)


@torch.inference_mode()
def fires(model: Network, test: Split) -> Tensor:
    """Which kernels of the blocks have a positive response anywhere on any image; (kernels,) bool."""
    highest: dict[nn.Module, Tensor] = {
        block.conv: torch.zeros(block.conv.out_channels, device=test.labels.device) for block in blocks(model)
    }

    def remember(module: nn.Module, _inputs: object, output: Tensor) -> None:
        seen = highest[module]
        torch.maximum(seen, output.amax((0, 2, 3)), out=seen)

    handles = [module.register_forward_hook(remember) for module in highest]
    was_training = model.training
    model.eval()
    try:
        for images in test.images.split(BATCH):
            model(images)
    finally:
        model.train(was_training)
        for handle in handles:
            handle.remove()
    return torch.cat(list(highest.values())) > 0
