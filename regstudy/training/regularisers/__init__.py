"""What keeps a network from fitting its training images alone: one class each, and which of them a configuration asks for.

A further one is a class here, its field in config.py marked with `Strength`, and its name in `of`. Each is nothing at strength 0: then it is not made, and draws nothing.
May import the configuration, the network and `randomness`; none of these knows the store.
"""

from functools import reduce

import torch.nn.functional as F
from torch import nn

from regstudy.config import RunConfig
from regstudy.data.datasets import Inputs
from regstudy.training.regularisers.averaging import WeightAverage
from regstudy.training.regularisers.base import Criterion, Regulariser
from regstudy.training.regularisers.examples import Cutout, LabelSmoothing, Mixup
from regstudy.training.regularisers.own import OwnRegulariser
from regstudy.training.regularisers.penalties import L1, GroupLasso
from regstudy.training.regularisers.weights import GradientNoise, MaxNorm, WeightDecay

__all__ = ["Criterion", "Regulariser", "WeightAverage", "criterion", "of"]


def of(config: RunConfig, model: nn.Module, inputs: Inputs) -> list[Regulariser]:
    """Those that a configuration asks for, in the order in which they act. L2 is the optimiser's own, the two dropouts are the network's."""
    made: list[tuple[float, type[Regulariser]]] = [
        (config.cutout, Cutout),
        (config.label_smoothing, LabelSmoothing),
        (config.mixup, Mixup),
        (config.l1_factor, L1),
        (config.strength, OwnRegulariser),
        (config.gradient_noise, GradientNoise),
        (config.weight_decay, WeightDecay),
        (config.group_lasso, GroupLasso),
        (config.max_norm, MaxNorm),
        (config.ema, WeightAverage),
    ]
    return [kind(config, model, inputs) for strength, kind in made if strength > 0]


def criterion(regularisers: list[Regulariser]) -> Criterion:
    """What log-probabilities (n, classes) cost beside labels (n,): their mean negative log-likelihood, as the regularisers change it."""
    return reduce(lambda inner, own: own.criterion(inner), regularisers, F.nll_loss)
