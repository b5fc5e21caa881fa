"""A run that is interrupted and continued is the run that never stopped: same numbers, same weights, no step missing or doubled."""

import sqlite3
from pathlib import Path

import mlflow
import pytest
import torch
from conftest import train, use_store
from mlflow.tracking import MlflowClient
from safetensors.torch import load_file

from regstudy.console.terminal import Interrupted
from regstudy.errors import ResumeError, UsageError
from regstudy.run import progress, trial
from regstudy.schema import NUMERICS_VERSION, Metric, Summary, Tag
from regstudy.tracking import checkpoint

TIMED = {Metric.SECONDS, Metric.IMAGES_PER_SECOND, Summary.WALL_SECONDS}
EPOCHS = 3
PENALISED = {"l1": 0.001, "l2": 0.0005}


Facts = tuple[dict[str, list[tuple[int, float]]], dict[str, torch.Tensor]]


def facts(run_id: str, folder: Path) -> Facts:
    """Every metric's history but for times, and the logged weights."""
    client = MlflowClient()
    found = client.get_run(run_id)
    history = {
        name: [(point.step, point.value) for point in client.get_metric_history(run_id, name)]
        for name in found.data.metrics
        if name not in TIMED
    }
    assert found.outputs is not None
    (model,) = found.outputs.model_outputs
    files = mlflow.artifacts.download_artifacts(f"models:/{model.model_id}", dst_path=str(folder / run_id))
    (weights,) = Path(files).rglob("weights.safetensors")
    return history, load_file(weights)


def assert_same(one: str, other: str, folder: Path) -> None:
    assert_equal(facts(one, folder), facts(other, folder))


def assert_equal(one: Facts, other: Facts) -> None:
    (first, weights), (second, others) = one, other
    assert first == second
    assert weights.keys() == others.keys()
    assert all(torch.equal(weights[name], others[name]) for name in weights)


@pytest.fixture
def stopped_after(monkeypatch):
    """Make training stop as a signal would, once so many epochs are logged."""

    def arrange(epochs: int) -> None:
        plain = progress.Display.epoch_done

        def epoch_done(self, metrics):
            plain(self, metrics)
            if metrics.epoch + 1 == epochs:
                monkeypatch.setattr(progress.Display, "epoch_done", plain)
                raise Interrupted(15)

        monkeypatch.setattr(progress.Display, "epoch_done", epoch_done)

    return arrange


def stopped_run(**values: object) -> str:
    with pytest.raises(Interrupted):
        train(epochs=EPOCHS, **values)
    return MlflowClient().search_runs(["0"], max_results=1)[0].info.run_id


@pytest.fixture(scope="module")
def whole(tmp_path_factory, migrated_database) -> Facts:
    """Of a run that nobody disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as monkeypatch:
        use_store(folder, migrated_database, monkeypatch)
        found = facts(train(epochs=EPOCHS, **PENALISED), folder)
    mlflow.set_tracking_uri(None)  # pyright: ignore[reportArgumentType]  # None unsets it
    return found


@pytest.mark.slow
@pytest.mark.parametrize("epochs", [1, EPOCHS])
def test_a_stopped_run_goes_on_as_if_nothing_had_been(whole, workspace, stopped_after, tmp_path, epochs):
    stopped_after(epochs)
    stopped = stopped_run(**PENALISED)
    before = MlflowClient().get_run(stopped)
    assert before.info.status == "KILLED"
    assert before.data.tags[Tag.FAILURE] == "Interrupted: stopped by SIGTERM"
    assert before.data.metrics[Metric.EPOCHS_DONE] == epochs
    assert trial.resume(stopped) == stopped
    after = MlflowClient().get_run(stopped)
    assert after.info.status == "FINISHED"
    assert Tag.FAILURE not in after.data.tags
    assert_equal(whole, facts(stopped, tmp_path))
    assert not checkpoint.exists(stopped)


@pytest.mark.slow
def test_metrics_that_a_crash_kept_from_the_store_are_logged_later(whole, workspace, stopped_after, tmp_path):
    stopped_after(2)
    stopped = stopped_run(**PENALISED)
    # As if the process had died after the second epoch's checkpoint, before its metrics.
    with sqlite3.connect(workspace / "mlflow.db") as database:
        database.execute("DELETE FROM metrics WHERE run_uuid = ? AND step = 1", [stopped])
        database.execute("DELETE FROM latest_metrics WHERE run_uuid = ?", [stopped])
    trial.resume(stopped)
    assert_equal(whole, facts(stopped, tmp_path))


@pytest.mark.slow
def test_a_crash_while_the_model_is_logged_costs_nothing(workspace, tmp_path, monkeypatch):
    from regstudy.tracking.recorder import TrackedRun

    whole = train(epochs=1)
    for name in ("log_model", "log_outcome"):
        plain = getattr(TrackedRun, name)

        def crash(self, *given, plain=plain):
            plain(self, *given)
            raise RuntimeError("out of memory")

        monkeypatch.setattr(TrackedRun, name, crash)
        with pytest.raises(RuntimeError):
            train(epochs=1)
        monkeypatch.setattr(TrackedRun, name, plain)
        failed = MlflowClient().search_runs(["0"], max_results=1)[0].info
        assert failed.status == ("FINISHED" if name == "log_outcome" else "FAILED"), "the outcome comes last"
        if failed.status == "FAILED":
            trial.resume(failed.run_id)
        assert_same(whole, failed.run_id, tmp_path)
        assert MlflowClient().get_run(failed.run_id).info.status == "FINISHED"
        images = MlflowClient().list_artifacts(failed.run_id, "images")
        assert len(images) == len(MlflowClient().list_artifacts(whole, "images")), "the contact sheet is not there twice"


@pytest.mark.slow
def test_a_checkpoint_is_whole_or_not_there(workspace, stopped_after, monkeypatch):
    stopped_after(1)
    stopped = stopped_run()
    first = checkpoint.load(stopped)
    assert first is not None
    monkeypatch.setattr(checkpoint.os, "replace", lambda *_: (_ for _ in ()).throw(OSError("killed here")))
    with pytest.raises(UsageError, match=r"checkpoints cannot be kept in .* \(killed here\)"):
        checkpoint.save_after_epoch(stopped, [*first.history, first.history[0]], 2, first.state)
    again = checkpoint.load(stopped)
    assert again is not None
    assert len(again.history) == 1
    checkpoint.remove(stopped)
    assert list(checkpoint.where(stopped).parent.iterdir()) == []


@pytest.mark.slow
def test_what_cannot_be_continued_says_why(workspace, stopped_after):
    done = train()
    with pytest.raises(ResumeError, match=f"run {done} cannot be continued: it is finished"):
        trial.resume(done)
    with pytest.raises(ResumeError, match="there is no run 'nonsense' in the store sqlite:"):
        trial.resume("nonsense")
    with mlflow.start_run() as foreign:
        pass
    with pytest.raises(ResumeError, match="it is no training run of regstudy"):
        trial.resume(foreign.info.run_id)
    stopped_after(1)
    stopped = stopped_run()
    MlflowClient().set_tag(stopped, Tag.NUMERICS_VERSION, "1")
    with pytest.raises(ResumeError, match="made with numerics version 1, and this is"):
        trial.resume(stopped)
    MlflowClient().set_tag(stopped, Tag.NUMERICS_VERSION, str(NUMERICS_VERSION))
    checkpoint.remove(stopped)
    with pytest.raises(ResumeError, match="its checkpoint is not on this machine"):
        trial.resume(stopped)


@pytest.mark.slow
def test_divergence_is_a_result(workspace):
    run_id = train(epochs=EPOCHS, lr=1e6)
    found = MlflowClient().get_run(run_id)
    assert found.info.status == "FINISHED"
    assert found.data.tags[Tag.OUTCOME] == "diverged"
    steps = [point.step for point in MlflowClient().get_metric_history(run_id, Metric.TRAIN_LOSS)]
    assert steps == [0], "training ends at the epoch whose loss is no number"
    assert Summary.ENDPOINT_TEST_ACCURACY not in found.data.metrics
    assert "Diverged" in found.data.tags["mlflow.note.content"]
