"""Are training steps as fast as they were? Those of another checkout and of this one, in one process, one round after the other.

In one process, since two of them differ by a tenth for reasons of their own: where their memory lies, above all.
"""

import argparse
import importlib
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from types import ModuleType

import torch

from regstudy.machine import cores

ROUNDS, IMAGES = 15, 9_600
MODULES = {
    "config": ("config",),
    "datasets": ("data.datasets", "datasets"),
    "sources": ("data.sources", "data_files"),
    "loop": ("training.loop", "training"),
    "network": ("training.network", "model"),
}
"""Where each part is, today and in releases before it moved."""


def rate_of(checkout: Path, data_root: str | None) -> Callable[[], float]:
    """A function that trains two short epochs of the published recipe by a checkout's code; images per second of the faster."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "regstudy"]:
        del sys.modules[name]
    sys.path.insert(0, str(checkout))
    try:
        config, datasets, sources, loop, network = (_module(names) for names in MODULES.values())
    finally:
        sys.path.remove(str(checkout))
    asked = config.RunConfig(dataset="mnist", l1=0.001, epochs=9)
    whole = datasets.load(sources.locate("mnist", data_root), asked)
    data = replace(whole, train=whole.train[:IMAGES], test=whole.test[:500])

    def rate() -> float:
        epochs = loop.fit(loop.Learner(network.build(asked), asked), data)
        return max(metrics.images_per_second for metrics, _ in zip(epochs, range(2), strict=False))

    return rate


def _module(names: tuple[str, ...]) -> ModuleType:
    for name in names:
        try:
            return importlib.import_module(f"regstudy.{name}")
        except ModuleNotFoundError:
            continue
    raise ModuleNotFoundError(f"no module of the checkout is called {' or '.join(names)}")


def main() -> None:
    """Print both rates and their ratio."""
    cli = argparse.ArgumentParser(prog="python -m benchmarks.beside", description=__doc__)
    cli.add_argument("checkout", type=Path, help="folder of another checkout of this project")
    cli.add_argument("--data-root", help="folder with full MNIST")
    given = cli.parse_args()
    torch.set_num_threads(cores.usable())
    there, here = rate_of(given.checkout, given.data_root), rate_of(Path(__file__).parent.parent, given.data_root)
    there()
    here()
    rounds = [(there(), here()) if number % 2 else (here(), there())[::-1] for number in range(ROUNDS)]
    ratios = sorted(own / other for other, own in rounds)
    print(
        f"{given.checkout}: {median(other for other, _ in rounds):,.0f} images/s; here: {median(own for _, own in rounds):,.0f}"
    )
    print(f"here / there, median of {ROUNDS} interleaved rounds: {median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})")


if __name__ == "__main__":
    main()
