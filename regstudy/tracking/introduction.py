"""An experiment in words, for MLflow's page: what is here, and how to read it. Written once, and never over somebody's own description."""

from contextlib import suppress

from mlflow.entities import Experiment
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NOTE
from sqlalchemy.exc import SQLAlchemyError

from regstudy.errors import TrackingError
from regstudy.store import store

TEXT = """\
Training runs of **regstudy**, each one configuration with one seed; what they show together, its studies and reports say.

- A training run's name says both: `L1 0.001 · seed 2`. Its metrics `endpoint/…` are means over its last epochs, by which configurations are compared; `test/…` \
are curves; `with_hindsight/…` was chosen by its result on the test images, hence is too good.
- A *study's run*, `study NAME`, is the parent of its trainings. Its description has the verdicts and the ranking, its artifacts the whole report.

One run is one seed, and supports no ranking by itself. MLflow's charts have means and bands where you group runs by the tag `regstudy.configuration`; whether a difference is more than \
chance, `python -m analysis report` says."""


def introduce(experiment: Experiment) -> None:
    """Describe an experiment that nobody has described. A store that does not let us is no hindrance."""
    if experiment.tags.get(MLFLOW_RUN_NOTE):
        return
    with suppress(MlflowException, SQLAlchemyError, TrackingError):
        store.client().set_experiment_tag(experiment.experiment_id, MLFLOW_RUN_NOTE, TEXT)
