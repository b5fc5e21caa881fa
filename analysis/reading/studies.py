"""Which study is meant: one that a store holds, by its name or its run; or one that a design's file describes, whoever ran its trials. Refuses one whose run holds no design."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from itertools import cycle
from pathlib import Path

from regstudy.config import RunConfig, dataset_name
from regstudy.console.terminal import plural
from regstudy.design import design_file
from regstudy.design.design import ANY_DATA, Design
from regstudy.design.history import History
from regstudy.design.trial import trial_digest
from regstudy.errors import ConfigError, DesignError, NothingToAnalyse
from regstudy.schema import COMPLETED, DIVERGED, STUDY, TRIAL, Tag

from .records.record import Record, Records

SAME = (Tag.STUDY_DIGEST, Tag.DATASET, Tag.DATA_DIGEST, Tag.NUMERICS_VERSION)
"""Runs of studies that agree in these are one study, whatever their seeds."""

IDENTIFIED = frozenset({Tag.STUDY, Tag.DATASET, Tag.DATA_DIGEST})
"""What a study's run says of itself; one that does not is damaged, and left alone."""

OUTCOMES = (COMPLETED, DIVERGED)
FEW = 3
"""Runs that a notice names."""

NO_HISTORY = History()
FILES = (".yaml", ".yml")
"""What the path of a design's file ends with, as no name of a study does."""


@dataclass(frozen=True)
class Study:
    """A study's own run, its design, and the digests of the trials that it plans.

    `run_id` is empty of a study that a design's file describes. `called` is what each of these is called where the design names configurations. `history` is what was planned, and when it was started and looked at. `namesakes` are the runs of other studies of its name, `unfinished` those of them that were started later and have no finished trial yet.
    """

    run_id: str
    design: Design
    trials: frozenset[str]
    history: History = NO_HISTORY
    called: Mapping[str, str] = field(default_factory=dict[str, str])
    namesakes: tuple[str, ...] = ()
    unfinished: tuple[str, ...] = ()


def find(source: Records, everything: Sequence[Record], name: str) -> Study:
    """The study of a name, a run ID or a design's file; NothingToAnalyse if there is none, DesignError if the file is no design.

    Of several that differ in design, data or version, the latest that has a finished trial, else the latest. The same study in several snapshots,
    each with seeds of its own, is one study with all of them.
    """
    if Path(name).suffix in FILES:
        return _described(name, everything)
    studies = [run for run in everything if run.tags.get(Tag.KIND) == STUDY and run.tags.keys() >= IDENTIFIED]
    named = [run for run in studies if name in {run.tags[Tag.STUDY], run.run_id}]
    if not named:
        known = ", ".join(sorted({run.tags[Tag.STUDY] for run in studies})) or "none"
        raise NothingToAnalyse(
            f"there is no study {name!r} in {source.where} (studies there: {known}): run it first, or give its design's file"
        )
    starts = _starts(named)
    place, found = _with_results(source, starts, _finished(everything), name)
    own = {run.run_id for run in starts[place]}
    namesakes = tuple(run.run_id for run in named if run.run_id not in own)
    return replace(found, namesakes=namesakes, unfinished=tuple(run.run_id for start in starts[:place] for run in start))


def _described(path: str, everything: Sequence[Record]) -> Study:
    """The study of a design's file, of whatever data and version its trials there are: those that differ in these are told apart later."""
    design = design_file.load(path)
    if unset := design.unset():
        raise DesignError(f"{path}: leaves {' and '.join(unset)} open: write the values that its trials had into the file")
    design = design.resolved("")
    digests = [
        trial_digest(trial.config, trial.data_digest, numerics)
        for dataset, digest, numerics in _trained_on(everything, _data_of(design))
        for trial in design.trials({dataset: digest})
    ]
    called = dict(zip(digests, cycle(design.called()))) if any(design.names()) else {}
    return Study("", design, frozenset(digests), called=called)


def _data_of(design: Design) -> set[str]:
    """What a design's data sets are called; empty if any will do."""
    given = dataset_name(str(design.overrides.get("dataset", ANY_DATA)))
    return {*design.dataset_names()} or {given} - {ANY_DATA}


def _trained_on(everything: Sequence[Record], wanted: set[str]) -> list[tuple[str, str, str]]:
    """Data set, digest of its data, and numerics version of the trials that are there, on the wanted data sets or, if none is, on all."""
    told = (Tag.DATASET, Tag.DATA_DIGEST, Tag.NUMERICS_VERSION)
    trials = [run.tags for run in everything if run.tags.get(Tag.KIND) == TRIAL and run.tags.keys() >= {*told}]
    known = {(tags[told[0]], tags[told[1]], tags[told[2]]) for tags in trials if _is_dataset(tags[told[0]])}
    return sorted(data for data in known if not wanted or data[0] in wanted)


def _is_dataset(name: str) -> bool:
    """Anybody can edit a tag."""
    try:
        RunConfig.from_text({"dataset": name})
    except ConfigError:
        return False
    return True


def of_a_file(study: Study) -> str:
    """What is not known of a study that a design's file describes."""
    return f"the design of {study.design.name} is a file, which no run here names: nothing shows that its claims were made before the runs were seen"


def of_several(study: Study) -> str:
    """Which of the studies of its name this is, and how to name another."""
    epochs = sorted({config.epochs for config in study.design.configs()})
    length = f"{' or '.join(plural(n, 'epoch') for n in epochs)}, {plural(len(study.design.seeds), 'seed')}"
    which, later = "the latest", ""
    if study.unfinished:
        which, later = (
            "the latest with a finished trial",
            f"; what was started after it, run {_named(study.unfinished)}, has none yet",
        )
    return (
        f"of several studies named {study.design.name} this is {which} ({length}){later}; of the others, name one by its run: "
        f"--study {_named(study.namesakes)}"
    )


def _named(runs: Sequence[str]) -> str:
    return ", ".join(runs[:FEW]) + (" and more" if len(runs) > FEW else "")


def _starts(named: Sequence[Record]) -> list[list[Record]]:
    """The runs of each study among these, the study that was started last first."""
    groups: dict[tuple[str | None, ...], list[Record]] = {}
    for run in named:
        groups.setdefault(tuple(run.tags.get(tag) for tag in SAME), []).append(run)
    return sorted(groups.values(), key=lambda runs: max(run.start_time for run in runs), reverse=True)


def _finished(everything: Sequence[Record]) -> frozenset[str]:
    """The trials that are done: their outcome is written last."""
    return frozenset(run.tags.get(Tag.TRIAL_DIGEST, "") for run in everything if run.tags.get(Tag.OUTCOME) in OUTCOMES)


def _with_results(
    source: Records, starts: Sequence[Sequence[Record]], finished: frozenset[str], name: str
) -> tuple[int, Study]:
    """The place and the study of the first that has a finished trial, else of the first that has a design."""
    first: tuple[int, Study] | None = None
    for place, study in _designed(source, starts, name):
        if study.trials & finished:
            return place, study
        first = first or (place, study)
    if first is None:
        raise NothingToAnalyse(
            f"the study's run {starts[0][0].run_id} holds no design: start the study once more, which writes it"
        )
    return first


def _data(tags: Mapping[str, str]) -> dict[str, str]:
    """The digest of each of a study's data sets, by its name."""
    try:
        several = json.loads(tags.get(Tag.DATA_DIGESTS, "null"))
    except ValueError:  # anybody can edit a tag
        several = None
    if isinstance(several, dict) and several:
        return {str(name): str(digest) for name, digest in several.items()}
    return {tags[Tag.DATASET]: tags[Tag.DATA_DIGEST]}


def _designed(source: Records, starts: Sequence[Sequence[Record]], name: str) -> Iterator[tuple[int, Study]]:
    """Those of which a run holds a design, with the seeds of all of its runs."""
    for place, runs in enumerate(starts):
        texts = [text for run in runs if (text := source.design(run.run_id)) is not None]
        if texts:
            designs, tags = [design_file.parse(text, f"the design of {name}") for text in texts], runs[0].tags
            seeds = sorted({seed for own in designs for seed in own.seeds})
            found = designs[0].with_changes(seeds=seeds, epochs=None, dataset=None)
            planned, numerics = found.trials(_data(tags)), tags.get(Tag.NUMERICS_VERSION)
            digests = [trial_digest(trial.config, trial.data_digest, numerics) for trial in planned]
            # Trials come block by block, in each of them configuration by configuration.
            called = dict(zip(digests, cycle(found.called()))) if any(found.names()) else {}
            history = _history(runs)
            yield place, Study(runs[0].run_id, found, frozenset(digests), history, called)


def _history(runs: Sequence[Record]) -> History:
    """Of all runs of one study; without a plan where the first of them recorded none, and a later one, elsewhere, could not know of it."""
    merged = reduce(History.merged, (History.from_tags(run.tags) for run in runs))
    first = History.from_tags(min(runs, key=lambda run: run.start_time).tags)
    unknown = first.plan is None and merged.plan is not None and not merged.plan.done_before
    return replace(merged, plan=None) if unknown else merged
