"""Random colour jitter and rotation of a batch, bit for bit what torchvision does to each image through PIL.

Brightness and contrast by ±10% in random order, saturation and hue without effect on grey images, each result rounded to 8 bits; then a
rotation uniform in ±7°, nearest neighbour, corners filled with 1.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

STRENGTH = 0.1
MAX_DEGREES = 7.0
FILL = 1.0
SIDE = 28
MARGIN = 2
"""How far, in whole pixels, a rotation by MAX_DEGREES looks beyond the image: 14·(cos 7° + sin 7°) − 14 is 1.6."""

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


def draw(n: int, generator: torch.Generator) -> Draws:
    """Draw the transformations of n images on the CPU, so that every device augments alike."""
    low, high = 1 - STRENGTH, 1 + STRENGTH
    brightness, contrast = torch.empty(2, n).uniform_(low, high, generator=generator)
    degrees = torch.empty(n).uniform_(-MAX_DEGREES, MAX_DEGREES, generator=generator)
    contrast_first = torch.rand(n, generator=generator) < 0.5
    return Draws(contrast_first, brightness, contrast, rotation(degrees))


def rotation(degrees: Tensor) -> Tensor:
    """PIL's `Image.rotate` about the centre as fixed-point coefficients; (n,) float → (n, 6) int32."""
    angle = -torch.deg2rad(degrees.double() % 360)
    cos, sin = _round15(angle.cos()), _round15(angle.sin())
    centre = SIDE / 2
    x0 = cos * -centre + sin * -centre + centre
    y0 = -sin * -centre + cos * -centre + centre
    # Sampled at pixel centres, hence half a step in x and in y.
    coefficients = [cos, sin, x0 + cos * 0.5 + sin * 0.5, -sin, cos, y0 - sin * 0.5 + cos * 0.5]
    return torch.stack([torch.floor(c * ONE + 0.5) for c in coefficients], 1).int()


def augment(images: Tensor, draws: Draws) -> Tensor:
    """Jitter, then rotate; (n, 28, 28) uint8 → (n, 28, 28) float32 of whole numbers in [0, 255]."""
    return rotate(_jitter(images.float(), draws), draws.affine)


def _jitter(images: Tensor, draws: Draws) -> Tensor:
    first = torch.where(draws.contrast_first, draws.contrast, draws.brightness)
    second = torch.where(draws.contrast_first, draws.brightness, draws.contrast)
    images = _enhance(images, first, draws.contrast_first)
    return _enhance(images, second, ~draws.contrast_first)


def _enhance(images: Tensor, factor: Tensor, is_contrast: Tensor) -> Tensor:
    """PIL's blend from black (brightness) or from the rounded mean grey (contrast), clipped and truncated to 8 bits."""
    mean = images.sum((1, 2)).div_(SIDE * SIDE).add_(0.5).floor_()
    base = torch.where(is_contrast, mean, 0.0)[:, None, None]
    return (images - base).mul_(factor[:, None, None]).add_(base).clamp_(0, 255).floor_()


def rotate(images: Tensor, affine: Tensor) -> Tensor:
    """Nearest-neighbour lookup at fixed-point positions, in images that have a margin of the fill value around them."""
    n, width = len(images), SIDE + 2 * MARGIN
    padded = images.new_full((n, width, width), FILL)
    padded[:, MARGIN:-MARGIN, MARGIN:-MARGIN] = images
    step = torch.arange(SIDE, dtype=torch.int32, device=images.device)
    a, b, c, d, e, f = (affine[:, i, None, None] for i in range(6))
    column, row = step[None, None, :], step[None, :, None]
    x = (a * column + (b * row + c + MARGIN * ONE)).bitwise_right_shift_(16)
    y = (d * column + (e * row + f + MARGIN * ONE)).bitwise_right_shift_(16)
    position = y.mul_(width).add_(x).flatten(1).long()
    return padded.flatten(1).gather(1, position).view_as(images)


def _round15(numbers: Tensor) -> Tensor:
    """Python's round(number, 15), as PIL does."""
    return numbers.mul(1e15).round_().div_(1e15)
