"""Records to tidy frames: the finished, comparable trials among all runs. Leaves other people's runs alone, and counts what it leaves out."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from analysis import records
from analysis.records import FIRST_RUN, Records
from analysis.snapshot import Record
from regstudy import design
from regstudy.errors import NotComparable, NothingToAnalyse
from regstudy.schema import DIVERGED, LAST_EPOCHS, REPORT, STUDY, STUDY_START, TRIAL, Summary, Tag
from regstudy.schema import Metric as Name

CURVES = (Name.TEST_ACCURACY, Name.TEST_LOSS, Name.TRAIN_LOSS)
LARGEST = 1e300


@dataclass(frozen=True)
class Trials:
    """The comparable runs among all.

    `runs` has one row per run: run_id, run_name, configuration, seed, every field of the configuration, dataset, data_digest, test_images,
    diverged, accuracy and loss (endpoint: mean of the last epochs; NaN for a diverged run), best_accuracy, best_epoch, averaged.
    `epochs` has one row per run and epoch: run_id, configuration, seed, epoch, and a column per curve, named as the metric.
    """

    runs: pd.DataFrame
    epochs: pd.DataFrame
    notices: tuple[str, ...]
    source: Records
    study: "Study | None" = None


@dataclass(frozen=True)
class Study:
    """A study's own run, and the digests of the trials that it plans."""

    run_id: str
    name: str
    trials: frozenset[str]


def read(
    experiment: str | None = None, dataset: str | None = None, study: str | None = None, snapshots: Sequence[str] = ()
) -> Trials:
    """Read an experiment's finished trials, or those of snapshots; NothingToAnalyse or NotComparable says what stands in the way."""
    source = records.from_snapshots(snapshots) if snapshots else records.from_store(experiment)
    everything = source.runs()
    planned = None if study is None else find_study(source, everything, study)
    kind = [run for run in everything if run.tags.get(Tag.KIND) == TRIAL]
    ours = [run for run in kind if planned is None or run.tags.get(Tag.TRIAL_DIGEST) in planned.trials]
    finished = [run for run in ours if run.status == "FINISHED"]
    chosen = [run for run in finished if dataset in (None, run.tags[Tag.DATASET])]
    if not chosen:
        raise NothingToAnalyse(_why_nothing(source, ours, finished, dataset))
    _refuse_mixed_data(chosen)
    distinct = _distinct(chosen)
    foreign = len(everything) - sum(run.tags.get(Tag.KIND) in {TRIAL, REPORT, STUDY, STUDY_START} for run in everything)
    counts = {
        "{} of other kinds in this experiment, not made by regstudy, left alone": foreign,
        "{} of no trial of this study, left out": len(kind) - len(ours),
        "{} not finished (failed, killed or still running), left out": len(ours) - len(finished),
        "{} on another data set, left out as asked": len(finished) - len(chosen),
        "{} with the configuration and seed of another, counted once": len(chosen) - len(distinct),
        "{} of this study not done yet": 0 if planned is None else len(planned.trials) - len(distinct),
    }
    notices = tuple(text.format(_count(n)) for text, n in counts.items() if n)
    runs = _runs_frame(distinct)
    epochs = _epochs_frame(source, runs)
    return Trials(_with_endpoints(runs, epochs), epochs, notices, source, planned)


def find_study(source: Records, everything: Sequence[Record], name: str) -> Study:
    """The study of a name or run ID; NothingToAnalyse if there is none, NotComparable if several have the name."""
    studies = [run for run in everything if run.tags.get(Tag.KIND) == STUDY]
    named = [run for run in studies if name in {run.tags[Tag.STUDY], run.run_id}]
    if not named:
        known = ", ".join(sorted({run.tags[Tag.STUDY] for run in studies})) or "none"
        raise NothingToAnalyse(f"there is no study {name!r} in {source.where} (studies there: {known}): run it first")
    if len(named) > 1:
        ids = ", ".join(f"{run.run_id} (on {run.tags[Tag.DATASET]})" for run in named)
        raise NotComparable(
            f"{name!r} names {len(named)} studies that differ in design, data or version: give a run ID instead: {ids}"
        )
    text, tags = source.design(named[0].run_id), named[0].tags
    if text is None:
        raise NothingToAnalyse(f"the study's run {named[0].run_id} holds no design: start the study once more, which writes it")
    planned = design.parse(text, f"the design of {name}").trials(tags[Tag.DATASET], tags[Tag.DATA_DIGEST])
    return Study(named[0].run_id, tags[Tag.STUDY], frozenset(trial.digest for trial in planned))


def _why_nothing(source: Records, ours: list[Record], finished: list[Record], dataset: str | None) -> str:
    where = (
        f"experiment {source.experiment!r} of the store {source.where}"
        if source.experiment_id
        else f"the snapshot {source.where}"
    )
    if finished:
        there = ", ".join(sorted({run.tags[Tag.DATASET] for run in finished}))
        return f"{where} has no finished run on {dataset!r}, only on {there}: name one of these with --dataset"
    if ours:
        return f"{where} has {len(ours)} runs of regstudy, but none has finished: wait, or run {FIRST_RUN}"
    return f"{where} has no run of regstudy: first run, in this folder, {FIRST_RUN}"


def _refuse_mixed_data(runs: list[Record]) -> None:
    digests = {run.tags[Tag.DATA_DIGEST]: run.tags[Tag.DATASET] for run in runs}
    if len(digests) > 1:
        kinds = ", ".join(f"{name} ({digest[:12]})" for digest, name in sorted(digests.items(), key=lambda item: item[1]))
        raise NotComparable(f"these runs do not share their data: {kinds}; name one with --dataset")


def _distinct(runs: list[Record]) -> list[Record]:
    """The latest run of each configuration and seed: the same numbers twice are no second replicate."""
    return list({run.tags[Tag.CONFIG_DIGEST]: run for run in runs}.values())


def _count(n: int) -> str:
    return "1 run" if n == 1 else f"{n:,} runs"


def _runs_frame(runs: list[Record]) -> pd.DataFrame:
    configs = [json.loads(run.tags[Tag.CONFIG]) for run in runs]
    names = design.labels(configs)
    rows = [
        {
            **config,
            "run_id": run.run_id,
            "run_name": run.name,
            "configuration": name,
            "configuration_digest": run.tags[Tag.CONFIGURATION_DIGEST],
            "data_digest": run.tags[Tag.DATA_DIGEST],
            "data_warning": run.tags.get(Tag.DATA_WARNING, ""),
            "test_images": int(run.tags[Tag.TEST_IMAGES]),
            "command": run.tags[Tag.COMMAND],
            "misclassified": run.metrics[Summary.MISCLASSIFIED],
            "diverged": run.tags.get(Tag.OUTCOME) == DIVERGED,
        }
        for run, config, name in zip(runs, configs, names, strict=True)
    ]
    return pd.DataFrame(rows).sort_values(["l1", "l2", "configuration", "seed"], ignore_index=True)


def _epochs_frame(source: Records, runs: pd.DataFrame) -> pd.DataFrame:
    long = source.epochs(list(runs["run_id"]), CURVES).rename(columns={"step": "epoch"})
    long = long.merge(runs[["run_id", "configuration", "seed"]], on="run_id")
    long = long.drop_duplicates(["run_id", "metric", "epoch"], keep="last")
    # SQLite keeps an infinite loss as the largest number there is; neither that nor NaN is a measurement.
    long["value"] = long["value"].where(long["value"].abs() < LARGEST)
    index = ["run_id", "configuration", "seed", "epoch"]
    wide = long.pivot(index=index, columns="metric", values="value")  # noqa: PD010  # pivot_table drops what is all NaN
    return wide.reset_index().rename_axis(columns=None)


def _with_endpoints(runs: pd.DataFrame, epochs: pd.DataFrame) -> pd.DataFrame:
    """Add accuracy, loss (means over the last epochs), best_accuracy, best_epoch and averaged to each run."""
    ordered = epochs.sort_values(["run_id", "epoch"])
    last = ordered.groupby("run_id").tail(LAST_EPOCHS).groupby("run_id")
    best = ordered.loc[ordered.groupby("run_id")[Name.TEST_ACCURACY.value].idxmax()].set_index("run_id")
    endpoints = pd.DataFrame(
        {
            "accuracy": last[Name.TEST_ACCURACY.value].mean(),
            "loss": last[Name.TEST_LOSS.value].mean(),
            "averaged": last.size(),
            "best_accuracy": best[Name.TEST_ACCURACY.value],
            "best_epoch": best["epoch"],
        }
    )
    together = runs.merge(endpoints, left_on="run_id", right_index=True)
    # A run that left the numbers has no endpoint: what it did before says nothing about where it went.
    together.loc[together["diverged"], ["accuracy", "loss", "best_accuracy"]] = math.nan
    return together
