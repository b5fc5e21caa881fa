"""The one thing that every reader is: `Records`, runs and their points, wherever they are kept. `contract` checks a reader."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

import pandas as pd

FINISHED, FAILED, KILLED, RUNNING, SCHEDULED = STATUSES = ("FINISHED", "FAILED", "KILLED", "RUNNING", "SCHEDULED")
"""MLflow's, of a run."""


class Record(NamedTuple):
    """A run: its tags, the latest value of each metric, and its parameters, which a snapshot leaves out: ours are in a tag."""

    run_id: str
    name: str
    status: str
    """One of STATUSES."""
    start_time: int
    """In milliseconds; of a file of results the place of the row."""
    tags: Mapping[str, str]
    metrics: Mapping[str, float]
    params: Mapping[str, str]
    experiment: str = ""
    """The name of the store's experiment that it is in; none in a snapshot."""
    store: str = ""
    """Which of several stores or files it is in, as the user names it; none where there is only the one in use."""


class Records(Protocol):
    """Where runs are read from. Reading changes nothing there; what cannot be read is a RegstudyError, in a line."""

    @property
    def where(self) -> str:
        """The store's URI, without a password, or the files or folders."""
        ...

    @property
    def experiment(self) -> str:
        """The experiment's name, or the snapshots' or files'."""
        ...

    @property
    def experiment_id(self) -> str | None:
        """The experiment's ID in its store; None where there is none, or several."""
        ...

    def runs(self) -> Sequence[Record]:
        """All runs that are not deleted, each once, oldest first."""
        ...

    def epochs(self, run_ids: Sequence[str], metrics: Iterable[str]) -> pd.DataFrame:
        """Every point of these metrics of these runs of its own: run_id, metric, step, value.

        Of a run's metric in order of steps, within a step of time: the last is the latest. What is no number is NaN, infinity infinite or
        as large as a float can be, as MLflow's tables keep it. A metric that no run has gives no row.
        """
        ...

    def predictions(self, run_id: str) -> pd.DataFrame | None:
        """One row per test image; None if the run has no such artifact."""
        ...

    def misclassified(self, run_id: str) -> pd.DataFrame | None:
        """One row per misclassified test image, most confident error first, with its pixels; None if the run has no such artifact."""
        ...

    def design(self, run_id: str) -> str | None:
        """The design file of a study's run; None if it has none."""
        ...
