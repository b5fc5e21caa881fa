"""Images per second of several runs at once, on a thread each, beside those of one run on one thread and on all."""

import multiprocessing
from collections import defaultdict
from collections.abc import Sequence
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from statistics import median

import torch

from benchmarks import throughput
from regstudy.config import RunConfig
from regstudy.data import datasets
from regstudy.data.sources import Source
from regstudy.machine import cores

Setting = tuple[int, int]
"""Jobs at a time, threads each."""


def settings() -> list[Setting]:
    """One job on one thread and on all of them; a job per core."""
    usable = cores.usable()
    return [(1, 1), (1, usable), (usable, 1)]


def measure(source: Source, rounds: int) -> dict[Setting, list[float]]:
    """Images per second of all jobs of a setting together, per round; settings are interleaved, as throughput.py's contenders are."""
    context = multiprocessing.get_context("spawn")
    jobs = max(jobs for jobs, _ in settings())
    barrier, results = context.Barrier(jobs), context.SimpleQueue()
    processes = [context.Process(target=_work, args=[number, source, rounds, barrier, results]) for number in range(jobs)]
    for process in processes:
        process.start()
    expected = rounds * sum(jobs for jobs, _ in settings())
    sums: dict[tuple[Setting, int], float] = defaultdict(float)
    for _ in range(expected):
        setting, round_number, rate = results.get()
        sums[setting, round_number] += rate
    for process in processes:
        process.join()
    return {setting: [sums[setting, number] for number in range(rounds)] for setting in settings()}


def ratio(rates: dict[Setting, list[float]]) -> float:
    """A job per core over the best of the single jobs; of medians."""
    single, *others = ([median(rates[s]) for s in rates if (s[0] == 1) is one] for one in (True, False))
    return max(others[0]) / max(single)


def _work(
    number: int, source: Source, rounds: int, barrier: Barrier, results: "SimpleQueue[tuple[Setting, int, float]]"
) -> None:
    data = datasets.load(source, RunConfig(dataset="mnist"))
    for round_number in range(rounds):
        for setting in settings():
            jobs, threads = setting
            torch.set_num_threads(threads)
            barrier.wait()
            if number < jobs:
                results.put((setting, round_number, throughput.product(data)))
            barrier.wait()


def rows(rates: dict[Setting, list[float]]) -> Sequence[tuple[str, str, str]]:
    """Lines of the table."""
    lines = [
        (
            f"(g) {jobs} job{'s' if jobs > 1 else ''} at a time, {threads} thread{'s' if threads > 1 else ''} each",
            f"{median(numbers):,.0f} images/s",
            f"together; median of {len(numbers)} interleaved rounds, {min(numbers):,.0f} to {max(numbers):,.0f}",
        )
        for (jobs, threads), numbers in rates.items()
    ]
    return [*lines, ("(g) a job per core / the best single job", f"{ratio(rates):.2f}", "of medians")]
