"""Dropout by gaps: an i.i.d. Bernoulli process, and the gradient of torch's own dropout."""

import math

import pytest
import torch
import torch.nn.functional as F
from scipy import stats

from regstudy.training import dropout
from regstudy.training.dropout import FEW, zero_


def drop_positions(n: int, p: float, generator: torch.Generator) -> torch.Tensor:
    (positions,) = dropout.drop_positions([n], p, generator)
    return positions


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("n", "p"), [(200_000, 0.05), (50_000, 0.5), (3_000_000, 0.001), (1_000, 0.05), (900, 0.9)])
def test_number_of_drops_is_binomial(n, p):
    """Kolmogorov–Smirnov on 300 seeded draws against the binomial, error rate 0.1% per case."""
    counts = [len(drop_positions(n, p, generator(seed)).unique()) for seed in range(300)]
    jitter = torch.rand(300, generator=generator(1), dtype=torch.float64).numpy()
    binomial = stats.binom(n, p)
    # The randomised probability transform of a discrete variable is uniform.
    low, high = binomial.cdf([c - 1 for c in counts]), binomial.cdf(counts)
    assert stats.kstest(low + jitter * (high - low), "uniform").pvalue > 0.001


def test_gaps_are_geometric():
    """Chi-square of 500,000 gaps against the geometric distribution, error rate 0.1%."""
    p = 0.05
    positions = drop_positions(10_000_000, p, generator()).unique()
    gaps = torch.diff(positions, prepend=torch.tensor([-1]))
    edges = 120
    observed = torch.bincount(gaps.clamp(max=edges), minlength=edges + 1)[1:].numpy()
    expected = stats.geom(p).pmf(range(1, edges + 1))
    expected[-1] += stats.geom(p).sf(edges)
    assert stats.chisquare(observed, expected * observed.sum()).pvalue > 0.001


def test_neighbouring_gaps_are_independent():
    positions = drop_positions(10_000_000, 0.05, generator()).unique()
    gaps = torch.diff(positions).double()
    correlation = torch.stack([gaps[:-1], gaps[1:]]).corrcoef()[0, 1].item()
    assert abs(correlation) < 3.3 / math.sqrt(len(gaps))  # error rate 0.1%


def test_every_position_is_equally_likely():
    """Chi-square over positions of a small tensor, both ways of drawing; error rate 0.1% each."""
    for n, p in ((400, 0.5), (400, 0.1)):
        assert (n * p >= FEW) == (p == 0.5)
        counts = torch.zeros(n)
        for seed in range(2_000):
            counts[drop_positions(n, p, generator(seed)).unique()] += 1
        z = (counts - 2_000 * p) / math.sqrt(2_000 * p * (1 - p))
        assert stats.chi2(n).sf(z.square().sum().item()) > 0.001


def test_positions_are_in_range_and_repeat_only_the_first():
    positions = drop_positions(100_000, 0.05, generator())
    assert positions.min() >= 0
    assert positions.max() < 100_000
    values, counts = positions.unique(return_counts=True)
    assert set(values[counts > 1].tolist()) <= {int(positions[0])}


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("gradient_layout", [torch.contiguous_format, torch.channels_last])
def test_values_and_gradients_are_those_of_a_mask(layout, gradient_layout):
    x = torch.randn(4, 16, 10, 10, generator=generator()).contiguous(memory_format=layout).requires_grad_()
    positions = drop_positions(x.numel(), 0.05, generator(1))
    weight = torch.randn(4, 16, 10, 10, generator=generator(2)).contiguous(memory_format=gradient_layout)
    ours = zero_(x * 1, positions)
    ours.backward(weight.clone())  # the gradient is filled in place
    in_memory_order = torch.ones(x.numel()).index_fill(0, positions, 0.0)
    mask = in_memory_order.as_strided(x.shape, x.stride())
    assert torch.equal(ours.detach(), x.detach() * mask)
    assert x.grad is not None
    assert torch.equal(x.grad, weight * mask)
    assert 0 < (mask == 0).sum() < x.numel()


def test_torchs_dropout_has_the_same_scale():
    """What the network folds into the normalisation is torch's own 1/(1 − p)."""
    torch.manual_seed(0)
    out = F.dropout(torch.ones(10_000), 0.05)
    assert set(out.unique().tolist()) == {0.0, torch.tensor(1 / 0.95).item()}


def test_the_same_generator_gives_the_same_drops():
    assert torch.equal(drop_positions(100_000, 0.05, generator(3)), drop_positions(100_000, 0.05, generator(3)))
    assert not torch.equal(drop_positions(100_000, 0.05, generator(3)), drop_positions(100_000, 0.05, generator(4)))
