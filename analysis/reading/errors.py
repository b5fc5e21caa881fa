"""Which images runs were wrong on: from the artifacts of regstudy's runs."""

import json
from dataclasses import dataclass

import numpy as np
import pandas as pd

from regstudy.schema import CLASS_NAMES, LAST_SEEN, RIGHT_OF_LAST

from .trials import TEST_IMAGES, Trials

NAMED = ["run_id", "configuration", "seed", "index"]
DIGITS = tuple("0123456789")
MOST_RUNS = 400
"""Runs up to which every image's predictions are read, not only the errors of the final model."""


@dataclass(frozen=True)
class Errors:
    """All errors of the runs whose artifacts are there.

    `rows`: run_id, configuration, seed, index, label, predicted, predicted_probability, pixels. `runs` are those whose errors are known,
    `unknown` how many are not; `class_names` say what labels stand for. `shares`: in which share of its last epochs a run was wrong on an image, a row per run (configuration,
    seed) and a column per image that any was ever wrong on; of the final models alone, if older runs are among them.
    """

    rows: pd.DataFrame
    runs: pd.DataFrame
    unknown: int
    class_names: tuple[str, ...] = DIGITS
    shares: pd.DataFrame | None = None

    def words(self, label: int) -> str:
        """What a label stands for."""
        return self.class_names[label] if label < len(self.class_names) else str(label)

    @property
    def labels(self) -> dict[int, int]:
        """The actual label of each image that any run gets wrong."""
        first = self.rows.drop_duplicates("index")
        return dict(zip(first["index"].astype(int), first["label"].astype(int), strict=True)) if len(first) else {}

    @property
    def wrong(self) -> pd.DataFrame:
        """A row per run, a column per image."""
        return wrong_table(self.rows, self.runs)


def read(trials: Trials) -> Errors:
    """Read the errors of all trials; none of runs that are judged on no images."""
    if not trials.has(TEST_IMAGES):
        return Errors(pd.DataFrame(columns=NAMED), trials.runs.head(0), 0)
    run_ids = map(str, trials.runs["run_id"])
    known = {run_id: table for run_id in run_ids if (table := trials.source.misclassified(run_id)) is not None}
    runs = trials.runs[trials.runs["run_id"].isin(list(known))]
    together = _together(runs, known) if known else pd.DataFrame(columns=NAMED)
    shares = _shares(trials, runs) if known else None
    if shares is None and known:
        shares = wrong_table(together, runs).astype(float)
    return Errors(together, runs, len(trials.runs) - len(known), _class_names(trials.runs), shares)


def _together(runs: pd.DataFrame, tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """All runs' tables as one, each row with its run."""
    own = runs[["run_id", "configuration", "seed"]]
    ordered = [tables[run_id] for run_id in own["run_id"]]
    whose = own.iloc[np.repeat(np.arange(len(own)), [len(table) for table in ordered])]
    stacked = pd.concat(ordered, ignore_index=True)
    return pd.concat([stacked, whose.reset_index(drop=True)], axis=1)


def _class_names(runs: pd.DataFrame) -> tuple[str, ...]:
    """As a run recorded them; the published data sets' are known."""
    recorded = next((text for text in runs["class_names"] if text), "")
    try:
        names = json.loads(recorded) if recorded else None
    except ValueError:
        names = None
    if isinstance(names, list) and all(isinstance(name, str) for name in names):
        return tuple(names)
    return CLASS_NAMES.get(str(runs["dataset"].iloc[0]), DIGITS)


def wrong_table(errors: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """From a row per run and error (run_id, index) to booleans, a row per run (configuration, seed), a column per image; `runs` are those whose errors are known, error-free ones included."""
    index = pd.MultiIndex.from_frame(runs[["configuration", "seed"]])
    columns = np.unique(errors["index"].to_numpy())
    table = pd.DataFrame(False, index=index, columns=pd.Index(columns, name="image"))  # the cells' value
    place = {run_id: row for row, run_id in enumerate(runs["run_id"])}
    values = table.to_numpy(copy=True)
    values[errors["run_id"].map(place), np.searchsorted(columns, errors["index"])] = True
    return pd.DataFrame(values, index=index, columns=table.columns)


def _shares(trials: Trials, runs: pd.DataFrame) -> pd.DataFrame | None:
    """From all predictions; None if they are too many, or any run has none for its last epochs."""
    if len(runs) > MOST_RUNS:
        return None
    own: list[np.ndarray] = []
    for run_id in runs["run_id"]:
        table = trials.source.predictions(str(run_id))
        if table is None or RIGHT_OF_LAST not in table or table[RIGHT_OF_LAST].isna().any():
            return None
        own.append(1 - (table.sort_values("index")[RIGHT_OF_LAST] / table[LAST_SEEN]).to_numpy(float))
    wrong = np.array(own)
    ever = np.flatnonzero(wrong.any(axis=0))
    return pd.DataFrame(
        wrong[:, ever], index=pd.MultiIndex.from_frame(runs[["configuration", "seed"]]), columns=pd.Index(ever, name="image")
    )
