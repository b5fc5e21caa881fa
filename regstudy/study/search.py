"""Searching for a configuration: Optuna proposes, each proposal is trained seed by seed as runs of ours and judged on held-out images, poor ones are given up early.

Proposals follow from the search's file and the results alone. So a search that was stopped is started again by the same command: what is done is found in the store, and costs nothing.
"""

import io
import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from typing import Any

import optuna

from regstudy.config import RunConfig
from regstudy.console.terminal import plural
from regstudy.data import finding
from regstudy.data.sources import Source
from regstudy.design.labels import labels
from regstudy.design.search_file import METRIC, Range, Search, names
from regstudy.design.trial import Trial
from regstudy.errors import ConfigError, StudyError
from regstudy.patience import patience
from regstudy.run.task import Assignment
from regstudy.schema import Tag
from regstudy.store import store
from regstudy.study.coordinator import REMEDY, WAITING, train
from regstudy.tracking import checkpoint, ledger
from regstudy.tracking.ledger import Entry

DIVERGED = 0.0
"""The accuracy of a run that left the numbers."""


@dataclass(frozen=True)
class Outcome:
    """What was found: the fields of the best configuration of all that had every seed, its mean, and how many configurations and runs that took."""

    best: Mapping[str, Any]
    value: float
    configurations: int
    runs: int


@dataclass
class _Searching:
    search: Search
    source: Source
    experiment_id: str
    threads: int
    say: Callable[[str], None]
    tried: set[str] = field(default_factory=set[str])
    runs: set[str] = field(default_factory=set[str])
    """Digests of the configurations that were tried, and their runs, once each: what is proposed again costs nothing, and is no further choice."""

    def objective(self, proposal: optuna.Trial) -> float:
        """The mean over seeds; of what is given up, over those that it had."""
        fields = {name: _suggest(proposal, name, own) for name, own in self.search.space.items()}
        values: list[float] = []
        try:
            configs = [self.search.config(fields, self.source.dataset, seed) for seed in self.search.seeds]
        except ConfigError as error:  # each of these may be chosen, and not all of them together
            self.say(f"{proposal.number + 1:>4}  {_told(fields)}: left out, {error}")
            raise optuna.TrialPruned from None
        for step, config in enumerate(configs):
            values.append(self.accuracy(config.resolved(self.source.dataset)))
            proposal.report(values[-1], step)
            if step + 1 < len(configs) and proposal.should_prune():
                self.say(f"{proposal.number + 1:>4}  {_told(fields)}: given up after {step + 1} seeds at {_mean(values):.2%}")
                raise optuna.TrialPruned
        self.say(f"{proposal.number + 1:>4}  {_told(fields)}: {_mean(values):.2%}")
        proposal.set_user_attr("fields", fields)
        return _mean(values)

    def accuracy(self, config: RunConfig) -> float:
        """Of a run of this configuration, trained if there is none yet."""
        trial = Trial(config, labels([config.model_dump()])[0], self.source.digest)
        entry = self._done(trial)
        if entry is None:
            root = None if self.source.root is None else str(self.source.root)
            own = Trial(
                config.model_copy(update={"threads": self.threads, "data_root": root}), trial.configuration, trial.data_digest
            )
            tags = {Tag.SEARCH.value: self.search.name}
            with redirect_stdout(io.StringIO()):  # of so many runs what each says is too much
                train(Assignment(own, self.source, store.uri(), self.experiment_id, tags, self.threads))
            entry = self._done(trial)
        if entry is None:
            raise StudyError(f"{config.run_name()}: another process is at this run: start the search again once that is done")
        self.tried.add(config.configuration_digest())
        self.runs.add(entry.run_id)
        return entry.metrics.get(METRIC, DIVERGED)

    def _done(self, trial: Trial) -> Entry | None:
        return next((entry for entry in ledger.find(self.experiment_id, trial.digest) if entry.finished), None)


@store.told("search again once it does, which trains nothing anew")
def run(search: Search, trials: int, data_root: str | None, threads: int, say: Callable[[str], None]) -> Outcome:
    """Try so many configurations; StudyError if none had all its seeds."""
    begun = time.monotonic()
    config = search.config(dict(search.baseline), str(search.overrides.get("dataset", "auto")))
    source = finding.find(config.model_copy(update={"data_root": data_root}))
    store.quieten()
    store.require_writable()
    checkpoint.require_folder()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    working = _Searching(search, source, ledger.experiment(), threads, say)
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", optuna.exceptions.ExperimentalWarning
        )  # its interface may change; the versions are pinned
        pruner = optuna.pruners.WilcoxonPruner()
    found = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=0), pruner=pruner)
    with patience.working(WAITING, REMEDY):
        found.optimize(working.objective, n_trials=trials, catch=())
    whole = [trial for trial in found.trials if trial.state == optuna.trial.TrialState.COMPLETE]
    if not whole:
        raise StudyError(f"none of {trials} configurations had all its {len(search.seeds)} seeds: give more --trials")
    best = max(whole, key=lambda trial: trial.value or 0.0)
    tried, runs = len(working.tried), len(working.runs)
    say(f"done: {plural(tried, 'configuration')}, {plural(runs, 'run')}, {time.monotonic() - begun:.0f} s")
    return Outcome(best.user_attrs["fields"], best.value or 0.0, tried, runs)


def _suggest(proposal: optuna.Trial, name: str, own: Any) -> Any:
    if not isinstance(own, Range):
        return own[names(own).index(proposal.suggest_categorical(name, names(own)))]
    if own.whole:
        return proposal.suggest_int(name, round(own.low), round(own.high), log=own.log)
    value = float(f"{proposal.suggest_float(name, own.low, own.high, log=own.log):.4g}")  # what people can read in a design
    return min(max(value, own.low), own.high)


def _told(fields: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in fields.items())


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
