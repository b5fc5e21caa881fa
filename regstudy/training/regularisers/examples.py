"""What changes the images and labels that a network is trained on: label smoothing, mixup, cutout."""

import numpy as np
import torch
from torch import Tensor

from regstudy.randomness import generator
from regstudy.training.regularisers.base import Criterion, Regulariser


class LabelSmoothing(Regulariser):
    """A share ε of each target is spread evenly over all classes (Szegedy et al. 2016, section 7): (1 − ε) · loss + ε · mean over classes of −log p."""

    def criterion(self, inner: Criterion) -> Criterion:
        """The smoothed loss."""
        share = self.config.label_smoothing

        def smoothed(log_probabilities: Tensor, labels: Tensor) -> Tensor:
            return (1 - share) * inner(log_probabilities, labels) - share * log_probabilities.mean()

        return smoothed


class Mixup(Regulariser):
    """Each image is mixed with another of its batch, and the losses of both labels with it: x = λ·x₁ + (1 − λ)·x₂, λ from Beta(α, α), one per batch (Zhang et al. 2018)."""

    def start_epoch(self, epoch: int, batches: int, /) -> None:
        """Draw λ for each batch, and begin the partners' draws."""
        alpha, self.random = self.config.mixup, generator(self.config.seed, "mixup", epoch)
        # torch draws no Beta from a generator of one's own.
        self.shares = np.random.default_rng(self.random.initial_seed() % 2**64).beta(alpha, alpha, batches).tolist()
        self.step = -1
        self.partner = torch.zeros(0, dtype=torch.int64)

    def images(self, images: Tensor) -> Tensor:
        """Mix."""
        self.step += 1
        self.partner = torch.randperm(len(images), generator=self.random).to(images.device)
        share, images = self.shares[self.step], images.float()
        return share * images + (1 - share) * images[self.partner]

    def criterion(self, inner: Criterion) -> Criterion:
        """Both labels' losses, mixed."""

        def mixed(log_probabilities: Tensor, labels: Tensor) -> Tensor:
            share = self.shares[self.step]
            return share * inner(log_probabilities, labels) + (1 - share) * inner(log_probabilities, labels[self.partner])

        return mixed


class Cutout(Regulariser):
    """In each image a square is blanked with the training images' mean, its centre uniform over the image, its parts outside cut off (DeVries and Taylor 2017)."""

    def start_epoch(self, epoch: int, _: int, /) -> None:
        """Begin the epoch's draws."""
        self.random = generator(self.config.seed, "cutout", epoch)

    def images(self, images: Tensor) -> Tensor:
        """Blank."""
        height, width = images.shape[-2:]
        rows, columns = (torch.randint(size, (len(images), 1), generator=self.random) for size in (height, width))
        inside = _near(rows, height, self.config.cutout)[:, :, None] & _near(columns, width, self.config.cutout)[:, None, :]
        blank = 255 * torch.tensor(self.inputs.mean, device=images.device).view(-1, 1, 1)
        inside, blank = inside.to(images.device), blank[0] if images.dim() == 3 else blank
        return torch.where(inside if images.dim() == 3 else inside[:, None], blank, images.float())


def _near(centres: Tensor, size: int, side: int) -> Tensor:
    """Which of `size` places belong to a stretch of length `side` around each centre; (n, 1) → (n, size) bool."""
    places = torch.arange(size)
    return (places >= centres - side // 2) & (places < centres - side // 2 + side)
