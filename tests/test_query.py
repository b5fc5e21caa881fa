"""From the store to frames: only ours, only finished, only comparable; and what was left out is counted."""

import json
import re
from dataclasses import replace

import mlflow
import pytest
from conftest import ROOT

from analysis.reading import query
from analysis.reading.query import Wanted
from analysis.reading.trials import AVERAGED, EVERY_EPOCH, EVERY_RUN, OF_A_CURVE, OF_A_TRIAL, TEST_IMAGES
from regstudy.design import labels
from regstudy.design.history import Plan
from regstudy.errors import DesignError, NotComparable, NothingToAnalyse, UsageError
from regstudy.schema import REPORT, STUDY, TRIAL, Metric, Summary, Tag


def test_runs_and_epochs_are_the_stores(own_copy):
    trials = query.read()
    client = mlflow.MlflowClient()
    assert sorted(trials.runs["configuration"]) == ["L1 0.001", "L1 0.001", "none", "none"]
    assert trials.notices == ()
    for row in trials.runs.to_dict("records"):
        history = client.get_metric_history(row["run_id"], Metric.TEST_ACCURACY)
        own = trials.epochs[trials.epochs["run_id"] == row["run_id"]]
        assert own[Metric.TEST_ACCURACY.value].tolist() == [point.value for point in history]
        assert row[Summary.ENDPOINT_TEST_ACCURACY.value] == row[Summary.BEST_TEST_ACCURACY.value] == history[0].value
        assert (row[AVERAGED], row[Summary.BEST_EPOCH.value], row[TEST_IMAGES]) == (1, 0, 1_000)
    assert len(trials.epochs) == 4


def test_other_peoples_runs_are_counted_and_left_alone(own_copy):
    with mlflow.start_run() as theirs:
        mlflow.log_metric("test/accuracy", 1.0)
    with mlflow.start_run():
        mlflow.set_tag(Tag.KIND, REPORT)
    trials = query.read()
    assert len(trials.runs) == 4
    assert trials.notices == ("1 run of other kinds in this experiment, not made by regstudy, left alone",)
    assert mlflow.get_run(theirs.info.run_id).data.tags.keys() == theirs.data.tags.keys()


def test_unfinished_runs_are_left_out_and_counted(own_copy):
    client = mlflow.MlflowClient()
    first, second = (run.info.run_id for run in client.search_runs(["0"])[:2])
    for run_id, status in ((first, "FAILED"), (second, "KILLED")):
        client.set_terminated(run_id, status)
        client.delete_tag(run_id, Tag.OUTCOME)
    trials = query.read()
    assert len(trials.runs) == 2
    assert trials.notices == ("2 runs not finished (failed, killed, still running, or ended without an outcome), left out",)


def test_the_same_configuration_and_seed_twice_counts_once(own_copy):
    client = mlflow.MlflowClient()
    source = client.search_runs(["0"])[0]
    copy = client.create_run("0", tags=source.data.tags, start_time=source.info.start_time + 1)
    client.log_metric(copy.info.run_id, Metric.TEST_ACCURACY, 0.5)
    for name in (Metric.TEST_LOSS, Metric.TRAIN_LOSS, "errors/misclassified"):
        client.log_metric(copy.info.run_id, name, 1.0)
    client.set_terminated(copy.info.run_id)
    trials = query.read()
    assert len(trials.runs) == 4
    assert copy.info.run_id in set(trials.runs["run_id"])
    assert trials.notices == ("1 run with the configuration and seed of another, counted once",)


def test_mixed_data_sets_are_refused_until_one_is_named(own_copy):
    client = mlflow.MlflowClient()
    run_id = client.search_runs(["0"])[0].info.run_id
    client.set_tag(run_id, Tag.DATA_DIGEST, "0" * 64)
    client.set_tag(run_id, Tag.DATASET, "fashion-mnist")
    with pytest.raises(
        NotComparable, match=r"data differs: 000000000000 \(.*\), .*Choose a data set with --dataset .*--allow data"
    ):
        query.read()
    trials = query.read(Wanted(dataset="mnist-5k", allow=["seeds"]))
    assert len(trials.runs) == 3
    assert trials.notices[0] == "1 run on another data set, left out as asked"
    with pytest.raises(NothingToAnalyse, match="no finished run on 'mnist', only on fashion-mnist, mnist-5k"):
        query.read(Wanted(dataset="mnist"))


def test_one_study_is_told_from_the_rest(own_copy):
    client = mlflow.MlflowClient()
    text = "name: mine\nabout: x\noverrides: {epochs: 1}\nconfigurations: [{l1: 0.001}]\nseeds: [1, 2]\n"
    some = client.search_runs(["0"])[0].data.tags
    tags = {Tag.KIND: "study", Tag.STUDY: "mine", Tag.DATASET: some[Tag.DATASET], Tag.DATA_DIGEST: some[Tag.DATA_DIGEST]}
    parent = client.create_run("0", tags=tags).info.run_id
    client.log_text(parent, text, "design.yaml")
    for name in ("mine", parent):
        trials = query.read(Wanted(study=name))
        assert [(row.configuration, row.seed) for row in trials.runs.itertuples()] == [("L1 0.001", 1)]
        assert trials.notices == ("3 runs of no trial of this study, left out", "1 run of this study not done yet")
    with pytest.raises(NothingToAnalyse, match=r"there is no study 'yours' in .* \(studies there: mine\): run it first"):
        query.read(Wanted(study="yours"))
    again = client.create_run("0", tags=tags).info.run_id
    client.log_text(again, text.replace("[1, 2]", "[0]"), "design.yaml")
    together = query.read(Wanted(study="mine"))
    assert sorted(together.runs["seed"]) == [0, 1], "the same study with other seeds is one study"
    assert together.study.design.seeds == (0, 1, 2)
    older = client.create_run("0", start_time=1, tags=tags | {Tag.STUDY_DIGEST: "other"}).info.run_id
    found = query.read(Wanted(study="mine"))
    assert found.study.namesakes == (older,)
    assert (
        f"of several studies named mine this is the latest (1 epoch, 3 seeds); of the others, name one by its run: --study {older}"
        in found.notices
    )


FILE = "name: later\nabout: x\noverrides: {epochs: 1}\nconfigurations: [{name: ours, l1: 0.001}]\nseeds: [1, 2]\n"


def test_a_study_that_nobody_started_is_read_by_its_designs_file(own_copy, tmp_path):
    file = tmp_path / "later.yaml"
    file.write_text(FILE)
    client = mlflow.MlflowClient()
    edited = client.search_runs(["0"])[0]
    client.create_run("0", tags=edited.data.tags | {Tag.DATASET: "no data set"})
    trials = query.read(Wanted(study=str(file)))
    assert [(row.configuration, row.seed) for row in trials.runs.itertuples()] == [("ours", 1)]
    assert trials.plan is None
    assert trials.notices == (
        "1 run whose record is damaged or of another version, left out",
        "3 runs of no trial of this study, left out",
        "1 run of this study not done yet",
        "the design of later is a file, which no run here names: nothing shows that its claims were made before the runs were seen",
    )
    planned = query.read(Wanted(study=str(file), plan=Plan(2)))
    assert planned.plan == Plan(2)


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        (FILE.replace("0.001", "null"), DesignError, "later.yaml: leaves l1 open: write the values"),
        (FILE.replace("0.001", "-1"), DesignError, "later.yaml, line 4: l1: expected a finite number ≥ 0, got '-1'"),
        (FILE.replace("{epochs: 1}", "{epochs: 1, dataset: mnist}"), NothingToAnalyse, "no finished trial of the study"),
        (None, DesignError, "there is no design"),
        (
            f"{FILE}endpoint: roughness/test_accuracy\n",
            NothingToAnalyse,
            "no run here recorded roughness/test_accuracy, which the design ranks by (after 1 epoch)",
        ),
    ],
)
def test_a_designs_file_that_gives_no_trials_is_named(own_copy, tmp_path, text, error, message):
    file = tmp_path / "later.yaml"
    if text:
        file.write_text(text)
    with pytest.raises(error, match=re.escape(message) if text else message):
        query.read(Wanted(study=str(file)))


def test_varying_fields_become_part_of_the_label():
    base = {"l1": 0.0, "l2": 0.0, "seed": 0, "lr": 0.1, "epochs": 3, "threads": 1}
    other = base | {"l1": 0.001, "l2": 0.0005, "epochs": 5, "threads": 2, "seed": 4}
    assert labels.labels([base, other]) == ["none, epochs 3", "L1 0.001 + L2 0.0005, epochs 5"]
    assert labels.labels([base]) == ["none"]
    close = [base | {"l1": 0.001}, base | {"l1": 0.001 + 1e-12}]
    assert len(set(labels.labels(close))) == 2


def test_an_absent_store_is_named_and_not_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    with pytest.raises(NothingToAnalyse) as caught:
        query.read()
    assert f"there is no tracking store sqlite:///{tmp_path}/mlflow.db yet" in str(caught.value)
    assert "python -m regstudy train" in str(caught.value)
    assert not (tmp_path / "mlflow.db").exists()


def test_an_unknown_experiment_is_named_with_the_known_ones(workspace):
    with pytest.raises(NothingToAnalyse) as caught:
        query.read(Wanted("nonesuch"))
    assert f"experiment 'nonesuch' is not in the store sqlite:///{workspace}/mlflow.db, which has 'Default'" in str(
        caught.value
    )


def test_an_empty_experiment_says_what_to_run_first(workspace):
    with pytest.raises(NothingToAnalyse, match=r"experiment 'Default' of the store .* has no run of regstudy: first run"):
        query.read()


def test_runs_that_all_failed_are_said(workspace):
    client = mlflow.MlflowClient()
    run = client.create_run("0", tags={Tag.KIND: TRIAL})
    client.set_terminated(run.info.run_id, "FAILED")
    with pytest.raises(NothingToAnalyse, match="1 runs of regstudy, but none has finished"):
        query.read()


def test_the_experiment_is_mlflows_choice(own_copy, monkeypatch):
    mlflow.create_experiment("mine")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "mine")
    with pytest.raises(NothingToAnalyse, match="'mine'"):
        query.read()
    assert query.read(Wanted("Default")).source.experiment == "Default"


def test_plain_filters_leave_out_and_count(own_copy):
    trials = query.read(Wanted(where=["l1=1e-3", "seed=0,1"]))
    assert set(trials.runs["configuration"]) == {"L1 0.001"}
    assert "2 runs that --where excludes, left out" in trials.notices


@pytest.mark.parametrize(
    ("where", "message"),
    [
        (["l1"], "--where 'l1': expected FIELD=VALUE"),
        (["l1=0", "l1=1"], "--where l1 is there twice"),
        (["bogus=1"], "--where bogus: runs have no such field; expected one of"),
    ],
)
def test_a_filter_that_says_nothing_is_refused(own_copy, where, message):
    with pytest.raises(UsageError, match=message):
        query.read(Wanted(where=where))


def test_filters_that_leave_nothing_say_so(own_copy):
    with pytest.raises(NothingToAnalyse, match="has 4 runs, but none with l1=7: change --where"):
        query.read(Wanted(where=["l1=7"]))


TWO = "name: mine\nabout: x\noverrides: {epochs: EPOCHS}\nconfigurations: [{l1: 0}, {l1: 0.001}]\nseeds: [0, 1]\n"


def start_study(epochs: int, start_time: int, *, with_design: bool = True) -> str:
    """The run of a start of the study, of another length each."""
    client = mlflow.MlflowClient()
    some = client.search_runs(["0"], f"tags.`{Tag.KIND}` = 'trial'")[0].data.tags
    tags = {name: some[name] for name in (Tag.DATASET, Tag.DATA_DIGEST, Tag.NUMERICS_VERSION)}
    tags |= {Tag.KIND: "study", Tag.STUDY: "mine", Tag.STUDY_DIGEST: f"of {epochs} epochs"}
    made = client.create_run("0", start_time=start_time, tags=tags).info.run_id
    if with_design:
        client.log_text(made, TWO.replace("EPOCHS", str(epochs)), "design.yaml")
    return made


@pytest.mark.parametrize("with_design", [True, False])
def test_a_start_with_nothing_finished_hides_no_results(own_copy, with_design):
    done = start_study(1, 1)
    again = start_study(40, 2, with_design=with_design)
    found = query.read(Wanted(study="mine"))
    assert (found.study.run_id, found.study.unfinished, len(found.runs)) == (done, (again,), 4)
    assert (
        f"of several studies named mine this is the latest with a finished trial (1 epoch, 2 seeds); what was started after it, run {again}, "
        f"has none yet; of the others, name one by its run: --study {again}"
    ) in found.notices
    with pytest.raises(NothingToAnalyse):
        query.read(Wanted(study=again))


def test_a_later_start_with_a_finished_trial_is_the_study(own_copy):
    start_study(40, 1)
    later = start_study(1, 2)
    found = query.read(Wanted(study="mine"))
    assert (found.study.run_id, found.study.unfinished) == (later, ())


def test_of_starts_with_nothing_finished_the_latest_says_so(own_copy):
    start_study(40, 1)
    start_study(50, 2)
    with pytest.raises(NothingToAnalyse, match="has no finished trial of the study 'mine'"):
        query.read(Wanted(study="mine"))


def test_an_experiment_without_our_runs_names_the_others_and_the_command_for_anybodys(workspace):
    mlflow.create_experiment("theirs")
    with mlflow.start_run():
        mlflow.log_metric("acc", 1.0)
    with pytest.raises(
        NothingToAnalyse,
        match=r"for other runs: compare --metric NAME .*; the store also has 'theirs': name one with --experiment",
    ):
        query.read()


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        (Tag.CONFIG, "{"),
        (Tag.CONFIG, "{}"),
        (Tag.CONFIG, "[1]"),
        (Tag.CONFIG, "[" * 5_000),
        (Tag.TEST_IMAGES, "many"),
        (Tag.DATASET, None),
    ],
)
def test_a_damaged_run_is_left_out_and_counted(own_copy, tag, value):
    client = mlflow.MlflowClient()
    damaged = query.read().runs["run_id"].iloc[0]
    client.delete_tag(damaged, tag)
    if value is not None:
        client.set_tag(damaged, tag, value)
    trials = query.read(Wanted(allow=["seeds"]))
    assert len(trials.runs) == 3
    assert "1 run whose record is damaged or of another version, left out" in trials.notices


def test_a_run_without_an_outcome_is_in_no_analysis(own_copy):
    client = mlflow.MlflowClient()
    client.delete_tag(query.read().runs["run_id"].iloc[0], Tag.OUTCOME)
    trials = query.read(Wanted(allow=["seeds"]))
    assert len(trials.runs) == 3
    assert any("ended without an outcome" in notice for notice in trials.notices)


def test_a_configuration_with_a_value_of_another_kind_is_damaged(own_copy):
    client = mlflow.MlflowClient()
    damaged = client.get_run(query.read().runs["run_id"].iloc[0])
    config = json.loads(damaged.data.tags[Tag.CONFIG])
    for value in ("much", None, [1], {}):
        client.set_tag(damaged.info.run_id, Tag.CONFIG, json.dumps(config | {"l1": value}))
        trials = query.read(Wanted(allow=["seeds"]))
        assert len(trials.runs) == 3
        assert "1 run whose record is damaged or of another version, left out" in trials.notices


def test_a_finished_run_without_curves_is_left_out_and_counted(own_copy):
    client = mlflow.MlflowClient()
    source = client.search_runs(["0"])[0]
    made_by_hand = client.create_run("0", tags={**source.data.tags, Tag.CONFIG_DIGEST: "another"}).info.run_id
    client.set_terminated(made_by_hand)
    trials = query.read()
    assert len(trials.runs) == 4
    assert trials.notices == ("1 run whose record is damaged or of another version, left out",)


def test_a_damaged_run_of_a_study_stops_no_other(own_copy):
    wanted = start_study(1, 1)
    mlflow.MlflowClient().create_run("0", tags={Tag.KIND: STUDY})
    assert query.read(Wanted(study="mine")).study.run_id == wanted
    with pytest.raises(NothingToAnalyse, match="studies there: mine"):
        query.read(Wanted(study="nonesuch"))


def test_frames_are_what_is_declared_and_others_are_refused_where_they_enter(trained):
    trials = query.read()
    whole = {column.name for column in (*EVERY_RUN, *OF_A_TRIAL)}
    families = tuple(name.partition("{")[0] for name in Summary if "{" in name)
    assert {name for name in trials.runs if not name.startswith(families)} == whole
    assert {*trials.epochs} == {column.name for column in (*EVERY_EPOCH, *OF_A_CURVE)} | {Metric.TRAIN_ACCURACY}
    with pytest.raises(TypeError, match="lacks configuration, git_commit; of another kind than declared: none"):
        replace(trials, runs=trials.runs.drop(columns=["git_commit", "configuration"]))
    with pytest.raises(TypeError, match=r"lacks nothing; of another kind than declared: diverged \(float64\)"):
        replace(trials, runs=trials.runs.assign(diverged=0.5))
    with pytest.raises(TypeError, match="lacks epoch"):
        replace(trials, epochs=trials.epochs.drop(columns=["epoch"]))


def test_the_guide_lists_every_declared_column():
    def escaped(text: str) -> str:
        return text.replace("|", "\\|")  # or it would end the cell

    guide = (ROOT / "docs" / "guides" / "frames.md").read_text()
    listed = [line for line in guide.splitlines() if line.startswith("| `")]
    declared = (*EVERY_RUN, *OF_A_TRIAL, *EVERY_EPOCH, *OF_A_CURVE)
    assert listed == [f"| `{column.name}` | {column.kind} | {escaped(column.about)} |" for column in declared]


def test_a_data_set_that_has_no_runs_yet_is_named():
    """A claim of a study on several says no more than that it is not available."""
    file = str(ROOT / "regstudy" / "design" / "designs" / "fashion-minus-mnist.yaml")
    trials = query.read(Wanted(study=file, snapshots=[str(ROOT / "results" / "published" / "blocks-0-1")], allow=["seeds"]))
    assert "no finished run on fashion-mnist: what this study claims about it cannot be judged yet" in trials.notices
