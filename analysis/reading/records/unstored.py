"""Numbers that are in no store: a source that has nothing more to say of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from .record import Record


@dataclass(frozen=True)
class Unstored:
    """The source of a frame that somebody has made."""

    where: str = "a frame"
    experiment: str = "scores"
    experiment_id: str | None = None

    def runs(self) -> Sequence[Record]:
        """None."""
        return ()

    def epochs(self, run_ids: Sequence[str], metrics: Iterable[str]) -> pd.DataFrame:  # noqa: ARG002  # as every source
        """None."""
        return pd.DataFrame(columns=["run_id", "metric", "step", "value"])

    def predictions(self, run_id: str) -> pd.DataFrame | None:
        """None."""

    def misclassified(self, run_id: str) -> pd.DataFrame | None:
        """None."""

    def design(self, run_id: str) -> str | None:
        """None."""
