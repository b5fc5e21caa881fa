"""What a study's design asks for beside what the store holds: done, running, left, and how long that will take."""

import json
import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from statistics import median
from typing import Any

from regstudy import identity
from regstudy.config import RunConfig, dataset_name
from regstudy.data import finding
from regstudy.data.sources import Source
from regstudy.design.design import Design
from regstudy.design.trial import Trial
from regstudy.errors import ConfigError
from regstudy.machine import locks
from regstudy.schema import Metric, Summary, Tag
from regstudy.store import store
from regstudy.tracking import ledger, survey
from regstudy.tracking.ledger import Entry

Blocks = Mapping[int, tuple[Trial, ...]]
"""Trials by seed."""

TIMES = frozenset({Summary.WALL_SECONDS, Metric.SECONDS, Metric.EPOCHS_DONE})
"""What a run must hold to tell how long another will take."""


@dataclass(frozen=True)
class Pace:
    """Seconds per epoch, evaluation included, and per trial beside its epochs."""

    epoch: float
    trial: float

    def seconds(self, epochs: int, trials: int, jobs: int) -> float:
        """How long so many epochs in so many trials take, so many trials at a time."""
        return (self.epoch * epochs + self.trial * trials) / jobs


@dataclass(frozen=True)
class Plan:
    """A design's trials on its data sets, beside what the store knows of them."""

    design: Design
    sources: tuple[Source, ...]
    experiment_id: str
    trials: tuple[Trial, ...]
    entries: dict[str, Entry]

    @property
    def digests(self) -> dict[str, str]:
        """SHA-256 of each data set, by its name."""
        return {source.dataset: source.digest for source in self.sources}

    @property
    def data_digest(self) -> str:
        """SHA-256 of the data set; of several, of all together."""
        digests = list(self.digests.values())
        return digests[0] if len(digests) == 1 else identity.sha256(digests)

    @property
    def dataset(self) -> str:
        """The data set's name, or all of them."""
        return " and ".join(dataset_name(source.dataset) for source in self.sources)

    def data_tags(self) -> dict[str, str]:
        """What the study's run says of its data."""
        several = {Tag.DATA_DIGESTS: json.dumps(self.digests)} if len(self.sources) > 1 else {}
        return {Tag.DATASET: self.dataset, Tag.DATA_DIGEST: self.data_digest, **several}

    @property
    def warnings(self) -> list[str]:
        """What the user must know of the data."""
        return [source.warning for source in self.sources if source.warning]

    def source(self, trial: Trial) -> Source:
        """A trial's data."""
        return next(source for source in self.sources if source.dataset == trial.config.dataset)

    def state(self, trial: Trial) -> str:
        """The state of a trial's run; missing if there is none."""
        entry = self.entries.get(trial.digest)
        return entry.state if entry else "missing"

    def counts(self) -> Counter[str]:
        """How many trials are in each state."""
        return Counter(map(self.state, self.trials))

    def complete_blocks(self) -> int:
        """How many seeds have every configuration done."""
        left = {trial.config.seed for trial in self.unfinished()}
        return len({trial.config.seed for trial in self.trials} - left)

    def begun(self, seeds: Iterable[int]) -> "Plan":
        """With the seeds that earlier starts recorded beside its own: of those only what was begun, since not every configuration goes on."""
        others = [seed for seed in seeds if seed not in self.design.seeds]
        return self._with([trial for trial in self._trials(others) if trial.digest in self.entries]) if others else self

    def grown(self, seeds: Sequence[int], configurations: Collection[str]) -> "Plan":
        """With these configurations, by digest, in further seeds."""
        there = {trial.digest for trial in self.trials}
        more = [trial for trial in self._trials(seeds) if trial.config.configuration_digest() in configurations]
        return self._with([trial for trial in more if trial.digest not in there])

    def _with(self, more: Sequence[Trial]) -> "Plan":
        seeds = dict.fromkeys([*self.design.seeds, *(trial.config.seed for trial in more)])
        design = self.design.with_changes(seeds=list(seeds), epochs=None, dataset=None)
        return Plan(design, self.sources, self.experiment_id, (*self.trials, *more), self.entries)

    def unfinished(self) -> list[Trial]:
        """What is left, block by block."""
        return [trial for trial in self.trials if self.state(trial) not in ledger.FINAL]

    def by_configuration(self) -> dict[str, list[Entry | None]]:
        """Each configuration's runs, seed by seed."""
        grouped: dict[str, list[Entry | None]] = {trial.configuration: [] for trial in self.trials}
        for trial in self.trials:
            grouped[trial.configuration].append(self.entries.get(trial.digest))
        return grouped

    def epochs_left(self) -> int:
        """Epochs that nobody has trained yet."""
        return sum(max(0, trial.config.epochs - self._epochs_done(trial)) for trial in self.unfinished())

    def pace(self, threads: int) -> Pace | None:
        """How long epochs took here on so many threads, by the finished runs there are: medians; None if there are none."""
        here, threads_tag = locks.machine(), str(threads)
        runs = [
            entry.metrics
            for entry in self.entries.values()
            if entry.finished
            and entry.tags.get(Tag.MACHINE) == here
            and entry.tags.get(Tag.THREADS) == threads_tag
            and all(math.isfinite(entry.metrics.get(name, math.nan)) for name in TIMES)
        ]
        if not runs:
            return None
        fixed = [m[Summary.WALL_SECONDS] - m[Metric.SECONDS] * m[Metric.EPOCHS_DONE] for m in runs]
        return Pace(median(m[Metric.SECONDS] for m in runs), max(0.0, median(fixed)))

    def of_other_lengths(self) -> Counter[int]:
        """How many finished trials differ from the study's in nothing but their number of epochs, by that number."""
        own = {_without_epochs(trial.config): trial.config.epochs for trial in self.trials}
        finished = (entry for entry in self.entries.values() if entry.finished)
        there = [config for entry in finished if (config := _recorded(entry)) is not None]
        return Counter(other.epochs for other in there if own.get(_without_epochs(other), other.epochs) != other.epochs)

    def of_other_numerics(self) -> Counter[str]:
        """How many finished trials differ from the study's in nothing but the version that gave their numbers, by that version."""
        own, digests = {(t.config.digest(), t.data_digest) for t in self.trials}, {t.digest for t in self.trials}
        finished = (entry.tags for entry in self.entries.values() if entry.finished and entry.trial not in digests)
        return Counter(
            tags[Tag.NUMERICS_VERSION]
            for tags in finished
            if tags.get(Tag.NUMERICS_VERSION) and (tags.get(Tag.CONFIG_DIGEST), tags.get(Tag.DATA_DIGEST)) in own
        )

    def again(self) -> "Plan":
        """The same, as the store knows it now."""
        return Plan(
            self.design, self.sources, self.experiment_id, self.trials, _entries(self.experiment_id, self.digests.values())
        )

    def after(self, trial: Trial) -> "Plan":
        """The same, as the store knows this one trial now."""
        found = ledger.find(self.experiment_id, trial.digest)[:1]
        entries = self.entries | {entry.trial: entry for entry in found}
        return Plan(self.design, self.sources, self.experiment_id, self.trials, entries)

    def other_blocks(self, seeds: Iterable[int]) -> Blocks:
        """The trials of seeds that are not this plan's, by seed."""
        return {seed: self._trials([seed]) for seed in seeds if seed not in self.design.seeds}

    def with_complete(self, others: Blocks) -> "Plan":
        """The same, with those of other seeds' blocks in which every configuration is done."""
        complete = {seed: block for seed, block in others.items() if all(self.state(trial) in ledger.FINAL for trial in block)}
        if not complete:
            return self
        design = self.design.model_copy(update={"seeds": tuple(sorted({*self.design.seeds, *complete}))})
        blocks = {seed: [trial for trial in self.trials if trial.config.seed == seed] for seed in self.design.seeds} | complete
        trials = tuple(trial for seed in design.seeds for trial in blocks[seed])
        return Plan(design, self.sources, self.experiment_id, trials, self.entries)

    def _trials(self, seeds: Sequence[int]) -> tuple[Trial, ...]:
        design = self.design.with_changes(seeds=seeds, epochs=None, dataset=None)
        return tuple(design.trials(self.digests))

    def _epochs_done(self, trial: Trial) -> int:
        entry = self.entries.get(trial.digest)
        return entry.epochs_done if entry else 0


def _recorded(entry: Entry) -> RunConfig | None:
    """The configuration that a run holds; None where it is damaged, or of a version with other fields."""
    with suppress(ConfigError):
        return RunConfig.from_record(entry.tags.get(Tag.CONFIG, ""))
    return None


def _without_epochs(config: RunConfig) -> frozenset[tuple[str, Any]]:
    return frozenset(config.model_copy(update={"epochs": 1}).identity().items())


def make(design: Design, data_root: str | None) -> Plan:
    """Find the data and look at the store, which is made if there is none; DesignError if values are left open."""
    design, sources = _found(design.with_values({}), data_root)
    store.quieten()
    store.require_writable()
    experiment_id = ledger.experiment()
    return _planned(design, sources, experiment_id, _entries(experiment_id, [source.digest for source in sources]))


def look(design: Design, data_root: str | None) -> Plan:
    """The same without writing to the store, which may be missing: then nothing is done yet, and the plan has no experiment."""
    design, sources = _found(design.with_values({}), data_root)
    found = [survey.read(source.digest) for source in sources]
    return _planned(design, sources, found[0][0], {digest: entry for _, own in found for digest, entry in own.items()})


def _found(design: Design, data_root: str | None) -> tuple[Design, tuple[Source, ...]]:
    """The design with what is the user's own read, and its data."""
    names = design.datasets or (str(design.overrides.get("dataset", "auto")),)
    sources = tuple(finding.find(design.configs(name)[0].model_copy(update={"data_root": data_root})) for name in names)
    return design.resolved(sources[0].dataset), sources


def _entries(experiment_id: str, digests: Iterable[str]) -> dict[str, Entry]:
    """All trials on these data that the store knows of, by their digest."""
    return {trial: entry for digest in digests for trial, entry in ledger.entries(experiment_id, digest).items()}


def _planned(design: Design, sources: tuple[Source, ...], experiment_id: str, entries: dict[str, Entry]) -> Plan:
    trials = tuple(design.trials({source.dataset: source.digest for source in sources}))
    return Plan(design, sources, experiment_id, trials, entries)
