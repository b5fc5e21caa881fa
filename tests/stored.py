"""The stores of tests/stores, which versions of MLflow have written, and what is in them, as make_store.py says."""

import math
import tarfile
from functools import cache
from pathlib import Path

import pandas as pd
from conftest import ROOT

from analysis.reading.records.record import Record

VERSIONS = ("1.30.1", "2.0.1", "2.14.3", "3.0.1", "3.17.2")
TODAY = VERSIONS[-1]
KINDS = ("mlflow.db", "mlruns")
START, LRS, SEEDS = 1_600_000_000_000, ("0.1", "0.01", "1e-3"), 4
ODD = [math.nan, math.inf, -math.inf, 1e-300, -0.25]
LOSS = "val/loss"


def unpack(version: str, folder: Path) -> Path:
    """A version's store, in this folder: mlflow.db and mlruns."""
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(ROOT / "tests" / "stores" / f"mlflow-{version}.tar.xz") as packed:
        packed.extractall(folder, filter="data")
    return folder


@cache
def losses(place: int) -> tuple[tuple[int, float], ...]:
    """Step and value of each point of the loss of a run, in order."""
    if place == SEEDS * len(LRS):
        return ((0, 0.5),)
    lr, seed = float(LRS[place // SEEDS]), place % SEEDS
    points = [(step, 1.0 - lr - (step + seed / 8) / 16) for step in range(5)]
    points += [(2, 0.75)] if place == 0 else [(5, math.nan)] if place == SEEDS * len(LRS) - 1 else []
    return tuple(sorted(points, key=lambda point: point[0]))


def runs(ids: list[str], *, nan: bool = True) -> list[Record]:
    """The runs that are to be read, oldest first, under these IDs; without `nan` as where NaN cannot be kept."""
    return [_run(place, run_id, nan=nan) for place, run_id in enumerate(ids)]


def _run(place: int, run_id: str, *, nan: bool) -> Record:
    latest = [value for _, value in losses(place) if nan or not math.isnan(value)][-1]
    failed = place == SEEDS * len(LRS)
    lr, seed = ("0.1", 4) if failed else (LRS[place // SEEDS], place % SEEDS)
    return Record(
        run_id,
        f"run {place}",
        "FAILED" if failed else "FINISHED",
        START + place,
        {"mlflow.runName": f"run {place}", "note": "naïve – «ok»\nsecond line", "team/site": "a"},
        {LOSS: latest} | ({"odd": ODD[-1]} if place == 0 else {}),
        {"lr": lr, "seed": str(seed), "model": "résnet 18", "opt/name": "sgd"},
        "fits",
    )


def points(ids: list[str]) -> pd.DataFrame:
    """Their points."""
    rows = [(run_id, LOSS, *point) for place, run_id in enumerate(ids) for point in losses(place)]
    rows += [(ids[0], "odd", step, value) for step, value in enumerate(ODD)]
    return pd.DataFrame(rows, columns=["run_id", "metric", "step", "value"])
