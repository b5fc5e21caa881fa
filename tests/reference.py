"""The published training written the usual way, with torch's and torchvision's own parts: what fast paths are tested and timed against.

    python -m tests.reference --data-root DIR [--seed 1] [--epochs 10] [--l1 0.001] [--l2 0] [--threads 1]

trains so and prints each epoch's test accuracy; benchmarks/README.md says what for.
"""

import argparse
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

MEAN, STANDARD_DEVIATION = (0.1307,), (0.3081,)
LEARNING_RATE, MOMENTUM = 0.025, 0.9

AUGMENTATION = [transforms.ColorJitter(0.1, 0.1, 0.1, 0.1), transforms.RandomRotation((-7, 7), fill=(1,))]
TO_INPUT = [transforms.ToTensor(), transforms.Normalize(MEAN, STANDARD_DEVIATION)]


def network(dropout: float = 0.05) -> nn.Sequential:
    """The published CNN on normalised (n, 1, 28, 28) images."""

    def block(channels_in: int) -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(channels_in, 16, 3, bias=False), nn.ReLU(), nn.BatchNorm2d(16), nn.Dropout(dropout))

    squeeze = nn.Conv2d(16, 10, 1, bias=False)
    features = (block(1), block(16), nn.MaxPool2d(2), block(16), block(16), block(16), nn.AvgPool2d(6))
    return nn.Sequential(*features, squeeze, nn.Flatten(), nn.LogSoftmax(-1))


def l1_penalty(model: nn.Module) -> Tensor:
    """The published penalty: Σ over parameters of mean|w|, one term after the other."""
    absolute = nn.L1Loss()
    return sum((absolute(p, torch.zeros_like(p)) for p in model.parameters()), torch.zeros(()))


def optimizer(model: nn.Module, l2: float) -> torch.optim.SGD:
    """SGD as published, with weight decay on all parameters."""
    return torch.optim.SGD(model.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM, weight_decay=l2)


def step(model: nn.Module, sgd: torch.optim.SGD, images: Tensor, labels: Tensor, l1: float) -> tuple[int, float]:
    """One optimiser step; how many images were right, and the loss."""
    sgd.zero_grad()
    output = model(images)
    loss = F.nll_loss(output, labels)
    (loss + l1 * l1_penalty(model) if l1 else loss).backward()
    sgd.step()
    return int((output.argmax(1) == labels).sum().item()), loss.item()


def training_loader(data_root: str, workers: int) -> DataLoader[tuple[Tensor, int]]:
    """Full MNIST through per-image transforms, shuffled."""
    data = datasets.MNIST(data_root, train=True, transform=transforms.Compose(AUGMENTATION + TO_INPUT))
    return DataLoader(data, shuffle=True, batch_size=128, num_workers=workers)


def accuracies(data_root: str, l1: float, l2: float, seed: int, epochs: int) -> Iterator[float]:
    """Train from a seed and yield the test accuracy after each epoch."""
    torch.manual_seed(seed)
    model = network()
    sgd, loader = optimizer(model, l2), training_loader(data_root, 0)
    test = datasets.MNIST(data_root, train=False, transform=transforms.Compose(TO_INPUT))
    for _ in range(epochs):
        model.train()
        for images, labels in loader:
            step(model, sgd, images, labels, l1)
        model.eval()
        with torch.no_grad():
            right = sum(int((model(x).argmax(1) == y).sum()) for x, y in DataLoader(test, batch_size=1000))
        yield right / len(test)


def main() -> None:
    """Train as the options say."""
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--data-root", required=True)
    for name, default in (("l1", 0.001), ("l2", 0.0)):
        cli.add_argument(f"--{name}", type=float, default=default)
    for name, default in (("seed", 1), ("epochs", 10), ("threads", 1)):
        cli.add_argument(f"--{name}", type=int, default=default)
    given = cli.parse_args()
    torch.set_num_threads(given.threads)
    for accuracy in accuracies(given.data_root, given.l1, given.l2, given.seed, given.epochs):
        print(f"seed {given.seed}: {accuracy:.4f}", flush=True)


if __name__ == "__main__":
    main()
