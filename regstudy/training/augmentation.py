"""Random colour jitter and rotation of a batch, bit for bit what torchvision does to each image through PIL.

Brightness and contrast by ±10% in random order, each result rounded to 8 bits; then a rotation uniform in ±7°, nearest neighbour, corners filled with 1.
Saturation and hue, which the published study varies too, do nothing to its grey images, and are not varied in colour ones.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

STRENGTH = 0.1
MAX_DEGREES = 7.0
FILL = 1.0
SIZE = (28, 28)
LUMA = (19595, 38470, 7471)
"""PIL's weights of red, green and blue in grey, in 65,536ths; it adds a half before it cuts off."""

ONE = 1 << 16
"""PIL rotates 8-bit images in fixed point with 16 fractional bits."""


@dataclass(frozen=True)
class Draws:
    """One random transformation per image; `affine` maps output to input positions, in fixed point."""

    contrast_first: Tensor  # (n,) bool
    brightness: Tensor  # (n,) float32
    contrast: Tensor  # (n,) float32
    affine: Tensor  # (n, 6) int32

    def __getitem__(self, index: Tensor | slice) -> "Draws":
        return Draws(self.contrast_first[index], self.brightness[index], self.contrast[index], self.affine[index])

    def to(self, device: torch.device) -> "Draws":
        """The same draws on a device."""
        return Draws(*(t.to(device) for t in (self.contrast_first, self.brightness, self.contrast, self.affine)))


def draw(n: int, generator: torch.Generator, size: tuple[int, int] = SIZE) -> Draws:
    """Draw the transformations of n images of (height, width) on the CPU, so that every device augments alike."""
    low, high = 1 - STRENGTH, 1 + STRENGTH
    brightness, contrast = torch.empty(2, n).uniform_(low, high, generator=generator)
    degrees = torch.empty(n).uniform_(-MAX_DEGREES, MAX_DEGREES, generator=generator)
    contrast_first = torch.rand(n, generator=generator) < 0.5
    return Draws(contrast_first, brightness, contrast, rotation(degrees, size))


def rotation(degrees: Tensor, size: tuple[int, int] = SIZE) -> Tensor:
    """PIL's `Image.rotate` about the centre as fixed-point coefficients; (n,) float → (n, 6) int32."""
    angle = -torch.deg2rad(degrees.double() % 360)
    cos, sin = _round15(angle.cos()), _round15(angle.sin())
    down, across = size[0] / 2, size[1] / 2
    x0 = cos * -across + sin * -down + across
    y0 = -sin * -across + cos * -down + down
    # Sampled at pixel centres, hence half a step in x and in y.
    coefficients = [cos, sin, x0 + cos * 0.5 + sin * 0.5, -sin, cos, y0 - sin * 0.5 + cos * 0.5]
    return torch.stack([torch.floor(c * ONE + 0.5) for c in coefficients], 1).int()


def augment(images: Tensor, draws: Draws) -> Tensor:
    """Jitter, then rotate; (n, height, width) or (n, 3, height, width) uint8 → the same shape, float32 of whole numbers in [0, 255]."""
    return rotate(_jitter(images.float(), draws), draws.affine)


def _jitter(images: Tensor, draws: Draws) -> Tensor:
    first = torch.where(draws.contrast_first, draws.contrast, draws.brightness)
    second = torch.where(draws.contrast_first, draws.brightness, draws.contrast)
    images = _enhance(images, first, draws.contrast_first)
    return _enhance(images, second, ~draws.contrast_first)


def _enhance(images: Tensor, factor: Tensor, is_contrast: Tensor) -> Tensor:
    """PIL's blend from black (brightness) or from the rounded mean grey (contrast), clipped and truncated to 8 bits."""
    grey = images if images.dim() == 3 else _grey(images)
    mean = grey.sum((1, 2)).div_(grey[0].numel()).add_(0.5).floor_()
    each = (-1, *[1] * (images.dim() - 1))
    base = torch.where(is_contrast, mean, 0.0).view(each)
    return (images - base).mul_(factor.view(each)).add_(base).clamp_(0, 255).floor_()


def _grey(images: Tensor) -> Tensor:
    """PIL's conversion of colours to grey; (n, 3, height, width) → (n, height, width). One channel is grey."""
    if images.shape[1] != len(LUMA):
        return images[:, 0]
    weights = torch.tensor(LUMA, dtype=torch.int32, device=images.device).view(-1, 1, 1)
    return ((images.int() * weights).sum(1, dtype=torch.int32) + ONE // 2).bitwise_right_shift_(16).float()


def rotate(images: Tensor, affine: Tensor) -> Tensor:
    """Nearest-neighbour lookup at fixed-point positions, in images that have a margin of the fill value around them."""
    height, width = images.shape[-2:]
    margin = _margin(height, width)
    around = width + 2 * margin
    padded = images.new_full((*images.shape[:-2], height + 2 * margin, around), FILL)
    padded[..., margin:-margin, margin:-margin] = images
    down, across = (torch.arange(side, dtype=torch.int32, device=images.device) for side in (height, width))
    a, b, c, d, e, f = (affine[:, i, None, None] for i in range(6))
    column, row = across[None, None, :], down[None, :, None]
    x = (a * column + (b * row + c + margin * ONE)).bitwise_right_shift_(16)
    y = (d * column + (e * row + f + margin * ONE)).bitwise_right_shift_(16)
    position = y.mul_(around).add_(x).flatten(1).long()
    flat = padded.flatten(-2)
    if flat.dim() == 3:
        position = position[:, None].expand(-1, flat.shape[1], -1)
    return flat.gather(-1, position).view_as(images)


def _margin(height: int, width: int) -> int:
    """How far, in whole pixels, a rotation by MAX_DEGREES looks beyond an image: of 28 × 28 ones 14·(cos 7° + sin 7°) − 14, which is 1.6, so 2."""
    angle = math.radians(MAX_DEGREES)
    beyond = max(
        long / 2 * (math.cos(angle) - 1) + short / 2 * math.sin(angle) for long, short in ((height, width), (width, height))
    )
    return math.ceil(beyond)


def _round15(numbers: Tensor) -> Tensor:
    """Python's round(number, 15), as PIL does."""
    return numbers.mul(1e15).round_().div_(1e15)
