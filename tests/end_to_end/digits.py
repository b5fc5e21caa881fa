"""Preloaded where processes are forked from: the digits are read once, which takes a second, and not at each start."""

import torch

from regstudy.config import RunConfig
from regstudy.data import datasets
from regstudy.data.sources import Source

torch.set_num_threads(1)  # threads that are there before a fork are missed after it, for ever
datasets.load(Source("mnist-5k", None), RunConfig(dataset="mnist-5k"))
