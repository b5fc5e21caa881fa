"""Sixty faults, drawn from a seed, over studies on SQLite, a server and PostgreSQL: each trial is done once, with the numbers of one left in peace."""

import os
import random
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import few
import pytest
from chaos import DESIGN, KINDS, NEEDS_WORKERS, REFERENCE, Chaos, Start, Whole, experiment_id, store_away_for_long
from mlflow.entities import Run
from mlflow.tracking import MlflowClient
from servers import MlflowServer, postgres
from test_resume import TIMED

from regstudy.schema import TRIAL, Tag

FAULTS = int(os.environ.get("REGSTUDY_CHAOS_FAULTS", "20"))
"""For each of the three stores."""

MOST_PER_STUDY = 7
MOST_STARTS = 4
"""In peace, after the last fault; the first should do."""


def history(client: MlflowClient, run: Run) -> dict[str, list[tuple[int, float]]]:
    names = [name for name in run.data.metrics if name not in TIMED]
    return {name: [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, name)] for name in names}


def runs(chaos: Chaos) -> list[Run]:
    return list(MlflowClient(chaos.uri).search_runs([experiment_id(chaos)], f"tags.`{Tag.KIND}` = '{TRIAL}'"))


def complete(run: Run) -> bool:
    return run.info.status == "FINISHED" and Tag.OUTCOME in run.data.tags


def judge_runs(chaos: Chaos) -> None:
    ours = [run for run in runs(chaos) if run.info.run_id not in chaos.planted or Tag.HEARTBEAT in run.data.tags]
    for run in ours:
        if run.info.status == "FINISHED" and not complete(run):
            chaos.complain(f"run {run.info.run_id} is FINISHED without an outcome")
        if run.info.status == "RUNNING":
            chaos.complain(f"run {run.info.run_id} is RUNNING though all is over")
    for digest, whole in REFERENCE.items():
        done = [run for run in ours if run.data.tags.get(Tag.TRIAL_DIGEST) == digest and complete(run)]
        name = whole.tags[Tag.CONFIGURATION]
        if len(done) != 1:
            chaos.complain(f"{name}: {len(done)} finished runs")
        for run in done:
            found = history(MlflowClient(chaos.uri), run)
            other = sorted(key for key in whole.history.keys() | found.keys() if whole.history.get(key) != found.get(key))
            if other:
                key = other[0]
                chaos.complain(f"{name}: other numbers in {other}: {key} {found.get(key)}, not {whole.history.get(key)}")


def judge_status(chaos: Chaos) -> None:
    """A false finish is named as what is left, as long as its trial has no other run."""
    started = chaos.start("study", "status", "small.yaml")
    chaos.end(started)
    best: dict[str, list[Run]] = {}
    for run in runs(chaos):
        best.setdefault(run.data.tags.get(Tag.TRIAL_DIGEST, ""), []).append(run)
    for of_trial in (best.get(digest, []) for digest in REFERENCE):
        false = [run.info.run_id for run in of_trial if run.info.status == "FINISHED" and not complete(run)]
        if len(of_trial) == 1 and false and false[0] not in started.text:
            chaos.complain(f"status does not name the false finish {false[0]}: {started.text[-800:]}")


def disturbed(chaos: Chaos, kinds: list[Callable[[Chaos, Start], None]]) -> None:
    """One study, started again after each fault that ends it; what is left of `kinds` when it is done stays in the list."""
    for _ in range(MOST_PER_STUDY):
        if not kinds:
            break
        started = chaos.study(kinds[-1] in NEEDS_WORKERS or chaos.draw.random() < 0.1)
        started.process.join(chaos.draw.uniform(0.2, chaos.undisturbed / 2))
        while kinds and started.process.is_alive():
            kind = kinds.pop()
            chaos.counts[kind.__name__] = chaos.counts.get(kind.__name__, 0) + 1
            kind(chaos, started)
            started.process.join(chaos.draw.uniform(0.2, chaos.undisturbed / 2))
        status = chaos.end(started)
        if "plant_a_false_finish" in chaos.counts:
            judge_status(chaos)
        if status == 0:
            return


def finish(chaos: Chaos) -> None:
    text = ""
    for _ in range(MOST_STARTS):
        started = chaos.study(workers_too=False)
        status, text = chaos.end(started), started.text
        if status == 0:
            break
    else:
        chaos.complain(f"left in peace {MOST_STARTS} times, the study is not done: {text[-1500:]}")
    judge_runs(chaos)


def unleash(chaos: Chaos, *, long_outage: bool) -> None:
    """All faults, in studies that have an experiment each; then everything that was wrong, at once."""
    draw = chaos.draw
    kinds = [KINDS[i % len(KINDS)] for i in range(FAULTS - long_outage)] + [store_away_for_long] * long_outage
    draw.shuffle(kinds)
    number = 0
    while kinds:
        number += 1
        chaos.experiment = f"chaos-{number}"
        MlflowClient(chaos.uri).create_experiment(chaos.experiment, (chaos.folder / "mlruns" / str(number)).as_uri())
        chaos.counts.clear()
        disturbed(chaos, kinds)
        finish(chaos)
    assert not chaos.found, "\n\n".join([f"{len(chaos.found)} complaints", *chaos.found])


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, migrated_database) -> float:
    """Fill REFERENCE; how long that took, in seconds."""
    folder = tmp_path_factory.mktemp("undisturbed")
    chaos = on_sqlite(folder, migrated_database, 0)
    chaos.experiment = "reference"
    MlflowClient(chaos.uri).create_experiment("reference", (folder / "mlruns").as_uri())
    started = chaos.study(workers_too=False)
    assert chaos.end(started) == 0, started.text
    length = time.monotonic() - started.command.begun
    client = MlflowClient(chaos.uri)
    REFERENCE.update({run.data.tags[Tag.TRIAL_DIGEST]: Whole(run.data.tags, history(client, run)) for run in runs(chaos)})
    assert len(REFERENCE) == 2
    return length


def on_sqlite(folder: Path, migrated_database: Path, seed: int) -> Chaos:
    shutil.copy(migrated_database, folder / "mlflow.db")
    few.put(folder, DESIGN)

    def lock(seconds: float) -> None:
        with closing(sqlite3.connect(folder / "mlflow.db", timeout=10)) as connection:
            with suppress(sqlite3.OperationalError):  # the study is quicker, for ten seconds: no fault then
                connection.execute("BEGIN EXCLUSIVE")
                time.sleep(seconds)
            connection.rollback()

    return Chaos(folder, f"sqlite:///{folder}/mlflow.db", random.Random(seed), lock)


@pytest.mark.slow
def test_studies_on_sqlite_survive(undisturbed, tmp_path, migrated_database):
    chaos = on_sqlite(tmp_path, migrated_database, 1)
    chaos.undisturbed = undisturbed
    unleash(chaos, long_outage=True)


@pytest.mark.slow
def test_studies_on_a_server_survive(undisturbed, tmp_path, migrated_database):
    chaos = on_sqlite(tmp_path, migrated_database, 2)
    server = MlflowServer(tmp_path, chaos.uri)
    server.start()
    try:
        chaos.uri, chaos.fail, chaos.undisturbed = server.address, server.restart, undisturbed
        unleash(chaos, long_outage=True)
    finally:
        server.kill()


@pytest.mark.postgres
def test_studies_on_postgresql_survive(undisturbed, tmp_path):
    few.put(tmp_path, DESIGN)
    with postgres() as server:
        MlflowClient(server.uri()).search_experiments()  # makes its tables
        chaos = Chaos(tmp_path, server.uri(), random.Random(3), server.restart)
        chaos.undisturbed = undisturbed
        unleash(chaos, long_outage=False)
