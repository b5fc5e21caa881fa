"""One configuration is one MLflow run: what it holds, how it ends, and that it can be repeated."""

import io
import json
import os
import signal
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import few
import mlflow
import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from conftest import ROOT, train, use_store
from PIL import Image
from safetensors.torch import load_file

from regstudy.commands import cli
from regstudy.config import RunConfig
from regstudy.data import datasets
from regstudy.data.sources import Source
from regstudy.errors import ConfigError
from regstudy.machine import devices
from regstudy.run import trial
from regstudy.schema import NUMERICS_VERSION, STORED_AS, Artifact, Metric, Summary, Tag, by_either_name
from regstudy.tracking import recorder
from regstudy.training import network, scores


def only_run(folder: Path) -> mlflow.entities.Run:
    return mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db").search_runs(["0"])[0]


@pytest.fixture(scope="module")
def finished(trained_once: Path) -> mlflow.entities.Run:
    """The run of L1 0.001 with seed 1."""
    runs = mlflow.MlflowClient(f"sqlite:///{trained_once}/mlflow.db").search_runs(["0"])
    return next(r for r in runs if r.info.run_name == "L1 0.001 · seed 1 · epochs 1 · mnist-5k")


@pytest.fixture
def client(trained: Path) -> mlflow.MlflowClient:
    return mlflow.MlflowClient(f"sqlite:///{trained}/mlflow.db")


def test_it_is_finished_and_says_what_it_is(finished):
    tags, params = finished.data.tags, finished.data.params
    config = RunConfig(l1=0.001, seed=1, epochs=1, dataset="mnist-5k", threads=1)
    assert finished.info.status == "FINISHED"
    assert tags[Tag.CONFIG_DIGEST] == config.digest()
    assert RunConfig.model_validate_json(tags[Tag.CONFIG]) == config
    assert {name: params[name] for name in ("l1", "l2", "seed", "epochs", "l1_kind")} == {
        "l1": "0.001",
        "l2": "0.0",
        "seed": "1",
        "epochs": "1",
        "l1_kind": "mean",
    }
    assert tags[Tag.NUMERICS_VERSION] == str(NUMERICS_VERSION)
    assert tags[Tag.PARAMETER_COUNT] == "9680"
    assert tags[Tag.TEST_IMAGES] == "1000"
    assert json.loads(tags[Tag.PACKAGES])["torch"] == torch.__version__
    assert tags[Tag.THREADS] == "1"
    assert {Tag.DEVICE, Tag.PROCESSOR, Tag.PLATFORM, Tag.GIT_COMMIT, Tag.GIT_DIRTY} <= set(tags)


def test_every_metric_of_the_vocabulary_is_there(finished):
    assert not STORED_AS.keys() & finished.data.metrics.keys()
    metrics = set(by_either_name(finished.data.metrics))
    absent = {Metric.VALIDATION_ACCURACY, Metric.VALIDATION_LOSS}  # this recipe has no validation images
    assert {m.value for m in Metric if m not in absent} <= metrics
    patterns = {Summary.BELOW, Summary.RECALL, Summary.L1_REACH, Summary.INITIAL_SCALE}
    absent_summaries = {
        Summary.ENDPOINT_VALIDATION_ACCURACY,
        Summary.ENDPOINT_VALIDATION_LOSS,
        Summary.ROUGHNESS_TEST_ACCURACY,  # one epoch has no successive differences
        Summary.ROUGHNESS_TEST_LOSS,
    }
    assert {s.value for s in Summary if s not in patterns | absent_summaries} <= metrics
    assert {Summary.RECALL.format(i) for i in range(10)} <= metrics
    assert {Summary.L1_REACH.format(f"conv{i}") for i in range(1, 7)} <= metrics
    assert {Summary.BELOW.format(t) for t in (0.001, 0.01, 0.1)} <= metrics


def test_the_data_set_is_an_input_with_its_digest(finished):
    (given,) = finished.inputs.dataset_inputs
    config = RunConfig(seed=1, dataset="mnist-5k")
    data = datasets.load(Source("mnist-5k", None), config)
    assert given.dataset.name == "mnist-5k"
    assert given.dataset.digest == data.split_digest[:36]
    assert finished.data.tags[Tag.SPLIT_DIGEST] == data.split_digest
    assert finished.data.tags[Tag.DATA_DIGEST] == data.data_digest


def test_metrics_are_linked_to_the_model_and_the_data(finished, client):
    logged = mlflow.get_logged_model(finished.outputs.model_outputs[0].model_id)
    assert logged.status == "READY"
    assert logged.name == "cnn-l1-1e-3-seed-1"
    linked = {m.key: m for m in logged.metrics}
    assert linked["test/accuracy"].value == finished.data.metrics["test/accuracy"]
    assert linked["test/accuracy"].dataset_name == "mnist-5k"


def test_the_model_loads_without_pickle_and_is_the_network(finished, client, monkeypatch, tmp_path):
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    uri = f"models:/{finished.outputs.model_outputs[0].model_id}"
    loaded = mlflow.pyfunc.load_model(uri)
    test = datasets.load(Source("mnist-5k", None), RunConfig(dataset="mnist-5k")).test
    predictions = loaded.predict(test.images[:7].numpy())
    assert predictions.shape == (7, 10)
    np.testing.assert_allclose(np.exp(predictions).sum(1), 1, rtol=1e-5)
    assert "uint8" in str(loaded.metadata.signature)
    weights = list(Path(mlflow.artifacts.download_artifacts(uri, dst_path=str(tmp_path))).rglob("weights.safetensors"))
    model = network.build(RunConfig())
    model.load_state_dict(load_file(weights[0]))
    np.testing.assert_allclose(scores.predict(model, test[:7]).numpy(), predictions, rtol=1e-4, atol=1e-5)


def test_predictions_and_misclassified_images_are_tables(finished, client, tmp_path):
    def table(name: str):
        return pq.read_table(client.download_artifacts(finished.info.run_id, name, str(tmp_path))).to_pandas()

    test = datasets.load(Source("mnist-5k", None), RunConfig(dataset="mnist-5k")).test
    predictions, wrong = table(Artifact.PREDICTIONS), table(Artifact.MISCLASSIFIED)
    assert predictions["index"].tolist() == list(range(1_000))
    assert predictions["label"].tolist() == test.labels.tolist()
    errors = predictions[predictions["label"] != predictions["predicted"]]
    assert set(wrong["index"]) == set(errors["index"])
    assert len(wrong) == finished.data.metrics[Summary.MISCLASSIFIED]
    assert 1 - len(errors) / 1_000 == pytest.approx(finished.data.metrics["test/accuracy"])
    assert wrong["predicted_probability"].is_monotonic_decreasing
    first = wrong.iloc[0]
    assert first["pixels"] == test.images[int(first["index"])].numpy().tobytes()


def test_the_contact_sheet_is_an_artifact_and_in_the_image_view(finished, client, tmp_path):
    def size(name: str) -> tuple[int, int]:
        with Image.open(client.download_artifacts(finished.info.run_id, name, str(tmp_path))) as picture:
            return picture.size

    assert size(Artifact.CONTACT_SHEET) == (768, 960)
    assert size(Artifact.CONFUSION)[0] > 500
    assert size(Artifact.CURVES)[0] > 500
    assert [file.path for file in client.list_artifacts(finished.info.run_id, "images")]


def test_the_description_has_the_result_and_the_command(finished):
    text = finished.data.tags["mlflow.note.content"]
    assert f"{finished.data.metrics[Summary.ENDPOINT_TEST_ACCURACY]:.2%}" in text
    assert finished.data.tags[Tag.COMMAND] in text
    assert "python -m regstudy train" in text


def test_the_described_command_is_the_same_configuration(finished):
    from regstudy.commands.cli import configuration, parser

    given = finished.data.tags[Tag.COMMAND].split()[3:]
    config = configuration(parser().parse_args(given))
    assert config.digest() == finished.data.tags[Tag.CONFIG_DIGEST]


@pytest.fixture(scope="module")
def again(tmp_path_factory, migrated_database) -> tuple[mlflow.entities.Run, str, str]:
    """That configuration once more, elsewhere; what was said of it, on both streams."""
    folder = tmp_path_factory.mktemp("again")
    said, warned = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as monkeypatch, redirect_stdout(said), redirect_stderr(warned):
        use_store(folder, migrated_database, monkeypatch)
        run = mlflow.get_run(train(l1=0.001, seed=1))
    assert mlflow.active_run() is None
    mlflow.set_tracking_uri(None)  # pyright: ignore[reportArgumentType]  # None unsets it
    return run, said.getvalue(), warned.getvalue()


@pytest.mark.slow
def test_the_same_configuration_gives_the_same_numbers_to_the_last_bit(finished, again):
    timed = {Metric.SECONDS, Metric.IMAGES_PER_SECOND, Summary.WALL_SECONDS}
    first = {k: v for k, v in finished.data.metrics.items() if k not in timed}
    second = {k: v for k, v in again[0].data.metrics.items() if k not in timed}
    assert first == second


@pytest.mark.slow
def test_plain_lines_where_there_is_no_terminal(again):
    _, said, warned = again
    assert warned == ""
    lines = said.splitlines()
    assert lines[0] == "L1 0.001 · seed 1 · epochs 1 · mnist-5k: 1 epoch of 4,000 images on cpu"
    assert lines[1].startswith("epoch 1/1  train loss ")
    assert lines[-1].startswith("next: python -m analysis report --where epochs=")
    assert lines[-2] == (
        "look at your runs: mlflow ui, then http://127.0.0.1:5000/#/experiments/0/runs?workflowType=machine_learning"
    )
    assert "\x1b" not in said


@pytest.fixture(scope="module")
def unusual(tmp_path_factory, migrated_database) -> tuple[mlflow.entities.Run, str]:
    """A run with validation images, a name of the user's and a warning about its data; what was warned."""
    folder = tmp_path_factory.mktemp("unusual")
    config = RunConfig(recipe="corrected", validation_size=1_000, l1=1e-4, epochs=1, threads=1)
    warned = io.StringIO()
    with pytest.MonkeyPatch.context() as monkeypatch, redirect_stdout(io.StringIO()), redirect_stderr(warned):
        use_store(folder, migrated_database, monkeypatch)
        outer = mlflow.MlflowClient().create_run("0", run_name="my run")
        monkeypatch.setenv("MLFLOW_RUN_ID", outer.info.run_id)
        run_id = trial.run(config, Source("mnist-5k", None, "NOT FULL MNIST: because"))
        monkeypatch.delenv("MLFLOW_RUN_ID", raising=False)
        assert run_id == outer.info.run_id
        run = mlflow.get_run(run_id)
    mlflow.set_tracking_uri(None)  # pyright: ignore[reportArgumentType]  # None unsets it
    return run, warned.getvalue()


@pytest.mark.slow
def test_a_corrected_run_logs_validation(unusual):
    values = unusual[0].data.metrics
    assert Metric.VALIDATION_ACCURACY in values
    assert values[Summary.ENDPOINT_VALIDATION_ACCURACY] == values[Metric.VALIDATION_ACCURACY]
    assert values[Summary.EXACT_ZEROS] > 0


@pytest.mark.slow
def test_a_name_that_the_user_gave_is_kept(unusual):
    assert unusual[0].info.run_name == "my run"


@pytest.mark.slow
def test_a_warning_about_the_data_is_loud_and_stays_with_the_run(unusual):
    logged, warned = unusual
    assert "WARNING: NOT FULL MNIST: because" in warned
    assert logged.data.tags[Tag.DATA_WARNING] == "NOT FULL MNIST: because"
    assert "NOT FULL MNIST" in logged.data.tags["mlflow.note.content"]
    assert json.loads(logged.data.tags[Tag.CONFIG])["dataset"] == "mnist-5k"


@pytest.mark.slow
def test_an_adopted_run_keeps_what_mlflow_run_has_logged(workspace, monkeypatch):
    """Whether it spells a value as we do, as that of the epochs, or not."""
    client = mlflow.MlflowClient()
    outer = client.create_run("0")
    for name, value in {"l1": "1e-3", "epochs": "1", "l2": "0"}.items():
        client.log_param(outer.info.run_id, name, value)
    monkeypatch.setenv("MLFLOW_RUN_ID", outer.info.run_id)
    assert train(l1=0.001) == outer.info.run_id
    monkeypatch.delenv("MLFLOW_RUN_ID", raising=False)
    adopted = mlflow.get_run(outer.info.run_id)
    assert adopted.info.status == "FINISHED"
    assert adopted.data.params["l1"] == "1e-3"
    assert adopted.data.params["epochs"] == "1"
    assert adopted.data.params["seed"] == "0"
    assert adopted.info.run_name == "L1 0.001 · seed 0 · epochs 1 · mnist-5k"
    assert json.loads(adopted.data.tags[Tag.CONFIG])["l1"] == 0.001


@pytest.mark.slow
def test_a_failing_run_ends_failed_with_the_reason(workspace, monkeypatch):
    def broken(*_: object) -> None:
        raise RuntimeError("the disk is full\nand more")

    monkeypatch.setattr(trial.figures, "contact_sheet", broken)
    with pytest.raises(RuntimeError):
        train()
    failed = only_run(workspace)
    assert failed.info.status == "FAILED"
    assert failed.data.tags[Tag.FAILURE] == "RuntimeError: the disk is full"
    (found,) = mlflow.search_logged_models(["0"], output_format="list")
    assert found.status == "FAILED"


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_the_run_killed(workspace, number, status):
    command = [sys.executable, "-m", "regstudy", "train", "--dataset", "mnist-5k", "--epochs", "1000"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "MLFLOW_TRACKING_URI": f"sqlite:///{workspace}/mlflow.db"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        while not process.stdout.readline().startswith("epoch 1/"):
            assert process.poll() is None, process.stderr.read()
        process.send_signal(number)
        assert process.wait(60) == status
        assert process.stderr.read().strip() == f"python -m regstudy: stopped by {signal.Signals(number).name}"
    stopped = only_run(workspace)
    assert stopped.info.status == "KILLED"
    assert "test/accuracy" in stopped.data.metrics


def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(ConfigError, match=r"device: expected one that this machine has \(auto, .*cpu\), got 'mps'"):
        devices.chosen("mps")
    assert devices.chosen("cpu") == devices.CPU


@pytest.mark.full_mnist
def test_three_epochs_of_full_mnist_reach_98_5_percent(workspace):
    if "REGSTUDY_DATA" not in os.environ:
        pytest.fail("this test needs full MNIST: set REGSTUDY_DATA to a folder that holds it")
    metrics = mlflow.get_run(train(dataset="mnist", epochs=3)).data.metrics
    assert metrics[Metric.TEST_ACCURACY] >= 0.985


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("MLFLOW_TRACKING_URI", "sqlite:mlflow.db", "a SQLite file is sqlite:///path/to/it"),
        ("MLFLOW_TRACKING_URI", "sqlite:/mlflow.db", "a SQLite file is sqlite:///path/to/it"),
        ("MLFLOW_TRACKING_URI", "http://my server:5000", "does not answer"),
        ("MLFLOW_TRACKING_URI", "http://.foo:5000", "does not answer"),
        ("LOKY_MAX_CPU_COUNT", "abc", "LOKY_MAX_CPU_COUNT: expected a whole number of cores, got 'abc'"),
        (
            "MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL",
            "abc",
            "MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL: expected a number, got 'abc'",
        ),
    ],
)
def test_a_variable_that_cannot_be_is_one_line(workspace, monkeypatch, capsys, variable, value, told):
    few.put(workspace)
    before = {path.name for path in workspace.iterdir()}
    monkeypatch.setenv(variable, value)
    if variable == "MLFLOW_TRACKING_URI":
        mlflow.set_tracking_uri(value)
    assert cli.main(["train", "--dataset", few.DATASET, "--epochs", "1", "--system-metrics"]) == 2
    said = capsys.readouterr().err
    assert told in said
    assert "Traceback" not in said
    assert {path.name for path in workspace.iterdir()} == before


def test_where_there_is_no_store_nothing_is_resumed_and_none_is_made(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    assert cli.main(["resume", "1" * 32]) == 2
    assert "there is no store" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_run_that_somebody_deletes_while_it_trains_is_one_line(workspace, monkeypatch, capsys):
    few.put(workspace)
    log = recorder.TrackedRun.log_epoch

    def deleted(self: recorder.TrackedRun, *given: object) -> None:
        mlflow.MlflowClient().delete_run(self.run_id)
        log(self, *given)

    monkeypatch.setattr(recorder.TrackedRun, "log_epoch", deleted)
    assert cli.main(["train", "--dataset", few.DATASET, "--epochs", "1", "--threads", "1"]) == 2
    said = capsys.readouterr().err
    assert "does not take what was to be written" in said
    assert "Traceback" not in said
    (run_id,) = (
        run.info.run_id for run in mlflow.MlflowClient().search_runs(["0"], run_view_type=mlflow.entities.ViewType.DELETED_ONLY)
    )
    assert cli.main(["resume", run_id]) == 2
    assert "it is deleted; restore it in MLflow's UI first" in capsys.readouterr().err
