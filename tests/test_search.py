"""Search, then confirm: what is searched, what is written, and that what was done costs nothing a second time."""

import few
import mlflow
import pytest

import analysis as an
from analysis.judging import findings
from analysis.showing import methods
from regstudy.commands import cli
from regstudy.design import design_file, search_file
from regstudy.schema import Tag

SEARCH = """
name: small
about: Which strength?
overrides: {dataset: "arrays:few.npz", epochs: 1, validation_size: 80, batch_size: 8}
space:
  l1: {low: 1.0e-6, high: 1.0e-2, log: true}
  cutout: {low: 0, high: 8, whole: true}
  schedule: [constant, cosine]
baseline: {l1: 0}
seeds_each: 2
confirm_seeds: 3
margin: 1
"""


@pytest.mark.slow
def test_a_search_ends_with_a_study_that_names_it(workspace, capsys):
    few.put(workspace, SEARCH)
    command = ["search", "small.yaml", "--trials", "3", "--threads", "1"]
    assert cli.main(command) == 0
    said = capsys.readouterr().out
    assert "best: l1 " in said
    assert "done: 3 configurations, 6 runs" in said
    runs = mlflow.MlflowClient().search_runs(["0"])
    assert {run.data.tags[Tag.SEARCH] for run in runs} == {"small"}
    assert {run.data.params["seed"] for run in runs} == {"1000000", "1000001"}
    design = design_file.load("small-confirm.yaml")
    assert (design.searched.configurations, design.searched.runs, design.seeds) == (3, 6, (0, 1, 2))
    assert cli.main(command) == 0
    assert capsys.readouterr().out.splitlines()[:-3] == said.splitlines()[:-3], "the same proposals, the same numbers"
    assert len(mlflow.MlflowClient().search_runs(["0"])) == len(runs), "nothing was trained again"
    assert cli.main(["study", "run", "small-confirm.yaml", "--executor", "here", "--threads", "1", "--no-report"]) == 0
    told = " ".join(methods.summary(findings.find(an.read("small-confirm"))))
    assert "what the search small chose of 3 configurations" in told
    assert "by validation accuracy, with seeds that the search did not use" in told


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("validation_size: 80", "validation_size: 0", "a search chooses on held-out images"),
        ("low: 1.0e-6", "low: 1", "expected low < high"),
        ("cutout:", "seed:", "space.seed: expected one of l1"),
        ("cutout: {low: 0", "cutout: {low: -1", "cutout: expected"),
        ("constant, cosine", "constant, linear", "schedule: expected one of"),
        ("baseline: {l1: 0}", "baseline: {}", "baseline: expected at least one value"),
        ("epochs: 1,", "epochs: 1, l1: 0,", "is searched too"),
        ("epochs: 1,", "epochs: 1, threads: 2,", "overrides.threads: the study that is to confirm the choice cannot have that"),
        ("baseline: {l1: 0}", "baseline: {l1: 0, seed: 3}", "baseline.seed: the study that is to confirm"),
        ("baseline: {l1: 0}", "baseline: {l1: 0, epochs: 3}", "overrides.epochs: the study that is to confirm"),
        ("whole: true}", "}", "cutout: expected whole numbers: add whole: true"),
        ("low: 0, high: 8, whole", "low: 0.4, high: 8, log: true, whole", "low ≥ 1 on a logarithmic scale"),
        ("validation_size: 80,", "", "a search chooses on held-out images"),
        (
            "validation_size: 80, batch_size: 8}\nspace:",
            "batch_size: 8}\nspace:\n  validation_size: [0, 80]",
            "space.validation_size: ",
        ),
        ("margin: 1", "margin: .inf", "margin: input should be a finite number"),
        ("confirm_seeds: 3", "confirm_seeds: 60000", "confirm_seeds: input should be less than or equal to 1000"),
    ],
)
def test_a_search_that_cannot_be_is_one_line(workspace, capsys, old, new, told):
    (workspace / "small.yaml").write_text(SEARCH.replace(old, new))
    assert cli.main(["search", "small.yaml"]) == 2
    printed = capsys.readouterr().err
    assert told in printed
    assert printed.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "told"), [(["--trials", "0"], "--trials: expected"), (["--threads", "x"], "--threads: expected")]
)
def test_bad_options_are_one_line(workspace, capsys, options, told):
    (workspace / "small.yaml").write_text(SEARCH)
    assert cli.main(["search", "small.yaml", *options]) == 2
    assert told in capsys.readouterr().err
    assert cli.main(["search", "nowhere.yaml"]) == 2
    assert "there is no file 'nowhere.yaml'" in capsys.readouterr().err


def test_what_lies_where_the_design_goes_is_said_before_anything_is_trained(workspace, capsys):
    (workspace / "small.yaml").write_text(SEARCH)
    (workspace / "small-confirm.yaml").write_text("mine: true\n")
    assert cli.main(["search", "small.yaml"]) == 2
    assert "small-confirm.yaml is there already, and is not what this search writes" in capsys.readouterr().err
    assert (workspace / "small-confirm.yaml").read_text() == "mine: true\n"
    assert not mlflow.MlflowClient().search_runs(["0"])


def test_a_study_confirms_with_fresh_seeds_only(workspace, capsys):
    searched = "searched: {name: s, metric: endpoint/validation_accuracy, configurations: 9, runs: 20, seeds: [1, 2]}"
    (workspace / "d.yaml").write_text(f"name: d\nabout: x\nconfigurations: [{{l1: 0}}]\nseeds: [0, 1]\n{searched}\n")
    assert cli.main(["study", "plan", "d.yaml"]) == 2
    assert "seed 1 was used by the search s: a study confirms with fresh ones" in capsys.readouterr().err


def test_a_choice_among_the_baseline_alone_is_none_that_a_study_could_refuse():
    search = search_file.Search.model_validate(
        {"name": "s", "about": "x", "recipe": "corrected", "space": {"l1": [0, 0]}, "baseline": {"l1": 0}}
    )
    assert search.is_baseline({"l1": 0})
    assert not search.is_baseline({"l1": 1e-3})


def test_choices_that_do_not_go_together_are_left_out_with_a_line(workspace, capsys):
    few.put(
        workspace,
        SEARCH.replace("schedule: [constant, cosine]", "optimizer: [sgd, adamw]").replace(
            "overrides: {", "overrides: {l1_kind: proximal, "
        ),
    )
    assert cli.main(["search", "small.yaml", "--trials", "4", "--threads", "1"]) == 0
    printed = capsys.readouterr()
    assert "done: " in printed.out
    assert "optimizer adamw: left out, l1_kind: expected one that goes with optimizer adamw" in printed.out
    assert "Traceback" not in printed.err


def test_how_many_images_are_held_out_may_be_searched(workspace):
    (workspace / "small.yaml").write_text(
        SEARCH.replace("validation_size: 80, batch_size: 8}\nspace:", "batch_size: 8}\nspace:\n  validation_size: [40, 80]")
    )
    assert search_file.load("small.yaml").space["validation_size"] == (40, 80)


def test_paths_in_a_search_begin_at_its_file(workspace):
    (workspace / "sub").mkdir()
    space = SEARCH.replace("schedule: [constant, cosine]", "network: [squeeze-expand, net.py:small]").replace(
        "{l1: 0}", "{l1: 0, network: net.py:small}"
    )
    (workspace / "sub" / "net.py").write_text(
        "from torch import nn\n\ndef small(shape, classes):\n    return nn.Sequential(nn.Flatten(), nn.LazyLinear(classes))\n"
    )
    (workspace / "sub" / "small.yaml").write_text(space)
    search = search_file.load("sub/small.yaml")
    whole = str(workspace / "sub" / "net.py:small")
    assert search.space["network"] == ("squeeze-expand", whole)
    assert search.baseline["network"] == whole


def test_what_is_proposed_again_is_no_further_choice(workspace, capsys):
    space = SEARCH.replace("  l1: {low: 1.0e-6, high: 1.0e-2, log: true}\n  cutout: {low: 0, high: 8, whole: true}\n", "")
    few.put(workspace, space.replace("seeds_each: 2", "seeds_each: 1"))
    assert cli.main(["search", "small.yaml", "--trials", "5", "--threads", "1"]) == 0
    assert "done: 2 configurations, 2 runs" in capsys.readouterr().out
    searched = design_file.load("small-confirm.yaml").searched
    assert (searched.configurations, searched.runs) == (2, 2) == (len(mlflow.MlflowClient().search_runs(["0"])), 2)
