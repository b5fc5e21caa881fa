"""What L1 and L2 mean here: penalty terms, the proximal step, parameter groups.

L1 has three kinds. `mean` is the published study's: λ · Σ over tensors of mean|w|. `sum` is the literature's: λ · Σ|w|.
`proximal` minimises the same objective as `sum`, but by soft thresholding after each step, so that zeros are exact
(Parikh and Boyd, Proximal Algorithms, 2014, section 6.5.2). L2 is the optimiser's weight decay: ½ · λ · Σw², as a gradient.
"""

from typing import Any

import torch
from torch import Tensor, nn

from regstudy.config import RunConfig, Scope
from regstudy.training.network import convolutions


def scoped(model: nn.Module, scope: Scope) -> list[Tensor]:
    """The parameters that a penalty of this scope acts on."""
    return list(model.parameters()) if scope == "all" else list(convolutions(model).values())


def l1_weights(parameters: list[Tensor], config: RunConfig) -> Tensor:
    """What each element's |w| counts in the penalty: λ, or λ / size of its tensor; flat, of all parameters' elements."""
    sizes = [p.numel() for p in parameters]
    pulls = torch.tensor([l1_pull(p, config) for p in parameters])
    return pulls.repeat_interleave(torch.tensor(sizes)).to(parameters[0].device)


def l1_term(parameters: list[Tensor], weights: Tensor) -> Tensor:
    """The L1 penalty as a differentiable scalar, factor included; for `proximal` what its step minimises."""
    return weights @ torch.cat([p.flatten() for p in parameters]).abs()


def l2_term(parameters: list[Tensor], config: RunConfig) -> Tensor:
    """½ · λ · Σw²: the penalty whose gradient weight decay adds; a scalar."""
    return 0.5 * config.l2 * torch.cat([p.flatten() for p in parameters]).square().sum()


def l1_pull(weight: Tensor, config: RunConfig) -> float:
    """The gradient's size that L1 adds to each element of a penalised tensor."""
    return config.l1 / weight.numel() if config.l1_kind == "mean" else config.l1


@torch.no_grad()
def add_l1_gradient(parameters: list[Tensor], config: RunConfig) -> None:
    """Add to each parameter's gradient that of l1_term, λ · sign(w) or λ / size · sign(w), without a graph to go through."""
    for parameter in parameters:
        assert parameter.grad is not None
        parameter.grad.add_(parameter.sign(), alpha=l1_pull(parameter, config))


@torch.no_grad()
def proximal_step(parameters: list[Tensor], config: RunConfig, learning_rate: float) -> None:
    """Soft-threshold in place: move each weight towards zero, and stop there.

    The threshold is lr · λ / (1 − momentum). Heavy-ball SGD moves a weight by lr / (1 − momentum) per unit of steady gradient;
    with any other threshold the fixed point would not be the minimum of loss + λ · Σ|w|.
    """
    threshold = learning_rate * config.l1 / (1 - config.momentum)
    for parameter in parameters:
        parameter.copy_(torch.nn.functional.softshrink(parameter, threshold))


def parameter_groups(model: nn.Module, config: RunConfig) -> list[dict[str, Any]]:
    """Optimiser groups: weight decay on the parameters of L2's scope, none on the others."""
    decayed = scoped(model, config.l2_scope)
    chosen = {id(p) for p in decayed}
    others = [p for p in model.parameters() if id(p) not in chosen]
    groups = [{"params": decayed, "weight_decay": config.l2}, {"params": others, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]
