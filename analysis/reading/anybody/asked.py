"""What to read of anybody's runs, as the options of `compare --metric` or a file of claims ask for it."""

from dataclasses import dataclass, replace

from regstudy.design.history import Plan
from regstudy.schema import LAST_EPOCHS

from ..records.record import FINISHED
from .claims_file import ClaimsFile, logged

SEED = "params.seed"
"""What pairs runs where nobody says; without it they are two samples."""


@dataclass(frozen=True)
class Asked:
    """What to compare: a metric; what makes runs the same configuration, and what pairs them (params.NAME, tags.NAME, experiment, run_name or store).

    `block`: None: params.seed, if runs have it; empty: nothing pairs them. `value`: which number of a curve counts: the mean of the `last` steps, the best, least or largest, or that of a step.
    `statuses` of the runs that count; `where`: only runs with these values. `files` of results, instead of a store.
    """

    metric: str
    group_by: tuple[str, ...]
    block: tuple[str, ...] | None = None
    better: str | None = None
    margin: float | None = None
    last: int = LAST_EPOCHS
    experiments: tuple[str, ...] = ()
    plan: Plan | None = None
    claims: ClaimsFile | None = None
    value: str = "last"
    statuses: tuple[str, ...] = (FINISHED,)
    where: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    @classmethod
    def by(cls, file: ClaimsFile, plan: Plan | None, **which: tuple[str, ...]) -> "Asked":
        """What a file of claims asks for, of the runs that `experiments`, `where` and `files` choose."""
        said = file.metric, file.group_by, file.block, file.better, file.margin, file.last
        return replace(cls(*said, plan=plan, claims=file, value=file.value), **which)

    def said(self, field: str, value: str) -> str:
        """How a message names what was asked for: as the option, or by its place in the file of claims."""
        if self.claims is None:
            return f"--{field.replace('_', '-')} {value if field in {'block', 'group_by'} else repr(value)}"
        return f"{self.claims.said(self.claims.place_of(field, value))} {logged(value)!r}"

    @property
    def metrics(self) -> list[str]:
        """The metrics that are read, that which ranks first."""
        return self.claims.metrics() if self.claims else [self.metric]
