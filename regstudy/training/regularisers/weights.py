"""What acts on gradients or weights and is no penalty: decoupled weight decay, max-norm, gradient noise."""

import torch
from torch import Tensor, nn

from regstudy.config import RunConfig
from regstudy.data.datasets import Inputs
from regstudy.randomness import generator
from regstudy.training.regularisers.base import Regulariser, scoped, some

NOISE_DECAY = 0.55
"""γ of Neelakantan et al. 2015, section 3."""


class WeightDecay(Regulariser):
    """w ← w − lr · λ · w before the optimiser's step, apart from the gradient (Loshchilov and Hutter 2019, algorithm 2, without their schedule multiplier)."""

    def __init__(self, config: RunConfig, model: nn.Module, inputs: Inputs) -> None:
        super().__init__(config, model, inputs)
        self.parameters = some(scoped(model, config.l2_scope), "weight_decay", config.weight_decay)

    @torch.no_grad()
    def after_backward(self, learning_rate: float, /) -> None:
        """Shrink the weights of L2's scope."""
        for parameter in self.parameters:
            parameter.mul_(1 - learning_rate * self.config.weight_decay)


class MaxNorm(Regulariser):
    """The weights into each unit have at most this norm: longer ones are scaled back after each step (Srivastava et al. 2014, section 5.1)."""

    def __init__(self, config: RunConfig, model: nn.Module, inputs: Inputs) -> None:
        super().__init__(config, model, inputs)
        self.weights = some(scoped(model, "weights"), "max_norm", config.max_norm)

    @torch.no_grad()
    def after_step(self, _: float, /) -> None:
        """Scale back."""
        for weight in self.weights:
            weight.copy_(torch.renorm(weight, p=2, dim=0, maxnorm=self.config.max_norm))


class GradientNoise(Regulariser):
    """Gaussian noise of variance η / (1 + t)^0.55 on every gradient, t counting steps from 0 (Neelakantan et al. 2015, equation 1)."""

    def __init__(self, config: RunConfig, model: nn.Module, inputs: Inputs) -> None:
        super().__init__(config, model, inputs)
        self.parameters = list(model.parameters())
        self.generator, self.step = torch.Generator(), 0

    def start_epoch(self, epoch: int, batches: int, /) -> None:
        """Draw from the epoch's own generator, on the weights' device."""
        self.generator = generator(self.config.seed, "gradient_noise", epoch, self.parameters[0].device)
        self.step = epoch * batches

    @torch.no_grad()
    def after_backward(self, _: float, /) -> None:
        """Add the noise."""
        sd = noise_sd(self.config.gradient_noise, self.step)
        self.step += 1
        for parameter in self.parameters:
            if parameter.grad is not None:
                parameter.grad.add_(_normal_like(parameter, self.generator), alpha=sd)


def noise_sd(strength: float, step: int) -> float:
    """The noise's standard deviation at a step, counted from 0."""
    return (strength / (1 + step) ** NOISE_DECAY) ** 0.5


def _normal_like(parameter: Tensor, random: torch.Generator) -> Tensor:
    return torch.empty_like(parameter).normal_(generator=random)
