"""What anybody can have written into a store, a snapshot or a report stops nobody: it is no measurement, or named in a line."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mlflow.store.entities import PagedList

from analysis.commands import cli
from analysis.files import folders, made_by
from regstudy.commands import cli as regstudy_cli
from regstudy.errors import TrackingError
from regstudy.store import filestore, server

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
)


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    said = capsys.readouterr().err
    assert said.count("\n") == 1, said
    return said


@pytest.mark.parametrize("meta", ["[" * 100_000, BOMB + "name: *a8\n", "name: [1, 2"])
def test_a_description_that_cannot_be_understood_is_none(tmp_path, meta):
    (tmp_path / "0").mkdir()
    (tmp_path / "0" / "meta.yaml").write_text(meta)
    with pytest.raises(TrackingError, match="is no MLflow store"):
        filestore.open_folder(tmp_path)


def test_odd_fields_of_a_runs_description_are_as_good_as_missing(tmp_path):
    run = tmp_path / "0" / ("a" * 32)
    (run / "metrics").mkdir(parents=True)
    (tmp_path / "0" / "meta.yaml").write_text("name: Default\nexperiment_id: '0'\n")
    (run / "meta.yaml").write_text("start_time: abc\nstatus: 99\n")
    (found,) = filestore.open_folder(tmp_path).runs("0")
    assert (found.start_time, found.status) == (0, "FAILED")
    (run / "metrics" / "m").write_text("1 2.0 999999999999999999999999999999\n")
    with pytest.raises(TrackingError, match="is not as MLflow writes a metric"):
        filestore.open_folder(tmp_path).runs("0")


def test_text_in_a_column_of_numbers_is_no_measurement(own_copy, capsys, workspace_design, unmeasured):
    with closing(sqlite3.connect("mlflow.db")) as connection, connection:
        connection.execute("UPDATE latest_metrics SET value = 'abc' WHERE key LIKE 'time/%'")
        connection.execute("UPDATE metrics SET value = 'abc' WHERE key = 'time/seconds'")
    assert regstudy_cli.main(["study", "plan", str(workspace_design), "--threads", "2"]) == 0
    assert cli.main(["rank"]) == 0
    assert cli.main(["compare", "--metric", "time/seconds", "--group-by", "params.l1"]) in {0, 2}
    assert "Traceback" not in capsys.readouterr().err


def test_a_run_without_status_and_start_stops_nobody(own_copy, workspace_design):
    with closing(sqlite3.connect("mlflow.db")) as connection, connection:
        connection.execute(
            "UPDATE runs SET status = NULL, start_time = NULL, name = NULL WHERE run_uuid IN (SELECT run_uuid FROM runs LIMIT 1)"
        )
    assert regstudy_cli.main(["study", "status", str(workspace_design)]) == 0


@pytest.fixture
def workspace_design(tmp_path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text("name: small\nabout: Odd?\noverrides: {epochs: 1, dataset: mnist-5k}\ngrid: {l1: [0, 0.001]}\nseeds: 2\n")
    return path


@pytest.fixture
def snapshot(own_copy, capsys) -> Path:
    assert cli.main(["snapshot", "snap"]) == 0
    capsys.readouterr()
    return own_copy / "snap"


def listed_as_it_is(folder: Path) -> None:
    """Anybody can write a manifest that fits."""
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"] = {name: folders.sha256(folder / name) for name in manifest["files"]}
    (folder / "manifest.json").write_text(json.dumps(manifest))


def change(path: Path, kind: str) -> None:
    table = pq.read_table(path)
    if kind == "bytes":
        content = bytearray(path.read_bytes())
        content[len(content) - 40 : len(content) - 20] = b"\xff" * 20
        path.write_bytes(content)
    elif kind.startswith("without "):
        pq.write_table(table.drop_columns([kind.removeprefix("without ")]), path)
    elif kind == "text":
        place = table.schema.get_field_index("value")
        pq.write_table(table.set_column(place, "value", pa.array(["abc"] * len(table))), path)
    elif kind == "no start":
        place = table.schema.get_field_index("start_time")
        pq.write_table(table.set_column(place, "start_time", pa.array([None] * len(table), pa.int64())), path)
    else:
        pq.write_table(table.slice(0, 0), path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("epochs", "bytes"),
        ("epochs", "without run_id"),
        ("epochs", "text"),
        ("runs", "no start"),
        ("images", "empty"),
        ("images", "without pixels"),
    ],
)
def test_a_snapshot_that_is_not_as_ours_are_is_named(snapshot, capsys, name, kind):
    change(snapshot / f"{name}.parquet", kind)
    listed_as_it_is(snapshot)
    assert cli.main(["report", "--from", "snap", "--output", "report"]) == 2
    assert "is damaged" in one_line(capsys)


def test_a_manifest_of_any_depth_is_none(snapshot, capsys):
    (snapshot / "manifest.json").write_text('{"format": ' + "[" * 200_000)
    assert cli.main(["rank", "--from", "snap"]) == 2
    assert "is no snapshot" in one_line(capsys)


def test_what_a_page_says_of_itself_is_not_believed(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = made_by.MadeBy("python -m analysis report --help", "1").as_json()
    block = '<script type="application/json" id="made-by">{}</script>'
    Path("report.html").write_text(block.format(json.dumps(told)))
    assert cli.main(["verify", "."]) == 2
    captured = capsys.readouterr()
    assert "which makes no report" in captured.err
    assert "usage" not in captured.out
    Path("report.html").write_text(block.format(json.dumps(told | {"seeds": [float("inf")]})))
    assert cli.main(["verify", "."]) == 2
    assert "does not say how it was made" in one_line(capsys)


def test_a_name_that_is_too_long_is_no_report(capsys):
    assert cli.main(["verify", "q" * 300]) == 2
    assert "cannot be read (File name too long)" in one_line(capsys)


def test_a_server_that_does_not_get_on_is_named_and_believed_in_nothing(monkeypatch):
    held = [SimpleNamespace(experiment_id=number, name=number, lifecycle_stage="active") for number in "12"]
    pages = iter([PagedList([one], "next") for one in held])
    client = SimpleNamespace(search_experiments=lambda **_: next(pages))
    monkeypatch.setattr(server, "PatientClient", lambda _: client)
    with pytest.raises(TrackingError, match="gives the same page again and again"):
        server.Server("http://nowhere.invalid").experiments()
