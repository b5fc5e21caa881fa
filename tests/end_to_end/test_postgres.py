"""A team's store: PostgreSQL, by itself and behind MLflow's server, on 127.0.0.1."""

import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import few
import forked
import mlflow
import pandas as pd
import pytest
from forked import Forked
from servers import serving
from sqlalchemy import create_engine, inspect
from test_reading import by_sql, make_untidy, ordered, public
from test_studies import DESIGN, assert_each_once, trials

from analysis.commands import cli
from analysis.judging import findings
from analysis.reading import errors, query
from analysis.reading.query import Wanted
from analysis.reading.records import rest
from analysis.showing.words import opening
from regstudy.commands import cli as regstudy_cli
from regstudy.errors import TrackingError
from regstudy.schema import Metric
from regstudy.store import database as read_only
from regstudy.store import store, tables
from regstudy.store.server import Server

pytestmark = pytest.mark.postgres


def test_a_table_that_somebody_has_locked_is_waited_for_no_longer_than_a_locked_file(database, workspace, capsys):
    mlflow.set_tracking_uri(database)
    mlflow.MlflowClient().create_experiment("made")
    engine = create_engine(database)
    with engine.begin() as connection:
        connection.exec_driver_sql("LOCK TABLE experiments, runs IN ACCESS EXCLUSIVE MODE")
        assert cli.main(["rank"]) == 2
        assert "lock timeout" in capsys.readouterr().err
    engine.dispose()


def on_a_machine_of_its_own(folder: Path, address: str) -> Forked:
    """`study run` in a folder whose locks and checkpoints nobody else sees: the store is all that two such share."""
    folder.mkdir()
    few.put(folder, DESIGN)
    own = {"REGSTUDY_LOCKS": str(folder / "locks"), "REGSTUDY_CHECKPOINTS": str(folder / "checkpoints")}
    command = ["regstudy", "study", "run", "small.yaml", "--jobs", "1", "--threads", "1", "--no-report"]
    return forked.start(*command, folder=folder, MLFLOW_TRACKING_URI=address, **own)


def test_a_database_is_read_as_the_client_reads_it(database, workspace):
    mlflow.set_tracking_uri(database)
    store.quieten()
    ids = make_untidy()
    found = by_sql(tables.open_tables(database), ids, ["a/b", "c"])
    pd.testing.assert_frame_equal(found, public(ids, ["a/b", "c"]), check_exact=True)
    from_tables, by_client = tables.open_tables(database).runs("0"), Server(database).runs("0")
    assert [run.run_id for run in from_tables] == [run.run_id for run in by_client] == ids


def test_reading_makes_no_tables_and_cannot_write(database, workspace, capsys):
    mlflow.set_tracking_uri(database)
    assert cli.main(["rank"]) == 2
    assert "is no MLflow store: it has no tables" in capsys.readouterr().err
    few.put(workspace, DESIGN)
    assert regstudy_cli.main(["study", "status", "small.yaml"]) == 0
    engine = create_engine(database)
    assert inspect(engine).get_table_names() == []
    store.quieten()
    mlflow.MlflowClient().create_experiment("mine")
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE label_schemas CASCADE")
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '5b0e9adcef9c'")
    before = inspect(engine).get_table_names()
    for experiment in ("mine", "nonesuch"):
        assert cli.main(["rank", "--experiment", experiment]) == 2
    said = capsys.readouterr().err
    assert "experiment 'mine' of the store" in said
    assert "experiment 'nonesuch' is not in the store" in said
    assert regstudy_cli.main(["study", "run", "small.yaml"]) == 2
    assert "is an older MLflow's" in capsys.readouterr().err
    assert inspect(engine).get_table_names() == before
    with (
        pytest.raises(TrackingError, match="cannot execute DELETE in a read-only transaction"),
        read_only.reading(database) as connection,
    ):
        connection.exec_driver_sql("DELETE FROM experiments")
    engine.dispose()


def test_two_machines_share_a_study_through_a_server(database, workspace, monkeypatch):
    with serving(database, workspace) as address:
        both = [on_a_machine_of_its_own(workspace / name, address) for name in ("one", "other")]
        outputs = [process.communicate(timeout=600)[0] for process in both]
        assert [process.returncode for process in both] == [0, 0], outputs
        mlflow.set_tracking_uri(address)
        assert_each_once()
        assert len({run.data.tags["regstudy.machine"] for run in trials()}) == 2, "each had its share"
        ids = [run.info.run_id for run in trials()]
        in_bulk = ordered(rest.points(address, ids, list(Metric)))
        pd.testing.assert_frame_equal(in_bulk, by_sql(tables.open_tables(database), ids, list(Metric)), check_exact=True)
        found = findings.find(query.read(Wanted(study="small")))
        assert "one seed each" in opening.headline(found)
        assert set(errors.read(found.trials).runs["run_id"]) == set(ids), "their files come through the server too"


@pytest.mark.parametrize("through_a_server", [False, True])
def test_what_several_write_at_the_same_moment_is_there(database, workspace, through_a_server):
    with serving(database, workspace) if through_a_server else nullcontext(database) as address:
        mlflow.set_tracking_uri(address)
        run_id, meeting = mlflow.MlflowClient().create_run("0").info.run_id, threading.Barrier(4)

        def write() -> None:
            for name in map(str, range(25)):
                meeting.wait(60)
                store.client().set_tag(run_id, name, "there")

        with ThreadPoolExecutor(4) as four:
            writers = [four.submit(write) for _ in range(4)]
        assert [writer.exception() for writer in writers] == [None] * 4
        assert all(mlflow.get_run(run_id).data.tags[str(number)] == "there" for number in range(25))


def test_a_study_whose_server_goes_away_says_so_and_ends_when_told_to(workspace):
    with serving(mlflow.get_tracking_uri(), workspace) as address:
        process = on_a_machine_of_its_own(workspace / "one", address)
        mlflow.set_tracking_uri(address)
        deadline = time.monotonic() + 120
        while not trials():
            assert time.monotonic() < deadline
            time.sleep(0.5)
    waiting = process.until("does not answer", 120)
    process.terminate()
    begun = time.monotonic()
    end, _ = process.communicate(timeout=600)
    assert time.monotonic() - begun < 20
    assert process.returncode == 143
    assert "waiting for it" in waiting
    assert "Traceback" not in end
    assert re.search(r"Go on with: \S*python3? -m regstudy study run small.yaml --jobs 1 --threads 1 --no-report\n", end)


def test_a_password_is_in_nothing_that_is_said_or_kept(database, workspace):
    """One that SQLAlchemy takes as it is, and urllib takes apart."""
    password = "se#cret/9?x"
    secret = database.replace("regstudy@", f"regstudy:{password}@")
    said = ""
    commands = (
        ["regstudy", "train", "--dataset", "mnist-5k", "--epochs", "1"],
        ["regstudy", "resume", "nonesuch"],
        ["analysis", "rank"],
        ["analysis", "snapshot", "snap"],
        ["analysis", "rank", "--experiment", "nonesuch"],
    )
    for command in commands:
        said += forked.start(*command, folder=workspace, MLFLOW_TRACKING_URI=secret).communicate(300)[0]
    assert "Traceback" not in said
    address = database.replace("regstudy@", "")
    assert said.count(address) >= 3
    mlflow.set_tracking_uri(database)
    kept = str(mlflow.search_runs(["0"]).to_dict())
    files = [
        path for path in workspace.rglob("*") if path.suffix in {".html", ".md", ".txt", ".json", ".diff", ".yaml", ".csv"}
    ]
    for text in (said, kept, *(path.read_text() for path in files)):
        assert not [piece for piece in (password, password[:7], password[3:9], password[-3:]) if piece in text]
