"""What must be the same is; else the gate names the field and the values, and what to do; what is allowed is told."""

import pandas as pd
import pytest

from analysis.commands.options import declared
from analysis.reading import comparability
from regstudy.errors import NotComparable

SAME = {
    "configuration": ["none", "none", "L1 0.001", "L1 0.001"],
    "seed": [0, 1, 0, 1],
    "dataset": "mnist",
    "data_digest": "d" * 64,
    "split_digest": "s" * 64,
    "epochs": 40,
    "recipe": "published",
    "parameter_count": "9680",
    "numerics_version": "2",
    "metrics_version": "1",
    "git_commit": "c" * 40,
    "threads": "2",
    "device": "cpu",
    "processor": "one",
    "packages": "{}",
}


def runs(**changes):
    return pd.DataFrame(SAME | changes)


def test_runs_that_share_everything_pass_in_silence():
    assert comparability.check(runs()) == ()


def test_what_follows_from_the_seed_or_the_network_may_differ_with_it():
    assert comparability.check(runs(split_digest=["s" * 64, "t" * 64] * 2)) == ()
    networks = {"network": ["one"] * 2 + ["two"] * 2, "parameter_count": ["9680"] * 2 + ["100"] * 2}
    assert comparability.check(runs(**networks)) == ()
    with pytest.raises(NotComparable, match="parameters differ"):
        comparability.check(runs(**{**networks, "network": "one"}))


CHANGES = [
    (
        "data",
        {"data_digest": ["d" * 64] * 3 + ["e" * 64]},
        r"data differs: dddddddddddd \(none, L1 0.001\), eeeeeeeeeeee \(L1 0.001\)",
    ),
    (
        "split",
        {"split_digest": ["s" * 64] * 2 + ["t" * 64] * 2},
        r"split differs: ssssssssssss \(none\), tttttttttttt \(L1 0.001\)",
    ),
    ("epochs", {"epochs": [40, 40, 5, 5]}, r"epochs differ: 40 \(none\), 5 \(L1 0.001\)"),
    (
        "recipe",
        {"recipe": ["published"] * 2 + ["corrected"] * 2},
        r"recipe differs: corrected \(L1 0.001\), published \(none\)",
    ),
    ("parameters", {"parameter_count": ["9680"] * 3 + ["1"]}, r"parameters differ: 1 \(L1 0.001\), 9680"),
    ("numerics", {"numerics_version": ["1", "2", "2", "2"]}, r"numerics differ: 1 \(none\), 2"),
    ("metrics", {"metrics_version": ["", "1", "1", "1"]}, r"metrics differ:"),
    ("seeds", {"seed": [0, 1, 0, 2]}, r"seeds differ: none lacks 2; L1 0.001 lacks 1"),
]


@pytest.mark.parametrize(("field", "change", "message"), CHANGES)
def test_what_differs_is_refused_by_name_and_value(field, change, message):
    with pytest.raises(NotComparable, match=message) as caught:
        comparability.check(runs(**change))
    assert f"--allow {field}" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("field", "change", "message"), CHANGES)
def test_what_is_allowed_passes_and_is_told(field, change, message):
    told = comparability.check(runs(**change), [field])
    assert len(told) == 1
    assert told[0].startswith("compared although ")
    assert told[0].endswith(f"(--allow {field})")


def test_allowing_one_thing_allows_no_other():
    with pytest.raises(NotComparable, match="epochs differ"):
        comparability.check(runs(epochs=[40, 40, 5, 5], seed=[0, 1, 0, 2]), ["seeds"])


def test_what_may_change_last_digits_is_a_warning():
    told = comparability.check(runs(threads=["1", "2", "2", "2"], git_commit=["a" * 40] + ["b" * 40] * 3))
    assert told == (
        "the runs differ in commit (aaaaaaaaaaaa, bbbbbbbbbbbb), threads (1, 2), which may change last digits, and is no part of their identity",
    )


def test_the_command_line_allows_what_the_gate_knows():
    assert declared.ALLOWED == comparability.ALLOWED
