"""Designs: what is shipped, what a file may say, and that a mistake is named by line, field and what was expected."""

import json

import jsonschema
import pytest
from conftest import ROOT

from regstudy.config import RunConfig
from regstudy.design import design, design_file, plain_yaml
from regstudy.design.trial import trial_digest
from regstudy.errors import DesignError

SMALL = """\
name: mine
about: A question
configurations:
  - {l1: 0}
  - {l1: 1e-3}
seeds: [3, 7]
"""
PUBLISHED = (design_file.SHIPPED / "published.yaml").read_text()


def names(d: design.Design) -> list[str]:
    return [trial.configuration for trial in d.trials({"mnist": "digest"})]


def test_the_shipped_designs_are_the_published_studies():
    assert design_file.shipped() == [
        "factorial",
        "factorial-tuning",
        "fashion",
        "fashion-minus-mnist",
        "published",
        "published-factors",
        "published-stepped",
        "published-v2",
        "sweep-l1",
        "sweep-l2",
    ]
    four = ["none", "L1 0.001", "L2 0.0005", "L1 0.001 + L2 0.0005"]
    assert names(design_file.load("published"))[:4] == four
    assert names(design_file.load("published-v2"))[:4] == ["none", "L1 0.0005", "L2 0.0001", "L1 0.0005 + L2 0.0001"]
    assert names(design_file.load("sweep-l1"))[:5] == ["none", "L1 0.0001", "L1 0.0005", "L1 0.001", "L1 0.005"]
    assert names(design_file.load("sweep-l2"))[:5] == ["none", "L2 0.0001", "L2 0.0005", "L2 0.001", "L2 0.005"]
    shared = {
        name for trials in (names(design_file.load("published")), names(design_file.load("published-v2"))) for name in trials
    }
    assert set(names(design_file.load("published-factors"))) < shared, "nothing more has to be trained for it"
    stepped = design_file.load("published-stepped").trials({"mnist": "digest"})
    assert {trial.config.schedule for trial in stepped} == {"step"}
    assert [trial.configuration for trial in stepped[:4]] == four
    factorial, tuning = design_file.load("factorial"), design_file.load("factorial-tuning")
    assert not {*factorial.seeds} & {*tuning.seeds}
    assert factorial.recipe == tuning.recipe
    assert tuning.endpoint == "endpoint/validation_loss"
    fashion = design_file.load("fashion")
    assert fashion.overrides == {"dataset": "fashion-mnist"}
    assert names(fashion)[:4] == four
    both = {"mnist": "a", "fashion-mnist": "b"}
    there = [design_file.load("published").trials({"mnist": "a"}), fashion.trials({"fashion-mnist": "b"})]
    known = {trial.digest for trials in there for trial in trials}
    asked = design_file.load("fashion-minus-mnist").with_changes(seeds=fashion.seeds, epochs=None, dataset=None)
    assert {trial.digest for trial in asked.trials(both)} < known, "nothing more has to be trained for it"


def test_published_trials_are_what_a_single_run_of_the_recipe_is():
    trial = design_file.load("published").trials({"mnist": "digest"})[1]
    assert trial.config == RunConfig(l1=0.001, dataset="mnist", seed=0)
    assert trial.digest == trial_digest(RunConfig(l1=0.001, dataset="mnist"), "digest")


def test_identity_is_configuration_data_and_numerics(monkeypatch):
    base = RunConfig(l1=0.001, dataset="mnist")
    digests = {trial_digest(base, "a"), trial_digest(base, "b")}
    digests.add(trial_digest(base.model_copy(update={"seed": 1}), "a"))
    assert trial_digest(base.model_copy(update={"threads": 1, "device": "cpu", "data_root": "/x"}), "a") in digests
    monkeypatch.setattr("regstudy.design.trial.NUMERICS_VERSION", 0)
    digests.add(trial_digest(base, "a"))
    assert len(digests) == 4


def test_trials_come_block_by_block():
    trials = design_file.parse(SMALL, "f").trials({"mnist": "digest"})
    assert [(t.config.seed, t.config.l1) for t in trials] == [(3, 0.0), (3, 0.001), (7, 0.0), (7, 0.001)]


def test_a_grid_is_every_combination():
    d = design_file.parse("name: g\nabout: x\ngrid: {l1: [0, 0.1], lr: [0.01, 0.1]}\nseeds: 1\n", "f")
    assert names(d) == ["none, lr 0.01", "none, lr 0.1", "L1 0.1, lr 0.01", "L1 0.1, lr 0.1"]


def test_the_digest_leaves_out_seeds_and_nothing_else():
    d = design_file.load("published")
    assert d.with_changes(seeds=[1, 2], epochs=None, dataset=None).digest == d.digest
    assert d.with_changes(seeds=None, epochs=3, dataset=None).digest != d.digest
    assert d.with_changes(seeds=None, epochs=None, dataset="fashion-mnist").digest != d.digest


@pytest.mark.parametrize("name", design_file.shipped())
def test_a_design_written_out_reads_back(name):
    d = design_file.load(name)
    if d.unset():
        with pytest.raises(DesignError, match="leaves l1 and l2 open: give --set l1=VALUE --set l2=VALUE"):
            d.with_values({})
        d = d.with_values({"l1": "1e-5", "l2": "0.0001"})
        assert names(d)[:4] == ["none", "L2 0.0001", "L1 1e-05", "L1 1e-05 + L2 0.0001"]
    again = design_file.parse(d.to_yaml(), "again")
    assert again.digest == d.digest
    assert again.trials({"mnist": "x"}) == d.trials({"mnist": "x"})


def test_only_open_values_can_be_set():
    with pytest.raises(DesignError, match="--set l1: the design published leaves no such field open"):
        design_file.load("published").with_values({"l1": "0.1"})


def test_the_schema_is_the_committed_one_and_holds_the_shipped_designs():
    schema = json.loads((design_file.SHIPPED / "design.schema.json").read_text())
    assert schema == design_file.json_schema()
    for name in design_file.shipped():
        _, content = plain_yaml.read(
            (design_file.SHIPPED / f"{name}.yaml").read_text()
        )  # in which `on` is a word, as YAML 1.2 has it
        jsonschema.validate(content, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"name": "x", "about": "y", "seeds": 0, "grid": {"l1": [0]}}, schema)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seeds: 10", "seeds: 0", "line 11: seeds: expected a number of seeds from 1 to 100,000, or a list of seeds, got 0"),
        ("seeds: 10", "seeds: [1, 1]", "line 11: seeds: a seed is listed twice"),
        (
            "endpoint: endpoint/test_accuracy",
            "endpoint: kernels/dead",
            "line 12: endpoint: expected a number of which it is known which way is better, one of endpoint/test_accuracy,",
        ),
        (
            "endpoint: endpoint/test_accuracy",
            "endpoint: endpoint/validation_loss",
            "line 12: endpoint: endpoint/validation_loss is recorded only where training images are held out: set validation_size above 0",
        ),
        ("seeds: 10", "seeds: ten", "line 11: seeds: expected a number of seeds"),
        ("seeds: 10", "seeds: 99999", "line 11: seeds: this makes 399,996 trials"),
        ("{l1: 0, l2: 0}", "{l1: -1, l2: 0}", "line 7: l1: expected a finite number ≥ 0, got '-1'"),
        ("{l1: 0, l2: 0.0005}", "{l1: -1, l2: 0.0005}", "line 9: l1: expected a finite number ≥ 0, got '-1'"),
        ("{l1: 0, l2: 0}", "{lone: 0}", "line 7: configurations.0.lone: expected one of l1, l2, epochs"),
        ("{l1: 0, l2: 0}", "{dataset: mnist}", "line 7: configurations.0.dataset: expected one of l1, l2, epochs"),
        ("{l1: 0, l2: 0}", "{l1: 0.001, l2: 0.0}", "line 8: configurations.1: this configuration is there twice"),
        ("recipe: published", "recipe: publshed", "line 5: recipe: expected 'published' or 'corrected', got 'publshed'"),
        ("alpha: 0.05", "alpha: 2", "line 14: alpha: input should be less than 1, got 2"),
        ("alpha: 0.05", "alfa: 0.05", "line 14: alfa: unknown field, expected one of name, about"),
        ("expect: higher", "expect: big", "line 19: claims.0.contrasts.0.expect: expected 'higher', 'lower'"),
        ("of: {l1: 0.001}", "of: {l1: 0.002}", "line 19: claims.0.contrasts.0.of: l1 0.002 is no configuration of this study"),
        ("of: {l1: 0.001}", "of: {l1: yes}", "line 19: claims.0.contrasts.0.of.l1: expected a number or a word, got True"),
        (
            "against: {l1: 0}",
            "against: {l1: 0.001}",
            "line 23: claims.1.contrasts.0: this compares a configuration with itself",
        ),
        ("[l1-best, l2-worse]", "[l1-worst]", "line 53: claims.8.together: 'l1-worst' is no claim before this one"),
        ("margin: 0.05\n", "margin: 0.05\nmargin: 0.06\n", "line 14: is not YAML: 'margin' is there twice"),
        ("about: >-", "about", "is not YAML"),
        ("recipe: published", "overrides: {lr: .nan}", "line 5: lr: expected a finite number > 0, got 'nan'"),
        ("recipe: published", "overrides: {seed: 3}", "line 5: overrides.seed: expected one of"),
        ("recipe: published", "overrides: {l1: 3}", "line 5: overrides.l1: is set for single configurations too"),
        (
            "scale: ratio, margin: 0.8}",
            "scale: ratio, margin: 1}",
            "line 23: claims.1.contrasts.0: margin: a ratio of 1 is no difference",
        ),
        ("of: {l1: 0.001}", "of: {l9: 0.001}", "line 19: claims.0.contrasts.0.of.l9: expected one of l1, l2"),
        ("of: {l1: 0.001}", "of: {seed: 3}", "line 19: claims.0.contrasts.0.of.seed: expected one of l1, l2"),
    ],
)
def test_a_mistake_is_named(old, new, message):
    assert old in PUBLISHED
    with pytest.raises(DesignError) as caught:
        design_file.parse(PUBLISHED.replace(old, new, 1), "my.yaml")
    assert str(caught.value).startswith("my.yaml")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ("{l1: 0.001}", "line 3: grid.l1: expected a list, such as [0, 0.001], got 0.001"),
        ("{l1: []}", "line 3: grid.l1: expected at least one value"),
    ],
)
def test_a_grid_is_made_of_lists(grid, message):
    with pytest.raises(DesignError) as caught:
        design_file.parse(f"name: g\nabout: x\ngrid: {grid}\nseeds: 1\n", "my.yaml")
    assert message in str(caught.value)


def test_values_that_make_two_configurations_equal_are_named():
    with pytest.raises(DesignError, match=r"--set l1=0,l2=0: .*this configuration is there twice"):
        design_file.load("factorial").with_values({"l1": "0", "l2": "0"})


@pytest.mark.parametrize("text", ["", "3", "- a", "\0", "a: !!python/object:os.x {}", "a: &x [*x]"])
def test_what_is_no_design_is_refused(text):
    with pytest.raises(DesignError, match=r"my\.yaml"):
        design_file.parse(text, "my.yaml")


def test_an_unknown_design_is_named_with_the_shipped_ones(tmp_path):
    with pytest.raises(
        DesignError, match=r"there is no design 'nonesuch' in .*: expected the path of a YAML file, or one of factorial"
    ):
        design_file.load("nonesuch")
    (tmp_path / "latin.yaml").write_bytes("about: \xfc".encode("latin-1"))
    with pytest.raises(DesignError, match="is not UTF-8 text"):
        design_file.load(str(tmp_path / "latin.yaml"))


def test_every_design_names_the_schema_for_editors():
    for path in design_file.SHIPPED.glob("*.yaml"):
        assert path.read_text().startswith("# yaml-language-server: $schema=design.schema.json\n")
    assert "regstudy" in {path.name for path in ROOT.iterdir()}


def test_two_files_of_one_name_are_not_taken_for_each_other():
    two = "name: two\nabout: A question\ngrid: {network: [v1/net.py:small, v2/net.py:small]}\nseeds: 2\n"
    with pytest.raises(
        DesignError, match=r"v1/net.py:small and v2/net.py:small have one name: name one of the files otherwise"
    ):
        design_file.parse(two, "two")
    assert len(design_file.parse(two.replace("v2/net.py:small", "v1/net.py:large"), "two").cells()) == 2
