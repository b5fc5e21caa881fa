"""Networks and regularisers of the user's own: what they are given, what is asked of them, and that their code is part of a run's identity."""

import importlib
import os
import re
import sys

import mlflow
import pytest
import torch
import torch.nn.functional as F
from conftest import ROOT
from torch import nn

from regstudy import own_code
from regstudy.commands import cli
from regstudy.config import RunConfig
from regstudy.data.datasets import Inputs
from regstudy.errors import ConfigError
from regstudy.tracking import checkpoint
from regstudy.training import loop
from regstudy.training.network import SqueezeExpandNet, build, parameter_count
from tests.test_training import config, data, numbers

MINE = '''
import torch
from torch import nn

def small(shape, classes):
    channels, height, width = shape
    return nn.Sequential(nn.Conv2d(channels, 8, 3), nn.ReLU(), nn.Dropout(0.2), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(128, classes))

def normalised(shape, classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(shape[1] * shape[2], classes), nn.LogSoftmax(1))

class Tied(nn.Module):
    def __init__(self, shape, classes):
        super().__init__()
        self.first = nn.Linear(shape[1] * shape[2], classes)
        self.again = self.first
    def forward(self, x):
        return self.again(x.flatten(1))

def lazy(shape, classes):
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(classes))

def ends_with_bias(shape, classes):
    return nn.Sequential(nn.Conv2d(1, 8, 5), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, classes, 1), nn.Flatten())

def narrow(shape, classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 7))

def fails(shape, classes):
    raise ValueError("no idea")

def text(shape, classes):
    return "no network"

def frozen(shape, classes):
    return nn.Flatten()

def blind(shape, classes):
    return nn.Linear(3, classes)

class Pull:
    """L2 by hand: ½ · strength · Σw², as its gradient."""
    def __init__(self, strength):
        self.strength = strength
    def penalty(self, model):
        return 0.5 * self.strength * sum(p.square().sum() for p in model.parameters())

class Shrink:
    def __init__(self, strength):
        self.strength = strength
    def after_step(self, model, learning_rate):
        for p in model.parameters():
            p.mul_(1 - self.strength)

class Nan(Pull):
    def penalty(self, model):
        return torch.tensor(float("nan"))

class Vector(Pull):
    def penalty(self, model):
        return torch.ones(3)

def half_frozen(shape, classes):
    network = small(shape, classes)
    network[0].requires_grad_(False)
    return network

def weight_normalised(shape, classes):
    conv = nn.utils.parametrizations.weight_norm(nn.Conv2d(shape[0], 8, 3))
    return nn.Sequential(conv, nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(128, classes))

def without_matrices(shape, classes):
    return nn.Sequential(nn.Flatten(), nn.BatchNorm1d(shape[1] * shape[2]), nn.AdaptiveAvgPool1d(classes))

class Counting:
    """Holds numbers from step to step, one of them drawn when it is made."""
    def __init__(self, strength):
        self.strength, self.steps, self.drawn = strength, torch.zeros(()), torch.rand(())
    def penalty(self, model):
        self.steps = self.steps + 1
        return self.strength * self.steps * self.drawn * sum(p.square().sum() for p in model.parameters())
    def state_dict(self):
        return {"steps": self.steps}
    def load_state_dict(self, state):
        self.steps = state["steps"]

class Idle:
    def __init__(self, strength):
        pass
'''


@pytest.fixture
def mine(tmp_path):
    (tmp_path / "mine.py").write_text(MINE)
    return f"{tmp_path / 'mine.py'}"


def trained(c: RunConfig) -> list[tuple[float, ...]]:
    return [numbers(metrics) for metrics in loop.fit(loop.Learner(build(c), c), data(200))]


@pytest.mark.parametrize("size", [(1, 20, 20), (1, 28, 28), (3, 32, 40), (3, 64, 64)])
def test_the_published_network_takes_any_size_from_twenty_on(size):
    inputs = Inputs(*size, 7, (0.5,) * size[0], (0.25,) * size[0])
    model = build(RunConfig(), inputs)
    output = model.eval()(torch.zeros(3, *inputs.pixel_shape, dtype=torch.uint8))
    assert output.shape == (3, 7)
    torch.testing.assert_close(output.exp().sum(1), torch.ones(3))
    assert parameter_count(model) == 9 * 16 * size[0] + 4 * 9 * 256 + 5 * 32 + 16 * 7
    assert isinstance(model, SqueezeExpandNet)
    model.train()(torch.zeros(3, *inputs.pixel_shape, dtype=torch.uint8))


def test_smaller_images_are_a_line():
    with pytest.raises(ConfigError, match="squeeze-expand takes images from 20 × 20 pixels on, got 19 × 30"):
        build(RunConfig(), Inputs(1, 19, 30, 10, (0.1,), (0.3,)))


def test_an_own_network_is_given_standardised_images_and_gives_probabilities(mine):
    inputs = Inputs(3, 24, 32, 5, (0.5, 0.4, 0.3), (0.2, 0.2, 0.1))
    model = build(RunConfig(network=f"{mine}:small"), inputs).eval()
    pixels = torch.randint(256, (4, 3, 24, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    means, deviations = torch.tensor(inputs.mean).view(3, 1, 1), torch.tensor(inputs.sd).view(3, 1, 1)
    expected = F.log_softmax(model.network((pixels / 255 - means) / deviations), 1)
    torch.testing.assert_close(model(pixels), expected)


def test_log_probabilities_stay_what_they_are(mine):
    model = build(RunConfig(network=f"{mine}:normalised")).eval()
    pixels = torch.randint(256, (4, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(model(pixels), model.network(model.standardised(pixels)))


def test_kernels_of_the_last_layer_are_the_classes_with_a_bias_too(mine):
    c = config(network=f"{mine}:ends_with_bias", group_lasso=0.05)
    model = build(c)
    list(loop.fit(loop.Learner(model, c), data(200)))
    first, last = (module.weight.flatten(1) for module in model.modules() if isinstance(module, nn.Conv2d))
    assert (first == 0).all(1).any()
    assert not (last == 0).all(1).any()


def test_one_weight_by_two_names_is_kept_and_resumed(mine, tmp_path, monkeypatch):
    monkeypatch.setenv("REGSTUDY_CHECKPOINTS", str(tmp_path / "own"))
    c, run_id = config(network=f"{mine}:Tied"), "a" * 32
    whole = trained(c)
    first = loop.Learner(build(c), c)
    metrics = next(loop.fit(first, data(200)))
    checkpoint.save_after_epoch(run_id, [metrics], 2, first.state())
    saved = checkpoint.load(run_id)
    resumed = loop.Learner(build(c), c)
    resumed.restore(saved.state, 1)
    assert [numbers(metrics) for metrics in loop.fit(resumed, data(200))] == whole[1:]


@pytest.mark.parametrize("name", ["small", "normalised", "Tied", "lazy"])
def test_same_seed_same_numbers_whatever_the_global_state(mine, name):
    c = config(network=f"{mine}:{name}", l1=0.001)
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    one = trained(c)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(2)
    assert trained(c) == one
    assert trained(config(network=f"{mine}:{name}", l1=0.001, seed=5)) != one


def test_a_stopped_own_network_goes_on_to_the_same_numbers(mine):
    c = config(network=f"{mine}:small", regulariser=f"{mine}:Pull", strength=0.001, ema=0.9)
    whole = trained(c)
    first = loop.Learner(build(c), c)
    next(loop.fit(first, data(200)))
    kept = {name: tensor.clone() for name, tensor in first.state().items()}
    resumed = loop.Learner(build(c), c)
    resumed.restore(kept, 1)
    assert [numbers(metrics) for metrics in loop.fit(resumed, data(200))] == whole[1:]


def test_a_regulariser_that_holds_something_goes_on_to_the_same_numbers(mine):
    c = config(network=f"{mine}:small", regulariser=f"{mine}:Counting", strength=1e-4)
    whole = trained(c)
    first = loop.Learner(build(c), c)
    next(loop.fit(first, data(200)))
    kept = {name: tensor.clone() for name, tensor in first.state().items()}
    torch.manual_seed(77)
    resumed = loop.Learner(build(c), c)
    resumed.restore(kept, 1)
    assert [numbers(metrics) for metrics in loop.fit(resumed, data(200))] == whole[1:]


ON_WEIGHTS = {"l1": 0.1, "l2": 0.1, "elastic_net": 0.1, "group_lasso": 0.1, "weight_decay": 0.1, "max_norm": 0.01}


@pytest.mark.parametrize("name", ON_WEIGHTS)
@pytest.mark.parametrize("kind", ["sum", "proximal"])
def test_weights_that_are_frozen_stay_as_they_are(mine, name, kind):
    given = {name: ON_WEIGHTS[name], "network": f"{mine}:half_frozen", "epochs": 1}
    if name == "group_lasso":  # of convolutions, of which none is left
        with pytest.raises(ConfigError, match=r"group_lasso: expected .* a network that trains none of these"):
            trained(config(**given))
        return
    c = config(**given, l1_kind=kind)
    learner = loop.Learner(build(c), c)
    frozen, free = (learner.model.network[place].weight.clone() for place in (0, 5))
    list(loop.fit(learner, data(200)))
    assert torch.equal(learner.model.network[0].weight, frozen)
    assert not torch.equal(learner.model.network[5].weight, free)


@pytest.mark.parametrize(
    ("network", "values"),
    [
        ("weight_normalised", {"l1": 0.1, "l1_scope": "convolutions"}),
        ("weight_normalised", {"group_lasso": 0.1}),
        ("weight_normalised", {"weight_decay": 0.1, "l2_scope": "convolutions"}),
        ("without_matrices", {"weight_decay": 0.1, "l2_scope": "weights"}),
        ("without_matrices", {"max_norm": 0.1}),
    ],
)
def test_what_would_act_on_nothing_is_a_line(mine, network, values):
    c = config(network=f"{mine}:{network}", **values)
    with pytest.raises(ConfigError, match="expected something that acts on weights, got"):
        loop.Learner(build(c), c)


def test_normalised_weights_are_trained_under_a_penalty_of_all(mine):
    assert trained(config(network=f"{mine}:weight_normalised", l2=0.01, epochs=1, l2_scope="weights"))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("narrow", "expected logits or log-probabilities of shape (2, 10), got (2, 7)"),
        ("fails", "failed with the input shape (1, 28, 28) and 10 classes (ValueError: no idea)"),
        ("text", "expected an nn.Module, got str"),
        ("frozen", "expected one with parameters to train"),
        ("blind", "failed on images of shape (2, 1, 28, 28)"),
        ("missing", "has no 'missing'"),
    ],
)
def test_a_network_that_is_none_is_a_line(mine, name, told):
    with pytest.raises(ConfigError, match=re.escape(told)) as caught:
        build(RunConfig(network=f"{mine}:{name}"))
    assert f"{mine}:{name}" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_a_penalty_of_the_users_is_l2_by_hand(mine):
    ours = trained(config(l2=0.01, dropout=0.0))
    theirs = trained(config(regulariser=f"{mine}:Pull", strength=0.01, dropout=0.0))
    assert [row[0] for row in theirs] == pytest.approx([row[0] for row in ours], rel=1e-3)
    assert theirs != trained(config(dropout=0.0))
    assert trained(config(regulariser=f"{mine}:Shrink", strength=0.01)) != trained(config())


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Nan", "expected a penalty that is a finite scalar tensor, got tensor(nan)"),
        ("Vector", "got a tensor of shape (3,)"),
        ("Idle", "expected a class with a method penalty or after_backward or after_step"),
        ("small", "failed when it was called with its strength"),
    ],
)
def test_a_regulariser_that_is_none_is_a_line(mine, name, told):
    with pytest.raises(ConfigError, match=re.escape(told)):
        trained(config(regulariser=f"{mine}:{name}", strength=0.1))


def test_code_is_part_of_the_identity_and_its_place_is_not(mine, tmp_path):
    first = config(network=f"{mine}:small").resolved("mnist-5k")
    elsewhere = tmp_path / "other" / "mine.py"
    elsewhere.parent.mkdir()
    elsewhere.write_text(MINE)
    assert config(network=f"{elsewhere}:small").resolved("mnist-5k").digest() == first.digest()
    elsewhere.write_text(MINE + "\n# another\n")
    assert config(network=f"{elsewhere}:small").resolved("mnist-5k").digest() != first.digest()
    with pytest.raises(ConfigError, match="has a digest once its own code is resolved"):
        config(network=f"{mine}:small").digest()


def test_a_regulariser_that_is_off_is_none(mine):
    off = config(regulariser=f"{mine}:Pull").resolved("mnist-5k")
    assert off.digest() == config().digest()
    assert trained(off) == trained(config())


def test_of_a_package_all_its_source_counts(tmp_path, monkeypatch):
    package = tmp_path / "nets_of_mine"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "layers.py").write_text("WIDTH = 4\n")
    (package / "model.py").write_text("from nets_of_mine import layers\n\ndef net(shape, classes):\n    return layers.WIDTH\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    reference = "nets_of_mine.model:net"
    assert set(own_code.sources(reference)) == {"nets_of_mine/__init__.py", "nets_of_mine/layers.py", "nets_of_mine/model.py"}
    before = own_code.digest([reference])
    (package / "layers.py").write_text("WIDTH = 5\n")
    assert own_code.digest([reference]) != before
    assert own_code.load(reference)(None, None) in {4, 5}


@pytest.mark.parametrize(
    ("reference", "told"),
    [
        ("no_such_module_here:net", "there is no module 'no_such_module_here'"),
        ("/no/such/file.py:net", "there is no file '/no/such/file.py'"),
    ],
)
def test_code_that_is_not_there_is_a_line(reference, told):
    with pytest.raises(ConfigError, match=re.escape(told)):
        own_code.load(reference)


def test_code_that_cannot_be_imported_is_a_line(tmp_path):
    (tmp_path / "broken.py").write_text("import this is no python\n")
    with pytest.raises(ConfigError, match=r"cannot be imported \(SyntaxError"):
        own_code.load(f"{tmp_path / 'broken.py'}:net")


def test_installed_packages_have_a_version():
    assert own_code.described(["torch.nn:Linear"])[0]["version"].startswith("torch ")
    assert set(own_code.sources("torch.nn:Linear")) == {"__init__.py"}, "not all of PyTorch is kept on each run"
    assert isinstance(nn.Linear(1, 1), own_code.load("torch.nn:Linear"))


ODD = """
import torch
from torch import nn

class Late(nn.Module):
    def __init__(self, shape, classes):
        super().__init__()
        self.last, self.calls = nn.Linear(784, classes), 0
    def forward(self, x):
        self.calls += self.training
        if self.calls > 2:
            raise RuntimeError("no more")
        return self.last(x.flatten(1))

def double(shape, classes):
    return nn.Sequential(nn.Flatten(), Cast(), nn.Linear(784, classes).double())

class Cast(nn.Module):
    def forward(self, x):
        return x.double()

class Detached(nn.Module):
    def __init__(self, shape, classes):
        super().__init__()
        self.last = nn.Linear(784, classes)
    def forward(self, x):
        return self.last(x.flatten(1)).detach()

class Squeezed(nn.Module):
    def __init__(self, shape, classes):
        super().__init__()
        self.last = nn.Linear(784, classes)
    def forward(self, x):
        return self.last(x.flatten(1)).squeeze()

def normalises_batches(shape, classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(784, classes), nn.BatchNorm1d(classes))

def softmax(shape, classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(784, classes), nn.Softmax(1))

def leaves(shape, classes):
    raise SystemExit(3)
"""


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("double", "expected numbers of type torch.float32, got torch.float64"),
        ("Squeezed", r"expected numbers of shape \(1, 10\) for one image, got \(10,\)"),
        ("Detached", "got what has no gradient"),
        ("softmax", "got probabilities from .*: leave its softmax out"),
        ("leaves", r"failed with the input shape .* \(SystemExit: 3\): mend it"),
    ],
)
def test_an_odd_network_is_a_line(tmp_path, name, told):
    (tmp_path / "odd.py").write_text(ODD)
    with pytest.raises(ConfigError, match=told) as caught:
        build(config(network=f"{tmp_path}/odd.py:{name}"))
    assert "\n" not in str(caught.value)


def test_a_network_that_fails_while_it_trains_is_a_line_with_its_own(workspace, capsys):
    (workspace / "odd.py").write_text(ODD)
    options = ["--dataset", "mnist-5k", "--epochs", "1", "--threads", "1", "--network", "odd.py:Late"]
    assert cli.main(["train", *options]) == 2
    said = capsys.readouterr().err
    assert "odd.py:Late' failed in training, in line 12 (RuntimeError: no more): mend it" in said
    assert "Traceback" not in said
    (run,) = mlflow.MlflowClient().search_runs(["0"])
    assert run.info.status == "FAILED"


def test_a_network_of_torchs_own_layers_that_fails_while_it_trains_is_a_line(workspace, capsys):
    (workspace / "odd.py").write_text(ODD)
    options = ["--dataset", "mnist-5k", "--epochs", "1", "--threads", "1", "--network", "odd.py:normalises_batches"]
    assert cli.main(["train", *options, "--batch-size", "3999"]) == 2  # one image is left for the last
    said = capsys.readouterr().err
    assert "odd.py:normalises_batches' failed in training (ValueError: Expected more than 1 value per channel" in said
    assert "Traceback" not in said


def test_what_a_file_imports_from_its_folder_is_part_of_it(tmp_path, monkeypatch):
    place = tmp_path / "code"
    (place / "parts").mkdir(parents=True)
    (place / "net.py").write_text("from heads_of_mine import head\ndef f(shape, classes):\n    return head(classes)\n")
    (place / "heads_of_mine.py").write_text(
        "from parts.of_mine import flat\nfrom torch import nn\ndef head(n): return nn.Sequential(flat(), nn.Linear(784, n))\n"
    )
    (place / "parts" / "__init__.py").write_text("")
    (place / "parts" / "of_mine.py").write_text("from torch import nn\ndef flat(): return nn.Flatten()\n")
    monkeypatch.chdir(tmp_path)
    reference = "code/net.py:f"
    assert set(own_code.sources(reference)) == {"net.py", "heads_of_mine.py", "parts/__init__.py", "parts/of_mine.py"}
    before = own_code.digest([reference])
    assert parameter_count(build(config(network=reference))) == 7850
    (place / "heads_of_mine.py").write_text(
        "from torch import nn\ndef head(n): return nn.Sequential(nn.Flatten(), nn.Linear(784, n, bias=False))\n"
    )
    assert own_code.digest([reference]) != before
    assert parameter_count(build(config(network=reference))) == 7840, "another version of it is another network"


def test_a_file_in_this_projects_folder_takes_none_of_it_along(tmp_path):
    """Neither into its identity, nor out of what is loaded."""
    (tmp_path / "regstudy").symlink_to(ROOT / "regstudy")
    (tmp_path / "net.py").write_text(
        "from regstudy.config import RunConfig\nfrom torch import nn\ndef f(shape, n): return nn.Sequential(nn.Flatten(), nn.Linear(784, n))\n"
    )
    loaded = sys.modules["regstudy.config"]
    assert set(own_code.sources(f"{tmp_path}/net.py:f")) == {"net.py"}
    build(config(network=f"{tmp_path}/net.py:f"))
    assert sys.modules["regstudy.config"] is loaded


def test_two_folders_modules_of_one_name_stay_two(tmp_path):
    for place, width in (("a", 3), ("b", 5)):
        (tmp_path / place).mkdir()
        (tmp_path / place / "width_of_mine.py").write_text(f"WIDTH = {width}\n")
        (tmp_path / place / "net.py").write_text(
            "from width_of_mine import WIDTH\nfrom torch import nn\n"
            "def f(shape, n): return nn.Sequential(nn.Flatten(), nn.Linear(784, WIDTH), nn.Linear(WIDTH, n))\n"
        )
    counts = [parameter_count(build(config(network=f"{tmp_path}/{place}/net.py:f"))) for place in "ab"]
    assert counts == [785 * width + (width + 1) * 10 for width in (3, 5)]


def test_a_module_that_was_changed_since_it_was_imported_is_a_line(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "worked_on.py").write_text("class Pull:\n    strength = 1\n")
    assert own_code.load("worked_on:Pull").strength == 1
    (tmp_path / "worked_on.py").write_text("class Pull:\n    strength = 2\n")
    with pytest.raises(ConfigError, match="'worked_on:Pull' has changed since it was imported here: restart this program"):
        own_code.load("worked_on:Pull")


def test_a_module_that_was_imported_anew_is_what_it_is_now(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "reloaded.py").write_text("class Pull:\n    strength = 1\n")
    assert own_code.load("reloaded:Pull").strength == 1
    (tmp_path / "reloaded.py").write_text("class Pull:\n    strength = 1000\n")
    importlib.reload(sys.modules["reloaded"])
    assert own_code.load("reloaded:Pull").strength == 1000


@pytest.mark.parametrize(
    ("held", "told"),
    [
        ("{'a': {}}", "failed in state_dict, which is to give numbers or tensors by name"),
        ("{'a': 1}", "failed in load_state_dict"),
    ],
)
def test_a_state_that_cannot_be_kept_is_a_line(tmp_path, held, told):
    (tmp_path / "held.py").write_text(
        f"class Held:\n    def __init__(self, strength): pass\n    def after_step(self, model, rate): pass\n    def state_dict(self): return {held}\n    def load_state_dict(self, state): raise KeyError('b')\n"
    )
    c = config(regulariser=f"{tmp_path}/held.py:Held", strength=0.1)
    learner = loop.Learner(build(c), c)
    with pytest.raises(ConfigError, match=told):
        learner.restore(learner.state(), 0)


def test_a_checkpoint_without_a_regularisers_state_is_gone_on_from(mine):
    c = config(network=f"{mine}:small", regulariser=f"{mine}:Counting", strength=1e-4)
    learner = loop.Learner(build(c), c)
    kept = {name: tensor for name, tensor in learner.state().items() if not name.startswith("own_regulariser/")}
    learner.restore(kept, 0)


def test_a_file_that_was_changed_within_a_second_is_read_anew(tmp_path):
    file = tmp_path / "worked_on.py"
    for value in (1, 2, 3):
        file.write_text(f"class Pull:\n    strength = {value}\n")
        os.utime(file, (1_700_000_000, 1_700_000_000))
        assert own_code.load(f"{file}:Pull").strength == value


def test_a_configuration_without_code_of_ones_own_is_that_of_one_that_never_had_any(mine):
    had = RunConfig(network=f"{mine}:small", dataset="mnist").resolved("mnist")
    assert had.changed(network="squeeze-expand").resolved("mnist").digest() == RunConfig(dataset="mnist").digest()
    assert (
        RunConfig(dataset="mnist", elastic_net_ratio=-0.0).digest() == RunConfig(dataset="mnist", elastic_net_ratio=0).digest()
    )
