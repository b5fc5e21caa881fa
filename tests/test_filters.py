"""FIELD=VALUE: values with commas, spaces, quotes, = and line breaks can be written; on the command line, in Python and for the gate."""

import pytest
from test_anybodys_blocks import log

import analysis as an
from analysis.commands import cli
from analysis.reading import filters

VALUES = [
    "adam, fused",
    'say "hi"',
    '"quoted"',
    '"a", "b"',
    "a=b=c",
    " spaced  ",
    "[0.9, 0.99]",
    "two\nlines, here",
    ",",
    "精度, 🎉",
    "nan",
]


@pytest.mark.parametrize(
    ("given", "values"),
    [
        ("seed=0,1,2", ("0", "1", "2")),
        ("opt=adam fused", ("adam fused",)),
        ('opt="adam, fused"', ("adam, fused",)),
        ('opt="adam, fused",sgd', ("adam, fused", "sgd")),
        ('note=say "hi"', ('say "hi"',)),
        ('note="say ""hi"", twice"', ('say "hi", twice',)),
        ("note=a=b", ("a=b",)),
        ('note="open, end', ('"open', " end")),
        ('note="a"b,c', ('"a"b', "c")),
        ('note="as logged"', ("as logged", '"as logged"')),
        ("note=x,", ("x", "")),
    ],
)
def test_what_is_between_commas_is_a_value_and_quotes_hold_one_together(given, values):
    assert filters.parse([given]) == {given.partition("=")[0]: values}


@pytest.mark.parametrize("value", VALUES)
def test_any_value_can_be_asked_for_exactly(value):
    ((_, read),) = filters.parse([f"note={filters.as_given(value)}"]).items()
    assert filters.same(value, read[0])
    assert not any(filters.same(other, text) for text in read for other in VALUES if other != value)


def test_runs_with_such_values_are_found(workspace, capsys):
    for number, value in enumerate(["adam, fused", "adam", " fused", 'say "hi", now']):
        for seed in range(2):
            log({"opt": value, "seed": seed, "lr": number}, {"acc": number + seed / 10})
    compare = ["compare", "--metric", "acc", "--group-by", "params.lr"]
    for asked, found in (
        ("opt=adam, fused", ["lr 1", "lr 2"]),
        ('opt="adam, fused"', ["lr 0"]),
        ('opt="adam, fused",adam', ["lr 0", "lr 1"]),
        ('opt="say ""hi"", now"', ["lr 3"]),
    ):
        assert cli.main([*compare, "--where", asked]) == 0
        said = capsys.readouterr().out
        assert [name for name in (f"lr {number}" for number in range(4)) if f" {name} " in said] == found
    trials = an.read_runs("acc", "params.lr", where={"opt": ["adam, fused", 'say "hi", now']})
    assert sorted(set(trials.runs["configuration"])) == ["lr 0", "lr 3"]
    gate = ["gate", "--baseline", 'opt="adam, fused"', "--candidate", "opt=adam", "--metric", "acc", "--margin", "0.1"]
    assert cli.main(gate) == 3
