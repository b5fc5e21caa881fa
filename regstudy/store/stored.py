"""What a store holds, however it keeps it: experiments and runs as facts. Opens nothing."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol


class StoredExperiment(NamedTuple):
    """An experiment, perhaps a deleted one."""

    experiment_id: str
    name: str
    deleted: bool


class StoredRun(NamedTuple):
    """A run: its tags, the latest value of each metric, its parameters, and where its artifacts are."""

    run_id: str
    name: str
    status: str
    start_time: int
    tags: Mapping[str, str]
    metrics: Mapping[str, float]
    params: Mapping[str, str]
    artifact_uri: str


class RunState(NamedTuple):
    """How a run stands, perhaps a deleted one."""

    experiment_id: str
    status: str
    deleted: bool
    tags: Mapping[str, str]


class Stored(Protocol):
    """A store, read without writing to it."""

    def experiments(self) -> Sequence[StoredExperiment]:
        """All experiments, deleted ones too."""
        ...

    def runs(self, experiment_id: str) -> Sequence[StoredRun]:
        """All runs of an experiment that are not deleted, oldest first."""
        ...

    def run_state(self, run_id: str) -> RunState | None:
        """How a run stands; None if there is none."""
        ...
