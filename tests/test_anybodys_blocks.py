"""Anybody's runs, however they are repeated: samples, blocks of several columns, repeats within a block, folds; against pandas and scipy."""

import re

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.entities import Metric, Param
from scipy import stats

import analysis as an
from analysis.commands import cli
from analysis.judging import findings, statistics
from analysis.judging.statistics import Pairing, Rule
from analysis.reading import foreign
from analysis.reading.anybody import claims_file
from analysis.reading.anybody.asked import Asked
from analysis.showing import grids, methods
from analysis.showing.words import opening
from regstudy.errors import NothingToAnalyse, UsageError

GROUP = ("params.model",)
COMPARE = ["compare", "--group-by", "params.model"]


def log(params, metrics, experiment="0", status="FINISHED", name=None):
    """One run; a metric is a number or a curve."""
    client = mlflow.MlflowClient()
    run_id = client.create_run(experiment, run_name=name).info.run_id
    points = [
        Metric(key, value, 0, step)
        for key, given in metrics.items()
        for step, value in enumerate(given if isinstance(given, list) else [given])
    ]
    client.log_batch(run_id, points, [Param(key, str(value)) for key, value in params.items()])
    if status != "RUNNING":
        client.set_terminated(run_id, status)
    return run_id


@pytest.fixture
def rng():
    return np.random.default_rng(5)


@pytest.fixture
def folds(workspace, rng):
    """Repeated cross-validation, 3 × 5, of two models; what they scored."""
    scores = pd.DataFrame(
        [
            {"repeat": repeat, "fold": fold, "model": model, "auc": 0.7 + hard + better + rng.normal(0, 0.01)}
            for repeat in range(3)
            for fold in range(5)
            for hard in [rng.normal(0, 0.05)]
            for model, better in (("svm", 0.0), ("forest", 0.02))
        ]
    )
    for row in scores.to_dict("records"):
        log({name: row[name] for name in ("model", "repeat", "fold")}, {"auc": row["auc"]})
    return scores


def pair(asked):
    return findings.find(foreign.read(asked)).ranking.pairs.iloc[0]


def test_runs_that_nothing_pairs_are_two_samples(workspace, rng, capsys):
    held = {kind: rng.normal(mean, sd, n) for kind, mean, sd, n in (("plain", 0.7, 0.01, 8), ("rich", 0.8, 0.04, 5))}
    for kind, values in held.items():
        for value in values:
            log({"model": kind, "random_state": 42}, {"f1": value})
    found, test = pair(Asked("f1", GROUP)), stats.ttest_ind(held["rich"], held["plain"], equal_var=False)
    assert (found["first"], found["seeds"]) == ("model rich", 5)
    assert found["p"] == pytest.approx(test.pvalue)
    low, high = test.confidence_interval()
    assert (found["low"], found["high"]) == pytest.approx((low, high))
    both = an.compare(an.read_runs("f1", "params.model"), "model rich", "model plain")
    assert f"95% interval +{low:.4f} to +{high:.4f}, n = 5." in str(both)
    assert f"Welch's t test p = {test.pvalue:.3g}; not adjusted" in str(both)
    assert f"(+{low:.4f} to +{high:.4f})" in both.table["first_against_second"].iloc[0]
    again = pair(Asked("f1", GROUP, ("params.random_state",)))
    assert again["p"] == found["p"]
    assert cli.main([*COMPARE, "--metric", "f1", "--block", "params.random_state"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "params.random_state (42) is the same in all runs, and pairs none: two samples, compared by Welch's t test" in said
    result = findings.find(foreign.read(Asked("f1", GROUP)))
    text = " ".join([opening.headline(result), *methods.summary(result), methods.advice(result), *methods.methods(result)])
    assert "Nothing pairs runs of different configurations" in text
    assert "Welch's t of two samples" in text
    assert "paired differences" not in text
    assert "seed" not in text


def test_two_samples_are_as_often_apart_by_chance_as_promised():
    """Unequal sizes and spreads; at a number that was fixed, and at any of many looks by the test that is valid then."""
    rng, studies = np.random.default_rng(0), 4000
    a, b = rng.normal(0, 1, (studies, 12)), rng.normal(0, 4, (studies, 6))
    fixed = statistics.welch(a, np.pad(b, ((0, 0), (0, 6)), constant_values=np.nan))
    assert 0.04 < (fixed.p < 0.05).mean() < 0.062
    ever = np.zeros(studies, bool)
    a, b = rng.normal(0, 1, (studies, 60)), rng.normal(0, 4, (studies, 60))
    for n in range(3, 61):
        ever |= statistics.welch(a[:, :n], b[:, :n], rule=Rule(np.array(0.05), np.array(True))).p < 0.05
    assert ever.mean() < 0.055


def test_blocks_of_several_columns_are_pairs(folds):
    found = foreign.read(Asked("auc", GROUP, ("params.repeat", "params.fold")))
    assert found.runs["seed"].iloc[0] == "repeat 0, fold 0"
    assert found.words.block == "block"
    wide = folds.pivot(index=["repeat", "fold"], columns="model", values="auc")
    given = findings.find(found).ranking.pairs.iloc[0]
    difference = wide["forest"] - wide["svm"]
    n, overlap = 15, 1 / 4
    t = difference.mean() / (difference.std() * np.sqrt(1 / n + overlap))  # Nadeau and Bengio (2003), equation 13
    assert given["seeds"] == n
    assert given["mean"] == pytest.approx(difference.mean())
    assert given["p"] == pytest.approx(2 * stats.t.sf(abs(t), n - 1))
    assert "training sets of 5 folds overlap" in " ".join(found.notices)
    both = an.compare(found, "model forest", "model svm")
    assert f"corrected for training sets that overlap, p = {given['p']:.3g}; not adjusted" in str(both)


def test_more_folds_of_the_same_data_are_not_taken_for_independent_ones(folds):
    """As the number of blocks grows the corrected standard error stays above what the overlap leaves."""
    looked = findings.looks_of(foreign.read(Asked("auc", GROUP, ("params.repeat", "params.fold"))))
    sd = 0.02 * np.sqrt(1 + 15 / 4)
    assert looked.blocks_for(0.02, sd, after=15) is None
    assert findings.looks_of(foreign.read(Asked("auc", GROUP, ("params.repeat",)))).blocks_for(0.02, sd, after=15) is not None


def test_repeats_within_a_block_count_as_their_mean(folds):
    trials = foreign.read(Asked("auc", GROUP, ("params.repeat",)))
    scores = findings.find(trials).scores
    expected = folds.groupby(["repeat", "model"])["auc"].mean().unstack()
    np.testing.assert_allclose(scores[["model forest", "model svm"]], expected[["forest", "svm"]])
    assert "24 runs with the group and block of another: the mean of these counts, as one" in trials.notices


def test_a_mean_of_repeats_of_which_one_is_no_number_is_none(workspace):
    for seed in range(3):
        log({"model": "a", "seed": seed}, {"f1": 0.5})
        log({"model": "b", "seed": seed}, {"f1": 0.5 + seed / 10})
    log({"model": "b", "seed": 1}, {"f1": float("nan")})
    scores = findings.find(foreign.read(Asked("f1", GROUP))).scores
    assert scores["model b"].isna().tolist() == [False, True, False]


def test_several_metrics_share_alpha(workspace, rng, capsys):
    for model, better in (("a", 0.0), ("b", 0.05)):
        for seed in range(5):
            log({"model": model, "seed": seed}, {"f1": rng.normal(0.7 + better, 0.01), "loss": rng.normal(0.4 - better, 0.01)})
    assert cli.main([*COMPARE, "--metric", "f1", "--metric", "loss"]) == 0
    said = capsys.readouterr().out
    assert "2 metrics share α = 0.05: each is ranked at 0.025" in said
    assert "(higher is better)" in said
    assert "(lower is better)" in said
    assert cli.main([*COMPARE, "--metric", "f1", "--metric", "loss", "--output", "report"]) == 2
    assert "a report is by one metric" in capsys.readouterr().err
    assert not (workspace / "report").exists()


@pytest.mark.usefixtures("workspace")
def test_one_experiment_per_setting(rng, capsys):
    client = mlflow.MlflowClient()
    for alpha in ("0.0", "0.5", "1.0"):
        made = client.create_experiment(f"alpha_{alpha}")
        for seed in range(4):
            log({"seed": seed}, {"acc": 0.5 + float(alpha) / 10 + rng.normal(0, 0.01)}, experiment=made)
    options = ["--metric", "acc", "--group-by", "experiment", "--experiment", "alpha_0.0", "--experiment", "alpha_1.0"]
    assert cli.main(["compare", *options]) == 0
    said = capsys.readouterr().out
    assert "experiment alpha_1.0" in said
    assert "alpha_0.5" not in said
    assert cli.main(["rank", "--experiment", "alpha_0.0", "--experiment", "alpha_1.0"]) == 2
    assert "one experiment at a time" in capsys.readouterr().err


def test_runs_that_did_not_finish_are_named_with_their_groups(workspace):
    for lr in ("0.1", "10"):
        for seed in range(6):
            failed = lr == "10" and seed > 1
            log({"model": lr, "seed": seed}, {"acc": 0.5 + seed / 100}, status="FAILED" if failed else "FINISHED")
    told = foreign.read(Asked("acc", GROUP)).notices
    assert "4 runs that FAILED, left out (model 10: 4): --status FAILED counts them too" in told
    both = foreign.read(Asked("acc", GROUP, statuses=("FINISHED", "FAILED")))
    assert len(both.runs) == 12


def test_if_all_still_run_that_is_said(workspace):
    for seed in range(3):
        log({"model": 1, "seed": seed}, {"acc": 0.5}, status="RUNNING")
    with pytest.raises(
        NothingToAnalyse, match=r"has no finished run, only 3 runs, RUNNING: wait, or count them with --status RUNNING"
    ):
        foreign.read(Asked("acc", GROUP))


def test_numbers_are_numbers(workspace):
    for lr, seeds in (("0.1", (0, 1)), ("1e-1", (2, 3)), ("0.10", (4, 10)), ("0.2", (0, 1, 2, 3, 4, 10))):
        for seed in seeds:
            log({"model": lr, "seed": seed if lr == "0.2" else float(seed)}, {"acc": 0.5 + float(lr) + seed / 100})
    trials = foreign.read(Asked("acc", GROUP))
    found = findings.find(trials)
    assert list(found.scores) == ["model 0.1", "model 0.2"]
    assert list(found.scores.index) == ["0", "1", "2", "3", "4", "10"]
    assert "params.model: 0.1 is also written 0.10, 1e-1" in trials.notices
    assert found.ranking.pairs["seeds"].iloc[0] == 6


def test_a_parameter_that_only_some_runs_have_is_a_difference(workspace):
    for seed in range(3):
        log({"model": "a", "seed": seed} | ({"warmup": 5} if seed else {}), {"acc": 0.5 + seed / 10})
    assert (
        "within a group params.warmup differ: name in --group-by what matters, in --block what pairs runs"
        in foreign.read(Asked("acc", GROUP)).notices
    )


def test_copies_are_no_repeats(workspace):
    for seed in range(20):
        for model, two in {"a": (0.80, 0.81), "b": (0.79, 0.805)}.items():
            log({"model": model, "seed": seed}, {"acc": two[seed % 2]})
    assert (
        "18 of 20 seeds hold the same values as another: if they are copies, they are no repeats"
        in foreign.read(Asked("acc", GROUP)).notices
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [("last", 0.5), ("best", 0.9), ("max", 0.9), ("min", 0.1), ("step:2", 0.9), ("step:9", None)],
)
def test_which_number_of_a_curve_counts(workspace, value, expected):
    for seed in range(3):
        log({"model": "a", "seed": seed}, {"acc": [0.1, 0.2, 0.9, 0.5]})
    asked = Asked("acc", GROUP, last=1, value=value)
    if expected is None:
        with pytest.raises(UsageError, match=r"no run has a point of acc there"):
            foreign.read(asked)
        return
    trials = foreign.read(asked)
    assert trials.runs["acc"].tolist() == [expected] * 3
    assert ("biased" in trials.words.taken) == (value == "best")


def test_curves_of_unlike_length_and_points_at_one_step_are_told(workspace):
    log({"model": "a", "seed": 0}, {"acc": [0.1] * 9})
    second = log({"model": "a", "seed": 1}, {"acc": [0.1, 0.2]}, status="RUNNING")
    client = mlflow.MlflowClient()
    client.log_metric(second, "acc", 0.3, step=1)
    client.set_terminated(second)
    told = foreign.read(Asked("acc", GROUP)).notices
    assert "1 point of acc at a step that has a later one, left out" in told
    assert "runs have from 2 to 9 points of acc; of 1 run fewer than 5 are averaged" in told


def test_only_some_runs_where_asked(workspace):
    for seed in range(3):
        for depth in (1, 2):
            log({"model": "a", "seed": seed, "depth": depth}, {"acc": 0.5 + depth})
    trials = foreign.read(Asked("acc", GROUP, where=("depth=2.0",)))
    assert trials.runs["acc"].tolist() == [2.5] * 3
    with pytest.raises(UsageError, match=r"--where width: no run has params.width; expected names such as params.depth"):
        foreign.read(Asked("acc", GROUP, where=("width=2",)))
    with pytest.raises(NothingToAnalyse, match=r"has no finished run with depth=3: change --where"):
        foreign.read(Asked("acc", GROUP, where=("depth=3",)))


LONG = "Pipeline(steps=[('scale', StandardScaler()),\n" + "    ('part', Encoder()),\n" * 40 + "    ('model', {})])"


def test_a_long_value_is_one_line_with_its_ends(workspace):
    for kind in ("SVC", "Ridge", "Ridge(alpha=1)"):
        for seed in range(3):
            log({"model": LONG.format(kind), "seed": seed}, {"f1": 0.5})
    names = set(foreign.read(Asked("f1", GROUP)).runs["configuration"])
    assert len(names) == 3
    assert all(re.fullmatch(r"model Pipeline.{10,48}\)\]\)", name) for name in names)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--block", "params.model"], "--block params.model: is in --group-by too"),
        (["--block", "params.nope"], "no finished run has params.nope; expected names such as"),
        (["--block", "none", "--block", "params.seed"], "--block none and another --block: give one of the two"),
        (["--value", "median"], "--value 'median': expected last, best, min, max or step:N"),
        (["--status", "DONE"], "--status 'DONE': expected one of FINISHED"),
        (["--experiment", "a", "--experiment", "a"], "--experiment a is there twice"),
        (["--metric", "acc"], "--metric acc is there twice"),
        (["--where", "seed"], "--where 'seed': expected FIELD=VALUE"),
    ],
)
def test_bad_options_are_one_line(workspace, capsys, options, told):
    log({"model": "a", "seed": 0}, {"acc": 0.5})
    assert cli.main([*COMPARE, "--metric", "acc", *options]) == 2
    said = capsys.readouterr().err
    assert told in said
    assert said.count("\n") == 1


def test_estimates_without_pairs_say_nothing_of_pairs():
    rng = np.random.default_rng(1)
    a, b = rng.normal(0, 1, 9), rng.normal(0, 1, 7)
    found = statistics.estimate(a, np.append(b, [np.nan, np.nan]), Pairing(paired=False))
    test = stats.ttest_ind(a, b, equal_var=False)
    assert (found.n, found.freedom) == (7, pytest.approx(test.df))
    assert statistics.shifted(found, 0.0) == pytest.approx(found)


@pytest.mark.parametrize(
    ("runs", "value", "why"),
    [(1, 0.99, "fewer than 3 seeds"), (3, 0.0, "no variation, or fewer than 3 seeds beside others")],
)
def test_what_could_not_be_tested_comes_after_the_tested_without_a_rank(workspace, rng, capsys, runs, value, why):
    for seed in range(6):
        for model, mean in (("good", 0.9), ("fair", 0.8)):
            fixed = seed < runs and value == 0.0
            log({"model": model, "seed": seed}, {"acc": mean if fixed else rng.normal(mean, 0.01)})
        if seed < runs:
            log({"model": "odd", "seed": seed}, {"acc": value})
    found = findings.find(foreign.read(Asked("acc", GROUP)))
    assert found.table["configuration"].tolist() == ["model good", "model fair", "model odd"]
    assert found.table["standing"].tolist() == ["separated", "separated", "untested"]
    assert found.ranking.leading == ("model good",)
    assert opening.headline(found) == "model good comes first, shown to be better than all others that could be tested"
    assert f"model odd could not be tested: {why}." in " ".join(methods.summary(found))
    assert grids.ranking(found).rows[-1][:2] == ("–", "model odd")
    assert cli.main([*COMPARE, "--metric", "acc"]) == 0
    assert f"model odd could not be tested: {why}." in " ".join(capsys.readouterr().out.split())


@pytest.mark.slow
def test_where_nobody_says_what_to_compare_it_says_what_there_is(workspace, folds, capsys):
    log({"model": "svm", "repeat": 0, "fold": 0, "C": 1}, {"auc": 0.7, "fit_time": 3.0})
    assert cli.main(["compare"]) == 0
    said = capsys.readouterr().out
    assert "Default: 31 finished runs" in said
    assert re.search(r"^auc +31 +higher", said, re.M)
    assert re.search(r"^fit_time +1 *$", said, re.M)
    assert re.search(r"^params.model +forest, svm *$", said, re.M)
    assert re.search(r"^params.fold +0, 1, 2, 3 and 1 more +perhaps what pairs runs", said, re.M)
    commands = [line.strip() for line in said.splitlines() if line.startswith("  python")]
    assert (
        commands[0]
        == "python -m analysis compare --metric auc --group-by params.model --block params.repeat --block params.fold"
    )
    for command in commands:
        words = command.replace("SMALLEST-THAT-MATTERS", "0.01").split()[3:]
        assert cli.main(words) == 0, (command, capsys.readouterr())
    assert "Smallest" not in said


def test_where_there_is_nothing_to_compare_that_is_said(workspace, capsys):
    assert cli.main(["compare"]) == 2
    assert "has no finished run with metrics" in capsys.readouterr().err


def test_scores_of_a_notebook_are_looked_at(workspace):
    good = pd.DataFrame({"a": [1.0, 2, 3], "b": [1.5, 2, 4]})
    for scores, margin, told in (
        (good.to_numpy(), None, "expected a pandas DataFrame, a row per block and a column per configuration, got ndarray"),
        (good[["a", "a"]], None, "the column 'a' is there twice"),
        (good.loc[[0, 0, 1]], None, "the row '0' is there twice"),
        (good, -1, "margin=-1: expected a number above 0"),
    ):
        with pytest.raises(UsageError, match=re.escape(told)):
            an.rank_scores(scores, margin=margin)


def test_the_best_of_a_claimed_metric_is_by_its_own_direction(workspace):
    for seed in range(3):
        log({"model": "a", "seed": seed}, {"acc": [0.2, 0.9], "loss": [0.1, 0.7]})
        log({"model": "b", "seed": seed}, {"acc": [0.3, 0.8], "loss": [0.2, 0.9]})
    (workspace / "claims.yaml").write_text(
        "metric: acc\ngroup_by: params.model\nvalue: best\nclaims:\n"
        "  - {id: x, text: x, contrasts: [{metric: loss, of: {model: a}, against: {model: b}, expect: lower, margin: 0.01}]}\n"
    )
    runs = foreign.read(Asked.by(claims_file.load("claims.yaml"), None)).runs
    assert sorted(set(runs["loss"])) == [0.1, 0.2]
    assert sorted(set(runs["acc"])) == [0.8, 0.9]
