"""One configuration: what it accepts, what it refuses and in which words, and what its digest covers."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from regstudy.config import RECIPES, RunConfig, expected
from regstudy.errors import ConfigError

finite = st.floats(min_value=0, max_value=1e6, allow_nan=False)


@pytest.mark.parametrize("text", ["0.001", "1e-3", " .001", "1E-3"])
def test_one_factor_in_many_spellings_is_one_configuration(text):
    assert RunConfig.from_text({"l1": text, "dataset": "mnist"}).digest() == RunConfig(l1=0.001, dataset="mnist").digest()


@pytest.mark.parametrize(
    ("field", "text", "wanted"),
    [
        ("l1", "-1", "a finite number ≥ 0"),
        ("l1", "1e308", "a finite number ≥ 0, at most 1e+38"),
        ("l1", "nan", "a finite number ≥ 0"),
        ("l2", "inf", "a finite number ≥ 0"),
        ("l2", "-inf", "a finite number ≥ 0"),
        ("l1", "abc", "a finite number ≥ 0"),
        ("l1", "", "a finite number ≥ 0"),
        ("l1", "true", "a finite number ≥ 0"),
        ("l1", "1e-400", "a finite number ≥ 0"),
        ("l1", "0.00_1", "a finite number ≥ 0"),
        ("epochs", "1_0", "a whole number ≥ 1"),
        ("epochs", "0", "a whole number ≥ 1"),
        ("epochs", "1.5", "a whole number ≥ 1"),
        ("epochs", "-3", "a whole number ≥ 1"),
        ("batch_size", "0", "a whole number ≥ 1"),
        ("threads", "0", "a whole number from 1 to 1,024"),
        ("threads", "99999", "a whole number from 1 to 1,024"),
        ("seed", "-1", "a whole number ≥ 0"),
        ("lr", "0", "a finite number > 0"),
        ("momentum", "1", "a number ≥ 0 and < 1"),
        ("dropout", "1", "a number ≥ 0 and < 1"),
        ("dataset", "cifar", expected("dataset")),
        ("dataset", "folder:", expected("dataset")),
        ("network", "resnet18", "squeeze-expand, or package.module:name or path/to/file.py:name for your own"),
        ("image_size", "10", "a whole number of pixels from 20 to 1,024"),
        ("recipe", "secret", "one of published, corrected"),
        ("schedule", "linear", "one of constant, step, cosine, one-cycle"),
        ("device", "tpu", "one of auto, cpu, cuda, mps"),
    ],
)
def test_bad_text_is_refused_in_one_line_that_names_it(field, text, wanted):
    with pytest.raises(ConfigError) as caught:
        RunConfig.from_text({field: text})
    assert str(caught.value) == f"{field}: expected {wanted}, got {text!r}"


@pytest.mark.parametrize(("field", "limit"), [("seed", "9,223,372,036,854,775,807"), ("epochs", "2,147,483,648")])
@pytest.mark.parametrize("text", ["99999999999999999999", "9223372036854775808"])
def test_a_number_that_is_too_large_is_told_the_limit(field, limit, text):
    with pytest.raises(ConfigError, match=f", at most {limit}, got '{text}'"):
        RunConfig.from_text({field: text})


def test_unknown_parameter_is_named_with_the_known_ones():
    with pytest.raises(ConfigError, match="unknown parameter 'bogus': expected one of l1, l2, seed"):
        RunConfig.from_text({"bogus": "1"})


@pytest.mark.parametrize("field", ["l1", "l2", "seed", "epochs", "lr", "momentum", "dropout", "threads"])
def test_a_boolean_is_no_number(field):
    with pytest.raises(ValidationError):
        RunConfig.model_validate({field: True})


def test_a_configuration_cannot_be_changed():
    with pytest.raises(ValidationError):
        RunConfig().l1 = 0.5  # pyright: ignore[reportAttributeAccessIssue]  # that is the point


def test_empty_text_for_an_optional_field_means_not_given():
    config = RunConfig.from_text({"data_root": "", "threads": ""})
    assert config.data_root is None
    assert config.threads is None


def test_corrected_recipe_changes_what_the_protocol_says_and_each_value_can_be_overridden():
    config = RunConfig(recipe="corrected")
    assert config.model_dump(include=set(RECIPES["corrected"])) == RECIPES["corrected"]
    assert (config.validation_size, config.l1_kind, config.l1_scope, config.l2_scope) == (
        10_000,
        "proximal",
        "convolutions",
        "convolutions",
    )
    assert RunConfig(recipe="corrected", l1_kind="sum").l1_kind == "sum"
    assert RunConfig(recipe="corrected", validation_size=0).validation_size == 0


def test_published_recipe_is_the_published_study():
    config = RunConfig()
    assert (config.epochs, config.batch_size, config.lr, config.momentum, config.dropout) == (40, 128, 0.025, 0.9, 0.05)
    assert (config.schedule, config.l1_kind, config.l1_scope, config.l2_scope) == ("constant", "mean", "all", "all")
    assert config.validation_size == 0


@given(l1=finite, l2=finite, seed=st.integers(0, 2**63 - 1))
def test_canonical_json_gives_the_configuration_back(l1, l2, seed):
    config = RunConfig(l1=l1, l2=l2, seed=seed, dataset="mnist")
    again = RunConfig.model_validate_json(config.canonical_json())
    assert again == config
    assert again.digest() == config.digest()


@given(l1=finite, other=finite)
def test_digests_differ_exactly_where_factors_do(l1, other):
    one, two = (RunConfig(l1=value, dataset="mnist").digest() for value in (l1, other))
    assert (one == two) == (l1 == other)


@pytest.mark.parametrize("changed", [{"device": "cuda"}, {"threads": 7}, {"data_root": "/elsewhere"}])
def test_digest_ignores_where_a_run_happens(changed):
    assert RunConfig.model_validate({"dataset": "mnist"} | changed).digest() == RunConfig(dataset="mnist").digest()


def test_digest_follows_values_not_the_recipes_name():
    spelled_out = RunConfig.model_validate({"dataset": "mnist", **RECIPES["corrected"]})
    assert spelled_out.digest() == RunConfig(recipe="corrected", dataset="mnist").digest()


def test_digest_covers_every_field_that_decides_numbers():
    base = RunConfig(dataset="mnist")
    other = {
        "l1": 0.1, "l2": 0.1, "seed": 1, "epochs": 1, "dataset": "fashion-mnist", "batch_size": 1, "lr": 0.1, "momentum": 0.1,
        "schedule": "step", "dropout": 0.1, "augmentation": "none", "validation_size": 1, "l1_kind": "sum",
        "l1_scope": "convolutions", "l2_scope": "convolutions", "optimizer": "adamw", "elastic_net": 0.1, "elastic_net_ratio": 0.1,
        "group_lasso": 0.1, "weight_decay": 0.1, "label_smoothing": 0.1, "spatial_dropout": 0.1, "mixup": 0.1, "cutout": 1,
        "gradient_noise": 0.1, "max_norm": 0.1, "ema": 0.1, "strength": 0.1, "network": "a.b:c", "regulariser": "a.b:c", "own_code": "0",
    }  # fmt: skip
    assert set(other) == set(base.identity())
    own = {"network": {"own_code": "1"}, "regulariser": {"own_code": "1"}}
    digests = {base.model_copy(update={name: value, **own.get(name, {})}).digest() for name, value in other.items()}
    assert len(digests | {base.digest()}) == len(other) + 1


def test_replicates_share_the_configuration_digest():
    assert (
        RunConfig(seed=1, dataset="mnist").configuration_digest() == RunConfig(seed=2, dataset="mnist").configuration_digest()
    )
    assert RunConfig(l1=1, dataset="mnist").configuration_digest() != RunConfig(l1=2, dataset="mnist").configuration_digest()


def test_an_unresolved_data_set_has_no_digest():
    with pytest.raises(ConfigError, match="auto"):
        RunConfig().digest()


def test_negative_zero_is_zero():
    assert math.copysign(1, RunConfig(l1=-0.0).l1) == 1


def test_run_name_says_the_configuration():
    assert RunConfig(l1=0.001, dataset="mnist").run_name() == "L1 0.001 · seed 0"
    name = RunConfig(recipe="corrected", l2=5e-4, seed=3, epochs=2, lr=0.01, dataset="mnist-5k", validation_size=0).run_name()
    assert name == "L2 0.0005 · seed 3 · epochs 2 · lr 0.01 · validation_size 0 · corrected · mnist-5k"
    named = RunConfig(l1=0.001, lr=0.1, dataset="mnist-5k").run_name
    assert named("L1 0.001, lr 0.1") == "L1 0.001, lr 0.1 · seed 0 · mnist-5k", "nothing is said twice"
    assert named("ours") == "ours · seed 0 · L1 0.001 · lr 0.1 · mnist-5k"
    assert len(RunConfig(regulariser=f"{'module_' * 40}:C", strength=1).run_name()) == 120


def test_every_field_says_what_it_takes():
    assert all(expected(name) for name in RunConfig.model_fields)
    assert [name for name in RunConfig.model_fields if expected(name) == "a folder"] == ["data_root", "own_code"]
    assert json.loads(RunConfig().canonical_json())["l1"] == 0
