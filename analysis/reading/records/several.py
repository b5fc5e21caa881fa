"""Several experiments of a store, read as one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from .snapshot import Record, Records


@dataclass(frozen=True)
class Several:
    """Experiments of one store; nothing is written into any of them."""

    parts: Sequence[Records]

    @property
    def where(self) -> str:
        """The store's."""
        return self.parts[0].where

    @property
    def experiment(self) -> str:
        """Their names."""
        return " and ".join(part.experiment for part in self.parts)

    @property
    def experiment_id(self) -> str | None:
        """Of several, none."""
        return None

    @cached_property
    def _held(self) -> dict[str, Records]:
        return {run.run_id: part for part in self.parts for run in part.runs()}

    def runs(self) -> Sequence[Record]:
        """All of theirs, oldest first."""
        return sorted((run for part in self.parts for run in part.runs()), key=lambda run: (run.start_time, run.run_id))

    def epochs(self, run_ids: Sequence[str], metrics: Iterable[str]) -> pd.DataFrame:
        """Part by part; within a run as it gives them."""
        names = list(metrics)
        own = [(part, [run_id for run_id in run_ids if self._held[run_id] is part]) for part in self.parts]
        return pd.concat([part.epochs(ids, names) for part, ids in own if ids], ignore_index=True)

    def predictions(self, run_id: str) -> pd.DataFrame | None:
        """From the part that holds the run."""
        return self._held[run_id].predictions(run_id)

    def misclassified(self, run_id: str) -> pd.DataFrame | None:
        """From the part that holds the run."""
        return self._held[run_id].misclassified(run_id)

    def design(self, run_id: str) -> str | None:
        """From the part that holds the run."""
        return self._held[run_id].design(run_id)
