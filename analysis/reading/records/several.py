"""Several experiments, stores or files, read as one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from regstudy.errors import UsageError

from .record import Record, Records


@dataclass(frozen=True)
class Several:
    """Experiments of one store or several; nothing is written into any of them."""

    parts: Sequence[Records]

    @property
    def where(self) -> str:
        """Theirs."""
        return " and ".join(dict.fromkeys(part.where for part in self.parts))

    @property
    def experiment(self) -> str:
        """Their names."""
        return " and ".join(dict.fromkeys(part.experiment for part in self.parts))

    @property
    def experiment_id(self) -> str | None:
        """Of several, none."""
        return None

    @property
    def notices(self) -> Sequence[str]:
        """What each has left out."""
        return [notice for part in self.parts for notice in getattr(part, "notices", ())]

    @cached_property
    def _held(self) -> dict[str, tuple[Records, Record]]:
        """By run ID, the run and the part that holds it; UsageError if two do."""
        found: dict[str, tuple[Records, Record]] = {}
        for part in self.parts:
            for run in part.runs():
                if run.run_id in found:
                    both = dict.fromkeys([found[run.run_id][0].where, part.where])
                    raise UsageError(f"run {run.run_id} is twice in {' and '.join(both)}, as copies are: name each store once")
                found[run.run_id] = part, run
        return found

    def runs(self) -> Sequence[Record]:
        """All of theirs, oldest first."""
        return sorted((run for _, run in self._held.values()), key=lambda run: (run.start_time, run.run_id))

    def epochs(self, run_ids: Sequence[str], metrics: Iterable[str]) -> pd.DataFrame:
        """Part by part; within a run as it gives them."""
        names = list(metrics)
        own = [(part, [run_id for run_id in run_ids if self._held[run_id][0] is part]) for part in self.parts]
        return pd.concat([part.epochs(ids, names) for part, ids in own], ignore_index=True)

    def predictions(self, run_id: str) -> pd.DataFrame | None:
        """From the part that holds the run."""
        return self._held[run_id][0].predictions(run_id)

    def misclassified(self, run_id: str) -> pd.DataFrame | None:
        """From the part that holds the run."""
        return self._held[run_id][0].misclassified(run_id)

    def design(self, run_id: str) -> str | None:
        """From the part that holds the run."""
        return self._held[run_id][0].design(run_id)
