"""Fetches the contact sheets of misclassified images from the runs' artifacts."""

import tempfile
from pathlib import Path

import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from analysis.report import Sheet
from regstudy.schema import Artifact


def fetch(runs: pd.DataFrame) -> list[Sheet]:
    """One sheet per configuration, of its lowest seed; a run without one is passed over."""
    first = runs.sort_values("seed").drop_duplicates("configuration").sort_index()
    found = [_fetch(*row) for row in first[["run_id", "configuration", "seed"]].itertuples(index=False)]
    return [sheet for sheet in found if sheet is not None]


def _fetch(run_id: str, configuration: str, seed: int) -> Sheet | None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            path = MlflowClient().download_artifacts(run_id, Artifact.CONTACT_SHEET, folder)
            return Sheet(configuration, seed, Path(path).read_bytes())
        except (MlflowException, OSError):
            return None
