"""Results in CSV and Parquet files are read as a store's runs are: wide and long, one file and several; the same numbers as from MLflow."""

import numpy as np
import pandas as pd
import pytest
from test_anybodys_blocks import log

from analysis.commands import cli
from analysis.judging import findings
from analysis.reading import foreign
from analysis.reading.anybody.asked import Asked
from analysis.reading.records import table
from regstudy.errors import SnapshotError

COMPARE = ["compare", "--metric", "acc", "--group-by", "params.model"]


@pytest.fixture
def results(workspace):
    """A row per run, in `results.csv`."""
    rng = np.random.default_rng(4)
    rows = [
        {"model": model, "seed": seed, "lr": 1e-3, "acc": 0.7 + better + rng.normal(0, 0.01)}
        for seed in range(5)
        for model, better in (("a", 0.0), ("b", 0.03))
    ]
    frame = pd.DataFrame(rows)
    frame.to_csv("results.csv", index=False)
    return frame


def pairs(**asked):
    return findings.find(foreign.read(Asked("acc", ("params.model",), **asked))).ranking.pairs.drop(columns=["first", "second"])


@pytest.mark.slow
def test_the_same_numbers_as_from_a_store(results):
    for row in results.to_dict("records"):
        log({name: row[name] for name in ("model", "seed", "lr")}, {"acc": row["acc"]})
    results.to_parquet("results.parquet")
    long = results.rename(columns={"acc": "value"}).assign(metric="acc")
    long.to_csv("long.tsv", index=False, sep="\t")
    results[:4].to_csv("first.csv", index=False)
    results[4:].to_csv("rest.csv", index=False)
    from_store = pairs()
    for files in (["results.csv"], ["results.parquet"], ["long.tsv"], ["first.csv", "rest.csv"]):
        pd.testing.assert_frame_equal(pairs(files=tuple(files)), from_store)


def test_a_long_file_has_curves(workspace):
    rows = [
        {"model": model, "seed": seed, "metric": "acc", "step": step, "value": step / 10}
        for model in "ab"
        for seed in range(3)
        for step in range(8)
    ]
    pd.DataFrame(rows).to_csv("long.csv", index=False)
    trials = foreign.read(Asked("acc", ("params.model",), files=("long.csv",)))
    assert trials.runs["acc"].tolist() == pytest.approx([0.5] * 6)
    assert trials.epochs["epoch"].max() == 7
    assert "step" not in trials.source.runs()[0].params


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "'wrong.csv' cannot be read: No such file or directory"),
        ("", "'wrong.csv': there is no heading: expected a name for each column"),
        ("model;seed;acc\na;0;1\n", "'wrong.csv' has one column, 'model;seed;acc': expected commas between values"),
        ("model,model,acc\na,b,1\n", "'wrong.csv': the column 'model' is there twice"),
        ("model,seed,acc\na,0,1,5\n", "'wrong.csv' cannot be read: CSV parse error: Expected 3 columns, got 4"),
        ("model,seed,acc\na,0\n", "'wrong.csv' cannot be read: CSV parse error: Expected 3 columns, got 2"),
        ("model,seed,acc\na,0,0.5\na,1,90%\n", "'acc': '90%' in row 2 of wrong.csv is no number: write it plainly"),
        ("model,seed,acc\na,0,0.5\na,1,oops\na,2,0.5\n", "'acc': 'oops' in row 2 of wrong.csv is no number"),
        ("model,seed,acc\n", "'wrong.csv' holds no row: expected a row per run"),
        ("model,seed,acc\na,0,high\n", "--metric 'acc': no run has it; expected one of seed"),
        ("model,seed,metric,value\na,0,acc,high\n", "'wrong.csv': expected numbers in the column value"),
        ("run_id,model,seed,acc\nx,a,0,1\nx,b,0,1\n", "wrong.csv: run_id 'x' is there twice"),
    ],
)
def test_what_is_no_table_of_results_is_one_line(workspace, capsys, content, told):
    if content is not None:
        (workspace / "wrong.csv").write_text(content)
    assert cli.main([*COMPARE, "--from", "wrong.csv"]) == 2
    said = capsys.readouterr().err
    assert told in said
    assert said.count("\n") == 1


def test_a_file_in_another_encoding_is_told(workspace, capsys):
    (workspace / "wrong.csv").write_bytes("modèle,acc\na,1\n".encode("latin-1"))
    assert cli.main([*COMPARE, "--from", "wrong.csv"]) == 2
    assert "'wrong.csv' is not UTF-8: save it as that" in capsys.readouterr().err


def test_a_measured_column_is_no_parameter_to_group_by(results, capsys):
    assert cli.main(["compare", "--from", "results.csv"]) == 0
    said = capsys.readouterr().out
    assert "--metric acc --group-by params.model" in said
    assert "--group-by params.acc" not in said
    assert cli.main([*COMPARE, "--from", "results.csv"]) == 0
    assert "params.acc" not in capsys.readouterr().out


def test_a_snapshot_is_no_file_of_results(workspace, capsys):
    assert cli.main([*COMPARE, "--from", "snapshot"]) == 2
    assert "--from snapshot: there is no such file or folder: expected a file of results" in capsys.readouterr().err
    with pytest.raises(SnapshotError, match="cannot be read"):
        table.load(["nowhere.parquet"])
