"""Every reader keeps to the one contract: database, files, server, client, several stores, snapshot, CSV and Parquet."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import foreign
import mlflow
import pandas as pd
import pytest
import stored
from servers import serving

from analysis.reading.records import contract, rest, snapshot, stores
from analysis.reading.records.record import Record, Records
from analysis.reading.records.snapshot import SnapshotRecords
from regstudy.errors import NothingToAnalyse
from regstudy.schema import TRIAL, Metric, Tag
from regstudy.store.server import Server

Known = tuple[Records, list[Record], pd.DataFrame]


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    return stored.unpack(stored.TODAY, tmp_path_factory.mktemp("readers"))


@pytest.fixture(autouse=True)
def own_store() -> Iterator[None]:
    yield
    mlflow.set_tracking_uri(None)  # pyright: ignore[reportArgumentType]  # None unsets it


@pytest.fixture(scope="module")
def address(place: Path) -> Iterator[str]:
    with serving(f"sqlite:///{place}/mlflow.db", place) as address:
        yield address


def of_store(reader: Records) -> Known:
    ids = [run.run_id for run in reader.runs()]
    return reader, [run._replace(store=reader.runs()[0].store) for run in stored.runs(ids)], stored.points(ids)


def sql(place: Path, _folder: Path) -> Known:
    mlflow.set_tracking_uri(f"sqlite:///{place}/mlflow.db")
    return of_store(stores.from_store("fits"))


def files(place: Path, _folder: Path) -> Known:
    mlflow.set_tracking_uri(f"file://{place}/mlruns")
    return of_store(stores.from_store("fits"))


def named(place: Path, _folder: Path) -> Known:
    return of_store(stores.of_anybody(["fits"], [f"{place}/mlflow.db"]))


def several(place: Path, _folder: Path) -> Known:
    """The same runs in a database and in files, as two stores with runs of their own."""
    named = [f"{place}/mlflow.db", f"{place}/mlruns"]
    reader = stores.of_anybody(["fits"], named)
    runs, points = [], []
    for name in named:
        ids = [run.run_id for run in reader.runs() if run.store == name]
        runs += [run._replace(store=name) for run in stored.runs(ids)]
        points.append(stored.points(ids))
    return reader, sorted(runs, key=lambda run: (run.start_time, run.run_id)), pd.concat(points)


def a_snapshot(_place: Path, folder: Path) -> Known:
    """It holds trials of regstudy, by their tags, without parameters."""
    ids = [f"{place:032}" for place in range(12)]
    tags = {Tag.KIND: TRIAL, Tag.DATA_DIGEST: "d"}
    names = {stored.LOSS: Metric.TEST_LOSS.value, "odd": Metric.TRAIN_LOSS.value}
    runs = [
        run._replace(tags=tags, params={}, experiment="", metrics={names[name]: value for name, value in run.metrics.items()})
        for run in stored.runs(ids)
    ]
    points = stored.points(ids).assign(metric=lambda table: table["metric"].map(names))
    snapshot.write(runs, SnapshotRecords("a frame", "scores", runs, {"epochs": points, "predictions": points[:0], "misclassified": points[:0]}, {}), folder / "snapshot")  # fmt: skip
    return snapshot.load([folder / "snapshot"]), runs, points


def a_table(suffix: str) -> Callable[[Path, Path], Known]:
    """It holds finished runs, in its own order, without tags; NaN there is no measurement."""

    def made(_place: Path, folder: Path) -> Known:
        ids, path = [f"r{place}" for place in range(12)], str(folder / f"results.{suffix}")
        runs = [run._replace(tags={}, start_time=place, experiment="results", store=path) for place, run in enumerate(stored.runs(ids, nan=False))]  # fmt: skip
        points = stored.points(ids)
        about = pd.DataFrame([{"run_id": run.run_id, "run_name": run.name, **run.params} for run in runs])
        long = points.merge(about, on="run_id")
        long.to_csv(path, index=False, na_rep="nan") if suffix == "csv" else long.to_parquet(path)
        return stores.of_anybody([], [path]), runs, points

    return made


READERS = {
    "SQL": sql,
    "files": files,
    "a store that is named": named,
    "several stores": several,
    "snapshot": a_snapshot,
    "CSV": a_table("csv"),
    "Parquet": a_table("parquet"),
}


@pytest.mark.parametrize("kind", READERS)
def test_a_reader_keeps_to_the_contract(place, tmp_path, kind):
    before = foreign.state(place)
    contract.check(*READERS[kind](place, tmp_path))
    assert foreign.state(place) == before


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["in bulk", "client"])
def test_a_servers_reader_keeps_to_the_contract(address, monkeypatch, kind):
    if kind == "client":
        monkeypatch.setattr(rest, "MOST_POINTS", 1)  # each answer may have been cut: the client is asked
    mlflow.set_tracking_uri("sqlite:///nowhere.db")
    reader = stores.from_store("fits", address)
    assert isinstance(reader.held, Server)
    assert (rest.points(address, [run.run_id for run in reader.runs()], [stored.LOSS]) is None) == (kind == "client")
    contract.check(*of_store(reader))


@pytest.mark.slow
def test_an_experiment_that_a_server_has_not_is_one_line(address):
    with pytest.raises(NothingToAnalyse, match=r"experiment 'nope' is not in the store .*, which has 'Default' .*'fits'"):
        stores.from_store("nope", address)


@pytest.mark.parametrize("kind", stored.KINDS)
def test_an_experiment_that_a_store_has_not_is_one_line(place, kind):
    with pytest.raises(NothingToAnalyse, match=r"experiment 'nope' is not in the store .*, which has .*'fits'") as told:
        stores.from_store("nope", str(place / kind))
    assert "\n" not in str(told.value)


class Wrong(SnapshotRecords):
    """A reader whose points are not all that were asked for."""

    def epochs(self, run_ids, metrics):
        return super().epochs(run_ids, metrics)[1:]


def test_the_contract_notices_what_is_not_kept(tmp_path):
    reader, runs, points = a_snapshot(tmp_path, tmp_path)
    with pytest.raises(AssertionError, match=r"its params: expected \{'lr': '0.1'\}, got \{\}"):
        contract.check(reader, [runs[0]._replace(params={"lr": "0.1"}), *runs[1:]], points)
    with pytest.raises(AssertionError, match="the runs, without deleted ones, oldest first"):
        contract.check(replace(reader, records=[*runs[1:], runs[0]]), runs, points)
    with pytest.raises(AssertionError, match="its values, the latest of a step last"):
        contract.check(reader, runs, points.assign(value=points["value"] + 1))
    with pytest.raises(AssertionError, match=r"expected 67 points, got 66"):
        contract.check(Wrong(reader.where, reader.experiment, runs, reader.tables, {}), runs, points)
