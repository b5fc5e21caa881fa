"""Makes a fixture of this folder: the same small store as a version of MLflow writes it, into a SQLite database and into files.

python3.9 -m venv m && m/bin/pip install "mlflow==1.30.1" "sqlalchemy<2" "setuptools<70" "numpy<2" "protobuf<5"   # also 2.0.1
python3.10 -m venv m && m/bin/pip install "mlflow==2.14.3" "setuptools<70" "numpy<2"                              # also 3.0.1 and later ones
m/bin/python tests/stores/make_store.py                                                          # writes mlflow-VERSION.tar.xz here

Needs nothing but MLflow; IDs alone differ from version to version.
"""

import os
import tarfile
import tempfile
from pathlib import Path

os.environ |= {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_ALLOW_FILE_STORE": "true"}

import mlflow
from mlflow.tracking import MlflowClient

LRS, SEEDS, STEPS = ("0.1", "0.01", "1e-3"), range(4), range(5)
START = 1_600_000_000_000
ODD = (float("nan"), float("inf"), float("-inf"), 1e-300, -0.25)


def fill(client: MlflowClient) -> None:
    """Two experiments, one of them deleted. In the other twelve finished runs, one that failed, one that was deleted."""
    fits = client.create_experiment("fits", artifact_location="artifacts")
    for place, (lr, seed) in enumerate((lr, seed) for lr in LRS for seed in SEEDS):
        run_id = _run(client, fits, place, lr, seed)
        for step in STEPS:
            value = 1.0 - float(lr) - (step + seed / 8) / 16
            client.log_metric(run_id, "val/loss", value, timestamp=START + step, step=step)
        if place == 0:
            for step, value in enumerate(ODD):
                client.log_metric(run_id, "odd", value, timestamp=START + step, step=step)
            client.log_metric(run_id, "val/loss", 0.75, timestamp=START + 9, step=2)  # once more: the latest counts
        if place == len(LRS) * len(SEEDS) - 1:
            client.log_metric(run_id, "val/loss", float("nan"), timestamp=START + 9, step=5)
        client.set_terminated(run_id, "FINISHED", end_time=START + place + 60_000)
    failed = _run(client, fits, 12, "0.1", 4)
    client.log_metric(failed, "val/loss", 0.5, timestamp=START, step=0)
    client.set_terminated(failed, "FAILED", end_time=START + 60_000)
    deleted = _run(client, fits, 13, "0.1", 5)
    client.log_metric(deleted, "val/loss", 0.25, timestamp=START, step=0)
    client.set_terminated(deleted, "FINISHED", end_time=START + 60_000)
    client.delete_run(deleted)
    gone = client.create_experiment("gone", artifact_location="artifacts")
    client.log_metric(_run(client, gone, 14, "0.1", 0), "val/loss", 0.125, timestamp=START, step=0)
    client.delete_experiment(gone)


def _run(client: MlflowClient, experiment: str, place: int, lr: str, seed: int) -> str:
    tags = {"mlflow.runName": f"run {place}", "note": "naïve – «ok»\nsecond line", "team/site": "a"}
    run_id = client.create_run(experiment, start_time=START + place, tags=tags).info.run_id
    for name, value in {"lr": lr, "seed": seed, "model": "résnet 18", "opt/name": "sgd"}.items():
        client.log_param(run_id, name, value)
    return run_id


def main() -> None:
    """Write both kinds, packed."""
    packed = Path(__file__).absolute().parent / f"mlflow-{mlflow.__version__}.tar.xz"
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="store-") as folder:
        os.chdir(folder)
        for uri in ("sqlite:///mlflow.db", f"file://{folder}/mlruns"):
            fill(MlflowClient(uri))
        with tarfile.open(packed, "w:xz", preset=9) as archive:
            archive.add("mlflow.db")
            archive.add("mlruns")


if __name__ == "__main__":
    main()
