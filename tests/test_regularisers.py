"""Each regulariser against torch's own, a hand computation, or its paper's formula; and off is off, bit for bit."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from regstudy.config import RunConfig, strengths
from regstudy.data.datasets import DIGITS
from regstudy.errors import ConfigError
from regstudy.training import loop, optimizers, regularisers
from regstudy.training.network import Block, SqueezeExpandNet, build
from regstudy.training.regularisers import penalties, weights
from regstudy.training.regularisers.averaging import WeightAverage
from regstudy.training.regularisers.examples import Cutout, Mixup
from tests.test_training import config, data, numbers


def only(**values: object) -> regularisers.Regulariser:
    """The one regulariser of a configuration, on a network that learns nothing else."""
    c = config(**values)
    (own,) = regularisers.of(c, build(c), DIGITS)
    return own


def trained(**values: object) -> list[tuple[float, ...]]:
    c = config(epochs=1, **values)
    return [numbers(metrics) for metrics in loop.fit(loop.Learner(build(c), c), data(200))]


ON = {
    "l1": 0.001,
    "l2": 0.0005,
    "elastic_net": 0.001,
    "group_lasso": 1e-4,
    "weight_decay": 0.01,
    "label_smoothing": 0.1,
    "spatial_dropout": 0.1,
    "mixup": 0.2,
    "cutout": 8,
    "gradient_noise": 0.01,
    "max_norm": 0.5,
    "ema": 0.9,
}


def test_every_strength_is_tried_here():
    assert {*ON, "strength"} == {*strengths()}


@pytest.fixture(scope="module")
def plain() -> list[tuple[float, ...]]:
    return trained()


@pytest.mark.slow
@pytest.mark.parametrize("name", ON)
def test_off_is_none_bit_for_bit_and_has_its_digest(name, plain):
    off = {name: type(ON[name])(0)}
    assert trained(**off) == plain
    assert config(**off).digest() == config().digest()


@pytest.mark.slow
@pytest.mark.parametrize("name", ON)
def test_on_is_something_else_and_repeats_itself(name, plain):
    on = trained(**{name: ON[name]})
    assert on != plain
    assert on == trained(**{name: ON[name]})
    assert config(**{name: ON[name]}).digest() != config().digest()


def test_label_smoothing_is_torchs():
    logits, labels = torch.randn(8, 10, generator=torch.Generator().manual_seed(1)), torch.arange(8)
    ours = regularisers.criterion([only(label_smoothing=0.1)])(logits.log_softmax(1), labels)
    torch.testing.assert_close(ours, F.cross_entropy(logits, labels, label_smoothing=0.1))


def test_an_elastic_net_is_l1_and_l2_with_their_shares():
    # Zou and Hastie 2005, as scikit-learn writes it: α·ρ·‖w‖₁ + ½·α·(1 − ρ)·‖w‖².
    apart = trained(l1=0.75 * 0.004, l2=0.25 * 0.004, l1_kind="sum")
    assert trained(elastic_net=0.004, elastic_net_ratio=0.75, l1_kind="sum") == apart


@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
def test_adam_with_decoupled_weight_decay_is_torchs_adamw(weight_decay):
    c = RunConfig(optimizer="adamw", weight_decay=weight_decay, lr=0.01)
    ours, theirs = nn.Linear(3, 2), nn.Linear(3, 2)
    theirs.load_state_dict(ours.state_dict())
    adam, adamw = optimizers.make(ours, c), torch.optim.AdamW(theirs.parameters(), lr=0.01, weight_decay=weight_decay)
    own = [weights.WeightDecay(c, ours, DIGITS)] if weight_decay else []
    for step in range(5):
        x = torch.arange(6.0).view(2, 3) + step
        for model in (ours, theirs):
            model.zero_grad()
            model(x).square().sum().backward()
        for one in own:
            one.after_backward(0.01)
        adam.step()
        adamw.step()
    for mine, reference in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, reference)


def test_l2_without_normalisation_and_biases_leaves_them_alone():
    c = RunConfig(l2=0.1, l2_scope="weights")
    decayed = next(group for group in penalties.parameter_groups(build(c), c) if group["weight_decay"])
    assert all(parameter.dim() == 4 for parameter in decayed["params"])
    assert sum(parameter.numel() for parameter in decayed["params"]) == 9_520


def test_group_lasso_by_hand():
    weight = torch.tensor([[3.0, 4.0], [0.3, 0.4], [0.0, 0.0]])
    penalties.shrink_groups(weight, 0.5)
    # Norms 5, 0.5 and 0; each is shortened by 0.5·√2.
    torch.testing.assert_close(weight, torch.tensor([[3.0, 4.0], [0.0, 0.0], [0.0, 0.0]]) * (1 - 0.5 * math.sqrt(2) / 5))


@pytest.mark.slow
@settings(max_examples=12)
@given(target=st.floats(0.1, 2), factor=st.floats(0.01, 1), momentum=st.sampled_from([0.0, 0.9]))
def test_proximal_sgd_finds_the_group_thresholded_minimum(target, factor, momentum):
    """The minimum of ½‖w − a‖² + λ√p‖w‖ is a, shortened by λ√p, and exactly zero if it is no longer than that."""
    aim = torch.tensor([[target, -target]], dtype=torch.float64)
    weight = nn.Parameter(torch.ones(1, 2, dtype=torch.float64))
    optimizer, lr = torch.optim.SGD([weight], lr=0.05, momentum=momentum), 0.05
    for _ in range(900):
        optimizer.zero_grad()
        (0.5 * (weight - aim) ** 2).sum().backward()
        optimizer.step()
        penalties.shrink_groups(weight.data, lr * factor / (1 - momentum))
    shrunk = aim * max(0.0, 1 - factor * math.sqrt(2) / aim.norm().item())
    torch.testing.assert_close(weight.data, shrunk, atol=1e-5, rtol=0)
    if factor * math.sqrt(2) > 1.01 * aim.norm().item():
        assert torch.equal(weight.data, torch.zeros(1, 2, dtype=torch.float64))


def test_group_lasso_makes_whole_kernels_zero_and_spares_the_classes():
    c = config(group_lasso=0.02, epochs=2)
    model = build(c)
    list(loop.fit(loop.Learner(model, c), data()))
    zero = [(weight.flatten(1) == 0).all(1) for weight in list(model.parameters()) if weight.dim() == 4]
    assert sum(int(own.sum()) for own in zero[:-1]) > 0
    assert not zero[-1].any()


def test_max_norm_is_the_longest_that_a_units_weights_are():
    c = config(max_norm=0.5, epochs=1)
    model = build(c)
    list(loop.fit(loop.Learner(model, c), data()))
    norms = torch.cat([weight.flatten(1).norm(dim=1) for weight in model.parameters() if weight.dim() == 4])
    assert norms.max().item() == pytest.approx(0.5, abs=1e-5)


def test_gradient_noise_has_the_papers_variance():
    assert weights.noise_sd(0.3, 0) == pytest.approx(math.sqrt(0.3))
    assert weights.noise_sd(0.3, 99) == pytest.approx(math.sqrt(0.3 / 100**0.55))
    own = only(gradient_noise=0.3)
    for parameter in own.model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    own.start_epoch(0, 10)
    own.after_backward(0.1)
    drawn = torch.cat([parameter.grad.flatten() for parameter in own.model.parameters()])
    assert drawn.std().item() == pytest.approx(math.sqrt(0.3), rel=0.05)
    assert abs(drawn.mean().item()) < 0.03


def test_mixup_by_hand():
    own = only(mixup=0.4)
    assert isinstance(own, Mixup)
    own.start_epoch(0, 3)
    images, labels = torch.arange(4.0).view(4, 1, 1).expand(4, 28, 28) * 10, torch.tensor([0, 1, 2, 3])
    mixed, share = own.images(images), own.shares[0]
    torch.testing.assert_close(mixed[:, 0, 0], share * images[:, 0, 0] + (1 - share) * images[own.partner, 0, 0])
    output = torch.randn(4, 10, generator=torch.Generator().manual_seed(2)).log_softmax(1)
    soft = share * F.one_hot(labels, 10) + (1 - share) * F.one_hot(labels[own.partner], 10)
    torch.testing.assert_close(regularisers.criterion([own])(output, labels), F.cross_entropy(output, soft.float()))


def test_mixups_shares_are_betas():
    own = only(mixup=0.4)
    own.start_epoch(0, 20_000)
    assert np.mean(own.shares) == pytest.approx(0.5, abs=0.01)
    assert np.var(own.shares) == pytest.approx(0.25 / (2 * 0.4 + 1), abs=0.005)


def test_cutout_blanks_a_square_with_the_mean():
    own = only(cutout=8)
    assert isinstance(own, Cutout)
    own.start_epoch(0, 1)
    images = torch.full((500, 28, 28), 200, dtype=torch.uint8)
    cut = own.images(images)
    assert cut.unique().tolist() == pytest.approx([255 * 0.1307, 200.0], abs=1e-4)
    blanked = (cut != 200).sum((1, 2))
    assert blanked.max() == 64
    assert 16 <= blanked.min() < 64, "the square's parts outside are cut off"
    assert torch.equal(images, torch.full((500, 28, 28), 200, dtype=torch.uint8))


def test_an_average_of_weights_by_hand():
    model = nn.Linear(1, 1, bias=False)
    model.weight.data.fill_(1.0)
    own = WeightAverage(RunConfig(ema=0.5), model, DIGITS)
    expected = 1.0
    for step, value in enumerate((2.0, 3.0, 5.0), 1):
        model.weight.data.fill_(value)
        own.after_step(0.1)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * value
    with own.in_place():
        assert model.weight.item() == pytest.approx(expected)
    assert model.weight.item() == 5.0


def test_spatial_dropout_drops_whole_channels_and_keeps_the_mean():
    x = torch.ones(2_000, 16, 3, 3)
    dropped = Block(16, 16, (3, 3), 0.0, 0.25).without_channels(x, torch.Generator().manual_seed(1))
    per_channel = dropped.flatten(2)
    assert torch.equal(per_channel.amin(2), per_channel.amax(2)), "all of a channel, or nothing of it"
    assert (per_channel[..., 0] == 0).double().mean().item() == pytest.approx(0.25, abs=0.01)
    assert dropped.mean().item() == pytest.approx(1.0, abs=0.02)
    model = SqueezeExpandNet(0.0, spatial_dropout=0.25).eval()
    images = torch.zeros(2, 28, 28, dtype=torch.uint8)
    assert torch.equal(model(images), model(images)), "none where the model is judged"


@pytest.mark.parametrize("schedule", ["cosine", "one-cycle"])
def test_schedules_are_torchs(schedule):
    c, steps = RunConfig(schedule=schedule, epochs=5, lr=0.1), 7
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=c.lr)
    total = c.epochs * steps
    scheduler = (
        torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, total)
        if schedule == "cosine"
        else torch.optim.lr_scheduler.OneCycleLR(optimizer, c.lr, total_steps=total, cycle_momentum=False)
    )
    for epoch in range(c.epochs):
        for step in range(steps):
            theirs = optimizer.param_groups[0]["lr"]
            assert optimizers.learning_rate(c, epoch, step, steps) == pytest.approx(theirs, rel=1e-6, abs=1e-9)
            optimizer.step()
            if epoch * steps + step < total - 1:
                scheduler.step()


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"optimizer": "adamw", "l1": "0.1", "l1_kind": "proximal"}, "l1_kind"),
        ({"optimizer": "adamw", "group_lasso": "0.1"}, "group_lasso"),
        ({"strength": "0.1"}, "strength"),
        ({"network": "my.module:net", "spatial_dropout": "0.1"}, "spatial_dropout"),
        ({"network": "no reference"}, "network"),
        ({"label_smoothing": "1"}, "label_smoothing"),
        ({"cutout": "-1"}, "cutout"),
        ({"dataset": "imagenet"}, "dataset"),
        ({"elastic_net_ratio": "2"}, "elastic_net_ratio"),
    ],
)
def test_what_does_not_fit_together_is_a_line(values, named):
    with pytest.raises(ConfigError, match=f"^{named}: expected|^{named}: is of") as caught:
        RunConfig.from_text(values)
    assert "\n" not in str(caught.value)


RANDOM = st.fixed_dictionaries(
    {},
    optional={name: st.just(value) for name, value in ON.items() if name not in {"group_lasso"}}
    | {
        "optimizer": st.sampled_from(["sgd", "adamw"]),
        "schedule": st.sampled_from(["constant", "step", "cosine", "one-cycle"]),
        "l2_scope": st.sampled_from(["all", "convolutions", "weights"]),
        "augmentation": st.sampled_from(["jitter-rotate", "none"]),
    },
)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(RANDOM)
def test_what_was_stopped_goes_on_to_the_same_numbers_with_any_parts(values):
    goes_on(values)


def test_what_was_stopped_goes_on_to_the_same_numbers_with_all_parts():
    goes_on(
        {name: value for name, value in ON.items() if name != "group_lasso"} | {"optimizer": "adamw", "schedule": "one-cycle"}
    )


def goes_on(values: dict[str, object]) -> None:
    c, splits = config(epochs=2, batch_size=100, **values), data(200)
    straight = loop.Learner(build(c), c)
    whole = [numbers(metrics) for metrics in loop.fit(straight, splits)]
    first = loop.Learner(build(c), c)
    next(loop.fit(first, splits))
    kept = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in first.state().items()}
    resumed = loop.Learner(build(c), c)
    resumed.restore(kept, 1)
    assert [numbers(metrics) for metrics in loop.fit(resumed, splits)] == whole[1:]
    own, others = straight.state(), resumed.state()
    assert own.keys() == others.keys()
    assert all(torch.equal(own[name], others[name]) for name in own)
