"""A checkpoint is what was written for its run, to the last bit, or nothing is trained on it."""

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import mlflow
import pytest
import torch
from conftest import train
from mlflow.tracking import MlflowClient
from test_ledger import claim, made
from test_resume import TIMED, stopped_after, stopped_run  # noqa: F401  # a fixture
from test_study import HERE, planned

from regstudy.commands import cli
from regstudy.errors import DamagedCheckpoint, UsageError
from regstudy.schema import Metric, Tag, by_either_name
from regstudy.study import coordinator
from regstudy.tracking import checkpoint, ledger

RUN, OTHER = "1" * 32, "2" * 32


@pytest.fixture
def file() -> Path:
    """A run's checkpoint, beside that of another run."""
    for run_id in (RUN, OTHER):
        checkpoint.save_after_epoch(run_id, [], 1, {"weight": torch.arange(6.0)})
    return checkpoint.where(RUN)


def flip(path: Path, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)


def test_a_sound_checkpoint_gives_back_what_was_kept(file):
    loaded = checkpoint.load(RUN)
    assert loaded is not None
    assert loaded.threads == 1
    assert torch.equal(loaded.state["weight"], torch.arange(6.0))
    assert checkpoint.damage(RUN) == ""
    assert checkpoint.damage("3" * 32) == ""


@pytest.mark.parametrize("step", [13, pytest.param(1, marks=pytest.mark.slow)])
def test_whichever_bit_is_flipped_it_is_noticed(file, step):
    """All of them, or some of each part."""
    content = file.read_bytes()
    for bit in range(0, len(content) * 8, step):
        flip(file, bit)
        assert checkpoint.damage(RUN), bit
        file.write_bytes(content)
    assert checkpoint.damage(RUN) == ""


def _without_digest(path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"weight": torch.zeros(2)}, path, {"history": "[]", "threads": "1"})


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES: dict[str, Callable[[Path], object]] = {
    "is damaged": lambda path: flip(path, path.stat().st_size * 8 - 7),
    "is damaged (its content": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "SHA-256 that it was written with": lambda path: path.write_bytes(path.read_bytes() + b"\0"),
    "is empty": lambda path: path.write_bytes(b""),
    "has no digest": lambda path: path.write_text("a letter to somebody"),
    "from an earlier version of regstudy": _without_digest,
    f"is that of another run, {OTHER}": lambda path: shutil.copy(checkpoint.where(OTHER), path),
    "is no file": _folder,
}


@pytest.mark.parametrize("words", DAMAGES)
def test_each_damage_is_named_and_nothing_is_loaded(file, words):
    DAMAGES[words](file)
    assert words in checkpoint.damage(RUN)
    with pytest.raises(DamagedCheckpoint) as error:
        checkpoint.load(RUN)
    assert str(file) in str(error.value)
    assert "\n" not in str(error.value)


def test_what_is_set_aside_is_kept_when_the_run_is_done(file):
    flip(file, 1000)
    damaged = file.read_bytes()
    kept = checkpoint.set_aside(RUN)
    checkpoint.remove(RUN)
    assert kept.parent == file.parent
    assert kept.read_bytes() == damaged


def test_a_run_with_epochs_is_given_up_with_the_reason_and_the_trial_gets_another(workspace, capsys):
    left = made("KILLED", epochs=2, **{Tag.FAILURE: "Interrupted: stopped by SIGTERM"})
    checkpoint.save_after_epoch(left, [], 1, {})
    flip(checkpoint.where(left), 99)
    with claim() as run_id:
        assert run_id not in {None, left}
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1
    assert f"{left}.safetensors is damaged" in told[0]
    given_up = MlflowClient().get_run(left)
    assert given_up.info.status == "KILLED"
    assert "its checkpoint is damaged" in given_up.data.tags[Tag.FAILURE]


def test_a_run_without_epochs_loses_nothing_and_goes_on_from_the_start(workspace):
    left = made("RUNNING")
    checkpoint.save_after_epoch(left, [], 1, {})
    flip(checkpoint.where(left), 99)
    with claim() as run_id:
        assert run_id == left
        assert not checkpoint.exists(left)


@pytest.mark.slow
def test_resume_says_what_is_wrong_and_changes_nothing(workspace, stopped_after, capsys):  # noqa: F811
    stopped_after(1)
    stopped = stopped_run()
    path = checkpoint.where(stopped)
    flip(path, 12345)
    before = path.read_bytes(), MlflowClient().get_run(stopped).to_dictionary()
    assert cli.main(["resume", stopped]) == 2
    (line,) = capsys.readouterr().err.splitlines()[-1:]
    assert f"run {stopped} cannot be continued: its checkpoint {path} is damaged" in line
    assert "start it anew: python -m regstudy train --" in line
    assert before == (path.read_bytes(), MlflowClient().get_run(stopped).to_dictionary())


@pytest.mark.slow
def test_a_study_trains_the_trial_anew_and_doubles_nothing(workspace, stopped_after, capsys):  # noqa: F811
    text = "name: small\nabout: Sound?\noverrides: {epochs: 3, dataset: mnist-5k}\nconfigurations: [{l1: 0}]\nseeds: 1\n"
    stopped_after(2)
    stopped = stopped_run(threads=1)
    flip(checkpoint.where(stopped), 77777)
    coordinator.run(planned(text), HERE)
    assert f"{stopped}.safetensors is damaged" in capsys.readouterr().out
    (entry, given_up) = ledger.find("0", planned(text).trials[0].digest)
    assert (entry.state, given_up.state, given_up.run_id) == ("done", "killed", stopped)
    history = {name: MlflowClient().get_metric_history(entry.run_id, name) for name in Metric}
    assert all([point.step for point in points] == [0, 1, 2] for points in history.values() if points)
    whole = train(epochs=3, threads=1, seed=0)
    untimed = {name: value for name, value in entry.metrics.items() if name not in TIMED}
    assert untimed == {
        name: value for name, value in by_either_name(mlflow.get_run(whole).data.metrics).items() if name not in TIMED
    }


def test_a_disk_that_is_full_is_a_line_and_leaves_what_was(file, monkeypatch):
    before = {path.name: path.read_bytes() for path in file.parent.iterdir()}

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UsageError, match=r"checkpoints cannot be kept in .* \(No space left on device\)"):
        checkpoint.save_after_epoch(RUN, [], 1, {"weight": torch.zeros(6)})
    assert {path.name: path.read_bytes() for path in file.parent.iterdir()} == before
