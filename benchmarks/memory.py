"""Images per second with `memory.keep`, as training has it, beside the same without: processes in turn, since what it does holds for a process's life."""

import argparse
from statistics import median

from benchmarks import process
from regstudy.data import sources

PROCESSES = 7
STEPS = """
import sys, torch
from benchmarks import throughput
from regstudy.config import RunConfig
from regstudy.data import datasets, sources
from regstudy.machine import cores, memory
if sys.argv[2] == "kept":
    memory.keep()
torch.set_num_threads(cores.usable())
data = datasets.load(sources.locate("mnist", sys.argv[1]), RunConfig(dataset="mnist"))
print(max(throughput.product(data) for _ in range(3)))
"""


def measure(data_root: str) -> list[tuple[float, float]]:
    """Images per second of each pair of processes: kept, and left as it is."""
    _rate(data_root, "left")
    return [(_rate(data_root, "kept"), _rate(data_root, "left")) for _ in range(PROCESSES)]


def row(rates: list[tuple[float, float]]) -> tuple[str, str, str]:
    """Both medians, and the pairs' ratios, for the table."""
    kept, left = (median(column) for column in zip(*rates, strict=True))
    ratios = sorted(own / other for own, other in rates)
    figure = f"{kept:,.0f} / {left:,.0f} images/s = {median(ratios):.2f}"
    how = f"median of {len(rates)} processes each, in turn; ratios {ratios[0]:.2f} to {ratios[-1]:.2f}"
    return "(j) training steps, freed memory kept / given back", figure, how


def _rate(data_root: str, how: str) -> float:
    return float(process.run("-c", STEPS, data_root, how).printed)


if __name__ == "__main__":
    cli = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    cli.add_argument("--data-root", help="folder with full MNIST")
    print(": ".join(row(measure(str(sources.locate("mnist", cli.parse_args().data_root).root)))))
