"""Zeros, dead kernels and the reach of L1, on weights whose answer is known."""

import math

import pytest
import torch
import torch.nn.functional as F

from regstudy.config import RunConfig
from regstudy.data.datasets import Split
from regstudy.training import weights
from regstudy.training.network import blocks, build, convolutions
from regstudy.training.regularisers.penalties import l1_pull


def images(n: int = 20) -> Split:
    pixels = torch.randint(0, 256, (n, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    return Split(pixels, torch.zeros(n, dtype=torch.int64))


def test_exact_zeros_are_counted():
    model = build(RunConfig())
    assert weights.sparsity(model).exact_zeros == 0
    with torch.no_grad():
        convolutions(model)["conv2"][:8] = 0
    sparsity = weights.sparsity(model)
    assert sparsity.exact_zeros == pytest.approx(8 * 144 / 9_520)
    assert sparsity.below[0.001] >= sparsity.exact_zeros


def test_thresholds_are_a_ladder():
    below = weights.sparsity(build(RunConfig())).below
    assert list(below) == [0.001, 0.01, 0.1]
    assert sorted(below.values()) == list(below.values())


@torch.no_grad()
def test_folding_makes_magnitudes_comparable():
    """Scaling a kernel and its normalisation's statistics leaves the function, and the folded kernel, as they were."""
    model = build(RunConfig()).eval()
    block = blocks(model)[1]
    before, output = weights.folded_kernels(model)["conv2"], model(images().images)
    block.norm.eps = 0.0
    before_exact = weights.folded_kernels(model)["conv2"]
    block.conv.weight.mul_(10)
    block.norm.running_var.mul_(100)
    block.norm.running_mean.mul_(10)
    torch.testing.assert_close(weights.folded_kernels(model)["conv2"], before_exact)
    torch.testing.assert_close(before, before_exact, rtol=1e-4, atol=0)
    torch.testing.assert_close(model(images().images), output, rtol=1e-3, atol=1e-3)


@torch.no_grad()
def test_kernels_that_never_fire_are_found_as_forward_passes_show():
    model = build(RunConfig())
    before = weights.kernels(model, images())
    first = blocks(model)[0].conv.weight
    normalised = ((images().images.float() / 255 - 0.1307) / 0.3081)[:, None]
    highest = F.conv2d(normalised, first).amax((0, 2, 3))
    alive = (highest > 0).nonzero().flatten()
    assert torch.equal(weights.fires(model, images())[:16], highest > 0)
    first[alive[0]] = 0.0  # never fires, and has no norm
    first[alive[1]] *= 1e-4  # fires, but next to nothing
    fires = weights.fires(model, images())
    assert torch.equal(fires[:16], (highest > 0) & (torch.arange(16) != alive[0]))
    after = weights.kernels(model, images())
    assert (before.small_norm, after.small_norm) == (0, 2)
    assert after.never_fire == int((~fires).sum())
    small = torch.zeros_like(fires)
    small[alive[:2]] = True
    assert after.dead == int((~fires | small).sum())


@torch.no_grad()
def test_a_layer_of_zeros_is_dead_altogether():
    model = build(RunConfig())
    blocks(model)[0].conv.weight.zero_()
    assert weights.kernels(model, images()).small_norm == 16


@pytest.mark.parametrize("kind", ["mean", "sum", "proximal"])
def test_reach_is_how_far_l1_alone_moves_a_weight(kind):
    """Against plain SGD on a constant pull: after many steps it has moved by the reach, less what momentum still owes."""
    config = RunConfig(l1=1e-3, l1_kind=kind, epochs=3, batch_size=10)
    model = build(config)
    found = weights.reach(model, config, training_images=1_000)
    pull = l1_pull(convolutions(model)["conv2"], config)
    weight = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([weight], lr=config.lr, momentum=config.momentum)
    for _ in range(3 * 100):
        optimizer.zero_grad()
        (-pull * weight).sum().backward()
        optimizer.step()
    owed = config.lr * pull / (1 - config.momentum) ** 2 * config.momentum
    assert weight.item() + owed == pytest.approx(found["conv2"].displacement, rel=1e-6)


def test_published_l1_cannot_reach_a_convolution_weight():
    """The published study's own claim, in numbers: 0.001 over 40 epochs moves a weight by under a seventh of its initial scale."""
    config = RunConfig(l1=0.001)
    model = build(config)
    for name, layer in weights.reach(model, config, 60_000).items():
        if name in {"conv2", "conv3", "conv4", "conv5"}:
            assert layer.displacement < layer.initial_scale
            assert layer.displacement == pytest.approx(0.025 * 40 * 469 * 0.001 / 2_304 / 0.1)
        if name != "batchnorm":
            assert layer.initial_scale == pytest.approx(1 / math.sqrt(3 * convolutions(model)[name][0].numel()))


def test_published_l1_pulls_batchnorm_hardest_and_cannot_reach_zero_there_either():
    found = weights.reach(build(RunConfig()), RunConfig(l1=0.001), 60_000)
    assert (
        found["batchnorm"].displacement
        == pytest.approx(144 * found["conv2"].displacement)
        == max(r.displacement for r in found.values())
    )
    assert found["batchnorm"].displacement == pytest.approx(0.293, abs=1e-3)
    assert all(torch.all(block.norm.weight == found["batchnorm"].initial_scale) for block in blocks(build(RunConfig())))


def test_outside_its_scope_l1_reaches_nothing():
    config = RunConfig(l1=0.001, l1_scope="convolutions")
    assert {name for name, layer in weights.reach(build(config), config, 100).items() if not layer.displacement} == {
        "batchnorm"
    }
    assert weights.reach(build(RunConfig()), RunConfig(), 100)["conv1"].displacement == 0
