"""Preloaded where processes are forked from: the digits are read once, which takes a second, and not at each start."""

from regstudy import datasets

datasets._mnist_5k()
