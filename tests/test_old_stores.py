"""Stores that versions of MLflow have written, or its migrations made, are read alike, however they are named, and left as they were."""

import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import foreign
import mlflow
import pandas as pd
import pytest
import stored

import analysis as an
from analysis.commands import cli
from analysis.reading.records import contract, stores
from analysis.reading.trials import Trials
from regstudy.commands import cli as regstudy_cli
from regstudy.errors import TrackingError, UsageError
from regstudy.store import tables

COMPARE = ["compare", "--metric", stored.LOSS, "--group-by", "params.lr"]


@pytest.fixture(autouse=True)
def own_store(tmp_path, monkeypatch) -> Iterator[None]:
    """What a test chose is forgotten."""
    monkeypatch.chdir(tmp_path)
    yield
    mlflow.set_tracking_uri(None)  # pyright: ignore[reportArgumentType]  # None unsets it


@pytest.fixture(scope="module")
def every_version(tmp_path_factory) -> Path:
    """A folder for each version, with its stores; for reading only."""
    folder = tmp_path_factory.mktemp("versions")
    for version in stored.VERSIONS:
        stored.unpack(version, folder / version)
    return folder


def frames(**options) -> tuple[Trials, pd.DataFrame, pd.DataFrame]:
    """The runs' trials, and their frames without IDs."""
    trials = an.read_runs(stored.LOSS, "params.lr", experiment="fits", margin=0.01, **options)
    runs = trials.runs.sort_values(["configuration", "seed"], ignore_index=True)
    names = dict(zip(runs["run_id"], runs["run_name"], strict=True))
    epochs = trials.epochs.assign(run=trials.epochs["run_id"].map(names)).sort_values(["run", "epoch"], ignore_index=True)
    return trials, runs.drop(columns="run_id"), epochs.drop(columns="run_id")


@pytest.mark.slow
@pytest.mark.parametrize("kind", stored.KINDS)
@pytest.mark.parametrize("version", stored.VERSIONS)
def test_every_versions_store_gives_the_same_frame(every_version, monkeypatch, version, kind):
    place = every_version / version
    expected, runs, epochs = frames(stores=every_version / stored.TODAY / "mlflow.db")
    before = foreign.state(place)
    monkeypatch.setenv(
        "MLFLOW_TRACKING_URI", f"sqlite:///{place}/mlflow.db" if kind == "mlflow.db" else f"file://{place}/mlruns"
    )
    trials, own_runs, own_epochs = frames()
    pd.testing.assert_frame_equal(own_runs, runs, check_exact=True)
    pd.testing.assert_frame_equal(own_epochs, epochs, check_exact=True)
    assert trials.notices == expected.notices
    ids = [run.run_id for run in trials.source.runs()]
    contract.check(trials.source, stored.runs(ids), stored.points(ids))
    assert foreign.state(place) == before
    assert list(runs["diverged"]) == [run_name == "run 11" for run_name in runs["run_name"]], "the one that ends in NaN"


@pytest.mark.parametrize("kind", stored.KINDS)
def test_a_deleted_experiment_is_named(every_version, kind):
    with pytest.raises(TrackingError, match=r"experiment 'gone' .* is deleted: restore it"):
        stores.from_store("gone", str(every_version / stored.TODAY / kind))


@pytest.mark.slow
def test_every_revision_of_the_tables_is_read_alike_and_left_as_it_was(every_version, tmp_path):
    """67 with MLflow 3.17, from 1.0's on; a database of today, and one without what the oldest cannot keep, NaN, fill them."""
    today, without = every_version / stored.TODAY / "mlflow.db", tmp_path / "without.db"
    shutil.copy(today, without)
    with closing(sqlite3.connect(without)) as connection, connection:
        connection.execute("DELETE FROM metrics WHERE is_nan")
    for number, revision in enumerate(foreign.every_revision(tmp_path / "empty.db")):
        file = tmp_path / f"{number}-{revision}.db"
        shutil.copy(tmp_path / "empty.db", file)
        nan = "is_nan" in tables.open_tables(f"sqlite:///{file}").columns["metrics"]
        foreign.fill(file, today if nan else without)
        before, reader = file.read_bytes(), stores.from_store("fits", str(file))
        ids = [run.run_id for run in reader.runs()]
        points = stored.points(ids)
        runs = [run._replace(store=str(file)) for run in stored.runs(ids, nan=nan)]
        contract.check(reader, runs, points if nan else points.dropna())
        assert file.read_bytes() == before, revision
    assert number >= 66, "those of MLflow 3.17"


def test_the_tables_of_before_mlflow_1_are_read_without_steps(every_version, tmp_path):
    older = foreign.older_tables(tmp_path / "older.db", None)
    foreign.fill(older, every_version / stored.TODAY / "mlflow.db")
    reader = stores.from_store("fits", str(older))
    ids = [run.run_id for run in reader.runs()]
    expected = [run.params for run in stored.runs(ids)]
    assert [run.params for run in reader.runs()] == expected
    assert set(reader.epochs(ids, [stored.LOSS])["step"]) == {0}, "as MLflow's migration has it"


SPELT = {
    "mlflow.db": ["{}/mlflow.db", "sqlite:///{}/mlflow.db", "sqlite:///{}/mlflow.db?mode=ro", "sqlite:///file:{}/mlflow.db?mode=ro&uri=true", "file:{}/mlflow.db?mode=ro", "file://{}/mlflow.db", "mlflow.db", "sqlite:///mlflow.db"],
    "mlruns": ["{}/mlruns", "file:{}/mlruns", "file://{}/mlruns", "mlruns", "./mlruns/"],
}  # fmt: skip


@pytest.mark.parametrize("kind", stored.KINDS)
def test_a_store_is_opened_however_it_is_named(every_version, monkeypatch, kind):
    place = every_version / stored.TODAY
    monkeypatch.chdir(place)
    before, expected = foreign.state(place), [f"run {number}" for number in range(13)]
    for spelling in SPELT[kind]:
        address = spelling.format(place)
        assert [run.name for run in stores.from_store("fits", address).runs()] == expected, address
        mlflow.set_tracking_uri(address)
        assert [run.name for run in stores.from_store("fits").runs()] == expected, address
    assert foreign.state(place) == before


@pytest.mark.parametrize("name", ["with space", "a?b", "a#b", "a%20b", "100%", "é ü", "a=b", "a:b"])
@pytest.mark.parametrize("kind", stored.KINDS)
def test_a_path_to_a_store_may_have_any_name(every_version, tmp_path, name, kind):
    shutil.copytree(every_version / stored.TODAY, tmp_path / name)
    for place in (f"{name}/{kind}", str(tmp_path / name / kind)):
        assert len(stores.of_anybody(["fits"], [place]).runs()) == 13


@pytest.mark.parametrize("kind", stored.KINDS)
def test_a_store_that_cannot_be_written_is_read(tmp_path, kind):
    stored.unpack(stored.TODAY, tmp_path / "store")
    paths = [tmp_path / "store", *(tmp_path / "store").rglob("*")]
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        before = foreign.state(tmp_path)
        assert len(stores.from_store("fits", f"store/{kind}").runs()) == 13
        assert foreign.state(tmp_path) == before
    finally:
        for path in paths:
            path.chmod(0o755)


def test_files_are_read_as_git_gives_them_back(tmp_path):
    """Without empty folders: of artifacts, of a run without metrics, of the trash."""
    store = stored.unpack(stored.TODAY, tmp_path / "store")
    bare = next((store / "mlruns").glob("*/*/metrics/odd")).parent.parent
    shutil.rmtree(bare / "metrics")
    (bare / "metrics").mkdir()
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-c", "core.autocrlf=false"]
    for command in (
        ["init", "-q"],
        ["add", "mlruns"],
        ["commit", "-qm", "runs"],
        ["clone", "-q", ".", str(tmp_path / "clone")],
    ):
        subprocess.run([*git, *command], cwd=store, check=True)
    kept = {path.relative_to(store) for path in (store / "mlruns").rglob("*")}
    given = {path.relative_to(tmp_path / "clone") for path in (tmp_path / "clone" / "mlruns").rglob("*")}
    assert given < kept, "empty folders are lost"
    one, other = (stores.from_store("fits", f"{place}/mlruns") for place in ("store", "clone"))
    assert [run._replace(store="", metrics={}) for run in one.runs()] == [
        run._replace(store="", metrics={}) for run in other.runs()
    ]
    ids = [run.run_id for run in one.runs()]
    pd.testing.assert_frame_equal(one.epochs(ids, [stored.LOSS]), other.epochs(ids, [stored.LOSS]))
    assert other.runs()[0].metrics == {}


def test_a_damaged_metric_of_a_store_of_files_is_named(tmp_path):
    store = stored.unpack(stored.TODAY, tmp_path / "store")
    next((store / "mlruns").glob("*/*/metrics/odd")).write_text("not a point")
    with pytest.raises(TrackingError, match=r"metrics/odd is not as MLflow writes a metric"):
        stores.from_store("fits", "store/mlruns").runs()


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("nowhere.db", "--from nowhere.db: there is no such file or folder: expected a file of results (.csv, .tsv, .parquet), a folder"),
        ("sqlite:///nowhere.db", "--from sqlite:///nowhere.db: there is no such store"),
        ("empty", "--from empty: nothing in it can be read: expected a file of results (.csv, .tsv, .parquet), a folder"),
        ("text.txt", "text.txt is a file, and no SQLite database: name a database, a folder or a server"),
        ("other.db", "other.db is no MLflow store: it has only tables of something else (customers); name one"),
        ("snap", "--from snap: a snapshot, which holds no parameters: expected a file of results"),
        ("http://127.0.0.1:9", "--from http://127.0.0.1:9: the tracking server http://127.0.0.1:9 does not answer"),
    ],
)  # fmt: skip
def test_what_is_no_store_is_one_line(tmp_path, capsys, place, told):
    (tmp_path / "empty").mkdir()
    (tmp_path / "snap").mkdir()
    (tmp_path / "snap" / "manifest.json").write_text("{}")
    (tmp_path / "text.txt").write_text("text")
    (tmp_path / "other.db").write_text("")
    foreign.another_programs(tmp_path / "other.db")
    before = foreign.state(tmp_path)
    assert cli.main([*COMPARE, "--from", place]) == 2
    said = capsys.readouterr().err
    assert told in said
    assert said.count("\n") == 1
    assert foreign.state(tmp_path) == before


@pytest.mark.parametrize(
    "spelling", ["{}/mlflow.db", "sqlite:///{}/mlflow.db?mode=ro", "sqlite:///file:{}/mlflow.db?mode=ro&uri=true"]
)
def test_an_address_that_is_to_be_read_is_not_written_to(tmp_path, capsys, spelling):
    stored.unpack(stored.TODAY, tmp_path / "store")
    mlflow.set_tracking_uri(spelling.format(tmp_path / "store"))
    before = foreign.state(tmp_path / "store")
    assert regstudy_cli.main(["train", "--dataset", "mnist-5k", "--epochs", "1"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"{tmp_path}/store/mlflow.db" in said
    assert "to write to" in said
    assert foreign.state(tmp_path / "store") == before


def test_several_stores_are_read_as_one(tmp_path, capsys):
    """A database of 1.30, files of 3.0 and a file of results."""
    for version in ("1.30.1", "3.0.1"):
        stored.unpack(version, tmp_path / version)
    rows = [{"lr": lr, "seed": seed, stored.LOSS: 0.1 * seed} for lr in stored.LRS for seed in range(4)]
    pd.DataFrame(rows).to_csv("more.csv", index=False)
    named = ["1.30.1/mlflow.db", "3.0.1/mlruns", "more.csv"]
    before = foreign.state(tmp_path)
    trials = an.read_runs(
        stored.LOSS, ["store"], block=["params.lr", "params.seed"], experiment="fits", stores=named[:2], files=named[2]
    )
    assert trials.runs.groupby("configuration")["seed"].nunique().to_dict() == {f"store {place}": 12 for place in named}
    one, other = (trials.runs[trials.runs["configuration"] == f"store {place}"] for place in named[:2])
    assert list(one[stored.LOSS].dropna()) == list(other[stored.LOSS].dropna())
    alone = an.read_runs(stored.LOSS, "params.lr", experiment="fits", stores=named[:2])
    assert "12 runs with the group and block of another: the mean of these counts, as one" in alone.notices
    assert (
        len(an.read_runs(stored.LOSS, "params.lr", experiment="fits", stores=named[:2], where={"store": named[0]}).runs) == 12
    )
    options = [word for place in named[:2] for word in ("--from", place)]
    assert cli.main([*COMPARE, *options, "--experiment", "fits", "--group-by", "store"]) == 0
    assert cli.main(["compare", *options, "--experiment", "fits"]) == 0
    assert "fits: 24 finished runs" in capsys.readouterr().out
    gate = [
        "gate",
        "--metric",
        stored.LOSS,
        "--margin",
        "0.5",
        "--baseline",
        "experiment=fits",
        "--candidate",
        "experiment=fits",
    ]
    assert cli.main([*gate, "--baseline", named[0], "--candidate", named[1], "--candidate", "seed=0,1,2"]) == 3
    assert "val/loss: open; 0.82963 against 0.82963, better by +0" in capsys.readouterr().out, "the same numbers"
    assert foreign.state(tmp_path) == before


def test_a_copy_of_a_store_adds_no_runs(tmp_path, capsys):
    stored.unpack(stored.TODAY, tmp_path)
    shutil.copy("mlflow.db", "copy.db")
    assert cli.main([*COMPARE, "--experiment", "fits", "--from", "mlflow.db", "--from", "copy.db"]) == 2
    said = capsys.readouterr().err
    assert f"is twice in sqlite:///{tmp_path}/mlflow.db and sqlite:///{tmp_path}/copy.db, as copies are" in said
    with pytest.raises(UsageError, match="is twice in"):
        an.read_runs(stored.LOSS, "params.lr", experiment="fits", stores=["mlflow.db", "mlflow.db"])


def test_files_of_results_have_no_experiment(tmp_path, capsys):
    Path("r.csv").write_text("lr,seed,val/loss\n1,0,1\n")
    assert cli.main([*COMPARE, "--experiment", "fits", "--from", "r.csv"]) == 2
    assert "--experiment names one of a store's, --from a file of results: give one of the two" in capsys.readouterr().err
