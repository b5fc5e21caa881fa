"""What lies in a folder that is written into stays as it is, but for what our own manifest there lists; the rest is named, before anything is computed."""

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import ROOT

from analysis.commands import cli
from analysis.files import folders, made_by
from regstudy.errors import FolderError, SnapshotError

FIRST = {"report.html": "1", "report.md": "1", "figures/ranking.svg": "1", "figures/old.svg": "1", "runs/run-0.svg": "1"}
SECOND = {"report.html": "2", "report.md": "2", "figures/ranking.svg": "2", "tables/ranking.csv": "2"}
HOSTILE = "../mine.txt", "/etc/hostname", "figures/../../mine.txt", "figures/..", "notes.txt", "figures/a/b", ".env"


def write(folder: Path, files: dict[str, str]) -> None:
    with folders.replacing_report(folder) as new:
        fill(new, files)


def fill(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def held(folder: Path) -> dict[str, str]:
    found = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_text() for name, path in found.items() if name != folders.REPORT_MANIFEST}


@pytest.fixture
def report(tmp_path):
    """An earlier report, in whose folder other things lie."""
    folder = tmp_path / "report"
    write(folder, FIRST)
    fill(folder, OTHERS)
    return folder


OTHERS = {"notes.txt": "mine", ".env": "mine", "published/report.html": "another's"}


def test_an_earlier_report_is_replaced_and_nothing_else(report):
    write(report, SECOND)
    assert held(report) == SECOND | OTHERS
    assert not (report / "runs").exists()
    listed = json.loads((report / "report.manifest.json").read_text())["files"]
    assert listed == {name: folders.sha256(report / name) for name in SECOND}


@pytest.mark.parametrize(
    "name", ["figures/mine.png", "tables/mine.csv", "runs/2024/log", "figures/.hidden", "tables/ranking.csv"]
)
def test_what_lies_where_the_report_goes_is_named_and_kept(report, name):
    fill(report, {name: "mine"})
    before = held(report)
    with pytest.raises(FolderError, match=f"report holds what is of no earlier report, {'/'.join(name.split('/')[:2])}"):
        write(report, SECOND)
    assert held(report) == before


def test_a_page_of_this_release_without_its_manifest_makes_nothing_beside_it_ours(tmp_path):
    """As one that came by mail."""
    told = made_by.MadeBy("python -m analysis report", "1", runs={"a" * 32: "digest"})
    page = f'<script type="application/json" id="made-by">{json.dumps(told.as_json())}</script> id="run-1" aria-label="Figure: ranking"'
    mailed = tmp_path / "mailed"
    mailed.mkdir()
    fill(mailed, {"report.html": page, "report.md": "mine", "tables/ranking.csv": "mine", "figures/ranking.png": "mine"})
    before = held(mailed)
    with pytest.raises(FolderError, match=r"of no earlier report, report\.md, figures/ranking\.png, tables/ranking\.csv,"):
        write(mailed, SECOND)
    assert held(mailed) == before


def test_a_file_of_ours_that_somebody_has_changed_is_theirs(report):
    (report / "report.md").write_text("with my remarks")
    with pytest.raises(FolderError, match=re.escape("report.md (changed since it was written)")):
        write(report, SECOND)
    assert held(report) == FIRST | OTHERS | {"report.md": "with my remarks"}


@pytest.mark.parametrize("name", ["report.html", "figures/ranking.svg", "figures", "runs"])
def test_no_link_is_followed(report, tmp_path, name):
    target = tmp_path / "target"
    (report / name).rename(target)
    (report / name).symlink_to(target)
    before = held(tmp_path)
    with pytest.raises(FolderError, match=rf"{name}( \(a symbolic link\)|,| where)"):
        write(report, SECOND)
    assert held(tmp_path) == before
    assert (report / name).is_symlink()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_manifest_that_lists_what_no_report_holds_is_none_of_ours(report, name):
    manifest = report / "report.manifest.json"
    fill(report.parent, {"mine.txt": "mine"})
    listed = json.loads(manifest.read_text())
    listed["files"][name] = folders.sha256(report.parent / "mine.txt")
    manifest.write_text(json.dumps(listed))
    before = held(report.parent)
    with pytest.raises(FolderError, match=re.escape("report.manifest.json (no manifest of a report)")):
        write(report, SECOND)
    assert held(report.parent) == before


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": 1}', '{"name": "my web app"}', "[" * 100_000])
def test_anybody_elses_manifest_is_theirs(tmp_path, text):
    for name, check in {"report.manifest.json": folders.check_report, "manifest.json": folders.check_snapshot}.items():
        folder = tmp_path / name.partition(".")[0]
        fill(folder, {name: text, "thesis.txt": "mine"})
        with pytest.raises((FolderError, SnapshotError), match=re.escape(name)):
            check(folder)


def test_what_comes_while_a_report_is_made_is_not_overwritten(report):
    def write_while_somebody_else_does() -> None:
        with folders.replacing_report(report) as new:
            fill(new, SECOND)
            fill(report, {"tables/ranking.csv": "mine"})

    with pytest.raises(FolderError, match=re.escape("tables/ranking.csv")):
        write_while_somebody_else_does()
    assert held(report) == FIRST | OTHERS | {"tables/ranking.csv": "mine"}


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("moment", range(7))
def test_an_error_at_any_moment_of_replacing_leaves_the_earlier_report_whole(report, monkeypatch, moment, error):
    before, manifest = held(report), (report / "report.manifest.json").read_bytes()
    original, calls = Path.replace, []

    def replace(path: Path, target: Path) -> Path:
        calls.append(path)
        if len(calls) == moment + 1:
            raise error
        return original(path, target)

    monkeypatch.setattr(Path, "replace", replace)
    if moment == 6:
        write(report, SECOND)
        return
    with pytest.raises((FolderError, KeyboardInterrupt)):
        write(report, SECOND)
    assert held(report) == before
    assert (report / "report.manifest.json").read_bytes() == manifest


KILLED = """
import pathlib, sys
from analysis.files import folders, made_by
folder, moment = pathlib.Path(sys.argv[1]), int(sys.argv[2])
original, calls = pathlib.Path.replace, []
def replace(path, target):
    if len(calls) == moment:
        print("there", flush=True)
        sys.stdin.read()
    calls.append(path)
    return original(path, target)
pathlib.Path.replace = replace
with folders.replacing_report(folder) as new:
    for place in folders.PLACES:
        (new / place).mkdir()
    for name in ("report.html", "report.md", "figures/ranking.svg", "tables/ranking.csv"):
        (new / name).write_text("2")
"""


@pytest.mark.parametrize("moment", [0, 3])
@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGTERM])
def test_a_process_killed_while_it_replaces_leaves_what_the_next_one_knows_as_ours(report, signal_number, moment):
    command = [sys.executable, "-c", KILLED, str(report), str(moment)]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"there\n"
    process.send_signal(signal_number)
    time.sleep(0.1)
    process.communicate(b"", 30)
    if signal_number == signal.SIGTERM:
        assert held(report) == SECOND | OTHERS, "the end waits for the few milliseconds that replacing takes"
    elif moment == 0:
        assert {name: text for name, text in held(report).items() if not name.startswith(".new-")} == FIRST | OTHERS
    for scratch in report.glob(".new-*"):
        subprocess.run(["rm", "-r", scratch], check=True)
    write(report, SECOND)
    assert held(report) == SECOND | OTHERS


def test_only_the_report_is_copied_to_be_uploaded(report):
    fill(report, {"figures/mine.png": "mine", "mlflow.db": "the store", "mlruns/0/x": "the store's files"})
    (report / "report.md").unlink()
    (report / "report.md").symlink_to("/etc/hostname")
    with folders.report_alone(report) as alone:
        assert held(alone) == {name: text for name, text in FIRST.items() if name != "report.md"}


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (
            ["report", "--output", "mine"],
            "mine holds what is of no earlier report, report.html, figures/a.png, where the report",
        ),
        (["compare", "--metric", "m", "--group-by", "params.l", "--output", "mine"], "report.html, figures/a.png"),
        (["snapshot", "mine"], "mine holds other files: name a new folder"),
        (["gallery", "--output", "mine/report.html"], "mine/report.html is there and is no gallery that this command wrote"),
        (["report", "--output", "mine/report.html"], "mine/report.html is a file: name a folder"),
    ],
)
def test_every_command_that_writes_refuses_before_it_reads(tmp_path, monkeypatch, capsys, command, words):
    monkeypatch.chdir(tmp_path)  # there is no store here
    mine = {"report.html": "mine", "figures/a.png": "mine", "manifest.json": "{}", "notes.txt": "mine"}
    fill(tmp_path / "mine", mine)
    assert cli.main(command) == 2
    printed = capsys.readouterr().err
    assert words in printed
    assert printed.count("\n") == 1
    assert held(tmp_path) == {f"mine/{name}": text for name, text in mine.items()}


def test_names_of_files_cannot_act_on_a_terminal(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    fill(tmp_path, {"report/figures/a\x1b[2J\n.png": "mine"})
    assert cli.main(["report"]) == 2
    assert r"figures/a\x1b[2J\n.png" in capsys.readouterr().err


def test_a_command_that_fails_leaves_no_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/none.db")
    assert cli.main(["report", "--output", "a/b"]) == 2
    assert cli.main(["gallery", "--output", "a/b.html"]) == 2
    assert list(tmp_path.iterdir()) == []
