"""L1 and L2 against hand-computed values, torch's own losses, and closed-form minima."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from regstudy.config import RunConfig
from regstudy.training.network import build
from regstudy.training.regularisers import base, penalties
from tests import reference


def two_tensors() -> list[torch.Tensor]:
    return [
        nn.Parameter(torch.tensor([[1.0, -3.0], [0.0, 2.0]])),
        nn.Parameter(torch.tensor([-0.5, 0.5])),
    ]


def l1_term(parameters: list[torch.Tensor], config: RunConfig) -> torch.Tensor:
    return penalties.l1_term(parameters, penalties.l1_weights(parameters, config))


def test_l1_by_hand():
    # Means: (1 + 3 + 0 + 2)/4 = 1.5 and (0.5 + 0.5)/2 = 0.5; sums: 6 and 1.
    assert l1_term(two_tensors(), RunConfig(l1=0.1)).item() == pytest.approx(0.1 * 2.0)
    assert l1_term(two_tensors(), RunConfig(l1=0.1, l1_kind="sum")).item() == pytest.approx(0.1 * 7.0)
    assert l1_term(two_tensors(), RunConfig(l1=0.1, l1_kind="proximal")).item() == pytest.approx(0.1 * 7.0)


def test_published_l1_is_torchs_l1_loss_over_all_parameters():
    model, config = build(RunConfig()), RunConfig(l1=0.001)
    parameters = base.scoped(model, config.l1_scope)
    ours = l1_term(parameters, config)
    notebook = 0.001 * reference.l1_penalty(model)
    torch.testing.assert_close(ours, notebook)
    for mine, theirs in zip(torch.autograd.grad(ours, parameters), torch.autograd.grad(notebook, parameters), strict=True):
        torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize("kind", ["mean", "sum"])
def test_pull_is_the_size_of_the_gradient(kind):
    config = RunConfig(l1=0.3, l1_kind=kind)
    parameters = two_tensors()
    gradients = torch.autograd.grad(l1_term(parameters, config), parameters)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        torch.testing.assert_close(gradient, penalties.l1_pull(parameter, config) * parameter.detach().sign())


@pytest.mark.parametrize("kind", ["mean", "sum"])
def test_added_gradient_is_autograds_bit_for_bit(kind):
    config, parameters = RunConfig(l1=0.3, l1_kind=kind), two_tensors()
    loss_gradients = [torch.full_like(p, 0.125) for p in parameters]
    for parameter, gradient in zip(parameters, loss_gradients, strict=True):
        parameter.grad = gradient.clone()
    penalties.add_l1_gradient(parameters, config)
    autograds = torch.autograd.grad(l1_term(parameters, config), parameters)
    for parameter, own, penalty in zip(parameters, loss_gradients, autograds, strict=True):
        assert torch.equal(parameter.grad, own + penalty), "at w = 0 too: no pull"


def test_l2_by_hand_and_as_weight_decay():
    parameters = two_tensors()
    config = RunConfig(l2=0.1)
    term = penalties.l2_term(parameters, config)
    assert term.item() == pytest.approx(0.5 * 0.1 * (1 + 9 + 4 + 0.25 + 0.25))
    expected = [
        p.detach() - 0.5 * gradient for p, gradient in zip(parameters, torch.autograd.grad(term, parameters), strict=True)
    ]
    optimizer = torch.optim.SGD(parameters, lr=0.5, weight_decay=0.1)
    for parameter in parameters:
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for parameter, value in zip(parameters, expected, strict=True):
        torch.testing.assert_close(parameter.detach(), value)


def test_scopes():
    model = build(RunConfig())
    assert sum(p.numel() for p in base.scoped(model, "all")) == 9_680
    assert sum(p.numel() for p in base.scoped(model, "convolutions")) == 9_520


@pytest.mark.parametrize(("scope", "decayed"), [("all", 9_680), ("convolutions", 9_520)])
def test_parameter_groups_cover_every_parameter_once(scope, decayed):
    model = build(RunConfig())
    groups = penalties.parameter_groups(model, RunConfig(l2=0.1, l2_scope=scope))
    counts = {group["weight_decay"]: sum(p.numel() for p in group["params"]) for group in groups}
    assert counts[0.1] == decayed
    assert sum(counts.values()) == 9_680


@pytest.mark.slow
@settings(max_examples=12)
@given(
    target=st.floats(-2, 2),
    factor=st.floats(0.01, 1),
    momentum=st.sampled_from([0.0, 0.5, 0.9]),
    lr=st.sampled_from([0.02, 0.1]),
)
def test_proximal_sgd_finds_the_soft_thresholded_minimum(target, factor, momentum, lr):
    """The minimum of ½(w − a)² + λ|w| is a, moved by λ towards zero, and exactly zero if |a| ≤ λ."""
    config = RunConfig(l1=factor, l1_kind="proximal", momentum=momentum)
    weight = nn.Parameter(torch.tensor([1.0], dtype=torch.float64))
    optimizer = torch.optim.SGD([weight], lr=lr, momentum=momentum)
    for _ in range(900):
        optimizer.zero_grad()
        (0.5 * (weight - target) ** 2).sum().backward()
        optimizer.step()
        penalties.proximal_step([weight], config, lr)
    shrunk = max(abs(target) - factor, 0.0) * (1 if target > 0 else -1)
    assert weight.item() == pytest.approx(shrunk, abs=1e-6)
    if abs(target) < 0.99 * factor:
        assert weight.item() == 0.0


def test_proximal_step_by_hand():
    weight = nn.Parameter(torch.tensor([0.5, -0.05, -0.3, 0.0]))
    penalties.proximal_step([weight], RunConfig(l1=0.1, l1_kind="proximal", momentum=0.0), learning_rate=1.0)
    torch.testing.assert_close(weight.detach(), torch.tensor([0.4, 0.0, -0.2, 0.0]))
