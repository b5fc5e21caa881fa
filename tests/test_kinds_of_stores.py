"""Kinds of stores that people have: nested runs, spellings, steps, names and labels of all sorts, runs that lack something. What counts, what is left out, and what is said of it."""

import re
import shutil

import mlflow
import numpy as np
import pytest
from mlflow.entities import Metric, Param, RunStatus
from mlflow.store.tracking.file_store import FileStore
from scipy import stats
from test_anybodys_blocks import log

from analysis.commands import cli
from analysis.judging import findings
from analysis.reading import foreign
from analysis.reading.anybody import values
from analysis.reading.anybody.asked import Asked

COMPARE = ["compare", "--metric", "acc", "--group-by", "params.lr"]
RATES = ("0.1", "0.2")


def nest(run_id, parent):
    mlflow.MlflowClient().set_tag(run_id, "mlflow.parentRunId", parent)


@pytest.fixture
def rng():
    return np.random.default_rng(2)


def test_a_run_that_sums_up_those_nested_in_it_does_not_count_beside_them(workspace, rng, capsys):
    """As a search or a cross-validation logs them."""
    held = {rate: 0.5 + rng.normal(0, 0.1, 4) for rate in RATES}
    for rate, scores in held.items():
        parent = log({"lr": rate}, {"acc": scores.mean()})
        for score in scores:
            nest(log({"lr": rate}, {"acc": score}), parent)
    trials = foreign.read(Asked("acc", ("params.lr",)))
    assert len(trials.runs) == 8
    found = findings.find(trials).ranking.pairs.iloc[0]
    assert found["p"] == pytest.approx(stats.ttest_ind(*held.values(), equal_var=False).pvalue)
    told = "2 runs in which others are nested that have acc too, left out: what sums these up would count twice"
    assert told in trials.notices
    sides = ["--baseline", "lr=0.1", "--candidate", "lr=0.2", "--metric", "acc", "--margin", "1"]
    assert cli.main(["gate", *sides]) == 0
    said = capsys.readouterr().out
    assert "4 runs each" in said
    assert told in said


def test_runs_nested_in_several_are_paired_by_these(workspace, rng, capsys):
    """As autologging of a search by cross-validation leaves them: the seed is the parent's."""
    for seed in range(4):
        parent = log({"seed": seed}, {"best_acc": 0.9})
        hard = rng.normal(0, 0.1)
        for rate, better in (("0.1", 0), ("0.2", 0.05)):
            nest(log({"lr": rate}, {"acc": 0.5 + hard + better + rng.normal(0, 0.001)}), parent)
    assert cli.main(["compare"]) == 0
    command = f"{' '.join(COMPARE)} --block tags.mlflow.parentRunId"
    assert command in capsys.readouterr().out
    assert cli.main(command.split()) == 0
    said = capsys.readouterr().out
    assert "shown to be worse than lr 0.2 (4 blocks each)" in said
    assert "4 runs without params.lr or tags.mlflow.parentRunId, left out" in said


def test_what_only_parents_say_is_told(workspace, capsys):
    for rate in RATES:
        parent = log({"lr": rate}, {})
        for seed in range(3):
            nest(log({"seed": seed}, {"acc": 0.5}), parent)
    assert cli.main(COMPARE) == 2
    said = capsys.readouterr().err
    assert "no run that has params.lr has it, and the 6 runs with it not params.lr: log both with the same run" in said


@pytest.mark.parametrize(
    ("spellings", "value"),
    [
        (["2", "2.0", "02", "+2", "2e0", " 2 "], "2"),
        (["0", "-0", "0.0", "0e5"], "0"),
        (["0.5", ".5", "5e-1", "0.50"], "0.5"),
        (["1e22", "10000000000000000000000"], "10000000000000000000000"),
        (["12345678901234567891"], "12345678901234567891"),
        (["1e400"], "1e400"),
        (["1e500"], "1e500"),
        (["1_0"], "1_0"),
        (["true"], "true"),
        (["nan"], "nan"),
    ],
)
def test_a_number_is_one_however_it_is_spelt(spellings, value):
    assert {values.canonical(text) for text in spellings} == {value}


def test_steps_before_0_and_far_away(workspace, rng):
    steps = [-1, 0, 5, 2**62]
    client = mlflow.MlflowClient()
    held = {}
    for rate in RATES:
        for seed in range(3):
            run_id = log({"lr": rate, "seed": seed}, {})
            scores = held[rate, seed] = rng.normal(0.5, 0.1, 4)
            client.log_batch(run_id, [Metric("acc", score, 7, step) for score, step in zip(scores, steps, strict=True)])
    for value, taken in (("step:-1", 0), ("step:5", 2)):
        trials = foreign.read(Asked("acc", ("params.lr",), value=value))
        found = trials.runs.set_index(["configuration", "seed"])["acc"].to_dict()
        assert found == {(f"lr {rate}", str(seed)): pytest.approx(scores[taken]) for (rate, seed), scores in held.items()}
    assert foreign.read(Asked("acc", ("params.lr",), last=2)).runs["acc"].iloc[0] == pytest.approx(held["0.1", 0][2:].mean())


LABELS = ["模型 一", "🎉 👩‍👩‍👧", "שלום", "a\nb\r\nc\td", "<b>x</b> & 'q' | y", "$x_1$ `c` \\alpha", "", " "]


def test_labels_of_all_sorts_stay_apart_and_on_one_line(workspace, capsys):
    name = 'it\'s "quoted", — 実験'
    experiment = mlflow.create_experiment(name)
    for number, label in enumerate(LABELS):
        for seed in range(2):
            log({"lr": label, "seed": seed}, {"val/acc": number + seed / 9}, experiment, name="same name")
    asked = ["--experiment", name, "--metric", "val/acc"]
    assert cli.main(["compare", *asked, "--group-by", "params.lr"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert "lr (empty)" in said.out
    assert "note: params.lr: '' is also written ' '" in said.out
    assert "lr a\\nb\\r\\nc\\td" in said.out
    assert sum(line.lstrip().startswith("1–7?") for line in said.out.splitlines()) == 7
    assert cli.main(["compare", *asked, "--group-by", "run_name", "--block", "params.seed"]) == 0
    assert "One configuration" in capsys.readouterr().out


@pytest.mark.parametrize("status", ["RUNNING", "KILLED"])
def test_if_no_run_has_finished_it_is_said_how_they_are(workspace, capsys, status):
    for rate in RATES:
        for seed in range(3):
            log({"lr": rate, "seed": seed}, {"acc": seed + float(rate)}, status=status)
    told = f", only 6 runs, {status}: {'wait, or ' if status == 'RUNNING' else ''}count them with --status {status}"
    for words in (COMPARE, ["compare"]):
        assert cli.main(words) == 2
        assert told in capsys.readouterr().err
    assert cli.main([*COMPARE, "--status", status]) == 0
    assert "6 runs, acc" in capsys.readouterr().out


def test_a_metric_that_some_lack_is_told_by_group(workspace, capsys):
    for rate in ("0.1", "0.2", "0.3"):
        for seed in range(3):
            lacks = rate == "0.3" or (rate, seed) == ("0.1", 2)
            log({"lr": rate, "seed": seed}, {"other": 1} if lacks else {"acc": seed + float(rate)})
    assert cli.main(COMPARE) == 0
    assert "note: 4 runs without acc, left out (lr 0.3: 3; lr 0.1: 1)" in capsys.readouterr().out


@pytest.mark.parametrize("option", ["--group-by", "--block"])
def test_a_name_given_twice_is_refused(workspace, capsys, option):
    assert cli.main([*COMPARE, option, "params.lr", option, "params.lr"]) == 2
    assert f"{option} params.lr is there twice: name each once" in capsys.readouterr().err


def test_a_parent_that_is_a_configuration_of_its_own_counts(workspace, rng):
    """Fine-tuning nested in what it was tuned from."""
    for seed in range(4):
        parent = log({"lr": "0.1", "seed": seed}, {"acc": 0.7 + rng.normal(0, 0.01)})
        nest(log({"lr": "0.2", "seed": seed}, {"acc": 0.8 + rng.normal(0, 0.01)}), parent)
    trials = foreign.read(Asked("acc", ("params.lr",)))
    assert len(trials.runs) == 8
    assert not any("nested" in notice for notice in trials.notices)


def test_an_option_with_one_value_is_given_once(workspace, rng, capsys):
    for rate in RATES:
        for seed in range(3):
            log({"lr": rate, "seed": seed}, {"acc": rng.normal(0.5, 0.1)})
    assert cli.main([*COMPARE, "--margin", "0.01", "--margin", "0.01"]) == 0
    capsys.readouterr()
    for twice in (["--margin", "0.01", "--margin", "0.5"], ["--better", "higher", "--better", "lower"]):
        assert cli.main([*COMPARE, *twice]) == 2
        said = capsys.readouterr().err
        assert f"{twice[0]} is there twice, " in said
        assert all(value in said for value in (twice[1], twice[3]))


def test_percent_among_fractions_is_told(workspace, rng):
    for rate in RATES:
        for seed in range(4):
            percent = rate == "0.1" and seed > 1
            log({"lr": rate, "seed": seed}, {"acc": rng.uniform(0.8, 0.9) * (100 if percent else 1)})
    notices = foreign.read(Asked("acc", ("params.lr",))).notices
    assert "2 runs of 8 have acc above 1, the others at most 1: percent among fractions? Then nothing here holds" in notices


def resume(rate, seed, steps, values):
    client = mlflow.MlflowClient()
    run_id = log({"lr": rate, "seed": seed}, {})
    client.log_batch(run_id, [Metric("acc", value, 0, step) for step, value in zip(steps, values, strict=True)])


def test_a_run_that_goes_on_in_another_is_one(workspace, rng):
    for seed in range(4):
        curve = np.linspace(0.5, 0.8, 20) + rng.normal(0, 0.01)
        resume("0.1", seed, range(20), curve)
        resume("0.2", seed, range(5), curve[:5])
        resume("0.2", seed, range(5, 20), curve[5:] + 0.1)
    trials = foreign.read(Asked("acc", ("params.lr",)))
    assert len(trials.runs) == 8
    assert "4 runs going on where another of the same group and block ended, counted as one with it" in trials.notices
    assert not any("left out" in notice or "another: the mean" in notice for notice in trials.notices)
    gain = findings.find(trials).ranking.pairs.iloc[0]
    assert abs(gain["mean"]) == pytest.approx(0.1, abs=0.001), "its last points, not the mean of both ends"


def test_repeats_that_stop_early_are_no_resumed_runs(workspace, rng):
    for rate in RATES:
        for seed in range(3):
            resume(rate, seed, range(5), rng.uniform(0.5, 0.6, 5))
            resume(rate, seed, range(3, 9), rng.uniform(0.5, 0.6, 6))
            resume(rate, seed, [30], [0.7])
    assert len(foreign.read(Asked("acc", ("params.lr",))).runs) == 18


def test_where_all_diverged_that_is_why_nothing_is_tested(workspace, rng, capsys):
    for seed in range(4):
        log({"lr": "0.1", "seed": seed}, {"acc": rng.uniform(0.8, 0.9)})
        log({"lr": "0.2", "seed": seed}, {"acc": float("nan")})
    assert cli.main(COMPARE) == 0
    assert "Nothing could be tested: lr 0.2 diverged in all of 4 runs" in " ".join(capsys.readouterr().out.split())


def test_a_newcomer_with_one_run_is_named_and_told_what_it_lacks(workspace, rng, capsys):
    for seed in range(9):
        hard = rng.normal(0, 0.01)
        log({"lr": "0.1", "seed": seed}, {"acc": 0.9 + hard})
        log({"lr": "0.2", "seed": seed}, {"acc": 0.8 + hard + rng.normal(0, 0.001)})
    log({"lr": "0.3", "seed": 0}, {"acc": 0.85})
    assert cli.main([*COMPARE, "--margin", "0.01", "--output", "report"]) == 0
    said = (workspace / "report" / "report.md").read_text()
    assert "lr 0.3 could not be tested: fewer than 3 seeds" in said.replace("\\", "")
    assert "Run about 2 further seeds" in said
    page = " ".join((workspace / "report" / "report.html").read_text().split())
    assert "With 2 further seeds (6 runs) every configuration can be tested; then look again." in page


def test_words_for_true_and_none_are_the_same_in_any_case(workspace, rng):
    for seed, (on, off) in enumerate([("True", "none"), ("true", "None"), ("TRUE", "NONE")]):
        log({"lr": on, "seed": seed}, {"acc": rng.uniform(0.5, 0.6)})
        log({"lr": off, "seed": seed}, {"acc": rng.uniform(0.5, 0.6)})
    trials = foreign.read(Asked("acc", ("params.lr",)))
    assert len(set(trials.runs["configuration"])) == 2
    assert any("is also written" in notice for notice in trials.notices)


def test_configurations_with_the_same_numbers_are_asked_about(workspace, rng):
    for seed in range(5):
        curve = list(rng.uniform(0.5, 0.6, 4))
        for rate in RATES:
            log({"lr": rate, "seed": seed}, {"acc": curve})
    notices = foreign.read(Asked("acc", ("params.lr",))).notices
    assert "lr 0.1 and lr 0.2 have the same numbers in all 5: does what tells them apart do anything?" in notices


def test_runs_that_diverged_are_no_copies(workspace, rng):
    for seed in range(5):
        log({"lr": "0.1", "seed": seed}, {"acc": list(rng.uniform(0.5, 0.6, 4))})
        log({"lr": "0.2", "seed": seed}, {"acc": [float("nan")] * 4})
    assert not any("same values" in notice for notice in foreign.read(Asked("acc", ("params.lr",))).notices)


def test_experiments_that_are_averaged_are_told_to_differ(workspace, rng):
    for name in ("one", "two"):
        experiment = mlflow.create_experiment(name)
        for rate in RATES:
            for seed in range(3):
                log({"lr": rate, "seed": seed}, {"acc": rng.uniform(0.5, 0.6)}, experiment)
    notices = foreign.read(Asked("acc", ("params.lr",), experiments=("one", "two"))).notices
    assert "within a group experiment differ: name in --group-by what matters, in --block what pairs runs" in notices


def test_what_makes_configurations_may_be_a_tag_or_the_runs_name(workspace, rng, capsys):
    client = mlflow.MlflowClient()
    for rate in RATES:
        for seed in range(3):
            run_id = log({"seed": seed}, {"kl": rng.uniform(0.5, 0.6), "training_acc": 0.9}, name=f"rate {rate}")
            client.set_tag(run_id, "rate", rate)
    assert cli.main(["compare"]) == 0
    said = capsys.readouterr().out
    assert "tags.rate" in said
    assert "run_name" in said
    assert "--metric kl" not in said or "HIGHER-OR-LOWER" in said
    assert "--group-by tags.rate" in said or "--group-by run_name" in said


def test_a_copied_folder_of_a_run_is_no_repeat(workspace, rng, monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    store = FileStore(str(workspace / "files"))
    experiment = store.create_experiment("files")
    for rate in RATES:
        for seed in range(4):
            run = store.create_run(experiment, "me", 0, [], "")
            run_id = run.info.run_id
            store.log_batch(
                run_id, [Metric("acc", rng.uniform(0.5, 0.6), 0, 0)], [Param("lr", rate), Param("seed", str(seed))], []
            )
            store.update_run_info(run_id, RunStatus.FINISHED, 1, None)
    folder = workspace / "files" / experiment
    shutil.copytree(folder / run_id, folder / f"{run_id}_copy")
    (folder / ("0" * 32)).mkdir()
    (folder / ("0" * 32) / "meta.yaml").write_text("")
    trials = foreign.read(Asked("acc", ("params.lr",), experiments=("files",), files=(str(workspace / "files"),)))
    assert len(trials.runs) == 8
    told = [notice for notice in trials.notices if "meta.yaml cannot be read, or is another run's" in notice]
    assert told
    assert told[0].startswith("2 runs whose")


def test_a_wrong_address_is_looked_at_first(workspace, monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///nonesuch.db")
    mlflow.set_tracking_uri("sqlite:///nonesuch.db")
    assert cli.main(COMPARE) == 2
    said = capsys.readouterr().err
    assert "look at MLFLOW_TRACKING_URI, or name the store with --from" in said
    assert not (workspace / "nonesuch.db").exists()


def test_several_runs_of_a_seed_stay_one_where_no_seed_is_shared(workspace, rng):
    """Each a sample of its own, they would be three times as many as there are."""
    for rate, seeds in zip(RATES, (range(3), range(3, 6)), strict=True):
        for seed in seeds:
            hard = rng.normal(0, 0.1)
            for _ in range(3):
                log({"lr": rate, "seed": seed}, {"acc": 0.5 + hard + rng.normal(0, 1e-4)})
    trials = foreign.read(Asked("acc", ("params.lr",)))
    assert trials.pairing.paired
    assert any("the mean of these counts, as one" in notice for notice in trials.notices)


def test_repeats_that_share_a_running_step_are_no_resumed_runs(workspace, rng):
    client = mlflow.MlflowClient()
    for rate in RATES:
        for repeat in range(5):
            run_id = log({"lr": rate}, {})
            client.log_batch(run_id, [Metric("acc", rng.uniform(), 0, 10 * repeat + step) for step in range(10)])
    assert len(foreign.read(Asked("acc", ("params.lr",))).runs) == 10


def test_what_diverges_does_not_make_an_advice_cheaper(workspace, rng, capsys):
    for seed in range(9):
        for rate in (*RATES, "0.3"):
            swings = 0.5 + 0.1 * (-1) ** (seed + (rate == "0.2")) + rng.normal(0, 0.01)
            log({"lr": rate, "seed": seed}, {"acc": float("nan") if rate == "0.3" else swings})
    assert cli.main([*COMPARE, "--margin", "0.01", "--output", "report"]) == 0
    wanted = re.search(
        r"Run about ([\d,]+) further seeds|more than 1,000 further seeds", (workspace / "report" / "report.md").read_text()
    )
    assert wanted
    assert wanted[1] is None or int(wanted[1].replace(",", "")) > 9


def test_divergence_is_no_reason_where_runs_were_too_few_to_begin_with(workspace, rng, capsys):
    for seed in range(10):
        log({"lr": "0.1", "seed": seed}, {"acc": float("nan") if seed == 9 else rng.uniform(0.5, 0.6)})
    for seed in range(2):
        log({"lr": "0.2", "seed": seed}, {"acc": rng.uniform(0.5, 0.6)})
    assert cli.main(COMPARE) == 0
    assert "Nothing could be tested: no two configurations have 3 seeds in common" in " ".join(capsys.readouterr().out.split())
