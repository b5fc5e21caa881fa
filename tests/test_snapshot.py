"""A snapshot is the store as far as the analysis reads it: same report, number for number; and a damaged one is refused."""

import json
import math
import re
import shutil
from pathlib import Path

import mlflow
import pandas as pd
import pyarrow.parquet as pq
import pytest
from conftest import use_place
from test_forgeries import as_forgers_do, made_by

from analysis.commands import cli
from analysis.files import folders
from analysis.reading import query
from analysis.reading.query import Wanted
from analysis.reading.records import snapshot, stores
from regstudy.errors import SnapshotError
from regstudy.schema import FIRST_NAMES, STORED_AS, Metric, Summary, Tag


@pytest.fixture(scope="module")
def taken_once(trained_once, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("snapshots") / "snap"
    with pytest.MonkeyPatch.context() as monkeypatch:
        use_place(trained_once, monkeypatch)
        assert cli.main(["snapshot", str(folder)]) == 0
    mlflow.set_tracking_uri(None)  # pyright: ignore[reportArgumentType]  # None unsets it
    return folder


@pytest.fixture
def taken(taken_once, own_copy) -> Path:
    """A snapshot of the store, in the folder of the store's copy."""
    return Path(shutil.copytree(taken_once, own_copy / "snap"))


def without_source(text: str) -> str:
    """A report without the lines that say what it was made from, and how."""
    return re.sub(r"This report: .*|from “.*|<script type=.application/json. id=.made-by.*", "", text)


def for_these_images(value):
    """Without what only a report reads: each image's results, and from them intervals for new images."""
    if isinstance(value, dict):
        return {key: for_these_images(own) for key, own in value.items() if not key.startswith("new_")}
    return [for_these_images(own) for own in value] if isinstance(value, list) else value


FORMATS = ("html", "md", "csv", "json", "latex", *(["pdf"] if shutil.which("chromium") else []))


@pytest.fixture(scope="module")
def reported_once(taken_once) -> Path:
    """The report of the snapshot, with all that a report can be written as; Chromium prints."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(taken_once.parent)
        assert cli.main(["report", "--output", "from_snapshot", "--from", "snap", "--format", ",".join(FORMATS), "--card"]) == 0
    return taken_once.parent / "from_snapshot"


@pytest.fixture
def from_snapshot(taken, reported_once) -> Path:
    """It, beside a snapshot of one's own."""
    return Path(shutil.copytree(reported_once, taken.parent / "from_snapshot"))


@pytest.mark.slow
def test_the_report_is_the_stores_number_for_number_and_takes_nothing_as_it_stands(from_snapshot, own_copy, reported, capsys):
    """It is where the command says, and loses no run: notices, names of places and how many runs there are can be found again."""

    def shared(text):
        """A store says whose runs they are, and has another name to be cited by."""
        return text.partition("Cite this")[0]

    files, more = (
        {path.relative_to(at) for path in at.rglob("*") if path.is_file()} for at in (reported.report, from_snapshot)
    )
    assert files < more
    assert {path.suffix for path in more - files} <= {".json", ".tex", ".pdf", ".svg", ".png", ".md"}
    for file in sorted(files):
        if file.name == folders.REPORT_MANIFEST:
            continue  # lists the digests of pages that say where they are from
        one, other = reported.report / file, from_snapshot / file
        if file.suffix in {".html", ".md"}:
            first, second = (shared(without_source(page.read_text())) for page in (one, other))
            assert first.replace(str(reported.folder), "") == second.replace(str(own_copy), ""), file
        else:
            assert one.read_bytes() == other.read_bytes(), file
    made_by(lambda held: held.update(notices=["every run was audited"], store="elsewhere"))(from_snapshot)
    as_forgers_do(from_snapshot)
    assert cli.main(["verify", "from_snapshot"]) == 2
    told = capsys.readouterr().err
    assert "the report says what its runs do not: every run was audited" in told
    assert "the report says that it is of 'snap' of elsewhere, expected 'snap' of snap" in told


@pytest.mark.slow
def test_each_format_is_written_and_all_but_the_print_is_verified(from_snapshot, capsys):
    held = json.loads((from_snapshot / "report.json").read_text(encoding="utf-8"))
    assert cli.main(["rank", "--from", "snap", "--json"]) == 0
    assert for_these_images(held["rankings"]) == json.loads(capsys.readouterr().out.splitlines()[-1])["rankings"]
    assert {path.stem for path in (from_snapshot / "tables").glob("*.tex")} == {"ranking", "comparisons"}
    assert cli.main(["verify", "from_snapshot"]) == 0
    printed = from_snapshot / "report.pdf"
    assert ("so not compared: report.pdf" in capsys.readouterr().out) == ("pdf" in FORMATS)
    forged = ("report.json", "tables/ranking.tex", "card.svg")
    for name, old, new in zip(forged, ("none", "none", "seeds"), ("nine", "nine", "sees"), strict=True):
        path = from_snapshot / name
        path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    if "pdf" in FORMATS:
        assert printed.read_bytes().startswith(b"%PDF-")
        printed.write_bytes(b"%PDF-another")
    assert cli.main(["verify", "from_snapshot"]) == 2
    told = capsys.readouterr().err
    assert all(f"{name}, line " in told for name in forged)
    assert ("another digest of report.pdf" in told) == ("pdf" in FORMATS)


def test_frames_are_equal_to_the_last_bit(taken, own_copy):
    stored, kept = query.read(), query.read(Wanted(snapshots=["snap"]))
    pd.testing.assert_frame_equal(stored.runs.drop(columns="data_root"), kept.runs.drop(columns="data_root"), check_exact=True)
    pd.testing.assert_frame_equal(stored.epochs, kept.epochs, check_exact=True)
    for run_id in stored.runs["run_id"]:
        for name in ("predictions", "misclassified"):
            one, other = getattr(stored.source, name)(run_id), getattr(kept.source, name)(run_id)
            pd.testing.assert_frame_equal(one, other[one.columns], check_exact=True)


def test_every_metric_and_epoch_is_there(taken):
    runs = {run.run_id: run for run in stores.from_snapshots(["snap"]).runs()}
    for run in mlflow.MlflowClient().search_runs(["0"], f"tags.`{Tag.KIND}` = 'trial'"):
        first_names = {FIRST_NAMES.get(name, name): value for name, value in run.data.metrics.items()}
        assert runs[run.info.run_id].metrics == first_names
    epochs = pq.read_table(taken / "epochs.parquet").to_pandas()
    assert set(epochs["metric"]) == {m.value for m in Metric if "validation" not in m}


def test_columns_are_named_as_mlflow_names_them(taken):
    theirs = set(mlflow.search_runs(["0"]).columns)
    ours = set(pq.read_table(taken / "runs.parquet").column_names)
    assert ours - theirs == {"run_name", *(f"metrics.{name}" for name in STORED_AS)}
    assert {"tags.regstudy.config", "metrics.endpoint/test_accuracy", "run_id", "status"} <= ours


def test_it_names_no_machine_path_or_user(taken, own_copy):
    held = " ".join(map(str, pq.read_table(taken / "runs.parquet").to_pylist())) + (taken / "manifest.json").read_text()
    assert str(own_copy) not in held
    assert "heartbeat" not in held
    assert "mlflow.user" not in held


@pytest.mark.parametrize(
    ("warning", "kept"),
    [
        ("since '/home/jo doe/.cache/regstudy' cannot be written (x). Numbers", "since '…' cannot be written (x). Numbers"),
        ("an hour, or once /home/jo doe/.cache/unreachable-MNIST is deleted).", "an hour, or once … is deleted)."),
        ("No space left: /mnt/scratch/jo/x, run again", "No space left: …, run again"),
        ("failed (C:\\Users\\jo\\cache): run", "failed (…): run"),
        (
            "from https://example.org/mnist/x.gz and ~/.cache/regstudy, 4/5",
            "from https://example.org/mnist/x.gz and ~/.cache/regstudy, 4/5",
        ),
    ],
)
def test_its_warnings_name_no_folder_of_a_machine(warning, kept):
    assert snapshot.portable(Tag.DATA_WARNING, warning) == kept


def test_two_snapshots_are_one_store(taken, own_copy):
    everything = stores.from_store(None).runs()
    source = stores.from_store(None)
    snapshot.write(everything[:2], source, own_copy / "one")
    snapshot.write(everything[1:], source, own_copy / "two")
    together = query.read(Wanted(snapshots=["one", "two"]))
    pd.testing.assert_frame_equal(together.runs, query.read(Wanted(snapshots=["snap"])).runs)
    pd.testing.assert_frame_equal(together.epochs, query.read(Wanted(snapshots=["snap"])).epochs)
    assert together.notices == ()


def test_nan_is_kept_apart_from_missing(own_copy):
    source = stores.from_store(None)
    first, second, *_ = source.runs()
    odd = [first._replace(metrics={Summary.MISCLASSIFIED: math.nan}), second._replace(metrics={})]
    snapshot.write(odd, source, own_copy / "odd")
    back = stores.from_snapshots(["odd"]).runs()
    assert math.isnan(back[0].metrics[Summary.MISCLASSIFIED])
    assert back[1].metrics == {}


def test_a_file_is_no_place_for_a_snapshot(own_copy, capsys):
    Path("file").write_text("")
    assert cli.main(["snapshot", "file"]) == 2
    assert "file is a file: name a new folder" in capsys.readouterr().err


def test_an_earlier_snapshot_is_replaced_and_other_folders_are_not(taken, own_copy, capsys):
    before = (taken / "manifest.json").read_bytes()
    assert cli.main(["snapshot", "snap"]) == 0
    assert (taken / "manifest.json").read_bytes() == before, "the same runs give the same bytes"
    (own_copy / "mine").mkdir()
    (own_copy / "mine" / "notes.txt").write_text("mine")
    capsys.readouterr()
    assert cli.main(["snapshot", "mine"]) == 2
    told = capsys.readouterr().err
    assert "mine holds other files: name a new folder, or an earlier snapshot" in told
    assert "notes.txt" in told
    assert (own_copy / "mine" / "notes.txt").read_text() == "mine"
    assert not [path for path in own_copy.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("kind", ["more", "changed", "link", "linked", "unlisted"])
def test_a_folder_that_holds_more_than_the_snapshot_is_not_replaced(taken, own_copy, kind, capsys):
    file = taken / "epochs.parquet"
    if kind == "more":
        (taken / "notes.txt").write_text("mine")
    elif kind == "changed":
        file.write_text("mine")
    elif kind == "link":
        file.rename(own_copy / "elsewhere")
        file.symlink_to(own_copy / "elsewhere")
    elif kind == "linked":
        taken.rename(own_copy / "elsewhere")
        taken.symlink_to(own_copy / "elsewhere")
    else:
        manifest = json.loads((taken / "manifest.json").read_text())
        del manifest["files"][file.name]
        (taken / "manifest.json").write_text(json.dumps(manifest))
    before = {path: path.read_bytes() for path in own_copy.rglob("*") if path.is_file()}
    assert cli.main(["snapshot", "snap"]) == 2
    told = {"more": "notes.txt", "linked": "snap is a symbolic link"}.get(kind, file.name)
    assert told in capsys.readouterr().err
    assert {path: path.read_bytes() for path in own_copy.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("damage", ["truncated", "missing", "other", "format", "nothing", "no object"])
def test_a_damaged_one_is_refused(taken, own_copy, damage, capsys):
    file = taken / "epochs.parquet"
    if damage == "truncated":
        file.write_bytes(file.read_bytes()[:-10])
    elif damage == "missing":
        file.unlink()
    elif damage == "other":
        shutil.copy(taken / "runs.parquet", file)
    elif damage == "format":
        manifest = json.loads((taken / "manifest.json").read_text())
        (taken / "manifest.json").write_text(json.dumps(manifest | {"format": 99}))
    elif damage == "no object":
        (taken / "studies.json").write_text("[1]")
        manifest = json.loads((taken / "manifest.json").read_text())
        manifest["files"]["studies.json"] = folders.sha256(taken / "studies.json")
        (taken / "manifest.json").write_text(json.dumps(manifest))
    else:
        shutil.rmtree(taken)
    with pytest.raises(
        SnapshotError, match=r"expected format 1, got 99|is no snapshot|is not the file that its|snap is damaged"
    ):
        stores.from_snapshots(["snap"])
    capsys.readouterr()
    assert cli.main(["report", "--from", "snap"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_store_and_a_snapshot_at_once_are_refused(taken, capsys):
    assert cli.main(["rank", "--from", "snap", "--experiment", "Default"]) == 2
    assert "give one of the two" in capsys.readouterr().err


def test_the_folder_that_one_is_in_is_not_replaced(taken, own_copy, capsys, monkeypatch):
    Path("here").mkdir()
    monkeypatch.chdir("here")
    assert cli.main(["snapshot", ".", "--from", str(taken)]) == 2
    assert "is the folder that you are in" in capsys.readouterr().err
    assert not list(Path().iterdir())
