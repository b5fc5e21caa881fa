"""How busy the machine is while a run trains, as MLflow's own system metrics: on request, beside the run's numbers, which do not change."""

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager

from mlflow.environment_variables import MLFLOW_SYSTEM_METRICS_SAMPLES_BEFORE_LOGGING, MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL
from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

from regstudy.console.terminal import warn
from regstudy.errors import UsageError
from regstudy.store import store

NEEDED = "psutil"
MISSING = f"needs the Python package {NEEDED}, which is not installed: pip install {NEEDED}"


def require() -> None:
    """UsageError where this machine cannot measure itself, or MLflow's own variables for that are not as they must be."""
    if not _can():
        raise UsageError(f"--system-metrics: {MISSING}, or leave the option out")
    for variable in (MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL, MLFLOW_SYSTEM_METRICS_SAMPLES_BEFORE_LOGGING):
        try:
            variable.get()
        except ValueError:
            raise UsageError(f"{variable.name}: expected a number, got {variable.get_raw()!r}: change or unset it") from None


@contextmanager
def measured(run_id: str, *, wanted: bool) -> Iterator[None]:
    """While inside, log cores, memory, disk, network and GPUs in use every ten seconds; from where an earlier process left off."""
    if wanted and not _can():  # a cluster's node, say
        warn(f"WARNING: no system metrics of this machine, which {MISSING}")
    if not wanted or not _can():
        yield
        return
    monitor = SystemMetricsMonitor(run_id, resume_logging=True, tracking_uri=store.uri())
    monitor.start()
    try:
        yield
    finally:
        monitor.finish()


def _can() -> bool:
    return importlib.util.find_spec(NEEDED) is not None
