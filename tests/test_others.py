"""Anybody's runs: the guide's own script and commands, and what a store without order does to them."""

import json
import re
import shlex
import shutil

import mlflow
import numpy as np
import pandas as pd
import pytest
import synthetic
from conftest import ROOT, use_store
from mlflow.entities import Metric, Param
from scipy import stats

from analysis.commands import cli
from analysis.judging import findings
from analysis.reading import foreign
from analysis.reading.anybody import claims_file
from analysis.reading.anybody.asked import Asked
from analysis.reading.anybody.directions import direction
from analysis.showing.words import opening
from regstudy.design.history import Plan
from regstudy.errors import UsageError
from regstudy.schema import Tag

GUIDE = (ROOT / "docs" / "guides" / "any-runs.md").read_text()
ASKED = Asked("val_acc", ("params.lr",), ("params.seed",))


def log(lr, seed, values, metric="val_acc", **params):
    return logged({"lr": lr, "seed": seed} | params, {metric: values})


def logged(params, curves):
    """The ID of a finished run with these, written at once: a write for each point takes many times as long."""
    client = mlflow.MlflowClient()
    run_id = client.create_run("0").info.run_id
    points = [Metric(name, value, 0, step) for name, values in curves.items() for step, value in enumerate(values)]
    client.log_batch(run_id, points, [Param(name, str(value)) for name, value in params.items()])
    client.set_terminated(run_id)
    return run_id


@pytest.mark.slow
def test_the_guide_runs_as_it_stands(workspace, capsys, instead_of_writing):
    """The report that its last command writes is like the one of test_hostile_names, whose pages are looked at. Trackers' folders: test_trackers."""
    exec(re.search(r"```python\n(.*?)```", GUIDE, re.S)[1], {})  # the guide's script, for the guide's sake
    (workspace / "claims.yaml").write_text(re.search(r"```yaml\n(.*?)```", GUIDE, re.S)[1])
    commands = [
        line
        for block in re.findall(r"```sh\n(.*?)```", GUIDE, re.S)
        for line in block.splitlines()
        if line and "/ " not in line
    ]
    with instead_of_writing() as had:
        for command in commands:
            assert cli.main(shlex.split(command)[3:]) == 0
    out = capsys.readouterr().out
    assert "Every other configuration is shown to be worse than lr 0.1 (5 seeds each)." in out
    assert "(lower is better)" in out
    found, claimed = had
    assert (workspace / "report" / "report.md").is_file()
    assert [str(judged.verdict) for judged in claimed.judged] == ["supported", "supported"]
    assert not found.trials.has("test_images")
    assert not found.judged
    assert opening.headline(found) == "Use lr 0.1: lr 0.01 is worse by 0.1591 in val_loss"


def test_numbers_are_pandas_and_scipys(workspace):
    rng = np.random.default_rng(1)
    data = {(lr, seed): 0.9 + rng.normal(0, 0.01, 8) for lr in ("0.1", "0.2") for seed in range(4)}
    for (lr, seed), values in data.items():
        log(lr, seed, values)
    trials = foreign.read(ASKED)
    ends = pd.Series({key: values[-5:].mean() for key, values in data.items()}).unstack(0)
    found = trials.runs.pivot(index="seed", columns="configuration", values="val_acc")
    np.testing.assert_allclose(found.to_numpy(), ends.to_numpy())
    assert trials.scale.higher_is_better
    pair = findings.find(trials).ranking.pairs.iloc[0]
    test = stats.ttest_rel(ends["0.1"], ends["0.2"])
    assert pair["p"] == pytest.approx(test.pvalue)


def test_what_is_left_out_is_counted(workspace):
    for seed in (0, 1):
        log("0.1", seed, [0.5, 0.6], depth=seed)
        log("0.2", seed, [0.5, 0.7])
    log("0.1", 0, [0.9])
    log("0.3", 0, [], metric="other")
    with mlflow.start_run():
        mlflow.log_param("seed", 0)
    trials = foreign.read(ASKED)
    assert len(trials.runs) == 5
    assert findings.find(trials).scores.loc["0", "lr 0.1"] == pytest.approx((0.55 + 0.9) / 2), "the mean of a block's runs"
    told = " | ".join(trials.notices)
    for words in (
        "1 run without params.lr or params.seed, left out",
        "1 run without val_acc, left out (lr 0.3: 1)",
        "1 run with the group and block of another: the mean of these counts, as one",
        "within a group params.depth differ: name in --group-by what matters",
    ):
        assert words in told


def test_a_run_of_ours_without_an_outcome_is_not_finished_here_either(own_copy):
    client = mlflow.MlflowClient()
    asked = Asked("test/accuracy", ("params.l1",), ("params.seed",))
    left, whole = (run.info.run_id for run in client.search_runs(["0"])[:2])
    client.delete_tag(left, Tag.OUTCOME)
    client.update_run(whole, "RUNNING")
    trials = foreign.read(asked)
    assert left not in set(trials.runs["run_id"])
    assert whole in set(trials.runs["run_id"]), "its outcome is there: only its end did not reach the store"
    assert "1 run of regstudy that ended without an outcome, left out" in trials.notices


@pytest.mark.parametrize(
    ("metric", "better"),
    [
        ("val loss: top 5", "lower"),
        ("valLoss", "lower"),
        ("logloss", "lower"),
        ("cross_entropy", "lower"),
        ("val/acc", "higher"),
        ("macro-F1", "higher"),
    ],
)
def test_the_name_of_a_metric_says_which_way_is_better(metric, better):
    assert direction(metric) == better


@pytest.mark.parametrize("metric", ["foo", "error_score"])
def test_a_name_that_does_not_say_is_asked_about(metric):
    with pytest.raises(UsageError, match="add --better higher or --better lower"):
        direction(metric)


def test_groups_without_a_common_seed_are_two_samples_unless_it_is_asked_for(workspace, capsys):
    for lr, seeds in (("0.1", (0, 1, 2)), ("0.2", (3, 4, 5))):
        for seed in seeds:
            log(lr, seed, [0.5 + seed / 100])
    assert cli.main(["compare", "--metric", "val_acc", "--group-by", "params.lr"]) == 0
    said = capsys.readouterr().out
    assert "no two groups share a params.seed: runs are not paired, but two samples, compared by Welch's t test" in said
    assert "Nothing could be tested" not in said
    assert cli.main(["compare", "--metric", "val_acc", "--group-by", "params.lr", "--block", "params.seed"]) == 0
    said = capsys.readouterr().out
    assert "Nothing could be tested: no two configurations have 3 seeds in common." in said
    assert "blocks differ: lr 0.1 lacks 3, 4, 5; lr 0.2 lacks 0, 1, 2; no two groups share one: with --block none" in said


def test_names_and_numbers_that_libraries_would_interpret(workspace, capsys):
    """Rich's markup, matplotlib's mathematics, values whose squares are all but too large."""
    for name in ("a[/]b", "$\\frac{a$"):
        for seed in range(3):
            log(name, seed, [1e149 * (1 + seed)])
    arguments = ["compare", "--metric", "val_acc", "--group-by", "params.lr"]
    assert cli.main(arguments) == 0
    assert "lr a[/]b" in capsys.readouterr().out
    drawn = synthetic.figures(findings.find(foreign.read(ASKED)))
    assert "lr $\\frac{a$" in drawn["ranking"]


def test_a_run_that_is_no_number_counts_as_diverged(workspace):
    log("0.1", 0, [0.5, float("nan")])
    log("0.2", 0, [0.5, 0.6])
    trials = foreign.read(ASKED)
    table = findings.find(trials).table
    assert list(table["configuration"]) == ["lr 0.2", "lr 0.1"]
    assert list(table["diverged"]) == [0, 1]


@pytest.mark.parametrize(
    ("block", "word"),
    [
        ("params.seed", "seed"),
        ("params.random_state", "seed"),
        ("tags.cv_fold", "fold"),
        ("params.Repeat", "repeat"),
        ("params.what", "block"),
    ],
)
def test_a_block_is_called_what_its_name_says(workspace, block, word):
    kind, _, name = block.partition(".")
    for value in "ab":
        with mlflow.start_run():
            mlflow.log_metric("val_acc", 0.5)
            mlflow.log_param("lr", 1)
            mlflow.log_param(name, value) if kind == "params" else mlflow.set_tag(name, value)
    trials = foreign.read(Asked("val_acc", ("params.lr",), (block,)))
    assert trials.words.block == word


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--metric", "nope", "--group-by", "params.lr"], "--metric 'nope': no run has it; expected one of val_acc"),
        (
            ["--metric", "val_acc", "--group-by", "params.nope"],
            "no finished run has params.nope; expected names such as",
        ),
        (
            ["--metric", "val_acc", "--group-by", "lr"],
            "--group-by 'lr': expected params.NAME, tags.NAME, experiment, run_name or store",
        ),
        (["--metric", "val_acc"], "--metric needs --group-by"),
        (["--metric", "val_acc", "--group-by", "params.lr", "--margin", "0"], "--margin 0: expected a number above 0"),
        (["--metric", "val_acc", "--group-by", "params.lr", "--margin", "inf"], "--margin inf: expected a number above 0"),
        (["a"], "expected two configurations, got 1"),
        (["a", "b", "--metric", "val_acc", "--group-by", "params.lr"], "give one of the two"),
    ],
)
def test_what_cannot_be_compared_is_said_in_one_line(workspace, capsys, arguments, message):
    log("0.1", 0, [0.5])
    assert cli.main(["compare", *arguments]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


CLAIMS = """
metric: val_acc
group_by: [params.lr, params.opt]
margin: 0.01
planned: 6
claims:
  - id: better
    text: Adam at 0.1 is better than SGD.
    contrasts: [{metric: val_acc, of: {lr: 0.1, opt: adam}, against: {opt: sgd}, expect: higher, margin: 0.01}]
  - id: cheap
    text: It is no slower.
    contrasts: [{metric: seconds, of: {opt: adam, lr: 1e-1}, against: every other, expect: not higher, margin: 5}]
"""


@pytest.fixture(scope="module")
def claimed_once(migrated_database, tmp_path_factory):
    """A store with runs of two metrics, the second logged once; an answer for each claim."""
    folder = tmp_path_factory.mktemp("claimed")
    rng = np.random.default_rng(3)
    with pytest.MonkeyPatch.context() as monkeypatch:
        use_store(folder, migrated_database, monkeypatch)
        for lr, opt, better in (("0.1", "adam", 0.05), ("0.10", "sgd", 0.0)):
            for seed in range(6):
                seconds = 60 + rng.normal(0, 1)
                accuracy = [0.9 + better + rng.normal(0, 0.005) for _ in range(8)]
                logged({"lr": lr, "opt": opt, "seed": seed}, {"seconds": [seconds], "val_acc": accuracy})
    return folder / "mlflow.db"


@pytest.fixture
def claimed(claimed_once, workspace):
    """That store, as one's own."""
    shutil.copy(claimed_once, workspace / "mlflow.db")
    return workspace


def test_claims_about_anybodys_runs_are_judged_in_their_own_unit(claimed, capsys):
    (claimed / "claims.yaml").write_text(CLAIMS)
    assert cli.main(["claims", "--design", "claims.yaml"]) == 0
    said = capsys.readouterr().out
    assert "Of 2 claims, 2 supported." in said
    trials = foreign.read(Asked.by(claims_file.load("claims.yaml"), Plan(6)))
    better, cheap = findings.find(trials).judged
    runs = trials.runs.pivot(index="seed", columns="configuration", values="val_acc")
    difference = runs["lr 0.1, opt adam"] - runs["lr 0.1, opt sgd"]
    assert better.deciding.plain.mean == pytest.approx(difference.mean())
    assert better.deciding.margin == 0.01, "not a hundredth of it, as an accuracy of ours would be"
    assert better.p == pytest.approx(stats.ttest_1samp(difference, 0).pvalue)
    assert cheap.verdict == "supported"
    assert cheap.deciding.plain.n == 6


def test_claims_are_of_the_runs_that_the_options_choose(claimed, capsys):
    (claimed / "claims.yaml").write_text(CLAIMS)
    runs = foreign.read(Asked.by(claims_file.load("claims.yaml"), None)).runs
    opt = runs["configuration"].str.partition("opt ")[2]
    columns = {"lr": 0.1, "opt": opt, "seed": runs["seed"], "val_acc": runs["val_acc"], "seconds": runs["seconds"]}
    runs[[]].assign(**columns).to_csv("r.csv", index=False)

    def judged(*options):
        assert cli.main(["claims", "--design", "claims.yaml", *options, "--json"]) == 0
        return json.loads(capsys.readouterr().out)["claims"]

    in_store, five = judged(), judged("--where", "seed=0,1,2,3,4")
    assert judged("--from", "r.csv") == in_store
    assert judged("--from", "r.csv", "--where", "seed=0,1,2,3,4") == five != in_store
    shutil.move("mlflow.db", "other.db")
    assert judged("--from", "other.db", "--experiment", "Default") == in_store
    assert cli.main(["report", "--design", "claims.yaml", "--from", "r.csv", "--format", "csv"]) == 0
    assert cli.main(["verify", "report"]) == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("metric: val_acc\n", "metric: nowhere\n"), "claims.yaml, line 2: metric 'nowhere': no run has it; expected one of seconds, val_acc"),
        (("{opt: sgd}", "{opt: rmsprop}"), "claims.yaml, line 9: claims.0.contrasts.0.against: opt rmsprop is no configuration of these runs: expected one of lr 0.1, opt adam, lr 0.1, opt sgd"),
        (("{opt: sgd}", "{lr: 0.1}"), "claims.yaml, line 9: claims.0.contrasts.0.against: lr 0.1 is several configurations of these runs"),
        (("{opt: sgd}", "{batch: 5}"), "claims.yaml, line 9: claims.0.contrasts.0.against.batch: expected one of lr, opt, which group_by names"),
        (("group_by: [params.lr, params.opt]", "groups: lr"), "claims.yaml, line 1: group_by: is missing"),
        (("{opt: sgd}", "{opt: adam}"), "claims.yaml, line 9: claims.0.contrasts.0.against: lr 0.1, opt adam is compared with itself"),
        (("expect: higher,", "expect: higher, on: mnist,"), "claims.yaml, line 9: claims.0.contrasts.0.on: is for a study's data sets: leave it out"),
        (("{opt: sgd}", "{}"), "line 9: claims.0.contrasts.0.against: expected at least one value, got none"),
        (("[params.lr, params.opt]", "lr"), "line 3: group_by.0: expected params.NAME, tags.NAME, experiment, run_name or store, such as params.lr, got 'lr'"),
        (("id: cheap", "id: better"), "claims.yaml, line 10: claims.1.id: the claim 'better' is there twice"),
        (("margin: 0.01\nplanned", "margin: x\nplanned"), "claims.yaml, line 4: margin: "),
        (("metric: seconds", "metric: minutes"), "claims.yaml, line 12: claims.1.contrasts.0.metric 'minutes': no run has it"),
        (("[params.lr, params.opt]", "[params.lr, params.opt, params.batch]"), "claims.yaml, line 3: group_by.2: no finished run has params.batch; expected names such as"),
        (("planned: 6", "block: params.lr"), "claims.yaml, line 5: block.0 'params.lr': is in group_by too"),
        (("planned: 6", "block: [params.seed, params.site]"), "claims.yaml, line 5: block.1: no finished run has params.site; expected names such as"),
        (("planned: 6", "value: step:99"), "claims.yaml, line 5: value 'step:99': no run has a point of val_acc there"),
        (("metric: val_acc\n", "metric: seconds\n"), "claims.yaml, line 2: metric 'seconds': its name does not say which way is better: add better: higher or better: lower"),
        (("planned: 6", "value: best"), "claims.yaml, line 12: claims.1.contrasts.0.metric 'seconds': its name does not say which way is better: its best is not known: say value: min, max or last"),
        (("planned: 6", "planned: 99999999999"), "claims.yaml, line 5: planned: input should be less than or equal to 100000"),
        (("margin: 0.01\nplanned", "margin: .inf\nplanned"), "claims.yaml, line 4: margin: input should be a finite number"),
        (("planned: 6", "endpoint: 6"), "claims.yaml, line 5: endpoint: unknown field, expected one of metric, group_by, block"),
    ],
)  # fmt: skip
def test_a_claim_that_cannot_be_judged_is_named(claimed, capsys, change, message):
    (claimed / "claims.yaml").write_text(CLAIMS.replace(*change))
    assert cli.main(["claims", "--design", "claims.yaml"]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--design", "published"], "'published' is a design of regstudy's own: its claims are judged with --study published"),
        (["--design", "no.yaml"], "there is no file 'no.yaml'"),
        (["--design", "no.yaml", "--study", "x"], "--design reads an experiment as it is"),
        ([], "or give a file of them, about runs of any code, with --design"),
    ],
)
def test_a_file_that_is_none_is_said_in_one_line(own_copy, capsys, arguments, message):
    assert cli.main(["claims", *arguments]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "seed",
        "metrics.seed",
        "epoch",
        "metric",
        "value",
        "run_id",
        "configuration",
        "diverged",
        "averaged",
        "step",
        "run",
        "test_images",
        "dataset",
        "l1",
        "lr",
        "index",
        "rank",
        "mean",
        "level_0",
        "val/acc: top 1",
        "variable",
    ],
)
def test_a_metric_that_is_called_like_a_column_is_a_metric(workspace, name):
    for lr, better in (("0.1", 0.2), ("0.2", 0.0)):
        for seed in range(4):
            log(lr, seed, [seed * 0.01 + better], metric=name)
    (workspace / "claims.yaml").write_text(
        f"metric: '{name}'\nbetter: higher\ngroup_by: params.lr\nclaims:\n"
        f"  - {{id: a, text: a, contrasts: [{{metric: '{name}', of: {{lr: 0.1}}, against: {{lr: 0.2}}, expect: higher, margin: 0.01}}]}}\n"
    )
    found = findings.find(foreign.read(Asked.by(claims_file.load("claims.yaml"), None)))
    assert found.judged[0].deciding.plain.mean == pytest.approx(0.2)
    assert list(found.table["mean"]) == pytest.approx([0.215, 0.015])
    assert cli.main(["compare", "--metric", name, "--better", "higher", "--group-by", "params.lr"]) == 0


def test_a_claim_against_all_others_needs_another(workspace, capsys):
    pd.DataFrame({"opt": ["sgd"] * 3, "seed": range(3), "acc": [0.9, 0.91, 0.92]}).to_csv("one.csv", index=False)
    claim = "{metric: acc, of: {opt: sgd}, against: every other, expect: higher, margin: 0.01}"
    (workspace / "c.yaml").write_text(
        f"metric: acc\ngroup_by: params.opt\nclaims:\n  - id: a\n    text: It is best\n    contrasts: [{claim}]\n"
    )
    assert cli.main(["claims", "--design", "c.yaml", "--from", "one.csv"]) == 2
    said = capsys.readouterr().err
    assert "c.yaml, line 6: claims.0.contrasts.0.against: these runs have one configuration only, opt sgd" in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("a,0.1,1,acc,0.9,0\na,0.1,1,acc,0.91,\n", "'' in row 2 of the column step is no step: expected a whole number"),
        ("a,0.1,1,acc,0.9,0\na,0.1,1,acc,0.91,0.5\n", "'0.5' in row 2 of the column step is no step"),
    ],
)
def test_a_step_that_is_none_is_named(workspace, capsys, rows, message):
    (workspace / "long.csv").write_text("run_id,lr,seed,metric,value,step\n" + rows)
    assert cli.main(["compare", "--from", "long.csv", "--metric", "acc", "--group-by", "params.lr"]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert len(said.splitlines()) == 1


def test_what_only_runs_of_any_code_have_is_refused_beside_two_configurations(workspace, capsys):
    for option in (["--output", "report"], ["--better", "lower"], ["--value", "max"], ["--last", "3"], ["--block", "none"]):
        assert cli.main(["compare", "none", "L1 0.001", *option]) == 2
        assert f"{option[0]} is for runs of any code, which --metric names" in capsys.readouterr().err
    assert not (workspace / "report").exists()


def test_a_parameter_with_an_exponent_that_no_number_has_is_a_text(workspace, capsys):
    frame = pd.DataFrame(
        {
            "lr": [0.1, 0.2] * 3,
            "seed": [0, 0, 1, 1, 2, 2],
            "wd": "1e9999999999999999999",
            "acc": [0.9, 0.8, 0.91, 0.8, 0.92, 0.81],
        }
    )
    frame.to_csv("odd.csv", index=False)
    assert cli.main(["compare", "--from", "odd.csv", "--metric", "acc", "--group-by", "params.lr", "--margin", "0.01"]) == 0
    frame.assign(lr=pd.array([1, 2, None, 2, 1, 2], dtype="Int64")).to_parquet("odd.parquet")
    assert cli.main(["compare", "--from", "odd.parquet", "--metric", "acc", "--group-by", "params.lr"]) == 0
    said = capsys.readouterr().out
    assert "1 run without params.lr or params.seed, left out" in said
    assert "NA" not in said
