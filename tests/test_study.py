"""A small study, really run: what it leaves in the store, that nothing is run twice, and how failures end."""

import math
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import mean, stdev
from types import SimpleNamespace

import few
import mlflow
import pytest
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from analysis.reading import query
from analysis.reading.query import Wanted
from regstudy.commands import cli, study_cli
from regstudy.design import design_file
from regstudy.errors import ConfigError, DataError, StudyError
from regstudy.machine import locks
from regstudy.run import trial as run
from regstudy.run.task import Assignment
from regstudy.schema import COMPLETED, TRIAL, Metric, Summary, Tag
from regstudy.store import store
from regstudy.study import coordinator, display, plan
from regstudy.study.coordinator import How
from regstudy.study.display import Watch
from regstudy.study.executors import End
from regstudy.study.plan import Plan
from regstudy.tracking import study_run
from regstudy.tracking.ledger import Entry

DESIGN = """\
name: small
about: Does it work?
overrides: {epochs: 1, dataset: mnist-5k}
configurations:
  - {l1: 0}
  - {l1: 0.001}
seeds: 2
"""
HERE = How("here", 1, 1)


def planned(text: str = DESIGN, seeds: list[int] | None = None) -> Plan:
    return plan.make(design_file.parse(text, "small").with_changes(seeds=seeds, epochs=None, dataset=None), None)


def runs(kind: str) -> list[Run]:
    return list(MlflowClient().search_runs(["0"], f"tags.`{Tag.KIND}` = '{kind}'"))


@pytest.fixture(scope="module")
def done(trained_once, tmp_path_factory) -> Iterator[Path]:
    """The folder of a study that was run in this process; single runs had done three of its trials before."""
    folder = tmp_path_factory.mktemp("study")
    shutil.copy(trained_once / "mlflow.db", folder)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(folder)
        mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
        lost = next(r for r in runs(TRIAL) if (r.data.tags[Tag.CONFIGURATION], r.data.tags[Tag.BLOCK]) == ("L1 0.001", "1"))
        MlflowClient().delete_run(lost.info.run_id)
        (folder / "small.yaml").write_text(DESIGN)
        coordinator.run(planned(), HERE)
        yield folder


@pytest.mark.slow
def test_every_trial_is_there_once(done):
    trials = runs(TRIAL)
    assert sorted((run.data.tags[Tag.CONFIGURATION], run.data.tags[Tag.BLOCK]) for run in trials) == [
        ("L1 0.001", "0"),
        ("L1 0.001", "1"),
        ("none", "0"),
        ("none", "1"),
    ]
    assert {run.info.status for run in trials} == {"FINISHED"}
    assert len({run.data.tags[Tag.TRIAL_DIGEST] for run in trials}) == 4


@pytest.mark.slow
def test_trials_say_what_they_belong_to(done):
    (parent,) = runs("study")
    *single, ours = sorted(runs(TRIAL), key=lambda run: run.info.start_time)
    assert all(Tag.STUDY not in run.data.tags for run in single), "a run that was there before stays what it was"
    assert ours.data.tags[Tag.STUDY] == "small"
    assert ours.data.tags[Tag.STUDY_DIGEST] == parent.data.tags[Tag.STUDY_DIGEST] == planned().design.digest
    assert ours.data.tags["mlflow.parentRunId"] == parent.info.run_id


@pytest.mark.slow
def test_the_parent_has_mean_sd_and_n_per_configuration(done):
    (parent,) = runs("study")
    assert parent.info.status == "FINISHED"
    assert parent.info.run_name == "study small"
    metrics = parent.data.metrics
    for name in ("none", "L1 0.001"):
        scores = [r.data.metrics[Summary.ENDPOINT_TEST_ACCURACY] for r in runs(TRIAL) if r.data.tags[Tag.CONFIGURATION] == name]
        assert metrics[f"n/{name}"] == 2
        assert metrics[f"mean/{name}"] == pytest.approx(mean(scores), abs=1e-12)
        assert metrics[f"sd/{name}"] == pytest.approx(stdev(scores), abs=1e-12)
    assert metrics["study/trials_done"] == metrics["study/trials_planned"] == 4
    note = parent.data.tags["mlflow.note.content"]
    assert f"| none | {100 * metrics['mean/none']:.3f} |" in note


@pytest.mark.slow
def test_after_a_trial_only_its_own_configuration_is_written_anew(done):
    (parent,) = runs("study")
    client = MlflowClient()
    points = {name: len(client.get_metric_history(parent.info.run_id, f"n/{name}")) for name in ("none", "L1 0.001")}
    assert points == {"none": 1, "L1 0.001": 2}, "after the one trial that was trained, and at the end"


@pytest.mark.slow
def test_the_parent_holds_the_design(done, tmp_path):
    (parent,) = runs("study")
    text = Path(MlflowClient().download_artifacts(parent.info.run_id, "design.yaml", str(tmp_path))).read_text()
    assert design_file.parse(text, "artifact").digest == parent.data.tags[Tag.STUDY_DIGEST]
    assert parent.data.tags[Tag.SEEDS] == "[0, 1]"


@pytest.mark.slow
def test_again_nothing_is_run(done, monkeypatch, capsys):
    monkeypatch.setattr(run, "run_trial", lambda _: pytest.fail("nothing is left to run"))
    before = {r.info.run_id for r in MlflowClient().search_runs(["0"])}
    assert planned().unfinished() == []
    assert cli.main(["study", "plan", "small.yaml"]) == 0
    assert "so far: 4 done\nnothing is left to run" in capsys.readouterr().out
    coordinator.run(planned(), HERE)
    assert {r.info.run_id for r in MlflowClient().search_runs(["0"])} == before


@pytest.mark.slow
def test_a_done_run_whose_end_did_not_reach_the_store_is_put_right_by_its_study(done):
    """As SIGKILL leaves it between the outcome and the end."""
    whole = runs(TRIAL)[0].info.run_id
    MlflowClient().update_run(whole, "RUNNING")
    assert planned().unfinished() == []
    assert MlflowClient().get_run(whole).info.status == "RUNNING", "looking changes nothing"
    coordinator.run(planned(), HERE)
    assert MlflowClient().get_run(whole).info.status == "FINISHED"


@pytest.mark.slow
def test_a_report_of_another_study_of_that_name_is_not_taken_for_this_ones(done, monkeypatch, capsys):
    made: list[list[str]] = []

    def make(command: list[str], **_: object) -> SimpleNamespace:
        made.append(command)
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(study_cli.subprocess, "run", make)
    page = Path("report") / "small" / "report.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text("of the run 123")

    def ended(study: str, *more: str) -> None:
        """`study run`, as it ends after the trials of a study whose run has this ID."""
        monkeypatch.setattr(coordinator, "run", lambda *_: study)
        where = ["--executor", "here", "--threads", "1"]
        assert cli.main(["study", "run", str(done / "small.yaml"), *where, *more]) == 0

    ended("456")
    assert made[0][-4:] == ["--study", "456", "--output", str(page.parent)]
    ended("123")
    assert len(made) == 1
    assert "report, from before" in capsys.readouterr().out
    new = ["--seeds", "0,1,5"]
    adopted = MlflowClient().create_run("0").info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", adopted)
    ended("123", *new)
    assert made[1][-2:] == ["--output", str(page.parent)], "called from the folder that holds the store"
    monkeypatch.chdir(page.parent)
    ended("123", *new)
    assert made[2][-2:] == ["123", "--output="], "called from elsewhere: nothing is written into the project"
    MlflowClient().delete_run(adopted)


@pytest.mark.slow
def test_the_time_left_counts_what_is_under_way(done, capsys, monkeypatch):
    """Half of what was left at the start is trained, by trials that are not done yet: as long again."""
    before = planned(seeds=[0, 7])
    clock = [0.0]
    monkeypatch.setattr(display, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    watch = Watch(before, live=False)
    clock[0] = 100
    trial, ended = before.unfinished()[0], before.trials[0]
    entry = Entry("run", trial.digest, "running", "RUNNING", before.epochs_left() // 2, {}, {})
    monkeypatch.setattr(display.ledger, "running", lambda *_: [entry])
    watch.update(before, ended, End("run"))
    assert capsys.readouterr().out.endswith("%  2 min left\n")
    monkeypatch.setattr(display.ledger, "running", lambda *_: [])
    watch.update(before, ended, End("run"))
    assert capsys.readouterr().out.endswith("%  \n"), "nothing trained yet: nothing known"


@pytest.mark.slow
def test_a_server_that_stops_answering_is_told_once(done, capsys, monkeypatch):
    monkeypatch.setattr(display, "POLL_SECONDS", 0.05)
    told, looks = "", []

    def until(words: str) -> str:
        deadline, said = time.monotonic() + 60, ""
        while words not in said:
            assert time.monotonic() < deadline
            time.sleep(0.05)
            said += capsys.readouterr().err
        return said

    with socket.socket() as free, Watch(planned(), live=False):
        free.bind(("127.0.0.1", 0))
        away = f"http://127.0.0.1:{free.getsockname()[1]}"
        with monkeypatch.context() as gone:
            gone.setattr(store, "uri", lambda: looks.append(1) or away)
            told += until("does not answer")
            first = len(looks)
            while len(looks) < first + 3:
                time.sleep(0.05)
        told += until("the tracking store answers again")
    told += capsys.readouterr().err
    assert told.count("does not answer") == 1
    assert told.count("the tracking store answers again") == 1


@pytest.mark.slow
def test_what_an_earlier_start_completed_stays_part_of_the_study(done, monkeypatch):
    monkeypatch.setattr(run, "run_trial", lambda _: pytest.fail("nothing is left to run"))
    coordinator.run(planned(seeds=[1]), HERE)
    (parent,) = runs("study")
    assert parent.data.tags[Tag.SEEDS] == "[0, 1]"
    assert parent.data.metrics["study/trials_done"] == 4
    assert query.read(Wanted(study="small")).study.design.seeds == (0, 1)
    MlflowClient().set_tag(parent.info.run_id, Tag.SEEDS, "[0, 1, 7]")
    coordinator.run(planned(seeds=[0]), HERE)
    assert runs("study")[0].data.tags[Tag.SEEDS] == "[0, 1]", "seed 7 never ran"


@pytest.mark.slow
def test_more_seeds_mean_only_the_new_ones(done, capsys):
    left = planned(seeds=[0, 1, 5]).unfinished()
    assert [(trial.config.seed, trial.configuration) for trial in left] == [(5, "none"), (5, "L1 0.001")]
    assert cli.main(["study", "status", "small.yaml", "--seeds", "0,1,5"]) == 0
    out = capsys.readouterr().out
    assert "study small on mnist-5k: 2 configurations × 3 seeds" in out
    assert "next: python -m regstudy study run small.yaml --seeds 0,1,5" in out


@pytest.mark.slow
def test_an_epoch_more_is_another_trial_and_status_says_which_are_there(done, capsys):
    assert len(planned(DESIGN.replace("epochs: 1", "epochs: 2")).unfinished()) == 4
    told = "4 trials of these configurations and seeds are done with 1 epoch: to count those, --epochs 1"
    for epochs, said in {"2": True, "1": False}.items():
        assert cli.main(["study", "status", "small.yaml", "--epochs", epochs]) == 0
        assert (told in capsys.readouterr().out) == said


@pytest.mark.slow
def test_the_plan_says_how_long_by_the_runs_there_are(done, capsys):
    pace = planned().pace(1)
    seconds = sorted(r.data.metrics[Metric.SECONDS] for r in runs(TRIAL))
    assert pace is not None
    assert pace.epoch == pytest.approx(mean(seconds[1:3]))
    assert planned().pace(64) is None
    cli.main(["study", "plan", "small.yaml", "--seeds", "4", "--jobs", "1", "--threads", "1"])
    assert "left: 4 trials, in this process, 1 thread each; about" in capsys.readouterr().out


def test_jobs_and_threads_share_out_the_cores(monkeypatch):
    monkeypatch.setattr(coordinator.cores, "usable", lambda: 8)
    assert coordinator.resolve(How(), 100) == How("processes", 8, 1)
    assert coordinator.resolve(How(), 3) == How("processes", 3, 2)
    assert coordinator.resolve(How(jobs=2), 100) == How("processes", 2, 4)
    assert coordinator.resolve(How(threads=4), 100) == How("processes", 2, 4)
    assert coordinator.resolve(How(executor="here"), 100) == How("here", 1, 8)
    assert coordinator.resolve(How(executor="ray", jobs=3), 100).at_a_time == 3
    with pytest.raises(ConfigError, match="device: expected one that this machine has"):
        coordinator.resolve(How(device="mps"), 100)
    monkeypatch.setattr(coordinator.devices, "chosen", lambda _: "cuda")  # where there is a GPU
    assert coordinator.resolve(How(), 100) == How("here", 1, 8)
    assert coordinator.resolve(How(jobs=2), 100) == How("processes", 2, 4)


def test_what_fails_is_tried_three_times_and_named(workspace, monkeypatch):
    tries = []

    def fail(given: Assignment) -> str:
        tries.append(given.trial.configuration)
        raise RuntimeError("out of memory\nand more")

    monkeypatch.setattr(run, "run_trial", fail)
    with pytest.raises(StudyError) as caught:
        coordinator.run(planned(seeds=[0]), HERE)
    assert "2 trials of 2 failed 3 times" in str(caught.value)
    assert "none with seed 0: RuntimeError: out of memory" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert sorted(tries) == ["L1 0.001"] * 3 + ["none"] * 3
    (parent,) = runs("study")
    assert parent.info.status == "FAILED"


def test_what_no_retry_can_mend_is_tried_once(workspace, monkeypatch):
    tries = []

    def fail(given: Assignment) -> str:
        tries.append(given.trial.configuration)
        raise DataError("the file is damaged")

    monkeypatch.setattr(run, "run_trial", fail)
    with pytest.raises(StudyError, match="the file is damaged"):
        coordinator.run(planned(seeds=[0]), HERE)
    assert sorted(tries) == ["L1 0.001", "none"]


def test_the_run_that_mlflow_made_for_the_start_is_no_trials(workspace, monkeypatch):
    client = MlflowClient()
    adopted = client.create_run("0").info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", adopted)
    monkeypatch.setattr(run, "run_trial", lambda _: (_ for _ in ()).throw(DataError("not here")))
    with pytest.raises(StudyError):
        coordinator.run(planned(seeds=[0]), HERE)
    (parent,) = runs("study")
    assert parent.info.run_id in client.get_run(adopted).data.tags["mlflow.note.content"]
    assert client.get_run(adopted).data.tags[Tag.KIND] == "study-start"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["plan", "nonesuch"], "there is no design 'nonesuch'"),
        (
            ["plan", "published", "--seeds", "1,,2"],
            "--seeds: expected a number of seeds ≥ 1, or a list such as 1,2,7, got '1,,2'",
        ),
        (["plan", "published", "--seeds", "0"], "--seeds: expected a number of seeds ≥ 1, or a list such as 1,2,7, got '0'"),
        (["plan", "published", "--seeds", "1,x"], "--seeds: expected"),
        (["plan", "published", "--seeds", "1,1"], "a seed is listed twice"),
        (["plan", "published", "--epochs", "1.5"], "--epochs: expected a whole number ≥ 1, got '1.5'"),
        (
            ["plan", "published", "--dataset", "cifar"],
            "dataset: expected one of auto, mnist, fashion-mnist, mnist-5k, kmnist",
        ),
        (["run", "published", "--threads", "99999"], "--threads: expected a whole number from 1 to 1,024, got '99999'"),
        (["run", "published", "--jobs", "0"], "--jobs: expected a whole number ≥ 1, got '0'"),
        (["run", "published", "--device", "gpu"], "device: expected one of auto, cpu, cuda, mps, got 'gpu'"),
        (["run", "published", "--executor", "ray", "--address", "127.0.0.1:1"], "--address 127.0.0.1:1: nothing answers there"),
        (["run", "published", "--executor", "slurm"], "--executor: expected here, processes or ray, got 'slurm'"),
        (["run", "published", "--executor", "here", "--jobs", "2"], "the executor 'here' runs one trial at a time"),
        (["run", "published", "--gpus", "many"], "--gpus: expected a number from 0 to 64"),
        (["run", "factorial"], "leaves l1 and l2 open: give --set l1=VALUE --set l2=VALUE"),
        (["run", "factorial", "--set", "l1"], "--set: expected FIELD=VALUE, for example l1=0.001, got 'l1'"),
        (["run", "factorial", "--set", "l1=x,l2=1"], "l1: expected a finite number ≥ 0, got 'x'"),
        (["run", "published", "--set", "l1=1"], "leaves no such field open"),
        (["status"], "the following arguments are required: DESIGN"),
        (["walk"], "invalid choice: 'walk'"),
    ],
)
def test_bad_input_is_one_line(workspace, options, message, capsys):
    dataset = [] if "--dataset" in options or len(options) < 2 else ["--dataset", "mnist-5k"]
    assert cli.main(["study", *options, *dataset]) == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert printed.count("\n") == 1
    assert runs("study") == []


@pytest.mark.parametrize("option", [["--address", "head:6379"], ["--gpus", "0.5"]])
def test_options_of_ray_without_ray_are_refused(workspace, capsys, option):
    assert cli.main(["study", "run", "published", "--dataset", "mnist-5k", *option]) == 2
    assert f"{option[0]} {option[1]}: is for Ray; add --executor ray" in capsys.readouterr().err


def test_a_finished_run_that_holds_no_times_stops_no_study(workspace):
    """Another's run on the same data: hand-made, or of another version."""
    made = plan.make(design_file.parse(DESIGN, "small"), None)
    tags = {Tag.KIND: TRIAL, Tag.DATA_DIGEST: made.data_digest, Tag.TRIAL_DIGEST: "x", Tag.OUTCOME: COMPLETED, Tag.THREADS: "2"}
    client = MlflowClient()
    run_id = client.create_run("0", tags=tags | {Tag.MACHINE: locks.machine(), Tag.CONFIG: "{"}).info.run_id
    client.set_terminated(run_id)
    again = made.again()
    assert again.pace(2) is None
    assert again.of_other_lengths() == {}


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_a_finished_run_whose_numbers_are_none_stops_no_study(workspace, number):
    """A trial of the very study, made by hand."""
    made = planned(seeds=[0, 1])
    for trial in made.trials:
        tags = {Tag.KIND: TRIAL, Tag.DATA_DIGEST: made.data_digest, Tag.TRIAL_DIGEST: trial.digest, Tag.OUTCOME: COMPLETED}
        run_id = MlflowClient().create_run("0", tags=tags | {Tag.MACHINE: locks.machine(), Tag.THREADS: "2"}).info.run_id
        for name in (Summary.ENDPOINT_TEST_ACCURACY, Summary.WALL_SECONDS, Metric.SECONDS, Metric.EPOCHS_DONE):
            MlflowClient().log_metric(run_id, name, number)
        MlflowClient().set_terminated(run_id)
    again = made.again()
    again.pace(2)
    coordinator.run(again, HERE)
    (parent,) = runs("study")
    assert parent.info.status == "FINISHED"


CHANGING = """
from pathlib import Path
from torch import nn

def network(shape, classes):
    own = Path(__file__)
    own.write_text(own.read_text() + "# worked on meanwhile\\n")
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(classes))
"""


def test_code_that_somebody_works_on_meanwhile_is_not_taken_for_what_it_was(workspace, capsys):
    few.put(workspace)
    (workspace / "net.py").write_text(CHANGING)
    options = ["--dataset", few.DATASET, "--epochs", "1", "--threads", "1", "--network", "net.py:network"]
    assert cli.main(["train", *options]) == 2
    assert "net.py:network has changed since this was begun" in capsys.readouterr().err
    (failed,) = runs(TRIAL)
    assert failed.info.status == "FAILED"


def test_any_name_of_a_configuration_is_one_of_a_metric(workspace):
    run_id = MlflowClient().create_run("0").info.run_id
    names = ["none, data folder:photos (2)", "L1 0.001 + L2 0.1, data arrays:a&b='c'.npz", "größer @ 3%"]
    study_run.log_progress(run_id, design_file.load("published"), {name: [] for name in names}, 0, 6)
    logged = MlflowClient().get_run(run_id).data.metrics
    assert {name for name in logged if name.startswith("n/")} == {
        "n/none data folder:photos _2_",
        "n/L1 0.001 and L2 0.1 data arrays:a_b__c_.npz",
        "n/größer _ 3_",
    }


@pytest.mark.parametrize("seeds", [[0, 1, 2], [*range(5_000)], [7, *range(100, 4_000), 5_000, 5_001]])
def test_however_many_seeds_are_remembered(workspace, seeds):
    run_id = MlflowClient().create_run("0").info.run_id
    study_run.write_design(run_id, design_file.load("published").with_changes(seeds=seeds, epochs=None, dataset=None))
    assert study_run.seeds(run_id) == seeds


def test_a_study_whose_first_configuration_diverges_at_once_can_be_planned(workspace, capsys):
    few.put(workspace, DESIGN.replace("mnist-5k", few.DATASET).replace("{epochs: 1,", "{epochs: 3, lr: 1.0e+30,"))
    assert cli.main(["study", "plan", "small.yaml", "--threads", "1", "--jobs", "1"]) == 0
    assert "left: 4 trials" in capsys.readouterr().out


def test_going_on_is_as_it_was_asked_for(workspace, capsys, unmeasured):
    few.put(workspace, DESIGN.replace("mnist-5k", few.DATASET))
    asked = ["--seeds", "3", "--jobs", "2", "--threads", "1", "--device", "cpu", "--no-report"]
    assert cli.main(["study", "plan", "small.yaml", *asked[:-1]]) in {0, 2}
    assert cli.main(["study", "plan", "small.yaml", *asked[:6]]) == 0
    assert "next: python -m regstudy study run small.yaml --seeds 3 --jobs 2 --threads 1" in capsys.readouterr().out


def test_a_report_that_cannot_be_made_is_an_error(workspace, capsys):
    few.put(workspace, DESIGN.replace("mnist-5k", few.DATASET))
    (workspace / "report").write_text("mine")
    assert cli.main(["study", "run", "small.yaml", "--executor", "here", "--threads", "1", "--seeds", "1"]) == 2
    told = capsys.readouterr()
    assert "done: all 2 trials" in told.out
    assert "the study is done, its report is not made, for the reason above" in told.err
    assert (workspace / "report").read_text() == "mine"
