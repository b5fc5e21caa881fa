"""The command lines: one clear line for bad input, status 2, and neither torch nor mlflow imported for it."""

import os
import socket
import subprocess
import sys

import mlflow
import pytest
from conftest import ROOT

from analysis.commands import cli as analysis_cli
from regstudy.commands import cli
from regstudy.config import FILLED_IN, RunConfig
from regstudy.console import terminal
from regstudy.schema import Tag

TRAIN = [
    (["--l1=-1"], "l1: expected a finite number ≥ 0, got '-1'"),
    (["--l1", "-1"], "l1: expected a finite number ≥ 0, got '-1'"),
    (["--l1", "nan"], "l1: expected a finite number ≥ 0, got 'nan'"),
    (["--l2", "inf"], "l2: expected a finite number ≥ 0, got 'inf'"),
    (["--l2=-inf"], "l2: expected a finite number ≥ 0, got '-inf'"),
    (["--l1", "abc"], "l1: expected a finite number ≥ 0, got 'abc'"),
    (["--epochs", "0"], "epochs: expected a whole number ≥ 1, got '0'"),
    (["--epochs", "2.5"], "epochs: expected a whole number ≥ 1, got '2.5'"),
    (["--bogus", "1"], "unrecognized arguments: --bogus 1"),
    (["--ep", "1"], "unrecognized arguments: --ep 1"),
    (["--dataset", "cifar"], "dataset: expected one of auto, mnist, fashion-mnist, mnist-5k, kmnist"),
    (["--recipe", "x"], "recipe: expected one of published, corrected, got 'x'"),
    (["--data-root", "/no/such"], "data root '/no/such' (from --data-root) is not a folder"),
    (["--data_root", "/proc"], "'/proc' cannot be written"),
]


@pytest.mark.parametrize(("arguments", "words"), TRAIN)
def test_bad_training_input_is_one_line_and_status_2(arguments, words, capsys, monkeypatch):
    monkeypatch.delenv("REGSTUDY_DATA", raising=False)
    assert cli.main(["train", *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("python -m regstudy: error: " + words)
    assert printed.err.count("\n") == 1


@pytest.mark.parametrize(
    ("module", "arguments", "status"),
    [
        ("regstudy", ["--help"], 0),
        ("regstudy", ["train", "--help"], 0),
        ("regstudy", ["train", "--l1", "abc"], 2),
        ("regstudy", ["train", "--data-root", "/no/such"], 2),
        ("regstudy", [], 2),
        ("analysis", ["--help"], 0),
        ("analysis", ["report", "--help"], 0),
        ("analysis", ["report", "--nonsense"], 2),
        ("analysis", ["report", "--output", "/proc/report"], 2),
    ],
)
def test_help_and_errors_import_neither_torch_nor_mlflow(module, arguments, status, monkeypatch):
    monkeypatch.delenv("REGSTUDY_DATA", raising=False)
    code = (
        f"import sys; from {module}.commands.cli import main\n"
        f"try: status = main({arguments!r})\nexcept SystemExit as end: status = end.code or 0\n"
        "print('heavy:', sorted({'torch', 'mlflow', 'pandas', 'matplotlib'} & set(sys.modules))); sys.exit(status)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == status, done.stderr
    assert done.stdout.splitlines()[-1] == "heavy: []"
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("module", ["regstudy", "analysis"])
def test_the_list_of_commands_needs_no_pydantic(module):
    code = (
        f"import sys; from {module}.commands.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "print('heavy:', sorted({'pydantic', 'yaml', 'jinja2'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.startswith("usage: ")
    assert done.stdout.splitlines()[-1] == "heavy: []"


def test_help_lists_every_field_with_its_default(capsys):
    with pytest.raises(SystemExit):
        cli.parser().parse_args(["train", "--help"])
    words = " ".join(capsys.readouterr().out.split()).replace("- ", "-")  # lines are broken at hyphens, too
    for name, field in RunConfig.model_fields.items():
        if name in FILLED_IN:
            continue
        assert f"--{name.replace('_', '-')}" in words
        if field.default not in {None, ""}:
            assert f"default: {field.default}" in words


def test_underscores_and_dashes_are_the_same_option():
    assert terminal.dashed(["train", "--batch_size=3", "--l1", "a_b", "--data_root", "x_y"]) == [
        "train", "--batch-size=3", "--l1", "a_b", "--data-root", "x_y",
    ]  # fmt: skip


def test_an_adopted_run_is_failed_with_the_reason(workspace, monkeypatch, capsys):
    with mlflow.start_run() as outer:
        pass
    mlflow.MlflowClient().update_run(outer.info.run_id, status="RUNNING")
    monkeypatch.setenv("MLFLOW_RUN_ID", outer.info.run_id)
    assert cli.main(["train", "--l1=abc"]) == 2
    monkeypatch.delenv("MLFLOW_RUN_ID", raising=False)
    failed = mlflow.get_run(outer.info.run_id)
    assert failed.info.status == "FAILED"
    assert failed.data.tags[Tag.FAILURE] == "l1: expected a finite number ≥ 0, got 'abc'"
    assert capsys.readouterr().err.count("\n") == 1


def unreachable() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize("command", ["train", "report"])
def test_an_unreachable_server_is_one_line_within_seconds(command, tmp_path, monkeypatch, capsys):
    uri = unreachable()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    mlflow.set_tracking_uri(None)  # pyright: ignore[reportArgumentType]  # None unsets it
    status = (
        cli.main(["train", "--dataset", "mnist-5k", "--epochs", "1"]) if command == "train" else analysis_cli.main(["report"])
    )
    assert status == 2
    error = capsys.readouterr().err
    assert f"the tracking server {uri} does not answer (" in error
    assert "set MLFLOW_TRACKING_URI" in error
    assert error.count("\n") == 1


def test_an_unwritable_store_is_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri("sqlite:////proc/mlflow.db")
    assert cli.main(["train", "--dataset", "mnist-5k", "--epochs", "1"]) == 2
    error = capsys.readouterr().err
    assert "the tracking store sqlite:////proc/mlflow.db cannot be written (unable to open database file)" in error
    assert error.count("\n") == 1
    mlflow.set_tracking_uri(None)  # pyright: ignore[reportArgumentType]  # None unsets it


def test_a_reader_that_goes_away_is_no_error(capfd):
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as pipe, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", pipe)

        def talk() -> None:
            raise BrokenPipeError

        assert terminal.run_command("program", talk) == 0
