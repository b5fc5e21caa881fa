"""run(config): the one place where data, model, training, checkpoints and tracking are wired to a single MLflow run."""

import json
import shlex
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from safetensors.torch import save_file
from torch import Tensor

from regstudy import own_code
from regstudy.config import FILLED_IN, RunConfig
from regstudy.console import invocation, terminal
from regstudy.data import datasets, finding
from regstudy.data.datasets import DIGIT_NAMES, Splits
from regstudy.data.sources import Source
from regstudy.design.labels import labels
from regstudy.design.trial import Trial
from regstudy.errors import ConfigError, RegstudyError, ResumeError
from regstudy.machine import cores, devices, memory
from regstudy.run import figures, progress, provenance
from regstudy.run.note import describe
from regstudy.run.task import Assignment
from regstudy.schema import (
    COMPLETED,
    DIVERGED,
    LAST_EPOCHS,
    LAST_SEEN,
    LONGEST_TAG,
    METRICS_OF_SAMPLED,
    OWN_SOURCE,
    RIGHT_OF_LAST,
    WEIGHTS_FILE,
    Artifact,
    Metric,
    Summary,
    Tag,
)
from regstudy.store import reading, store, tables
from regstudy.tracking import checkpoint, ledger, machine_metrics, recorder
from regstudy.tracking.checkpoint import Checkpoint
from regstudy.training import network as networks
from regstudy.training import regularisers, scores, summary
from regstudy.training.loop import EpochMetrics, Learner, fit, is_sampled
from regstudy.training.network import build, parameter_count

Tell = Callable[[str, RunConfig, Mapping[str, float]], None]
"""Takes a run's ID, its configuration and its numbers, by their names in the store."""

AGAIN = "`python -m regstudy resume` with the run's ID goes on once it does"
EXAMPLE_IMAGES = 4
"""In the model's input example; torch.export would freeze a batch of one."""


@dataclass(frozen=True)
class _Ready:
    """What a run is of, found and read before anything is written: its data from this source, and the device; since when, by the monotonic clock."""

    config: RunConfig
    source: Source
    data: Splits
    device: torch.device
    begun: float

    @classmethod
    def of(cls, config: RunConfig, source: Source, begun: float) -> Self:
        return cls(config, source, datasets.load(source, config), torch.device(devices.chosen(config.device)), begun)


@store.told(AGAIN)
def run(
    config: RunConfig,
    source: Source,
    share: Callable[[], int] = cores.usable,
    tell: Tell | None = None,
    *,
    system_metrics: bool = False,
) -> str:
    """Train one configuration as one MLflow run; its run ID. The data set is the source's, whatever the configuration names.

    `share` says how many threads to take where the configuration does not; `tell` is told how it ended, else that is said; `system_metrics`: how busy the machine is, is logged too.
    """
    begun = time.monotonic()
    finding.require_use(config)
    if system_metrics:
        machine_metrics.require()
    checkpoint.require_folder()
    cores.usable()  # what is wrong with a variable for that is known before there is a run
    config = config.resolved(source.dataset)
    trial = Trial(config, labels([config.model_dump()])[0], source.digest)
    ready = _Ready.of(config, source, begun)
    # What is wrong with these is known before there is a run.
    regularisers.of(config, build(config, ready.data.inputs), ready.data.inputs)
    run_id = recorder.start(config.run_name(), recorder.identity(config, trial))
    with recorder.at_work(run_id) as require_own, machine_metrics.measured(run_id, wanted=system_metrics):
        values, experiment_id = _fill(run_id, ready, share, require_own)
    checkpoint.remove(run_id)
    _tell(tell, run_id, config, values, experiment_id)
    return run_id


def run_trial(given: Assignment) -> str | None:
    """Train a study's trial, from its last checkpoint if there is one; its run ID. None if it is done, or another process is at it."""
    begun = time.monotonic()
    store.quieten()
    store.use(given.store)
    config = given.trial.config
    tags = recorder.identity(config, given.trial) | given.tags
    claim = ledger.claimed(given.experiment_id, given.trial.digest, config.run_name(given.trial.configuration), tags)
    with cores.at_work(), claim as run_id:
        if run_id is None:
            return None
        measured = machine_metrics.measured(run_id, wanted=given.system_metrics)
        with recorder.at_work(run_id) as require_own, measured:
            _fill(run_id, _Ready.of(config, given.source, begun), lambda: given.threads, require_own)
        checkpoint.remove(run_id)
    return run_id


@store.told(AGAIN)
def resume(run_id: str, tell: Tell | None = None) -> str:
    """Continue a run that was stopped, from its last checkpoint; its run ID. ResumeError if there is nothing to continue."""
    begun = time.monotonic()
    store.quieten()
    if reading.is_missing(store.uri()):  # which MLflow would make
        raise ResumeError(
            f"there is no store {store.shown(store.uri())}: run in the folder that has it, or set MLFLOW_TRACKING_URI"
        )
    tables.require_current(store.require_writable())
    entry = ledger.resumable(run_id)
    config = RunConfig.from_record(entry.tags.get(Tag.CONFIG, ""))
    source = _same_as_before(config, entry.tags)
    ready = _Ready.of(config, source, begun)
    ledger.take_over(entry)
    with cores.at_work() as share, recorder.at_work(run_id) as require_own:
        values, experiment_id = _fill(run_id, ready, share, require_own)
    checkpoint.remove(run_id)
    _tell(tell, run_id, config, values, experiment_id)
    return run_id


def _same_as_before(config: RunConfig, tags: Mapping[str, str]) -> Source:
    """The run's data; ResumeError if they, or the user's own code, are not what they were when it began."""
    source = finding.find(config)
    if tags.get(Tag.DATA_DIGEST, source.digest) != source.digest:
        raise ResumeError(f"the run was begun on other data: {config.dataset} has changed since; train anew")
    if config.own_code != own_code.digest(config.references()):
        raise ResumeError(
            f"the run was begun with other code: {' or '.join(config.references())} has changed since; train anew"
        )
    return source


def reproduce(config: RunConfig) -> str:
    """The command that gives this run again, bit for bit on the same machine."""
    pinned = config.overrides() | {"l1": config.l1, "l2": config.l2, "seed": config.seed, "epochs": config.epochs}
    pinned |= {"dataset": config.dataset, "recipe": config.recipe, "threads": torch.get_num_threads()}
    for name in ("data_root", *FILLED_IN):
        pinned.pop(name, None)
    options = [f"--{name.replace('_', '-')} {shlex.quote(terminal.plain(value))}" for name, value in pinned.items()]
    return "python -m regstudy train " + " ".join(options)


def _be_repeatable(device: torch.device) -> None:
    """On CPUs the kernels in use are repeatable for a given number of threads; on CUDA they have to be asked."""
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.deterministic = True


def _fill(
    run_id: str, ready: _Ready, share: Callable[[], int], require_own: Callable[[], None]
) -> tuple[dict[str, float], str]:
    """Train, and log everything that a run holds; from the checkpoint on, if there is one. Gives the per-run numbers, and the run's experiment."""
    config, data, warning = ready.config, ready.data, ready.source.warning
    saved = checkpoint.load(run_id)
    # Another number of threads would change the last bits.
    torch.set_num_threads(saved.threads if saved else config.threads or share())
    memory.keep()
    _be_repeatable(ready.device)
    if warning:
        terminal.warn(f"WARNING: {warning}")
    network, sources, state = build(config, data.inputs), _sources(config), provenance.source_state()
    tags = provenance.tags(state, ready.device) | {
        Tag.PARAMETER_COUNT: str(parameter_count(network)),
        Tag.COMMAND: reproduce(config),
        **_of_own(config, data),
        **({Tag.METRICS_VERSION: str(METRICS_OF_SAMPLED)} if is_sampled(data.train, config.dataset) else {}),
        **({Tag.DATA_WARNING: warning} if warning else {}),
    }
    tracked = recorder.describe(run_id, config, data, tags, require_own)
    what = f"{config.run_name()}: {terminal.plural(config.epochs, 'epoch')} of {len(data.train):,} images on {ready.device}"
    terminal.say(f"{what}, from epoch {len(saved.history)} on" if saved else what)
    learner = Learner(network.to(ready.device), config)
    try:
        history = _train(learner, data.to(ready.device), tracked, saved)
    except Exception as error:
        _blame(config, error)
        raise
    values = _keep(tracked, ready, learner, history, sources, state.diff)
    earlier = sum(metrics.seconds for metrics in saved.history) if saved else 0.0
    values[Summary.WALL_SECONDS] = time.monotonic() - ready.begun + earlier
    result = DIVERGED if history[-1].diverged else COMPLETED
    tracked.log_outcome(values, history[-1].epoch, result, describe(config, data, values, tags))
    return values | {Metric.EPOCHS_DONE: history[-1].epoch + 1}, tracked.experiment_id


def _keep(
    tracked: recorder.TrackedRun,
    ready: _Ready,
    learner: Learner,
    history: Sequence[EpochMetrics],
    sources: Mapping[str, bytes],
    diff: str,
) -> dict[str, float]:
    """What came of the training: its predictions, pictures and model as artifacts; the per-run numbers."""
    config, data, network = ready.config, ready.data, learner.model
    with learner.evaluated():
        kept = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
    network.load_state_dict(kept)  # of a moving average what is evaluated is what is kept
    log_probabilities = scores.predict(network, data.to(ready.device).test).cpu()
    values = summary.summarise(network.cpu(), data, config, history, log_probabilities)
    tracked.require_own()
    with tempfile.TemporaryDirectory() as folder:
        columns = summary.prediction_columns(
            log_probabilities, data.test.labels, learner.right, min(config.epochs, LAST_EPOCHS)
        )
        _write_artifacts(Path(folder), data, history, log_probabilities, columns, config, sources, diff)
        sheet = Path(folder) / Artifact.CONTACT_SHEET
        tracked.log_files(Path(folder), sheet if sheet.exists() else None, history[-1].epoch)
        weights = Path(folder) / WEIGHTS_FILE
        save_file({name: t.contiguous() for name, t in kept.items()}, weights)
        example = data.test.images[:EXAMPLE_IMAGES]
        tracked.log_model(network, (example if config.images == "all" else torch.zeros_like(example)).numpy(), weights)
    return values


def _blame(config: RunConfig, error: Exception) -> None:
    """ConfigError, with the line of the user's code that it came through, if it came through that."""
    if isinstance(error, RegstudyError):
        return
    frames = traceback.extract_tb(error.__traceback__)
    for reference in config.references():
        path = str(own_code.origin(reference))
        if lines := [frame.lineno for frame in frames if frame.filename == path]:
            raise own_code.failed(reference, f"failed in training, in line {lines[-1]}", error) from error
    # Made of torch's own layers, it has no line there.
    if config.network in config.references() and any(frame.filename == networks.__file__ for frame in frames):
        raise own_code.failed(config.network, "failed in training", error) from error


def _train(learner: Learner, data: Splits, tracked: recorder.TrackedRun, saved: Checkpoint | None) -> Sequence[EpochMetrics]:
    history = list(saved.history) if saved else []
    if saved:
        learner.restore(saved.state, len(history))
        for metrics in history:
            # A checkpoint comes before its epoch's metrics: those of the last may be missing.
            tracked.log_epoch(summary.epoch_values(metrics), metrics.epoch)
        if history[-1].diverged:
            return history
    with progress.shown(learner.config.epochs, len(data.train), len(history)) as display:
        for metrics in fit(learner, data, display.advance):
            history.append(metrics)
            tracked.require_own()
            checkpoint.save_after_epoch(tracked.run_id, history, torch.get_num_threads(), learner.state())
            tracked.log_epoch(summary.epoch_values(metrics), metrics.epoch)
            display.epoch_done(metrics)
    return history


def _write_artifacts(
    folder: Path,
    data: Splits,
    history: Sequence[EpochMetrics],
    log_probabilities: Tensor,
    columns: dict[str, Tensor],
    config: RunConfig,
    sources: Mapping[str, bytes],
    diff: str,
) -> None:
    """All files of the run, under the names in schema.py."""
    errors = summary.errors(log_probabilities, data.test.labels)
    names, title, pictures = data.class_names, config.run_name(), config.images == "all"
    counts = scores.confusion(log_probabilities, data.test.labels)
    drawn = {
        **({Artifact.CONTACT_SHEET: figures.contact_sheet(data.test.images, errors, names, title)} if pictures else {}),
        Artifact.CONFUSION: figures.confusion_matrix(counts, names, f"{title}: test images"),
        Artifact.CURVES: figures.curves(history, title),
    }
    wrong = {name: column[errors.index] for name, column in columns.items() if name not in {RIGHT_OF_LAST, LAST_SEEN}}
    for name in {*drawn, Artifact.PREDICTIONS, Artifact.MISCLASSIFIED, *([Artifact.SOURCE_DIFF] if diff else [])}:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)  # of a class's name in another script
        for name, figure in drawn.items():
            figure.savefig(folder / name, dpi=120)
    _write_parquet(folder / Artifact.PREDICTIONS, columns)
    shown = {"pixels": figures.pixel_column(data.test.images[errors.index])} if pictures else {}
    if pictures and data.files:
        shown["file"] = pa.array([data.files[index] for index in errors.index.tolist()])
    _write_parquet(folder / Artifact.MISCLASSIFIED, wrong, **shown)
    if diff:
        (folder / Artifact.SOURCE_DIFF).write_text(diff)
    for path, content in sources.items():
        target = folder / OWN_SOURCE / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def _sources(config: RunConfig) -> dict[str, bytes]:
    """The user's code as it was just loaded; ConfigError if that is not what the configuration's digest is of: somebody went on working on it."""
    references = config.references()
    sources = {path: content for reference in references for path, content in own_code.sources(reference).items()}
    if references and config.own_code != own_code.digest(references):
        raise ConfigError(f"{' or '.join(references)} has changed since this was begun: begin it again, as what it is now")
    return sources


def _of_own(config: RunConfig, data: Splits) -> dict[str, str]:
    """Tags of what is not ours: the classes' names of the user's images, source and version of the user's code."""
    code = own_code.described(config.references())
    names = json.dumps(data.class_names, ensure_ascii=False)
    return {
        **({Tag.OWN_CODE: json.dumps(code)} if code else {}),
        **({Tag.CLASS_NAMES: names} if data.class_names != DIGIT_NAMES and len(names) <= LONGEST_TAG else {}),
    }


def _write_parquet(path: Path, columns: dict[str, Tensor], **more: pa.Array) -> None:
    table = {name: pa.array(column.numpy()) for name, column in columns.items()}
    pq.write_table(pa.table(table | more), path, compression="zstd")


def _tell(tell: Tell | None, run_id: str, config: RunConfig, values: Mapping[str, float], experiment_id: str) -> None:
    if tell:
        tell(run_id, config, values)
    else:
        _say_what_next(run_id, values, experiment_id)


def _say_what_next(run_id: str, values: Mapping[str, float], experiment_id: str) -> None:
    """From memory: a store that is away by now does not make the end of a whole run an error."""
    if Summary.ENDPOINT_TEST_ACCURACY in values:
        accuracy, averaged = values[Summary.ENDPOINT_TEST_ACCURACY], int(values[Summary.ENDPOINT_EPOCHS])
        result = f"test accuracy {accuracy:.2%} (mean of the last {terminal.plural(averaged, 'epoch')})"
    else:
        result = f"diverged in epoch {int(values[Metric.EPOCHS_DONE])}: a loss is no finite number any more"
    terminal.say(f"done: {result}, run {run_id}")
    terminal.say(f"store: {store.shown(store.uri())}")
    terminal.say(f"look at your runs: {invocation.training_runs(store.uri(), experiment_id)}")
    terminal.say_next(f"python -m analysis report --where epochs={int(values[Metric.EPOCHS_DONE])}")
