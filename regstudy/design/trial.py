"""A configuration in a block, which one MLflow run trains, and what it is known by."""

import hashlib
from dataclasses import dataclass
from functools import cached_property

from regstudy.config import RunConfig
from regstudy.schema import NUMERICS_VERSION


@dataclass(frozen=True)
class Trial:
    """One configuration in one block: what one MLflow run trains."""

    config: RunConfig
    configuration: str
    data_digest: str

    @cached_property
    def digest(self) -> str:
        """Its identity: configuration, data and numerics version."""
        return trial_digest(self.config, self.data_digest)


def trial_digest(config: RunConfig, data_digest: str, numerics: str | None = None) -> str:
    """SHA-256, in hex, of what decides a run's numbers: configuration, data, numerics version (as recorded; None: this one's)."""
    return hashlib.sha256(f"{config.digest()}/{data_digest}/{numerics or NUMERICS_VERSION}".encode()).hexdigest()
