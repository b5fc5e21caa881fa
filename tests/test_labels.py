"""What configurations are called: by the design's names, else by what differs and does something."""

import pytest

from regstudy.config import RunConfig
from regstudy.design import design_file
from regstudy.design.labels import labels
from regstudy.errors import DesignError

NAMED = """\
name: mine
about: A question
configurations:
  - {name: baseline, l2: 0.0005, l2_scope: convolutions}
  - {name: Ours 1.1, l1: OPEN}
  - {l1: 0}
seeds: [3, 7]
claims:
  - id: better
    text: Ours is better
    contrasts:
      - {metric: endpoint/test_accuracy, of: Ours 1.1, against: baseline, expect: higher, margin: 0.05}
"""
WHOLE = NAMED.replace("OPEN", "0.001")


def called(*given: dict[str, object]) -> list[str]:
    return labels([RunConfig.model_validate({**one, "dataset": "mnist"}).model_dump() for one in given])


def test_options_of_what_is_off_are_left_out():
    assert called({"dropout": 0.0}, {"dropout": 0.0, "l2": 5e-4, "l2_scope": "convolutions"}) == [
        "none",
        "L2 0.0005, l2_scope convolutions",
    ]
    assert called({"l1": 0.1, "l1_kind": "sum"}, {"elastic_net": 0.1}, {}) == [
        "L1 0.1, l1_kind sum",
        "elastic net 0.1, l1_kind mean",
        "none",
    ]
    assert called({"weight_decay": 0.1, "l2_scope": "weights"}, {"l1": 0.1}) == ["weight decay 0.1, l2_scope weights", "L1 0.1"]
    assert called({"elastic_net": 0.1, "elastic_net_ratio": 0.9}, {"l1": 0.1}) == [
        "elastic net 0.1, elastic_net_ratio 0.9",
        "L1 0.1",
    ]


def test_but_where_configurations_differ_in_nothing_else():
    some = [{"l2": l2, "l2_scope": scope} for l2 in (0.0, 0.1) for scope in ("all", "convolutions")]
    assert called(*some) == [
        "none, l2_scope all",
        "none, l2_scope convolutions",
        "L2 0.1, l2_scope all",
        "L2 0.1, l2_scope convolutions",
    ]
    assert called(*some, {"l2_scope": "all", "seed": 3})[-1] == "none, l2_scope all", "of another seed, the same"


def test_a_name_is_what_a_configuration_is_called_and_changes_no_trial():
    named, plain = design_file.parse(WHOLE, "f"), NAMED.replace("OPEN", "0.001")
    for name, fields in (("baseline", "{l2: 0.0005, l2_scope: convolutions}"), ("Ours 1.1", "{l1: 0.001}")):
        plain = plain.replace(f"name: {name}, ", "").replace(f": {name},", f": {fields},")
    bare = design_file.parse(plain, "f")
    assert named.called() == ["baseline", "Ours 1.1", "none"]
    assert [trial.configuration for trial in named.trials({"mnist": "x"})] == 2 * ["baseline", "Ours 1.1", "none"]
    assert [trial.digest for trial in named.trials({"mnist": "x"})] == [trial.digest for trial in bare.trials({"mnist": "x"})]
    (contrast,) = named.claims[0].contrasts
    assert (named.pick(contrast.of), named.pick(contrast.against)) == (1, 0)
    assert [bare.pick(side) for side in (bare.claims[0].contrasts[0].of, bare.claims[0].contrasts[0].against)] == [1, 0]
    again = design_file.parse(named.to_yaml(), "again")
    assert (again.digest, again.called()) == (named.digest, named.called())


def test_names_stay_where_a_value_is_set_when_the_study_is_run():
    opened = design_file.parse(NAMED.replace("OPEN", "null"), "f")
    filled = opened.with_values({"l1": "0.001"})
    assert filled.called() == ["baseline", "Ours 1.1", "none"]
    assert filled.pick("Ours 1.1") == 1


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("Ours 1.1, l1", "BASELINE, l1", "configurations: two configurations are called 'baseline': name one of them otherwise"),
        ("Ours 1.1, l1", "none, l1", "configurations: two configurations are called 'none': name one of them otherwise"),
        ("Ours 1.1, l1", "a + b, l1", "configurations.1.name: expected a name of letters, digits, spaces, dots, dashes and underscores, 40 characters at most, got 'a + b'"),
        ("Ours 1.1, l1", "every other, l1", "got 'every other'"),
        ("Ours 1.1, l1", "2, l1", "40 characters at most, got 2"),
        ("Ours 1.1, l1", "'', l1", "40 characters at most, got ''"),
        ("Ours 1.1, l1", "' x', l1", "got ' x'"),
        ("Ours 1.1, l1", f"{'x' * 41}, l1", "40 characters at most, got 'xxx"),
        ("Ours 1.1, l1", "null, l1", "40 characters at most, got None"),
        ("of: Ours 1.1", "of: theirs", "expected fields, or the name of a configuration (baseline, Ours 1.1), got 'theirs'"),
        ("against: baseline", "against: Ours 1.1", "this compares a configuration with itself"),
        ("seeds: [3, 7]", "seeds: [3]\nreference: theirs", "reference: expected fields, or the name of a configuration (baseline, Ours 1.1), got 'theirs'"),
        ("seeds: [3, 7]", "seeds: [3]\noverrides: {name: x}", "overrides.name"),
    ],
)  # fmt: skip
def test_a_bad_name_is_named_in_one_line(old, new, said):
    assert old in WHOLE
    with pytest.raises(DesignError) as caught:
        design_file.parse(WHOLE.replace(old, new), "f")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
