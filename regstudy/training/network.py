"""What is trained: the published "squeeze-expand" CNN, for images of any size, or a network of the user's own. Pixels in, log-probabilities out."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from regstudy import own_code
from regstudy.config import SQUEEZE_EXPAND, RunConfig
from regstudy.data.datasets import DIGITS, Inputs
from regstudy.errors import ConfigError
from regstudy.randomness import generator
from regstudy.training.dropout import drop_positions, zero_

PARAMETERS = 9_680
"""Of the published network on grey images of ten classes."""

LEAST_SIDE = 20
CHECKED = 2
"""Images that a network of the user's is tried on before it is trained."""


class Network(nn.Module):
    """Takes pixels and standardises them inside: whoever loads a logged model cannot get that wrong."""

    def __init__(self, inputs: Inputs) -> None:
        super().__init__()
        self.inputs = inputs
        self.generator = torch.Generator()
        self.mean: Tensor
        self.sd: Tensor
        if inputs.channels > 1:
            # Not in the state: they are the data's, as the grey images' two numbers are.
            self.register_buffer("mean", torch.tensor(inputs.mean).view(-1, 1, 1), persistent=False)
            self.register_buffer("sd", torch.tensor(inputs.sd).view(-1, 1, 1), persistent=False)

    def standardised(self, pixels: Tensor) -> Tensor:
        """(n, height, width) of values in [0, 255], any number type, or (n, channels, height, width) → (n, channels, height, width)."""
        if self.inputs.channels == 1:
            return ((pixels.float() / 255 - self.inputs.mean[0]) / self.inputs.sd[0])[:, None]
        return (pixels.float() / 255 - self.mean) / self.sd

    def use_generator(self, generator: torch.Generator) -> None:
        """Draw dropout from this generator from now on; it must be on the model's device."""
        self.generator = generator


class Block(nn.Module):
    """3×3 convolution without padding → ReLU → batch normalisation → dropout, of single activations and of whole channels."""

    def __init__(
        self, channels_in: int, channels_out: int, size: tuple[int, int], dropout: float, spatial: float = 0.0
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, 3, bias=False)
        self.norm = nn.BatchNorm2d(channels_out)
        self.dropout, self.spatial = dropout, spatial
        self.activations = channels_out * size[0] * size[1]

    def forward(self, x: Tensor, dropped: Tensor | None) -> Tensor:
        """(n, in, height + 2, width + 2) → (n, out, height, width), without the activations at the dropped positions."""
        x = F.relu(self.conv(x), inplace=True)
        if dropped is None:
            return self.norm(x)
        # Dropout's 1/(1 − p) goes into the normalisation's scale and shift: one pass over the activations less.
        norm, keep = self.norm, 1 - self.dropout
        scale, shift = norm.weight / keep, norm.bias / keep
        assert norm.momentum is not None
        x = F.batch_norm(x, norm.running_mean, norm.running_var, scale, shift, True, norm.momentum, norm.eps)
        return zero_(x, dropped)

    def without_channels(self, x: Tensor, random: torch.Generator) -> Tensor:
        """Spatial dropout: each channel of each image is dropped with this probability, the others scaled up (Tompson et al. 2015, section 3.2)."""
        kept = torch.rand(x.shape[:2], generator=random, device=random.device) >= self.spatial
        return x * (kept / (1 - self.spatial))[:, :, None, None]


class SqueezeExpandNet(Network):
    """The published network; on images of another size the last pool takes what there is."""

    def __init__(self, dropout: float = 0.05, inputs: Inputs = DIGITS, spatial_dropout: float = 0.0) -> None:
        super().__init__(inputs)
        pooled = tuple((side - 4) // 2 for side in (inputs.height, inputs.width))

        def block(channels: int, sides: Sequence[int], less: int) -> Block:
            return Block(channels, 16, (sides[0] - less, sides[1] - less), dropout, spatial_dropout)

        whole = (inputs.height, inputs.width)
        self.features = nn.ModuleList(
            [
                block(inputs.channels, whole, 2),
                block(16, whole, 4),
                nn.MaxPool2d(2),
                block(16, pooled, 2),
                block(16, pooled, 4),
                block(16, pooled, 6),
                nn.AvgPool2d((pooled[0] - 6, pooled[1] - 6)),
            ]
        )
        self.classifier = nn.Conv2d(16, inputs.classes, 1, bias=False)
        self.dropout, self.spatial_dropout = dropout, spatial_dropout
        self.spatial_generator = torch.Generator()
        self.to(memory_format=torch.channels_last)  # a fifth faster on CPUs

    def forward(self, pixels: Tensor) -> Tensor:
        """Pixels as `standardised` takes them → (n, classes)."""
        x = self.standardised(pixels)
        # Not len(pixels): torch.export would freeze it.
        dropped = iter(self._draw(pixels.shape[0]))
        for layer in self.features:
            if not isinstance(layer, Block):
                x = layer(x)
                continue
            x = layer(x, next(dropped))
            if self.training and self.spatial_dropout:
                x = layer.without_channels(x, self.spatial_generator)
        return F.log_softmax(self.classifier(x).flatten(1), 1)

    def _draw(self, n: int) -> Sequence[Tensor | None]:
        """What each block drops for n images; before the first layer, so that no layer's output leaves the cache for it."""
        drawing = blocks(self)
        if not self.training or self.dropout == 0:
            return [None] * len(drawing)
        return drop_positions([n * block.activations for block in drawing], self.dropout, self.generator)


class OwnNetwork(Network):
    """A module of the user's, which gives logits or log-probabilities: of the latter log_softmax changes nothing."""

    def __init__(self, network: nn.Module, inputs: Inputs) -> None:
        super().__init__(inputs)
        self.network = network

    def forward(self, pixels: Tensor) -> Tensor:
        """Pixels as `standardised` takes them → (n, classes)."""
        return F.log_softmax(self.network(self.standardised(pixels)), 1)


def build(config: RunConfig, inputs: Inputs = DIGITS) -> Network:
    """The network of a configuration for such images, initialised from its seed; ConfigError where the user's own is none, or the images are too small."""
    return _squeeze_expand(config, inputs) if config.network == SQUEEZE_EXPAND else _own(config, inputs)


def _squeeze_expand(config: RunConfig, inputs: Inputs) -> SqueezeExpandNet:
    """As PyTorch initialises by default, from the seed."""
    if min(inputs.height, inputs.width) < LEAST_SIDE:
        raise ConfigError(
            f"network: squeeze-expand takes images from {LEAST_SIDE} × {LEAST_SIDE} pixels on, got {inputs.height} × {inputs.width}: "
            f"give --image-size {LEAST_SIDE} or more, or a network of your own"
        )
    model = SqueezeExpandNet(config.dropout, inputs, config.spatial_dropout)
    random = generator(config.seed, "initialisation")
    for weight in convolutions(model).values():
        nn.init.kaiming_uniform_(weight, a=math.sqrt(5), generator=random)
    assert inputs != DIGITS or parameter_count(model) == PARAMETERS, parameter_count(model)
    return model


def _own(config: RunConfig, inputs: Inputs) -> OwnNetwork:
    """As its own code initialises it, from the seed: torch's global state is set meanwhile, and put back."""
    make, shape = own_code.load(config.network), (inputs.channels, inputs.height, inputs.width)
    with own_randomness(config.seed, "initialisation"):
        try:
            module = make(shape, inputs.classes)
        except (Exception, SystemExit) as error:  # noqa: BLE001  # the user's code
            raise own_code.failed(
                config.network, f"failed with the input shape {shape} and {inputs.classes} classes", error
            ) from None
        if not isinstance(module, nn.Module):
            raise ConfigError(f"network: expected an nn.Module, got {type(module).__name__} from {config.network!r}")
        if not any(p.requires_grad for p in module.parameters()):
            raise ConfigError(f"network: expected one with parameters to train, got none from {config.network!r}")
        model = OwnNetwork(module, inputs)
        _try_out(model, config, inputs)
    return model


@torch.no_grad()  # not in inference mode: parameters that a lazy module makes here are to be trained
def _try_out(model: OwnNetwork, config: RunConfig, inputs: Inputs) -> None:
    pixels = torch.zeros(CHECKED, *inputs.pixel_shape, dtype=torch.uint8)
    model.eval()
    try:
        given = model.network(model.standardised(pixels))
        with torch.enable_grad():
            learns = model.network(model.standardised(pixels))
        alone = model.network(model.standardised(pixels[:1]))
    except (Exception, SystemExit) as error:  # noqa: BLE001  # the user's code
        shape = (CHECKED, inputs.channels, inputs.height, inputs.width)
        raise own_code.failed(config.network, f"failed on images of shape {shape}", error) from None
    finally:
        model.train()
    wanted = (CHECKED, inputs.classes)
    got = tuple(given.shape) if isinstance(given, Tensor) else type(given).__name__
    if got != wanted:
        raise ConfigError(f"network: expected logits or log-probabilities of shape {wanted}, got {got} from {config.network!r}")
    if alone.shape != given[:1].shape:  # the last batch of a data set may be a single image
        raise ConfigError(
            f"network: expected numbers of shape {(1, inputs.classes)} for one image, got {tuple(alone.shape)} from {config.network!r}"
        )
    if given.dtype != torch.float32:
        raise ConfigError(f"network: expected numbers of type torch.float32, got {given.dtype} from {config.network!r}")
    if not learns.requires_grad:
        raise ConfigError(f"network: expected what depends on its parameters, got what has no gradient from {config.network!r}")
    if not bool(torch.isfinite(given).all()):
        raise ConfigError(f"network: expected finite numbers for a black image, got {config.network!r} with some that are none")
    if bool((given >= 0).all()) and torch.allclose(given.sum(1), torch.ones(CHECKED), atol=1e-5):
        raise ConfigError(
            f"network: expected logits or log-probabilities, got probabilities from {config.network!r}: leave its softmax out"
        )


@contextmanager
def own_randomness(seed: int, purpose: str, epoch: int = 0, device: torch.device | None = None) -> Iterator[None]:
    """Torch's global random numbers, for code that knows no other: seeded by purpose and epoch meanwhile, then as they were."""
    devices = [device] if device is not None and device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(generator(seed, f"own {purpose}", epoch).initial_seed())
        yield


def parameter_count(model: nn.Module) -> int:
    """Trainable parameters."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def blocks(model: nn.Module) -> list[Block]:
    """The model's blocks, from input to output; none in a network of the user's."""
    return [module for module in model.modules() if isinstance(module, Block)]


def convolutions(model: nn.Module) -> dict[str, Tensor]:
    """Convolution weights by the names that metrics use: conv1, conv2, … from input to output."""
    kinds = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
    weights = [module.weight for module in model.modules() if isinstance(module, kinds)]
    return {f"conv{i}": weight for i, weight in enumerate(weights, 1)}
