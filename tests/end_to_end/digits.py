"""Preloaded where processes are forked from: the digits are read once, which takes a second, and not at each start."""

import torch

from regstudy.data import datasets

torch.set_num_threads(1)  # threads that are there before a fork are missed after it, for ever
datasets._mnist_5k()
