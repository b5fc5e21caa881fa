"""The published network, layer by layer, and its initialisation."""

import math

import torch
from torch import nn

from regstudy.config import RunConfig
from regstudy.training.network import PARAMETERS, SqueezeExpandNet, blocks, build, convolutions, parameter_count


def published() -> nn.Sequential:
    """The network as the study's table writes it, in torch's own layers."""

    def block(i: int, o: int) -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(i, o, 3, bias=False), nn.ReLU(), nn.BatchNorm2d(o), nn.Dropout(0.05))

    return nn.Sequential(
        block(1, 16), block(16, 16), nn.MaxPool2d(2), block(16, 16), block(16, 16), block(16, 16), nn.AvgPool2d(6),
        nn.Conv2d(16, 10, 1, bias=False), nn.Flatten(), nn.LogSoftmax(-1),
    )  # fmt: skip


def test_it_has_the_published_parameters():
    model = build(RunConfig())
    assert parameter_count(model) == PARAMETERS == 9_680
    assert [w.numel() for w in convolutions(model).values()] == [144, 2_304, 2_304, 2_304, 2_304, 160]
    assert parameter_count(published()) == 9_680


def test_it_computes_what_the_published_layers_compute():
    model, reference = build(RunConfig()), published()
    reference.load_state_dict(dict(zip(reference.state_dict(), model.state_dict().values(), strict=True)))
    pixels = torch.randint(0, 256, (4, 28, 28), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    normalised = ((pixels.float() / 255 - 0.1307) / 0.3081)[:, None]
    torch.testing.assert_close(model.eval()(pixels), reference.eval()(normalised))


def test_training_mode_without_dropout_is_the_reference_too():
    model, reference = build(RunConfig(dropout=0.0)), published()
    reference.load_state_dict(dict(zip(reference.state_dict(), model.state_dict().values(), strict=True)))
    for module in reference.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    pixels = torch.randint(0, 256, (8, 28, 28), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    normalised = ((pixels.float() / 255 - 0.1307) / 0.3081)[:, None]
    torch.testing.assert_close(model.train()(pixels), reference.train()(normalised))
    for ours, theirs in zip(model.buffers(), reference.buffers(), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_shapes_inside_are_the_published_ones():
    model, shapes = build(RunConfig()).eval(), []
    for layer in model.features:
        layer.register_forward_hook(lambda _m, _i, output: shapes.append(tuple(output.shape[1:])))
    model(torch.zeros(1, 28, 28))
    assert shapes == [(16, 26, 26), (16, 24, 24), (16, 12, 12), (16, 10, 10), (16, 8, 8), (16, 6, 6), (16, 1, 1)]


def test_initialisation_is_torchs_default_from_the_configurations_seed():
    one, again, other = build(RunConfig(seed=1)), build(RunConfig(seed=1)), build(RunConfig(seed=2))
    for name, weight in convolutions(one).items():
        bound = 1 / math.sqrt(weight[0].numel())
        assert weight.abs().max() <= bound
        assert abs(weight.std() - bound / math.sqrt(3)) < 0.1 * bound
        assert torch.equal(weight, convolutions(again)[name])
        assert not torch.equal(weight, convolutions(other)[name])


def test_global_random_state_is_neither_read_nor_moved():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one = build(RunConfig())
    torch.manual_seed(2)
    two = build(RunConfig())
    assert all(torch.equal(a, b) for a, b in zip(convolutions(one).values(), convolutions(two).values(), strict=True))
    torch.manual_seed(1)
    SqueezeExpandNet.forward(one.train(), torch.zeros(2, 28, 28))
    assert torch.equal(torch.get_rng_state(), before)


def test_dropout_zeroes_five_percent_and_keeps_the_mean():
    model = build(RunConfig()).train()
    model.use_generator(torch.Generator().manual_seed(0))
    outputs = []
    first = blocks(model)[0]
    first.register_forward_hook(lambda _m, _i, output: outputs.append(output.detach()))
    pixels = torch.randint(0, 256, (64, 28, 28), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    model(pixels)
    with_dropout = outputs.pop()
    model.dropout = 0.0
    model(pixels)
    without = outputs.pop()
    dropped = (with_dropout == 0) & (without != 0)
    share = dropped.double().mean().item()
    assert abs(share - 0.05) < 5 * math.sqrt(0.05 * 0.95 / dropped.numel())
    torch.testing.assert_close(with_dropout[~dropped], without[~dropped] / 0.95)
