"""Store to tidy frames: finished trials of one experiment and one data set. Reads, never writes; leaves other people's runs alone."""

import json
import os
from dataclasses import dataclass
from typing import Any

import pandas as pd
from mlflow.entities import Experiment, Metric, Run
from mlflow.tracking import MlflowClient

from regstudy import store
from regstudy.errors import NotComparable, NothingToAnalyse
from regstudy.schema import LAST_EPOCHS, REPORT, TRIAL, Summary, Tag
from regstudy.schema import Metric as Name
from regstudy.terminal import plain

CURVES = (Name.TEST_ACCURACY, Name.TEST_LOSS, Name.TRAIN_LOSS)
PAGE = 1000
LARGEST = 1e300
FIRST_RUN = "python -m regstudy train --l1 0.001"


@dataclass(frozen=True)
class Trials:
    """The comparable runs of an experiment.

    `runs` has one row per run: run_id, run_name, configuration, seed, every field of the configuration, dataset, data_digest, test_images,
    accuracy and loss (endpoint: mean of the last epochs), best_accuracy, best_epoch, averaged.
    `epochs` has one row per run and epoch: run_id, configuration, seed, epoch, and a column per curve, named as the metric.
    """

    runs: pd.DataFrame
    epochs: pd.DataFrame
    notices: tuple[str, ...]
    store: str
    experiment: str
    experiment_id: str


def read(experiment: str | None = None, dataset: str | None = None) -> Trials:
    """Read an experiment's finished trials; NothingToAnalyse or NotComparable says what stands in the way."""
    store.quieten()
    uri = store.require_answer()
    database = store.sqlite_file(uri)
    if database is not None and not database.is_file():
        # Asking MLflow would create the database.
        raise NothingToAnalyse(f"there is no tracking store {uri} yet: first run, in this folder, {FIRST_RUN}")
    client = MlflowClient()
    found = _experiment(client, experiment, uri)
    everything = _all_runs(client, found)
    ours = [run for run in everything if run.data.tags.get(Tag.KIND) == TRIAL]
    finished = [run for run in ours if run.info.status == "FINISHED"]
    chosen = [run for run in finished if dataset in (None, run.data.tags[Tag.DATASET])]
    if not chosen:
        raise NothingToAnalyse(_why_nothing(uri, found.name, ours, finished, dataset))
    _refuse_mixed_data(chosen)
    distinct = _distinct(chosen)
    notices = _notices(everything, ours, finished, chosen, distinct)
    runs = _runs_frame(distinct)
    epochs = _epochs_frame(client, runs)
    return Trials(_with_endpoints(runs, epochs), epochs, notices, uri, found.name, found.experiment_id)


def _experiment(client: MlflowClient, name: str | None, uri: str) -> Experiment:
    """By name, else MLflow's own choice: its environment variables, else its default experiment."""
    experiment_id = os.environ.get("MLFLOW_EXPERIMENT_ID")
    wanted = name or os.environ.get("MLFLOW_EXPERIMENT_NAME")
    if wanted is None and experiment_id:
        return client.get_experiment(experiment_id)
    found = client.get_experiment_by_name(wanted or "Default")
    if found is None:
        known = ", ".join(repr(e.name) for e in client.search_experiments())
        raise NothingToAnalyse(
            f"experiment {wanted or 'Default'!r} is not in the store {uri}, which has {known}: name one of them"
        )
    return found


def _all_runs(client: MlflowClient, experiment: Experiment) -> list[Run]:
    runs: list[Run] = []
    token = None
    while token is not None or not runs:
        page = client.search_runs(
            [experiment.experiment_id], max_results=PAGE, order_by=["attributes.start_time"], page_token=token
        )
        runs += page
        token = page.token
        if not token:
            break
    return runs


def _why_nothing(uri: str, experiment: str, ours: list[Run], finished: list[Run], dataset: str | None) -> str:
    where = f"experiment {experiment!r} of the store {uri}"
    if finished:
        there = ", ".join(sorted({run.data.tags[Tag.DATASET] for run in finished}))
        return f"{where} has no finished run on {dataset!r}, only on {there}: name one of these with --dataset"
    if ours:
        return f"{where} has {len(ours)} runs of regstudy, but none has finished: wait, or run {FIRST_RUN}"
    return f"{where} has no run of regstudy: first run, in this folder, {FIRST_RUN}"


def _refuse_mixed_data(runs: list[Run]) -> None:
    digests = {run.data.tags[Tag.DATA_DIGEST]: run.data.tags[Tag.DATASET] for run in runs}
    if len(digests) > 1:
        kinds = ", ".join(f"{name} ({digest[:12]})" for digest, name in sorted(digests.items(), key=lambda item: item[1]))
        raise NotComparable(f"these runs do not share their data: {kinds}; name one with --dataset")


def _distinct(runs: list[Run]) -> list[Run]:
    """The latest run of each configuration and seed: the same numbers twice are no second replicate."""
    return list({run.data.tags[Tag.CONFIG_DIGEST]: run for run in runs}.values())


def _notices(
    everything: list[Run], ours: list[Run], finished: list[Run], chosen: list[Run], distinct: list[Run]
) -> tuple[str, ...]:
    reports = sum(run.data.tags.get(Tag.KIND) == REPORT for run in everything)
    counts = {
        "{} of other kinds in this experiment, not made by regstudy, left alone": len(everything) - len(ours) - reports,
        "{} not finished (failed, killed or still running), left out": len(ours) - len(finished),
        "{} on another data set, left out as asked": len(finished) - len(chosen),
        "{} with the configuration and seed of another, counted once": len(chosen) - len(distinct),
    }
    return tuple(text.format(_count(n)) for text, n in counts.items() if n)


def _count(n: int) -> str:
    return "1 run" if n == 1 else f"{n:,} runs"


def _runs_frame(runs: list[Run]) -> pd.DataFrame:
    configs = [json.loads(run.data.tags[Tag.CONFIG]) for run in runs]
    labels = _labels(configs)
    rows = [
        {
            **config,
            "run_id": run.info.run_id,
            "run_name": run.info.run_name,
            "configuration": label,
            "configuration_digest": run.data.tags[Tag.CONFIGURATION_DIGEST],
            "data_digest": run.data.tags[Tag.DATA_DIGEST],
            "data_warning": run.data.tags.get(Tag.DATA_WARNING, ""),
            "test_images": int(run.data.tags[Tag.TEST_IMAGES]),
            "command": run.data.tags[Tag.COMMAND],
            "misclassified": run.data.metrics[Summary.MISCLASSIFIED],
        }
        for run, config, label in zip(runs, configs, labels, strict=True)
    ]
    return pd.DataFrame(rows).sort_values(["l1", "l2", "configuration", "seed"], ignore_index=True)


def _labels(configs: list[dict[str, Any]]) -> list[str]:
    """The factors in words; and every other field in which these configurations differ."""
    elsewhere = {"l1", "l2", "seed", "dataset", "data_root", "device", "threads", "recipe"}
    varying = [name for name in configs[0] if name not in elsewhere and len({config[name] for config in configs}) > 1]
    return [", ".join([_factors(config), *(f"{name} {config[name]}" for name in varying)]) for config in configs]


def _factors(config: dict[str, Any]) -> str:
    parts = [f"{name.upper()} {plain(config[name])}" for name in ("l1", "l2") if config[name]]
    return " + ".join(parts) or "none"


def _epochs_frame(client: MlflowClient, runs: pd.DataFrame) -> pd.DataFrame:
    points: list[dict[str, Any]] = []
    for run_id, configuration, seed in runs[["run_id", "configuration", "seed"]].itertuples(index=False):
        for name in CURVES:
            history: list[Metric] = client.get_metric_history(run_id, name)
            key = {"run_id": run_id, "configuration": configuration, "seed": seed, "metric": name.value}
            points += [{**key, "epoch": point.step, "value": point.value} for point in history]
    long = pd.DataFrame(points).drop_duplicates(["run_id", "metric", "epoch"], keep="last")
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
    return runs.merge(endpoints, left_on="run_id", right_index=True)
