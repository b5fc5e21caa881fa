"""Records to tidy frames: the finished, comparable trials among all runs. Leaves other people's runs alone, and counts what it leaves out."""

import json
import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from regstudy import identity
from regstudy.config import RunConfig, strengths
from regstudy.console.terminal import plural
from regstudy.design.history import Plan
from regstudy.design.labels import labels
from regstudy.errors import FIRST_RUN, ConfigError, NothingToAnalyse, UsageError
from regstudy.schema import COMPLETED, DIVERGED, REPORT, STUDY, STUDY_START, TRIAL, Summary, Tag
from regstudy.schema import Metric as Name

from . import comparability, filters, measures, studies
from .records import stores
from .records.record import FINISHED, Record, Records
from .trials import TEST_IMAGES, Trials, Words

ENDPOINTS = ("endpoint/", "gap/", "roughness/", "biased/")
"""What is made from curves; the names of such metrics begin so."""

CURVES = (Name.TEST_ACCURACY, Name.TEST_LOSS, Name.TRAIN_LOSS, Name.TRAIN_ACCURACY)
PER_EPOCH = frozenset(metric.value for metric in Name)
LARGEST = 1e150
"""From here on squares overflow: no measurement. SQLite keeps infinity as 1.8e308."""

ANYBODYS = "--metric NAME --group-by params.NAME"
SUMMARIES = tuple(metric.value for metric in Summary if "{" not in metric.value)
OUTCOMES = frozenset({COMPLETED, DIVERGED})
"""A trial with one of these is finished: it is written last, and without it nothing is, whatever the store calls the run."""

IDENTIFIED = frozenset({Tag.CONFIG_DIGEST, Tag.CONFIGURATION_DIGEST, Tag.DATASET, Tag.DATA_DIGEST, Tag.NUMERICS_VERSION})
CONFIGURED = identity.FIRST_FIELDS[RunConfig.__name__]
"""What every configuration says, of whatever version."""

MEASURED = frozenset({Name.TEST_ACCURACY, Name.TEST_LOSS, Name.TRAIN_LOSS})
"""Curves that every run has, a diverged one too."""

FAMILIES = tuple(metric.value.partition("{")[0] for metric in (Summary.BELOW, Summary.L1_REACH, Summary.INITIAL_SCALE))
"""Names of metrics that come once per threshold or layer begin so."""

TAGS = {
    "configuration_digest": Tag.CONFIGURATION_DIGEST,
    "data_digest": Tag.DATA_DIGEST,
    "split_digest": Tag.SPLIT_DIGEST,
    "data_warning": Tag.DATA_WARNING,
    "class_names": Tag.CLASS_NAMES,
    "parameter_count": Tag.PARAMETER_COUNT,
    "numerics_version": Tag.NUMERICS_VERSION,
    "metrics_version": Tag.METRICS_VERSION,
    "version": Tag.VERSION,
    "git_commit": Tag.GIT_COMMIT,
    "git_dirty": Tag.GIT_DIRTY,
    "packages": Tag.PACKAGES,
    "device": Tag.DEVICE,
    "processor": Tag.PROCESSOR,
    "threads": Tag.THREADS,
    "command": Tag.COMMAND,
}
"""Columns of the runs' frame that are tags of the run; empty where a run has none."""


WORDS = Words(
    block="seed",
    step="epoch",
    counted="image",
    endpoint="no epoch was chosen by its result",
    pairing="Each seed is a block in which every configuration runs with the same split, initialisation, batch order, augmentation and dropout; "
    "configurations are compared by differences within blocks.",
)
"""What regstudy's trials are made of."""


@dataclass(frozen=True)
class Wanted:
    """Which runs to read: an experiment's or snapshots'; all of them, or a study's; filtered; in what they may differ; and what was planned, where they do not say."""

    experiment: str | None = None
    dataset: str | None = None
    study: str | None = None
    snapshots: Sequence[str] = ()
    where: Sequence[str] = ()
    allow: Collection[str] = ()
    plan: Plan | None = None


EVERYTHING = Wanted()


def open_source(wanted: Wanted = EVERYTHING) -> Records:
    """The store or snapshots that are to be read."""
    return stores.from_snapshots(wanted.snapshots) if wanted.snapshots else stores.from_store(wanted.experiment)


def read(wanted: Wanted = EVERYTHING, source: Records | None = None) -> Trials:
    """Read the finished trials that are wanted, of this source or their own; NothingToAnalyse or NotComparable says what stands in the way.

    A study on several data sets gives those on the first that has any, with the others' beside them.
    """
    source = source or open_source(wanted)
    everything = source.runs()
    planned = None if wanted.study is None else studies.find(source, everything, wanted.study)
    names = planned.design.dataset_names() if planned is not None and wanted.dataset is None else []
    there = {
        run.tags.get(Tag.DATASET) for run in everything if planned is not None and _is_trial_of(run, planned) and is_done(run)
    }
    each = [replace(wanted, dataset=name) for name in names if name in there] or [wanted]
    first, *others = [_read(one, source, everything, planned) for one in each]
    lacking = [name for name in names if name not in there]
    told = f"no finished run on {' and '.join(lacking)}: what this study claims about it cannot be judged yet"
    return replace(first, notices=(*first.notices, *([told] if lacking else [])), beside=tuple(others))


def _is_trial_of(run: Record, study: studies.Study) -> bool:
    return run.tags.get(Tag.KIND) == TRIAL and run.tags.get(Tag.TRIAL_DIGEST) in study.trials


def _read(wanted: Wanted, source: Records, everything: Sequence[Record], planned: studies.Study | None) -> Trials:
    """The trials of one data set."""
    conditions = filters.parse(wanted.where)
    trials = [run for run in everything if run.tags.get(Tag.KIND) == TRIAL]
    kind = [run for run in trials if _is_whole(run)]
    several = planned is not None and bool(planned.design.datasets)
    ours = [run for run in kind if planned is None or _is_trial_of(run, planned)]
    finished = [run for run in ours if is_done(run)]
    there = [run for run in finished if wanted.dataset in (None, run.tags[Tag.DATASET])]
    configs = {run.run_id: _configuration(run) for run in there}
    chosen = [run for run in there if filters.holds(conditions, configs[run.run_id])]
    if not chosen:
        raise NothingToAnalyse(_why_nothing(source, everything, ours, finished, there, wanted))
    distinct = _distinct(chosen)
    own = {TRIAL, REPORT, STUDY, STUDY_START}
    foreign = sum(run.tags.get(Tag.KIND) not in own and Tag.FAILURE not in run.tags for run in everything)
    grows = planned is not None and planned.history.until  # configurations that are decided get no further seeds
    counts = {
        "{} of other kinds in this experiment, not made by regstudy, left alone": foreign,
        "{} whose record is damaged or of another version, left out": len(trials) - len(kind),
        "{} of no trial of this study, left out": len(kind) - len(ours),
        "{} not finished (failed, killed, still running, or ended without an outcome), left out": len(ours) - len(finished),
        "{} on another data set, left out as asked": 0 if several else len(finished) - len(there),
        "{} that --where excludes, left out": len(there) - len(chosen),
        "{} with the configuration and seed of another, counted once": len(chosen) - len(distinct),
        "{} of this study not done yet": 0
        if planned is None or conditions or grows
        else len(planned.design.seeds) * len(planned.design.cells()) - len(distinct),
    }
    notices = tuple(text.format(_count(n)) for text, n in counts.items() if n)
    if planned is not None and planned.namesakes:
        notices += (studies.of_several(planned),)
    if planned is not None and not planned.run_id:
        notices += (studies.of_a_file(planned),)
    runs = _runs_frame(distinct, planned)
    if planned is not None and not runs["diverged"].all() and runs[planned.design.endpoint].isna().all():
        raise NothingToAnalyse(_no_endpoint(planned.design.endpoint, int(runs["epochs"].max())))
    notices += comparability.check(runs, wanted.allow, sorted(_unknown(configs.values()) & {*runs.columns}), grows=grows)
    epochs = _epochs_frame(source, runs)
    return Trials(runs, epochs, notices, source, WORDS, measures.CURVES, planned, plan=_plan(wanted, planned))


def _plan(wanted: Wanted, study: studies.Study | None) -> Plan | None:
    """What the study's run says that was planned, else what the user says; UsageError if they disagree."""
    recorded = None if study is None else study.history.plan
    if study is not None and recorded is not None and wanted.plan is not None and not recorded.says(wanted.plan):
        said = "to look after every block" if recorded.sequential else plural(recorded.seeds or 0, "seed")
        raise UsageError(
            f"--planned: the study {study.design.name} recorded its own plan, {said}, before it ran: leave --planned out"
        )
    return recorded or wanted.plan


def is_done(run: Record) -> bool:
    """Whether nothing is left to do: a trial of ours has its outcome, anybody else's run is called FINISHED."""
    if run.tags.get(Tag.KIND) == TRIAL:
        return run.tags.get(Tag.OUTCOME) in OUTCOMES
    return run.status == FINISHED


def _is_whole(run: Record) -> bool:
    """Whether a trial says what is asked of every trial: anybody can write, or damage, what is in a store."""
    if not is_done(run):
        return True  # it is counted, not read
    if not (run.tags.keys() >= IDENTIFIED and run.metrics.keys() >= MEASURED):
        return False
    try:
        config = _configuration(run)
        RunConfig.from_record(json.dumps({name: config[name] for name in {*CONFIGURED, *RunConfig.model_fields}}))
        return int(run.tags[Tag.TEST_IMAGES]) > 0
    except (KeyError, ValueError, TypeError, RecursionError, ConfigError):
        return False


def _configuration(run: Record) -> dict[str, Any]:
    """What a run says that it is: fields that came after it as they were before they came, and those of a later version too."""
    return {**identity.later_defaults(RunConfig), **json.loads(run.tags[Tag.CONFIG])}


def _unknown(configs: Iterable[dict[str, Any]]) -> set[str]:
    """Fields of a later version than this."""
    return {name for config in configs for name in config} - set(RunConfig.model_fields)


def _why_nothing(
    source: Records,
    everything: Sequence[Record],
    ours: list[Record],
    finished: list[Record],
    there: list[Record],
    wanted: Wanted,
) -> str:
    where = (
        f"experiment {source.experiment!r} of the store {source.where}"
        if source.experiment_id
        else f"the snapshot {source.where}"
    )
    if there:
        return f"{where} has {_count(len(there))}, but none with {' and '.join(wanted.where)}: change --where"
    if finished:
        known = ", ".join(sorted({run.tags[Tag.DATASET] for run in finished}))
        return f"{where} has no finished run on {wanted.dataset!r}, only on {known}: name one of these with --dataset"
    if wanted.study:
        return f"{where} has no finished trial of the study {wanted.study!r}: wait, or run what is left of it with python -m regstudy study run"
    if ours:
        return f"{where} has {len(ours)} runs of regstudy, but none has finished: wait, or run {FIRST_RUN}"
    anybodys = f"; for other runs: compare {ANYBODYS}" if any(run.status == FINISHED for run in everything) else ""
    return f"{where} has no run of regstudy: first run, in this folder, {FIRST_RUN}{anybodys}{stores.elsewhere(source)}"


def _no_endpoint(metric: str, epochs: int) -> str:
    return f"no run here recorded {metric}, which the design ranks by (after {plural(epochs, 'epoch')}): name another endpoint, or train for longer"


def _distinct(runs: list[Record]) -> list[Record]:
    """The latest run of each configuration and seed: the same numbers twice are no second replicate."""
    identity = (Tag.CONFIG_DIGEST, Tag.DATA_DIGEST, Tag.NUMERICS_VERSION)
    return list({tuple(run.tags[tag] for tag in identity): run for run in runs}.values())


def _count(n: int) -> str:
    return "1 run" if n == 1 else f"{n:,} runs"


def _runs_frame(runs: list[Record], planned: studies.Study | None) -> pd.DataFrame:
    """A row per run, with the metrics that a study speaks of, which need not be of those that every report has."""
    asked = () if planned is None else planned.design.metrics()
    called = ["" if planned is None else planned.called.get(run.tags[Tag.TRIAL_DIGEST], "") for run in runs]
    families = sorted({name for run in runs for name in run.metrics if name.startswith(FAMILIES)})
    summaries = list(dict.fromkeys([*SUMMARIES, *families, *asked]))
    configs = [_configuration(run) for run in runs]
    for name in sorted(_unknown(configs)):  # as text, since they may be of any kind; None where not recorded
        configs = [{**config, name: identity.canonical(config[name]) if name in config else None} for config in configs]
    rows = [
        {
            **config,
            "dataset": run.tags[Tag.DATASET],
            "run_id": run.run_id,
            "run_name": run.name,
            "start_time": run.start_time,
            "configuration": name,
            **{column: run.tags.get(tag, "") for column, tag in TAGS.items()},
            TEST_IMAGES: int(run.tags[Tag.TEST_IMAGES]),
            "diverged": run.tags.get(Tag.OUTCOME) == DIVERGED,
            **{name: run.metrics.get(name, math.nan) for name in summaries},
        }
        for run, config, name in zip(runs, configs, _names(runs, configs, called), strict=True)
    ]
    frame = pd.DataFrame(rows).sort_values([*strengths(), "configuration", "seed"], ignore_index=True)
    # SQLite keeps an infinite number as the largest there is; neither that nor NaN is a measurement.
    frame[summaries] = frame[summaries].astype(float).where(frame[summaries].abs() < LARGEST)
    # A run that left the numbers has no endpoint: what it did before says nothing about where it went.
    frame.loc[frame["diverged"], [name for name in summaries if name.startswith(ENDPOINTS) or name in PER_EPOCH]] = math.nan
    return frame


def _names(runs: list[Record], configs: list[dict[str, Any]], called: Sequence[str]) -> list[str]:
    """What each configuration is called, by its study if that has names for them; with what else differs, should it have been allowed to."""
    differing = {
        "data": [run.tags[Tag.DATASET] for run in runs],
        "recipe": [config["recipe"] for config in configs],
        "numerics": [run.tags[Tag.NUMERICS_VERSION] for run in runs],
    }
    extra = {what: values for what, values in differing.items() if len(set(values)) > 1}
    names = [given or label for given, label in zip(called, labels(configs), strict=True)]
    return [", ".join([name, *(f"{what} {values[i]}" for what, values in extra.items())]) for i, name in enumerate(names)]


def _epochs_frame(source: Records, runs: pd.DataFrame) -> pd.DataFrame:
    long = source.epochs(list(runs["run_id"]), CURVES).rename(columns={"step": "epoch"})
    long = long.merge(runs[["run_id", "configuration", "seed"]], on="run_id")
    long = long.drop_duplicates(["run_id", "metric", "epoch"], keep="last")
    # SQLite keeps an infinite loss as the largest number there is; neither that nor NaN is a measurement.
    long["value"] = long["value"].where(long["value"].abs() < LARGEST)
    index = ["run_id", "configuration", "seed", "epoch"]
    wide = long.pivot(index=index, columns="metric", values="value")  # noqa: PD010  # pivot_table drops what is all NaN
    return wide.reset_index().rename_axis(columns=None)
