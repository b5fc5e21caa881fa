"""What leaves us for a terminal: shown, never acted on; plain where the stream is; and never a reason to end what is being trained."""

import io
import os
import subprocess
import sys
from pathlib import Path

import few
import mlflow
import pytest
from conftest import ROOT
from rich.progress import Progress

from analysis.commands import cli as analysis_cli
from regstudy.commands import cli
from regstudy.console import invocation, screen, streams, terminal
from regstudy.console.text import visible
from regstudy.schema import Tag

SMALL = ["--dataset", few.DATASET, "--threads", "1", "--epochs", "1"]
C_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
NO_TEXT = os.fsdecode(b"caf\xe9")
"""A file's name that is no UTF-8."""

HOSTILE = "a\x1b]0;owned\x07\x1b[31mb\x9bc\rd\ne\tf\u202eg\u2066h\u2028i"


def called(module: str, *arguments: str, folder: Path, before: str = "", after: str = "", **variables: str):
    """A command in a shell, between redirections or pipes of the shell's; without what surrounds the tests."""
    names = {"MLFLOW_TRACKING_URI", "PYTHONIOENCODING", "PYTHONUTF8", invocation.CALL}
    environment = {name: value for name, value in os.environ.items() if name not in names}
    environment |= {"PYTHONPATH": str(ROOT), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", **variables}
    line = f'set -o pipefail; {before} python -m {module} "$@" {after}'
    command = ["bash", "-c", line, "bash", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False)


def ascii_stdout(monkeypatch: pytest.MonkeyPatch, encoding: str = "ascii") -> io.BytesIO:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding))
    return written


def test_controls_and_overrides_of_direction_become_visible():
    assert visible(HOSTILE) == r"a\x1b]0;owned\x07\x1b[31mb\x9bc\rd\ne\tf\u202eg\u2066h\u2028i"


@pytest.mark.parametrize("text", ["L1 0.001 − none", "日本語 🏃", "e\u0301", "üß", "नि", ""])
def test_what_can_be_read_stays_as_it_is(text):
    assert visible(text) == text


@pytest.mark.parametrize(
    ("encoding", "seen"),
    [
        ("ascii", r"- x +/- ~ -> ... + . - >= \xfc \u65e5"),
        ("cp1252", r"- × ± ~ -> … + · – >= ü \u65e5"),
        ("latin-1", r"- × ± ~ -> ... + · - >= ü \u65e5"),
        ("utf-8", "− × ± ≈ → … ✓ · – ≥ ü 日"),
    ],
)
def test_what_a_stream_cannot_show_is_spelled_plainly(encoding, seen):
    assert streams.plain("− × ± ≈ → … ✓ · – ≥ ü 日", io.TextIOWrapper(io.BytesIO(), encoding)) == seen


def test_bytes_that_are_no_text_are_shown_whatever_the_stream():
    for encoding in ("utf-8", "ascii"):
        assert streams.plain(NO_TEXT, io.TextIOWrapper(io.BytesIO(), encoding)) == r"caf\udce9"


def test_a_line_is_one_line(capsys):
    terminal.say(HOSTILE)
    terminal.warn(HOSTILE)
    told = capsys.readouterr()
    assert told.out == told.err == visible(HOSTILE) + "\n"


def test_a_table_shows_names_and_obeys_none(capsys):
    table = screen.Table("[bold]title\x1b[2J")
    table.column("first", "line", HOSTILE)
    table.row("[red]:smile:\x1b[0m\nb")
    table.show(120)
    out = capsys.readouterr().out
    assert not set(out) & set("\x1b\x07\x9b\r\t\u202e\u2066\u2028")
    assert "[bold]title\\x1b[2J" in out
    assert "[red]:smile:\\x1b[0m\\nb" in out


def test_names_beside_a_bar_are_no_markup():
    column = screen.words("task.description")
    assert not column.markup
    bar = Progress(column, console=screen.console())
    bar.add_task("[red]x[/red]")
    assert column.render(bar.tasks[0]).plain == "[red]x[/red]"


def test_runs_with_hostile_names_are_ranked_and_act_on_nothing(workspace, capsys):
    for seed in range(2):
        for value in ("plain", HOSTILE):
            with mlflow.start_run(run_name=HOSTILE):
                mlflow.log_params({"kind": value, "seed": seed})
                mlflow.log_metric("accuracy", 0.5 + seed / 10)
    assert analysis_cli.main(["compare", "--metric", "accuracy", "--group-by", "params.kind"]) == 0
    out = capsys.readouterr().out
    assert not set(out) & set("\x1b\x07\x9b\r\t\u202e\u2066\u2028")
    assert r"\x1b]0;owned" in "".join(line.strip() for line in out.splitlines())


def test_a_hostile_reason_of_failure_stays_on_its_line(workspace, capsys):
    (workspace / "one.yaml").write_text(
        "name: one\nabout: x\nconfigurations: [{l1: 0}]\nseeds: 1\noverrides: {dataset: mnist-5k}\n"
    )
    assert cli.main(["study", "status", "one.yaml"]) == 0
    from regstudy.design import design_file
    from regstudy.store import store
    from regstudy.study import plan
    from regstudy.tracking import recorder

    (trial,) = plan.make(design_file.load("one.yaml"), None).trials
    run_id = mlflow.start_run(tags=recorder.identity(trial.config, trial) | {Tag.FAILURE: HOSTILE}).info.run_id
    mlflow.end_run("FAILED")
    capsys.readouterr()
    store.quieten()
    assert cli.main(["study", "status", "one.yaml"]) == 0
    assert f"run {run_id}: {visible(HOSTILE)}\n" in capsys.readouterr().out


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
@pytest.mark.parametrize("command", [["rank"], ["compare", "none", "L1 0.001"]])
def test_every_answer_can_be_read_on_any_terminal(trained, monkeypatch, encoding, command):
    written = ascii_stdout(monkeypatch, encoding)
    assert analysis_cli.main(command) == 0
    text = written.getvalue().decode(encoding)
    assert ("+/-" if encoding == "ascii" else "±") in text or "-" in text
    assert "\\u" not in text


def test_tables_are_laid_out_for_what_the_stream_shows(monkeypatch):
    written = ascii_stdout(monkeypatch)
    table = screen.Table()
    table.column("a", justify="right")
    table.column("b")
    for left in ("1 ± 2", "1 x 2"):
        table.row(left, "|")
    table.show(40)
    assert {line.index("|") for line in written.getvalue().decode().splitlines()[1:]} == {9}


@pytest.mark.parametrize("module", ["regstudy", "analysis"])
@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_help_and_errors_need_no_utf8(module, encoding, tmp_path):
    shown = called(module, "study" if module == "regstudy" else "rank", "run" if module == "regstudy" else "--help", "--help",
                   folder=tmp_path, PYTHONIOENCODING=encoding)  # fmt: skip
    assert shown.returncode == 0, shown.stderr
    assert b"usage" in shown.stdout
    refused = called(module, "−×☃", folder=tmp_path, PYTHONIOENCODING=encoding)
    assert refused.returncode == 2
    assert refused.stderr.count(b"\n") == 1
    refused.stderr.decode(encoding)


OUTPUTS = {
    "full": ("", "> /dev/full", 2, 1),
    "all full": ("", "> /dev/full 2> /dev/full", 2, 0),
    "closed": ("", ">&-", 2, 1),
    "all closed": ("", "<&- >&- 2>&-", 2, 0),
    "a reader that goes": ("", "| head -1", 0, 0),
    "nobody reads": ("", "| true", 0, 0),
}


@pytest.mark.parametrize("output", OUTPUTS)
def test_a_command_that_only_tells_says_what_became_of_its_output(output, tmp_path):
    before, after, status, lines = OUTPUTS[output]
    done = called("regstudy", "study", "schema", folder=tmp_path, before=before, after=after)
    assert (done.returncode, done.stderr.count(b"\n")) == (status, lines), done.stderr
    assert b"Exception" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_help_into_a_full_device_is_told_in_one_line(tmp_path):
    done = called("analysis", "--help", folder=tmp_path, after="> /dev/full")
    assert done.returncode == 2
    assert done.stderr.decode().startswith("python -m analysis: error: stdout cannot be written (No space left on device)")
    assert done.stderr.count(b"\n") == 1


def test_an_error_is_told_though_stdout_is_lost(tmp_path):
    done = called("regstudy", "train", "--l1", "abc", folder=tmp_path, after=">&-")
    assert done.returncode == 2
    assert b"l1: expected a finite number" in done.stderr


def test_a_slow_reader_of_an_output_that_does_not_block_gets_all_of_it():
    read, write = os.pipe()
    os.set_blocking(write, False)
    outlet, sent = streams.Outlet(write), b"x" * 300_000
    with subprocess.Popen(["wc", "-c"], stdin=read, stdout=subprocess.PIPE) as reader:
        os.close(read)
        writer = io.BufferedWriter(outlet)
        writer.write(sent)
        writer.flush()
        os.close(write)
        assert reader.stdout is not None
        assert int(reader.stdout.read()) == len(sent)
    assert outlet.loss is None


@pytest.mark.slow
@pytest.mark.parametrize(("folder", "locale"), [("Müller−☃", C_LOCALE), (NO_TEXT, C_LOCALE), (NO_TEXT, {"LC_ALL": "C.UTF-8"})])
def test_a_folder_of_any_name_has_an_answer_and_no_traceback(folder, locale, tmp_path):
    here = tmp_path / folder
    here.mkdir()
    done = called("analysis", "rank", folder=here, **locale)
    assert done.returncode == 2
    assert done.stderr.count(b"\n") == 1, done.stderr
    assert (b"is not UTF-8" if folder == NO_TEXT else b"first run, in this folder") in done.stderr
    assert not list(here.iterdir())


def call() -> str:
    """What stands for `python` in the commands that a process prints which is called in these surroundings."""
    os.environ.pop(invocation.CALL, None)
    invocation.remember()
    return os.environ[invocation.CALL]


def test_printed_commands_are_plain_where_the_shell_knows_them(monkeypatch, tmp_path):
    monkeypatch.delenv("MLFLOW_RUN_ID", raising=False)
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    assert call() == "python"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert call() == sys.executable


def test_under_mlflow_run_they_name_project_store_and_experiment(monkeypatch):
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    monkeypatch.setenv("MLFLOW_RUN_ID", "1")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:////some where/mlflow.db")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "7")
    call()
    assert invocation.pasteable("go: python -m analysis report --where a=1") == (
        f"go: PYTHONPATH={ROOT} MLFLOW_TRACKING_URI='sqlite:////some where/mlflow.db' MLFLOW_EXPERIMENT_ID=7 "
        "python -P -m analysis report --where a=1"
    )
    assert invocation.pasteable("python -m regstudy: error: no") == "python -m regstudy: error: no"
    assert invocation.path(__file__) == __file__


def test_passwords_are_in_no_printed_command(monkeypatch):
    for address in ("postgresql://me:secret@host/db", "postgresql:///db?password=secret"):
        monkeypatch.setenv("MLFLOW_RUN_ID", "1")
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        assert "secret" not in call()
        assert invocation.ui(address).endswith('mlflow ui --backend-store-uri "$MLFLOW_TRACKING_URI"')


def test_the_environment_that_mlflow_made_is_called_by_its_path(monkeypatch):
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    monkeypatch.setenv("MLFLOW_ENV_ROOT", str(Path(sys.executable).parent.parent))
    monkeypatch.delenv("MLFLOW_RUN_ID", raising=False)
    assert call() == sys.executable


def only_status(folder: Path) -> str:
    (run,) = mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db").search_runs(["0"])
    return run.info.status


LOST = {"full": ("> /dev/full", 1), "closed": (">&- 2>&-", 0), "a reader that goes": ("| head -1", 1)}


@pytest.mark.slow
@pytest.mark.parametrize("output", LOST)
def test_what_is_being_trained_goes_on_unheard(output, workspace):
    after, lines = LOST[output]
    few.put(workspace)
    done = called("regstudy", "train", *SMALL, folder=workspace, after=after)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count(b"training goes on") == done.stderr.count(b"\n") == lines
    assert only_status(workspace) == "FINISHED"


STUDY = (
    "name: small\nabout: x\nconfigurations: [{l1: 0}, {l1: 0.001}]\nseeds: 1\noverrides: {dataset: arrays:few.npz, epochs: 1}\n"
)


EACH = """
import runpy, sys
for command in " ".join(sys.argv[1:]).split(" , "):
    module, *sys.argv[1:] = command.split()
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        print("ended with", end.code, flush=True)
"""
"""Commands as they come from a shell, in one process: its start takes longer than most of them."""


@pytest.mark.slow
def test_a_study_in_a_c_locale_and_a_folder_with_an_umlaut_is_run_and_read(tmp_path):
    """Its report is test_wheel's."""
    here = tmp_path / "Müller−☃"
    here.mkdir()
    few.put(here)
    (here / "entwürfe.yaml").write_text(STUDY)
    run = called(
        "regstudy",
        "study",
        "run",
        "entwürfe.yaml",
        "--executor",
        "processes",
        "--jobs",
        "1",
        "--threads",
        "1",
        "--no-report",
        folder=here,
        after="| head -1",
        **C_LOCALE,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith(b"study small: 2 configurations x 1 seed")
    (here / "each.py").write_text(EACH, encoding="utf-8")
    commands = (
        "regstudy study status entwürfe.yaml",
        "analysis rank",
        "analysis gallery --output ö.html",
        "analysis snapshot schnapß",
        "analysis rank --from schnapß",
    )
    done = called("each", *" , ".join(commands).split(), folder=here, **C_LOCALE | {"PYTHONPATH": f"{ROOT}:{here}"})
    assert (done.returncode, done.stderr) == (0, b""), done.stderr
    assert done.stdout.decode("ascii").count("ended with 0") == 5
    assert {"ö.html", "schnapß"} <= {path.name for path in here.iterdir()}


@pytest.mark.slow
def test_bars_are_plain_on_a_plain_terminal(workspace):
    import pty

    few.put(workspace)
    ours, theirs = pty.openpty()
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii", "TERM": "xterm", "COLUMNS": "60"}
    environment.pop("MLFLOW_TRACKING_URI", None)
    command = [sys.executable, "-m", "regstudy", "train", *SMALL]
    with subprocess.Popen(
        command, cwd=workspace, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
    ) as process:
        os.close(theirs)
        shown = b""
        try:
            while part := os.read(ours, 65536):
                shown += part
        except OSError:  # the other end is closed
            pass
        assert process.wait() == 0, shown
    os.close(ours)
    text = shown.decode("ascii")
    assert "---" in text
    assert "epoch 1/1" in text
