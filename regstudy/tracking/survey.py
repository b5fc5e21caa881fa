"""What a store knows of the trials on some data, found out without writing to it. Makes no store, no tables and no experiment."""

from mlflow.entities import Metric, Run, RunData, RunInfo, RunTag
from mlflow.exceptions import MlflowException

from regstudy.errors import TrackingError
from regstudy.schema import TRIAL, Tag
from regstudy.store import experiments, reading, store
from regstudy.store.server import Server
from regstudy.store.stored import Stored, StoredRun
from regstudy.tracking import ledger
from regstudy.tracking.ledger import Entry


def read(data_digest: str) -> tuple[str, dict[str, Entry]]:
    """The experiment that is meant, and its trials by digest; no experiment and no trials where there is nothing yet."""
    store.quieten()
    uri = store.require_answer()
    if reading.is_new(uri):
        experiments.choose(experiments.NEW, uri)
        return "", {}
    held = reading.open_store(uri)
    try:
        chosen = experiments.choose(held.experiments(), uri)
        return (chosen.experiment_id, _entries(held, chosen.experiment_id, data_digest)) if chosen else ("", {})
    except MlflowException as error:
        reason = next(iter(str(error).splitlines()), "")
        raise TrackingError(f"the tracking store {store.shown(uri)} cannot be read: {reason}") from error


def _entries(held: Stored, experiment_id: str, data_digest: str) -> dict[str, Entry]:
    if isinstance(held, Server):
        return ledger.entries(experiment_id, data_digest)  # it can choose among the runs of many
    wanted = (TRIAL, data_digest)
    ours = [run for run in held.runs(experiment_id) if (run.tags.get(Tag.KIND), run.tags.get(Tag.DATA_DIGEST)) == wanted]
    return ledger.furthest(_as_mlflows(run, experiment_id) for run in ours)


def _as_mlflows(run: StoredRun, experiment_id: str) -> Run:
    info = RunInfo(run.run_id, experiment_id, "", run.status, run.start_time, None, "active", run.artifact_uri, run.name)
    metrics = [Metric(name, value, 0, 0) for name, value in run.metrics.items()]
    return Run(info, RunData(metrics, [], [RunTag(name, value) for name, value in run.tags.items()]))
