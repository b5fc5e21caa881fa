"""Who may work on a trial: one process at a time, on this machine and elsewhere, and what is left by the dead is taken up."""

import signal
import time

import mlflow
import pytest
from mlflow.tracking import MlflowClient

from regstudy.console.terminal import Interrupted
from regstudy.errors import LostRun, ResumeError
from regstudy.machine import locks
from regstudy.schema import COMPLETED, DIVERGED, NUMERICS_VERSION, TRIAL, Metric, Tag
from regstudy.tracking import checkpoint, ledger, recorder

TRIAL_DIGEST = "a" * 64
TAGS = {
    Tag.KIND: TRIAL,
    Tag.TRIAL_DIGEST: TRIAL_DIGEST,
    Tag.DATA_DIGEST: "data",
    Tag.NUMERICS_VERSION: str(NUMERICS_VERSION),
}


def tags(**more: str) -> dict[str, str]:
    return {**TAGS, Tag.MACHINE: locks.machine(), Tag.HEARTBEAT: f"{time.time():.0f}"} | more


def claim(**more: str):
    return ledger.claimed("0", TRIAL_DIGEST, "name", tags(**more))


def made(status: str, *, age: float = 1000, epochs: int = 0, **more: str) -> str:
    """A run as another process left it."""
    client = MlflowClient()
    run_id = client.create_run("0", tags=tags(**{Tag.HEARTBEAT: f"{time.time() - age:.0f}"} | more)).info.run_id
    if epochs:
        client.log_metric(run_id, Metric.EPOCHS_DONE, epochs)
    if status != "RUNNING":
        client.set_terminated(run_id, status)
    return run_id


def visible() -> set[str]:
    return {run.info.run_id for run in MlflowClient().search_runs(["0"])}


def test_a_new_trial_gets_a_run_that_says_what_it_is(workspace):
    with claim() as run_id:
        assert run_id is not None
        run = MlflowClient().get_run(run_id)
        assert mlflow.active_run() is None, "MLflow's exit hook would end it"
        assert run.data.tags[Tag.TRIAL_DIGEST] == TRIAL_DIGEST
        with claim() as second:
            assert second is None, "another process here is at it"


@pytest.mark.parametrize("outcome", [COMPLETED, DIVERGED])
def test_what_is_done_is_not_done_again(workspace, outcome):
    done = made("FINISHED", **{Tag.OUTCOME: outcome})
    with claim() as run_id:
        assert run_id is None
    assert ledger.entries("0", "data")[TRIAL_DIGEST].finished
    assert visible() == {done}


def test_a_run_that_died_a_moment_after_its_last_sign_of_life_can_be_continued(workspace):
    left = made("RUNNING", age=0)
    assert ledger.resumable(left).state == "stale"


def test_an_experiment_is_made_once_though_two_ask_for_it(workspace, monkeypatch):
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "new")
    made_first = ledger.experiment()
    with monkeypatch.context() as looked:
        looked.setattr(ledger.experiments, "choose", lambda *_: None)  # as it was when the other one looked
        assert ledger.experiment() == made_first
    assert ledger.experiment() == made_first


@pytest.mark.parametrize("status", ["RUNNING", "KILLED", "FAILED"])
def test_what_a_dead_process_left_is_continued(workspace, status):
    left = made(status, **{Tag.FAILURE: "out of memory"})
    with claim() as run_id:
        assert run_id == left
        assert MlflowClient().get_run(left).info.status == "RUNNING"
        assert Tag.FAILURE not in MlflowClient().get_run(left).data.tags
    assert visible() == {left}


def test_a_run_of_another_machine_is_left_alone_while_it_beats(workspace):
    theirs = made("RUNNING", age=10, **{Tag.MACHINE: "another"})
    with claim() as run_id:
        assert run_id is None
    with claim(**{Tag.OWNER: "other study"}) as run_id:
        assert run_id is None
    assert ledger.entries("0", "data")[TRIAL_DIGEST].state == "running"
    assert [entry.run_id for entry in ledger.running("0", "data")] == [theirs]


def test_a_run_of_another_machine_that_is_silent_is_taken_over(workspace):
    theirs = made("RUNNING", age=ledger.STALE_SECONDS + 5, **{Tag.MACHINE: "another"})
    assert ledger.entries("0", "data")[TRIAL_DIGEST].state == "stale"
    with claim() as run_id:
        assert run_id == theirs


def test_a_study_that_asks_again_knows_that_its_own_process_died(workspace):
    theirs = made("RUNNING", age=1, **{Tag.MACHINE: "another", Tag.OWNER: "this study"})
    with claim(**{Tag.OWNER: "this study"}) as run_id:
        assert run_id == theirs


def test_a_run_whose_checkpoint_is_elsewhere_is_given_up_and_made_anew(workspace):
    theirs = made("RUNNING", epochs=3, **{Tag.MACHINE: "another"})
    with claim() as run_id:
        assert run_id not in {None, theirs}
    given_up = MlflowClient().get_run(theirs)
    assert given_up.info.status == "KILLED"
    assert "its checkpoint is not on the machine" in given_up.data.tags[Tag.FAILURE]


def test_the_run_that_got_furthest_is_continued(workspace):
    runs = {epochs: made("KILLED", epochs=epochs) for epochs in (2, 5, 3)}
    for run_id in runs.values():
        checkpoint.save_after_epoch(run_id, [], 1, {})
    with claim() as run_id:
        assert run_id == runs[5]


def test_a_run_is_taken_over_by_one_process_only(workspace):
    left = made("KILLED")
    (entry,) = ledger.find("0", TRIAL_DIGEST)
    ledger.take_over(entry)
    MlflowClient().set_terminated(left, "KILLED")
    # Another process that had looked at the same moment, and counts as many claims as the first did.
    seen = MlflowClient().get_run(left)
    seen.data.params.clear()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(MlflowClient, "get_run", lambda _, run_id: seen)
        with pytest.raises(ResumeError, match="another process has just taken it over"):
            ledger.take_over(entry)


def test_whoever_sees_another_withdraws(workspace, monkeypatch):
    """Another machine has made its run between our look and our own run."""
    plain, looks = ledger.find, []

    def find(experiment_id: str, trial: str):
        looks.append(trial)
        if len(looks) == 2:
            made("RUNNING", age=1, **{Tag.MACHINE: "another"})
        return plain(experiment_id, trial)

    monkeypatch.setattr(ledger, "find", find)
    with claim() as run_id:
        assert run_id is None
    assert len(visible()) == 1, "our own is deleted"


def test_one_run_remains_though_another_appears(workspace):
    client = MlflowClient()

    def create() -> str:
        if not visible():
            client.create_run("0", tags={"kind": "parent"}, start_time=1)
        return client.create_run("0", tags={"kind": "parent"}).info.run_id

    chosen = ledger.only_one("0", "tags.kind = 'parent'", create)
    assert {chosen} == visible()


@pytest.mark.parametrize("epochs", [None, 0])
def test_who_is_told_to_stop_in_the_midst_of_claiming_leaves_no_run_behind_that_is_running(workspace, monkeypatch, epochs):
    if epochs is not None:
        made("KILLED", epochs=epochs)
    write = ledger.set_tags if epochs is not None else ledger.create

    def stopped(*arguments: object) -> None:
        once.undo()
        write(*arguments)
        raise Interrupted(signal.SIGTERM)

    with monkeypatch.context() as once:
        once.setattr(ledger, write.__name__, stopped)
        with pytest.raises(Interrupted), claim():
            pass
    (run,) = MlflowClient().search_runs(["0"])
    assert run.info.status == "KILLED"
    with claim() as run_id:
        assert run_id == run.info.run_id


def test_the_process_at_work_holds_a_lock_and_beats(workspace, monkeypatch):
    monkeypatch.setattr(ledger, "BEAT_SECONDS", 0.05)
    run_id = made("RUNNING")
    client = MlflowClient()
    assert not ledger.is_alive(client.get_run(run_id))
    with ledger.at_work(run_id):
        assert ledger.is_alive(client.get_run(run_id))
        client.delete_tag(run_id, Tag.HEARTBEAT)
        for _ in range(100):
            time.sleep(0.05)
            if Tag.HEARTBEAT in client.get_run(run_id).data.tags:
                break
        else:
            pytest.fail("no beat in five seconds")
    client.set_tag(run_id, Tag.HEARTBEAT, "0")
    assert not ledger.is_alive(client.get_run(run_id))


@pytest.mark.slow
def test_a_run_that_ended_without_an_outcome_is_not_done(workspace):
    left = made("FINISHED", epochs=0)
    assert ledger.entries("0", "data")[TRIAL_DIGEST].state == "unfinished"
    with claim() as run_id:
        assert run_id == left, "nothing was logged, so that it can be continued"


def test_a_run_whose_end_did_not_reach_the_store_is_done_and_put_right(workspace):
    whole = made("RUNNING", **{Tag.OUTCOME: COMPLETED})
    assert ledger.entries("0", "data")[TRIAL_DIGEST].state == "done"
    with claim() as run_id:
        assert run_id is None
    assert MlflowClient().get_run(whole).info.status == "FINISHED"


def test_mlflows_exit_hook_ends_no_run_whose_end_the_store_did_not_take(workspace):
    run_id = ledger.create("0", "name", tags())

    def stopped_while_the_store_is_away() -> None:
        with recorder.at_work(run_id):
            (workspace / "mlflow.db").rename(workspace / "away.db")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped_while_the_store_is_away()
    (workspace / "away.db").replace(workspace / "mlflow.db")
    mlflow.end_run()
    assert MlflowClient().get_run(run_id).info.status == "RUNNING"


def test_who_wakes_after_its_run_was_taken_over_writes_nothing_more(workspace, monkeypatch):
    run_id = ledger.create("0", "name", tags())

    def sleep_through_a_take_over() -> None:
        with recorder.at_work(run_id) as require_own:
            require_own()
            (entry,) = ledger.find("0", TRIAL_DIGEST)
            with monkeypatch.context() as elsewhere:
                elsewhere.setattr(locks, "machine", lambda: "elsewhere")
                ledger.take_over(entry)
            require_own()

    with pytest.raises(LostRun, match=run_id):
        sleep_through_a_take_over()
    left = MlflowClient().get_run(run_id)
    assert left.info.status == "RUNNING", "the other process is at it"
    assert Tag.FAILURE not in left.data.tags


@pytest.mark.parametrize("name", ["../../../etc/passwd", "/etc/passwd", "a" * 31, "A" * 32, "x/../y"])
def test_an_id_from_a_store_is_a_path_only_if_it_has_the_shape_of_mlflows(name):
    assert "/" not in checkpoint.file_name(name)
    assert checkpoint.file_name(name) != name


@pytest.mark.parametrize("beat", ["yesterday", "", "nan", "inf"])
def test_a_damaged_sign_of_life_is_none(workspace, beat):
    made("RUNNING", **{Tag.HEARTBEAT: beat, Tag.MACHINE: "elsewhere"})
    assert ledger.entries("0", "data")[TRIAL_DIGEST].state in {"running", "stale"}


def test_what_goes_wrong_after_the_outcome_takes_nothing_from_the_run(workspace):
    """A signal between the outcome and the end."""
    run_id = ledger.create("0", "name", tags())

    def stopped_after_the_outcome() -> None:
        with recorder.at_work(run_id):
            ledger.set_tags(run_id, {Tag.OUTCOME: COMPLETED})
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped_after_the_outcome()
    whole = MlflowClient().get_run(run_id)
    assert whole.info.status == "FINISHED"
    assert Tag.FAILURE not in whole.data.tags


def test_a_run_with_a_damaged_outcome_can_be_continued(workspace):
    """Who continues it must not take the damage for another process's outcome, and leave, again and again."""
    left = made("FINISHED", **{Tag.OUTCOME: "complet"})
    with claim() as run_id, recorder.at_work(left) as require_own:
        assert run_id == left
        require_own()
