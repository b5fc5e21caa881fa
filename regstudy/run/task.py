"""A study's trial, as it is given to whichever process trains it: small, and picklable."""

from dataclasses import dataclass

from regstudy.data.sources import Source
from regstudy.design.trial import Trial


@dataclass(frozen=True)
class Assignment:
    """What to train, on which data, with how many threads, and where to log it, with the study's tags; whether the machine is measured meanwhile."""

    trial: Trial
    source: Source
    store: str
    experiment_id: str
    tags: dict[str, str]
    threads: int
    system_metrics: bool = False
