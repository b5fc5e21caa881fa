"""Penalties on weights: L1 in its three kinds, group lasso, and L2.

L1's kinds: `mean` is the published study's, λ · Σ over tensors of mean|w|; `sum` is the literature's, λ · Σ|w|;
`proximal` minimises the same objective as `sum`, but by soft thresholding after each step, so that zeros are exact
(Parikh and Boyd, Proximal Algorithms, 2014, section 6.5.2). L2 is the optimiser's weight decay: ½ · λ · Σw², as a gradient.

A proximal threshold is lr · λ / (1 − momentum): heavy-ball SGD moves a weight by lr / (1 − momentum) per unit of steady gradient; with any other
the fixed point would not be the minimum of loss + penalty.
"""

from typing import Any

import torch
from torch import Tensor, nn

from regstudy.config import RunConfig
from regstudy.data.datasets import Inputs
from regstudy.training.regularisers.base import Regulariser, scoped, some


class L1(Regulariser):
    """Pulls each weight of its scope towards zero by the same amount, whatever its size."""

    def __init__(self, config: RunConfig, model: nn.Module, inputs: Inputs) -> None:
        super().__init__(config, model, inputs)
        self.parameters = some(scoped(model, config.l1_scope), "l1_scope", config.l1_scope)

    def after_backward(self, _: float, /) -> None:
        """Add the gradient, but for the proximal kind."""
        if self.config.l1_kind != "proximal":
            add_l1_gradient(self.parameters, self.config)

    def after_step(self, learning_rate: float, /) -> None:
        """Soft-threshold, for the proximal kind."""
        if self.config.l1_kind == "proximal":
            proximal_step(self.parameters, self.config, learning_rate)


class GroupLasso(Regulariser):
    """λ · Σ over kernels of √size · ‖kernel‖₂ (Yuan and Lin 2006), by its proximal step: kernels become zero as a whole.

    A kernel is all weights into one output channel of a convolution; those of the last one, which are the classes', are left alone.
    """

    def __init__(self, config: RunConfig, model: nn.Module, inputs: Inputs) -> None:
        super().__init__(config, model, inputs)
        last = [module for module in model.modules() if [*module.parameters(recurse=False)]][-1]
        classes = getattr(last, "weight", None)
        weights = [weight for weight in scoped(model, "convolutions") if weight is not classes]
        self.weights = some(weights, "group_lasso", config.group_lasso)

    @torch.no_grad()
    def after_step(self, learning_rate: float, /) -> None:
        """Shorten each kernel by its threshold, and stop at zero."""
        threshold = learning_rate * self.config.group_lasso / (1 - self.config.momentum)
        for weight in self.weights:
            shrink_groups(weight, threshold)


def l1_weights(parameters: list[Tensor], config: RunConfig) -> Tensor:
    """What each element's |w| counts in the penalty: λ, or λ / size of its tensor; flat, of all parameters' elements."""
    if not parameters:
        return torch.zeros(0)
    sizes = [p.numel() for p in parameters]
    pulls = torch.tensor([l1_pull(p, config) for p in parameters])
    return pulls.repeat_interleave(torch.tensor(sizes)).to(parameters[0].device)


def l1_term(parameters: list[Tensor], weights: Tensor) -> Tensor:
    """The L1 penalty as a differentiable scalar, factor included; for `proximal` what its step minimises."""
    return weights @ _flat(parameters).abs()


def l2_term(parameters: list[Tensor], config: RunConfig) -> Tensor:
    """½ · λ · Σw²: the penalty whose gradient the optimiser's weight decay adds; a scalar."""
    return 0.5 * config.l2_factor * _flat(parameters).square().sum()


def l1_pull(weight: Tensor, config: RunConfig) -> float:
    """The gradient's size that L1 adds to each element of a penalised tensor."""
    return config.l1_factor / weight.numel() if config.l1_kind == "mean" else config.l1_factor


@torch.no_grad()
def add_l1_gradient(parameters: list[Tensor], config: RunConfig) -> None:
    """Add to each parameter's gradient that of l1_term, λ · sign(w) or λ / size · sign(w), without a graph to go through."""
    for parameter in parameters:
        if parameter.grad is not None:  # of a network of the user's, some may be of no use
            parameter.grad.add_(parameter.sign(), alpha=l1_pull(parameter, config))


@torch.no_grad()
def proximal_step(parameters: list[Tensor], config: RunConfig, learning_rate: float) -> None:
    """Soft-threshold in place: move each weight towards zero, and stop there."""
    threshold = learning_rate * config.l1_factor / (1 - config.momentum)
    for parameter in parameters:
        parameter.copy_(torch.nn.functional.softshrink(parameter, threshold))


@torch.no_grad()
def shrink_groups(weight: Tensor, threshold: float) -> None:
    """Shorten each kernel of (out, …) in place by threshold · √size in its norm, and stop at zero: w · max(0, 1 − threshold·√size / ‖w‖)."""
    flat = weight.flatten(1)
    norms = flat.norm(dim=1)
    factors = (1 - threshold * flat.shape[1] ** 0.5 / norms.clamp_min(torch.finfo(norms.dtype).tiny)).clamp_min(0)
    weight.mul_(factors.view(-1, *[1] * (weight.dim() - 1)))


def parameter_groups(model: nn.Module, config: RunConfig) -> list[dict[str, Any]]:
    """Optimiser groups: L2's gradient on the parameters of its scope, none on the others."""
    decayed = scoped(model, config.l2_scope)
    if config.l2_factor > 0:
        some(decayed, "l2_scope", config.l2_scope)
    chosen = {id(p) for p in decayed}
    others = [p for p in model.parameters() if id(p) not in chosen]
    groups = [{"params": decayed, "weight_decay": config.l2_factor}, {"params": others, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def _flat(parameters: list[Tensor]) -> Tensor:
    return torch.cat([p.flatten() for p in parameters]) if parameters else torch.zeros(0)
