"""The public face: train a configuration, plan and run a study. What the commands do, for a notebook; `import regstudy` gives these names.

Runs go to MLflow's current store and experiment. Objects show themselves, as text and as HTML. What a user can put right is a RegstudyError, in a line.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, Self

from regstudy.commands import cli
from regstudy.config import RunConfig as Config
from regstudy.console.terminal import plural
from regstudy.design import design as designs
from regstudy.design import design_file
from regstudy.errors import UsageError
from regstudy.schema import Summary

if TYPE_CHECKING:
    import pandas as pd

    from regstudy.study.plan import Plan

SHOWN = {
    Summary.ENDPOINT_TEST_ACCURACY: ("test accuracy, mean of the last epochs", "{:.2%}"),
    Summary.ENDPOINT_TEST_LOSS: ("test loss, mean of the last epochs", "{:.4f} nats"),
    Summary.MISCLASSIFIED: ("misclassified test images", "{:.0f}"),
    Summary.WALL_SECONDS: ("time", "{:.0f} s"),
}
"""What a run shows of its numbers, as far as it has them; `metrics` holds all."""


class Design(designs.Design, frozen=True):
    """A study, described before it runs."""

    @classmethod
    def load(cls, name_or_path: str) -> Self:
        """A shipped design by its name, or a YAML file's; DesignError names line, field and what was expected."""
        return cls.model_validate(design_file.load(name_or_path).model_dump())

    def _repr_html_(self) -> str:
        rows = {"configurations": len(self.cells()), "seeds": ", ".join(map(str, self.seeds)), "claims": len(self.claims)}
        return _table(f"study {self.name}", rows)


@dataclass(frozen=True)
class Run:
    """A finished run: MLflow's ID, its configuration, and every metric's last value."""

    run_id: str
    config: Config
    metrics: Mapping[str, float]

    def __str__(self) -> str:
        """In a line."""
        told = [f"{words} {value}" for words, value in self._told().items()]
        return f"{self.config.run_name()}: {'; '.join(told)} (run {self.run_id})"

    def _repr_html_(self) -> str:
        return _table(self.config.run_name(), {**self._told(), "run": self.run_id})

    def _told(self) -> dict[str, str]:
        return {words: form.format(self.metrics[name]) for name, (words, form) in SHOWN.items() if name in self.metrics}


@dataclass(frozen=True)
class Study:
    """A study as the store has it: `trials` has a row per trial, columns configuration, seed, state and run_id (None if there is no run yet)."""

    design: designs.Design
    trials: "pd.DataFrame"

    def __str__(self) -> str:
        """In a line."""
        counts = self.trials["state"].value_counts()
        states = ", ".join(f"{n} {state}" for state, n in counts.items())
        return f"study {self.design.name}: {plural(len(self.trials), 'trial')}: {states}"

    def _repr_html_(self) -> str:
        counted = self.trials.pivot_table(index="configuration", columns="state", values="seed", aggfunc="size", sort=False)
        return f"<p>{escape(str(self))}</p>{counted.to_html(na_rep='')}"


def train(config: Config | None = None, **values: Any) -> Run:
    """Train a configuration as one MLflow run; `values` are fields of it that differ: `train(Config(l1=0.001), seed=1)`."""
    return _run(cli.train((config or Config()).changed(**values)))


def resume(run_id: str) -> Run:
    """Continue a run that was stopped, from its last checkpoint; ResumeError if there is nothing to continue."""
    from regstudy.run import trial

    return _run(trial.resume(run_id))


def plan_study(
    design: designs.Design | str,
    *,
    seeds: int | Sequence[int] | None = None,
    epochs: int | None = None,
    dataset: str | None = None,
    data_root: str | None = None,
) -> Study:
    """What of a study is done and what is left; changes nothing. `seeds` is how many, or which; None leaves what the design says."""
    from regstudy.study import plan

    return _study(plan.look(_changed(design, seeds, epochs, dataset), data_root))


def run_study(
    design: designs.Design | str,
    *,
    seeds: int | Sequence[int] | None = None,
    epochs: int | None = None,
    dataset: str | None = None,
    data_root: str | None = None,
    until: str = "",
    max_seeds: int | None = None,
    budget: str = "",
    **how: Any,
) -> Study:
    """Run what is left of a study; StudyError names what could not be finished. `how`: executor, jobs, threads, gpus, address, device.

    `until="decided"`, instead of `seeds`: block by block until every claim has a verdict, `max_seeds` are there (60), or the next block would not fit into the `budget` (`"2h"`).
    """
    from regstudy.study import coordinator, plan
    from regstudy.study import until as looking
    from regstudy.tracking import study_run

    if until and seeds is not None:
        raise UsageError(f"seeds={seeds!r}: until={until!r} takes seeds as it needs them; give one of the two")
    if not until and (max_seeds is not None or budget):
        raise UsageError("max_seeds and budget are for until='decided': add it, or leave them out")
    limits = looking.limits(until, max_seeds, budget) if until else None
    chosen = _changed(design, looking.FIRST if limits else seeds, epochs, dataset)
    planned = plan.make(chosen, data_root)
    asked = coordinator.resolve(coordinator.How(**how), max(len(planned.unfinished()), len(chosen.cells()) if limits else 0))
    run_id = coordinator.run(planned, asked, looking.grower(limits, asked.jobs or 1, asked.threads or 1) if limits else None)
    planned = planned.again()
    return _study(planned.begun(study_run.seeds(run_id)) if limits else planned)


def _changed(
    design: designs.Design | str, seeds: int | Sequence[int] | None, epochs: int | None, dataset: str | None
) -> designs.Design:
    chosen = design_file.load(design) if isinstance(design, str) else design
    wanted = range(seeds) if isinstance(seeds, int) else seeds
    return chosen.with_changes(seeds=wanted, epochs=epochs, dataset=dataset)


def _run(run_id: str) -> Run:
    from regstudy.schema import Tag, by_either_name
    from regstudy.store import store

    data = store.client().get_run(run_id).data
    return Run(run_id, Config.from_record(data.tags[Tag.CONFIG]), by_either_name(data.metrics))


def _study(planned: "Plan") -> Study:
    import pandas as pd

    rows = [
        {
            "configuration": trial.configuration,
            "seed": trial.config.seed,
            "state": planned.state(trial),
            "run_id": entry.run_id if (entry := planned.entries.get(trial.digest)) else None,
        }
        for trial in planned.trials
    ]
    return Study(planned.design, pd.DataFrame(rows))


def _table(caption: str, rows: Mapping[str, object]) -> str:
    cells = "".join(f"<tr><th scope=row>{escape(name)}</th><td>{escape(str(value))}</td></tr>" for name, value in rows.items())
    return f"<table><caption>{escape(caption)}</caption>{cells}</table>"
