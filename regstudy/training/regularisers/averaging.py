"""The weights' exponential moving average."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from regstudy.config import RunConfig
from regstudy.data.datasets import Inputs
from regstudy.training.regularisers.base import Regulariser

PREFIX = "ema/"
STEPS = "ema_steps"


class WeightAverage(Regulariser):
    """avg ← d · avg + (1 − d) · w after each step, of weights and normalisation statistics (Polyak and Juditsky 1992; Tan and Le 2019 for evaluating it).

    d is min(decay, (1 + t) / (10 + t)) at step t, from 1, as in TensorFlow's ExponentialMovingAverage: an average over the first steps would be mostly the initial weights.
    It is evaluated and kept; training goes on with the weights themselves.
    """

    def __init__(self, config: RunConfig, model: nn.Module, inputs: Inputs) -> None:
        super().__init__(config, model, inputs)
        self.average = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
        self.steps = 0

    @torch.no_grad()
    def after_step(self, _: float, /) -> None:
        """Take the weights as they are into the average; counters are the latest."""
        self.steps += 1
        decay = min(self.config.ema, (1 + self.steps) / (10 + self.steps))
        for name, tensor in self.model.state_dict().items():
            if tensor.is_floating_point():
                self.average[name].lerp_(tensor, 1 - decay)
            else:
                self.average[name].copy_(tensor)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The model with the average for its weights, meanwhile."""
        own = {name: tensor.detach().clone() for name, tensor in self.model.state_dict().items()}
        self.model.load_state_dict(self.average)
        try:
            yield
        finally:
            self.model.load_state_dict(own)

    def state(self) -> dict[str, Tensor]:
        """The average, and over how many steps it is."""
        return {f"{PREFIX}{name}": tensor for name, tensor in self.average.items()} | {STEPS: torch.tensor(self.steps)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on averaging."""
        for name, tensor in self.average.items():
            tensor.copy_(state[f"{PREFIX}{name}"])
        self.steps = int(state[STEPS])
