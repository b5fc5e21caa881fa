"""How fast this machine trains: a few real steps, for a study that has no runs to go by."""

from dataclasses import replace
from functools import cache

import torch

from regstudy.config import RunConfig
from regstudy.data import datasets
from regstudy.data.sources import Source
from regstudy.machine import devices, memory
from regstudy.training.loop import Learner, fit
from regstudy.training.network import build

STEPS, EVALUATED = 8, 500
"""Steps that are timed, after as many that are not, and images that are evaluated after each: seconds, even of a busy machine."""


@cache
def epoch_seconds(source: Source, config: RunConfig, threads: int) -> float:
    """Seconds that an epoch of this configuration will take on so many threads, evaluation included; measured once."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    memory.keep()
    device = torch.device(devices.chosen(config.device))
    try:
        data = datasets.load(source, config)
        images = min(len(data.train), STEPS * config.batch_size)
        few = replace(data, train=data.train[:images], validation=None, test=data.test[:EVALUATED])
        short = config.model_copy(update={"epochs": 2 + LATE})
        learner = Learner(build(short, data.inputs).to(device), short)
        *_, metrics = (m for m, _ in zip(fit(learner, few.to(device)), range(2), strict=False))  # one, where it diverges
    finally:
        torch.set_num_threads(before)
    training = len(data.train) / metrics.images_per_second
    evaluation = (metrics.seconds - images / metrics.images_per_second) * len(data.test) / len(few.test)
    return training + evaluation


LATE = 5
"""More epochs than are run: the last ones of a run are evaluated on training images too."""
