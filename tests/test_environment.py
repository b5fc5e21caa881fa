"""MLflow's variables left over from another shell or another store: one line that says what to unset, restore or name; nothing written."""

import foreign
import mlflow
import pytest
from servers import serving

from analysis.commands import cli as analysis_cli
from regstudy.commands import cli
from regstudy.schema import TRIAL, Tag
from regstudy.tracking import ledger

TRAIN = ["train", "--dataset", "mnist-5k", "--epochs", "1"]
RUN = ["study", "run", "published", "--dataset", "mnist-5k", "--epochs", "1", "--seeds", "1"]
STATUS, PLAN = ["study", "status", *RUN[2:]], ["study", "plan", *RUN[2:]]
NONE = "f" * 32


@pytest.fixture
def client(workspace) -> mlflow.MlflowClient:
    return mlflow.MlflowClient()


def line_of(main, command: list[str], capsys) -> str:
    """What a command that is refused says."""
    capsys.readouterr()
    assert main(command) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1, said
    return said


def left_over(client: mlflow.MlflowClient, kind: str) -> str:
    """A run that `mlflow run` did not make for this command."""
    if kind == "none":
        return NONE
    made = client.create_run("0", tags={Tag.KIND: TRIAL} if kind == "at work" else {}).info.run_id
    if kind == "deleted":
        client.delete_run(made)
    elif kind == "ended":
        client.set_terminated(made)
    return made


@pytest.mark.slow
@pytest.mark.parametrize("command", [TRAIN, RUN, [*TRAIN, "--l1=abc"]], ids=["train", "study run", "bad input"])
@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("none", "which is not in the store sqlite:///"),
        ("deleted", "which is deleted (mlflow runs restore --run-id"),
        ("ended", "which has ended (FINISHED)"),
        ("at work", "which holds something of regstudy already"),
    ],
)
def test_a_run_that_is_left_over_is_named_and_not_filled(client, workspace, monkeypatch, capsys, kind, words, command):
    named = left_over(client, kind)
    monkeypatch.setenv("MLFLOW_RUN_ID", named)
    before = foreign.state(workspace)
    said = line_of(cli.main, command, capsys)
    if "--l1=abc" in command:
        assert "l1: expected a finite number" in said
    else:
        assert f"MLFLOW_RUN_ID names run {named!r}, {words}" in said
        assert said.endswith("unset MLFLOW_RUN_ID\n")
    assert foreign.state(workspace) == before


@pytest.mark.parametrize("variable", ["MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID"])
def test_what_is_left_over_makes_no_store(tmp_path, monkeypatch, capsys, variable):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(variable, NONE)
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    for main, command in ((cli.main, TRAIN), (cli.main, RUN), (cli.main, ["train", "--l1=abc"]), (analysis_cli.main, ["rank"])):
        line_of(main, command, capsys)
    mlflow.set_tracking_uri(None)  # pyright: ignore[reportArgumentType]  # None unsets it
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["none", "deleted", "ended", "at work"])
def test_reading_needs_no_run_and_leaves_one_that_is_left_over_alone(own_copy, monkeypatch, capsys, kind):
    monkeypatch.setenv("MLFLOW_RUN_ID", left_over(mlflow.MlflowClient(), kind))
    before = foreign.state(own_copy)
    assert analysis_cli.main(["rank"]) == 0
    assert cli.main(STATUS) == 0
    assert "name two configurations" in line_of(analysis_cli.main, ["compare", "none", "none"], capsys)
    assert foreign.state(own_copy) == before


def test_a_run_that_mlflow_run_made_decides_the_experiment(client, monkeypatch):
    made = client.create_experiment("made")
    monkeypatch.setenv("MLFLOW_RUN_ID", client.create_run(made).info.run_id)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "another")
    assert ledger.experiment() == made
    assert client.get_experiment_by_name("another") is None


EVERY = [(cli.main, TRAIN), (cli.main, RUN), (cli.main, STATUS), (cli.main, PLAN), (analysis_cli.main, ["rank"])]


@pytest.mark.parametrize(("main", "command"), EVERY)
def test_a_deleted_experiment_is_named_with_how_to_restore_it(client, workspace, monkeypatch, capsys, main, command):
    gone = client.create_experiment("gone")
    client.delete_experiment(gone)
    before = foreign.state(workspace)
    for variable, value in {"MLFLOW_EXPERIMENT_NAME": "gone", "MLFLOW_EXPERIMENT_ID": gone}.items():
        with monkeypatch.context() as own:
            own.setenv(variable, value)
            said = line_of(main, command, capsys)
        assert f"experiment 'gone' of the store sqlite:///{workspace}/mlflow.db is deleted" in said
        assert f"mlflow experiments restore -x {gone}, or name another with MLFLOW_EXPERIMENT_NAME" in said
    assert foreign.state(workspace) == before
    client.delete_experiment("0")
    assert "experiment 'Default' of" in line_of(main, command, capsys)


@pytest.mark.parametrize(("main", "command"), EVERY)
def test_an_experiment_id_of_none_is_named_with_those_there_are(client, workspace, monkeypatch, capsys, main, command):
    before = foreign.state(workspace)
    for number in ("77", "abc", "1'; --"):
        monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", number)
        said = line_of(main, command, capsys)
        assert f"MLFLOW_EXPERIMENT_ID names experiment {number!r}, which is not in the store" in said
        assert "which has 'Default' (ID 0): unset MLFLOW_EXPERIMENT_ID, or name one of them" in said
    assert foreign.state(workspace) == before


def test_a_name_and_an_id_of_two_experiments_are_refused(client, monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", client.create_experiment("one"))
    client.create_experiment("two")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "two")
    for main, command in ((cli.main, TRAIN), (analysis_cli.main, ["rank"])):
        assert "MLFLOW_EXPERIMENT_NAME ('two') and MLFLOW_EXPERIMENT_ID ('1') name two experiments" in line_of(
            main, command, capsys
        )


def test_a_name_of_none_is_made_by_what_writes_and_asked_about_by_what_reads(client, monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "new")
    assert "experiment 'new' is not in the store" in line_of(analysis_cli.main, ["rank"], capsys)
    assert cli.main(STATUS) == 0
    assert client.get_experiment_by_name("new") is None
    made = ledger.experiment()
    assert client.get_experiment(made).name == "new"


@pytest.mark.slow
def test_a_server_names_what_is_left_over_too(client, workspace, monkeypatch, capsys):
    gone = client.create_experiment("gone")
    client.delete_experiment(gone)
    ended = left_over(client, "ended")
    with serving(mlflow.get_tracking_uri(), workspace) as address:
        mlflow.set_tracking_uri(address)
        for variable, value, words in (
            ("MLFLOW_RUN_ID", NONE, "which is not in the store"),
            ("MLFLOW_RUN_ID", "no run's", "which is not in the store"),
            ("MLFLOW_RUN_ID", ended, "which has ended (FINISHED)"),
            ("MLFLOW_EXPERIMENT_NAME", "gone", "is deleted: restore it"),
            ("MLFLOW_EXPERIMENT_ID", gone, "is deleted: restore it"),
            ("MLFLOW_EXPERIMENT_ID", "77", "is not in the store"),
        ):
            with monkeypatch.context() as own:
                own.setenv(variable, value)
                for main, command in [(cli.main, TRAIN), (cli.main, RUN)]:
                    assert words in line_of(main, command, capsys)
                if variable != "MLFLOW_RUN_ID":
                    assert words in line_of(analysis_cli.main, ["rank"], capsys)
                    assert words in line_of(cli.main, STATUS, capsys)
        assert len(client.search_runs(["0"])) == 1
