"""The only module of analysis that writes to the store: a report becomes the artifact of a run of its own."""

import os
from pathlib import Path

import mlflow
from mlflow.tracking import MlflowClient

from regstudy import store
from regstudy.schema import REPORT, Tag


def publish(report: Path, experiment_id: str, headline: str) -> str:
    """Log a report's folder; under `mlflow run` onto the run that it made, else onto a new one. The run's ID."""
    store.quieten()
    adopted = bool(os.environ.get("MLFLOW_RUN_ID"))
    with mlflow.start_run() if adopted else mlflow.start_run(experiment_id=experiment_id, run_name="report") as run:
        mlflow.set_tags(
            {Tag.KIND: REPORT, "mlflow.note.content": f"**{headline}**\n\nOpen `report/report.html` under Artifacts."}
        )
        mlflow.log_artifacts(str(report.parent), "report")
    return run.info.run_id


def attach(report: Path, run_id: str) -> None:
    """Log a study's report onto the study's own run, in place of an earlier one."""
    MlflowClient().log_artifacts(run_id, str(report.parent), "report")
