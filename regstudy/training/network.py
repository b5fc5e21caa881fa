"""The published "squeeze-expand" CNN: 9,680 trainable parameters, ReLU before batch normalisation."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from regstudy.config import RunConfig
from regstudy.randomness import generator
from regstudy.training.dropout import drop_positions, zero_

PARAMETERS = 9_680
MEAN, STANDARD_DEVIATION = 0.1307, 0.3081
"""Of MNIST's pixels in [0, 1], as the published study normalises."""


class Block(nn.Module):
    """3×3 convolution without padding → ReLU → batch normalisation → dropout."""

    def __init__(self, channels_in: int, channels_out: int, side: int, dropout: float) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, 3, bias=False)
        self.norm = nn.BatchNorm2d(channels_out)
        self.dropout = dropout
        self.activations = channels_out * side * side

    def forward(self, x: Tensor, dropped: Tensor | None) -> Tensor:
        """(n, in, side + 2, side + 2) → (n, out, side, side), without the activations at the dropped positions."""
        x = F.relu(self.conv(x), inplace=True)
        if dropped is None:
            return self.norm(x)
        # Dropout's 1/(1 − p) goes into the normalisation's scale and shift: one pass over the activations less.
        norm, keep = self.norm, 1 - self.dropout
        scale, shift = norm.weight / keep, norm.bias / keep
        assert norm.momentum is not None
        x = F.batch_norm(x, norm.running_mean, norm.running_var, scale, shift, True, norm.momentum, norm.eps)
        return zero_(x, dropped)


class SqueezeExpandNet(nn.Module):
    """Pixels in, log-probabilities of the ten classes out."""

    def __init__(self, dropout: float = 0.05) -> None:
        super().__init__()
        self.features = nn.ModuleList(
            [
                Block(1, 16, 26, dropout),
                Block(16, 16, 24, dropout),
                nn.MaxPool2d(2),
                Block(16, 16, 10, dropout),
                Block(16, 16, 8, dropout),
                Block(16, 16, 6, dropout),
                nn.AvgPool2d(6),
            ]
        )
        self.classifier = nn.Conv2d(16, 10, 1, bias=False)
        self.dropout = dropout
        self.generator = torch.Generator()
        self.to(memory_format=torch.channels_last)  # a fifth faster on CPUs

    def forward(self, pixels: Tensor) -> Tensor:
        """(n, 28, 28) of values in [0, 255], any number type → (n, 10)."""
        x = ((pixels.float() / 255 - MEAN) / STANDARD_DEVIATION)[:, None]
        # Not len(pixels): torch.export would freeze it.
        dropped = iter(self._draw(pixels.shape[0]))
        for layer in self.features:
            x = layer(x, next(dropped)) if isinstance(layer, Block) else layer(x)
        return F.log_softmax(self.classifier(x).flatten(1), 1)

    def use_generator(self, generator: torch.Generator) -> None:
        """Draw dropout from this generator from now on; it must be on the model's device."""
        self.generator = generator

    def _draw(self, n: int) -> Sequence[Tensor | None]:
        """What each block drops for n images; before the first layer, so that no layer's output leaves the cache for it."""
        drawing = blocks(self)
        if not self.training or self.dropout == 0:
            return [None] * len(drawing)
        return drop_positions([n * block.activations for block in drawing], self.dropout, self.generator)


def build(config: RunConfig) -> SqueezeExpandNet:
    """The network of a configuration, initialised from its seed as PyTorch initialises by default."""
    model = SqueezeExpandNet(config.dropout)
    random = generator(config.seed, "initialisation")
    for weight in convolutions(model).values():
        nn.init.kaiming_uniform_(weight, a=math.sqrt(5), generator=random)
    assert parameter_count(model) == PARAMETERS, parameter_count(model)
    return model


def parameter_count(model: nn.Module) -> int:
    """Trainable parameters."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def blocks(model: nn.Module) -> list[Block]:
    """The model's blocks, from input to output."""
    return [module for module in model.modules() if isinstance(module, Block)]


def convolutions(model: nn.Module) -> dict[str, Tensor]:
    """Convolution weights by the names that metrics use: conv1, conv2, … from input to output."""
    weights = [module.weight for module in model.modules() if isinstance(module, nn.Conv2d)]
    return {f"conv{i}": weight for i, weight in enumerate(weights, 1)}
