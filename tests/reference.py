"""The published training written the usual way, with torch's and torchvision's own parts: what fast paths are tested and timed against.

    python -m tests.reference --data-root DIR [--seed 1] [--epochs 10] [--l1 0.001] [--l2 0] [--threads 1]

trains so and prints each epoch's test accuracy; benchmarks/README.md says what for.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

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


def train(
    data_root: str, l1: float, l2: float, seed: int, epochs: int, state: Path | None = None
) -> Iterator[tuple[float, float]]:
    """Train from a seed and yield test accuracy and mean test loss after each epoch; from a file's state on, if there is one, which each epoch replaces."""
    torch.manual_seed(seed)
    model = network()
    sgd, loader = optimizer(model, l2), training_loader(data_root, 0)
    done = _restored(state, model, sgd) if state and state.exists() else 0
    for epoch in range(done, epochs):
        model.train()
        for images, labels in loader:
            step(model, sgd, images, labels, l1)
        yield evaluate(model, data_root)
        if state:
            kept = {"epochs": epoch + 1, "model": model.state_dict(), "sgd": sgd.state_dict(), "rng": torch.get_rng_state()}
            torch.save(kept, state.with_suffix(".new"))
            state.with_suffix(".new").replace(state)


def evaluate(model: nn.Module, data_root: str) -> tuple[float, float]:
    """Accuracy and mean negative log-likelihood on the test set."""
    test = datasets.MNIST(data_root, train=False, transform=transforms.Compose(TO_INPUT))
    model.eval()
    right, loss = 0, 0.0
    with torch.no_grad():
        for images, labels in DataLoader(test, batch_size=1000):
            output = model(images)
            right += int((output.argmax(1) == labels).sum())
            loss += F.nll_loss(output, labels, reduction="sum").item()
    return right / len(test), loss / len(test)


def _restored(state: Path, model: nn.Module, sgd: torch.optim.SGD) -> int:
    kept = torch.load(state, weights_only=True)
    model.load_state_dict(kept["model"])
    sgd.load_state_dict(kept["sgd"])
    torch.set_rng_state(kept["rng"])
    return int(kept["epochs"])


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
    for accuracy, _ in train(given.data_root, given.l1, given.l2, given.seed, given.epochs):
        print(f"seed {given.seed}: {accuracy:.4f}", flush=True)


if __name__ == "__main__":
    main()
