"""A study over two data sets with an interaction claim: run, looked at, reported, verified, kept as a snapshot."""

from pathlib import Path

import few
import numpy as np
import pytest

from analysis.commands import cli as analysis
from analysis.commands.agents.tools import Tools
from analysis.commands.options.parsed import parse
from analysis.showing import grids, methods
from analysis.showing.sections.first import OTHER_DATA
from analysis.showing.sections.section import Material
from regstudy.commands import cli

ROOT = Path(__file__).parent.parent.parent

pytestmark = pytest.mark.slow

DESIGN = """
name: both
about: Does L1 cost more on noise than on digits?
datasets: ["arrays:few.npz", "arrays:own.npz"]
overrides: {epochs: 1, batch_size: 100}
configurations: [{l1: 0}, {l1: 0.01}]
seeds: 3
claims:
  - id: costs-more
    text: L1 costs more on our own images
    contrasts:
      - {metric: endpoint/test_accuracy, of: {l1: 0.01}, against: {l1: 0}, expect: lower, margin: 1, on: "arrays:own.npz", minus: "arrays:few.npz"}
  - id: is-harmless
    text: L1 costs less than two points anywhere
    contrasts:
      - {metric: endpoint/test_accuracy, of: {l1: 0.01}, against: {l1: 0}, expect: not lower, margin: 2}
"""


def test_a_study_over_two_data_sets(workspace, capsys, monkeypatch, instead_of_writing):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    rng = np.random.default_rng(0)
    labels = np.arange(600) % 4
    images = (rng.integers(0, 160, (600, 24, 24)) + 20 * labels[:, None, None]).astype(np.uint8)
    np.savez("own.npz", images=images, labels=labels)
    few.put(workspace)
    (workspace / "both.yaml").write_text(DESIGN)
    assert cli.main(["study", "plan", "both.yaml", "--sd", "0.1"]) == 0
    said = capsys.readouterr().out
    assert "2 configurations × 2 data sets × 3 seeds = 12 trials of 1 epochs on arrays:few.npz and arrays:own.npz" in said
    assert cli.main(["study", "run", "both.yaml", "--executor", "here", "--threads", "1", "--no-report"]) == 0
    said = capsys.readouterr().out
    assert "done: all 12 trials" in said
    assert cli.main(["study", "status", "both.yaml"]) == 0
    assert "so far" not in (status := capsys.readouterr().out)
    assert "L1 0.01, data arrays:own.npz" in status
    assert analysis.main(["claims", "--study", "both"]) == 0
    claimed = " ".join(capsys.readouterr().out.split())
    assert "Of 2 claims" in claimed
    with instead_of_writing() as had:
        assert analysis.main(["report", "--study", "both"]) == 0
    capsys.readouterr()
    (found,) = had
    assert "L1 0.01 vs none, on arrays:own.npz minus arrays:few.npz" in str(grids.verdicts(found).rows)
    assert "The same was run on arrays:own.npz: the ranking here is on arrays:few.npz" in " ".join(methods.summary(found))
    shown = OTHER_DATA.make(Material.of(found))
    assert all(drawing.caption.startswith("On arrays:own.npz.") for drawing in shown.figures)
    assert [table.name for table in shown.tables] == ["ranking_arrays_own_npz", "pairs_arrays_own_npz"]
    assert analysis.main(["rank", "--study", "both"]) == 0
    assert "arrays:few.npz, 100 test images" in (both := " ".join(capsys.readouterr().out.split()))
    assert "arrays:own.npz, 120 test images" in both
    assert analysis.main(["rank", "--study", "both", "--dataset", "arrays:own.npz"]) == 0
    assert "150 test images" not in (ranked := capsys.readouterr().out)
    assert "arrays:own.npz, 120 test images" in ranked
    assert analysis.main(["compare", "none", "L1 0.01", "--study", "both"]) == 0
    assert (
        "compared on arrays:few.npz alone, one of the study's data sets; the same on the others: --dataset arrays:own.npz"
        in (" ".join(capsys.readouterr().out.split()))
    )
    assert analysis.main(["compare", "none", "L1 0.01", "--study", "both", "--dataset", "arrays:own.npz"]) == 0
    assert "alone" not in capsys.readouterr().out
    for own in (found.trials, *found.trials.beside):
        means = own.runs.groupby("configuration")["endpoint/test_accuracy"].mean()
        told = Tools(parse).compare("L1 0.01", "none", study="both", dataset=own.dataset)
        assert told.difference == pytest.approx(100 * (means["L1 0.01"] - means["none"]))
        assert "alone" not in str(told.notices)
    assert analysis.main(["snapshot", "kept", "--study", "both"]) == 0
    capsys.readouterr()
    assert analysis.main(["claims", "--from", "kept", "--study", "both"]) == 0
    assert " ".join(capsys.readouterr().out.split()).replace(" --from kept", "") == claimed
    by_its_file(claimed, capsys)
    assert (
        cli.main(
            [
                "study",
                "run",
                "both.yaml",
                "--until",
                "decided",
                "--max-seeds",
                "4",
                "--executor",
                "here",
                "--threads",
                "1",
                "--no-report",
            ]
        )
        == 0
    )
    grown = capsys.readouterr().out
    assert "look at 3 seeds" in grown


def by_its_file(claimed: str, capsys):
    """The design's file alone, on the same trials and with the same plan, gives the same verdicts, and a report that verifies."""
    told = "note: the design of both is a file"
    assert analysis.main(["claims", "--from", "kept", "--study", "both.yaml", "--planned", "3"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert told in said
    assert said.partition(" note:")[0] == claimed.partition(" note:")[0].partition(" next:")[0]
    assert analysis.main(["report", "--from", "kept", "--study", "both.yaml", "--output", "by-file"]) == 0
    assert "MLflow" not in capsys.readouterr().out
    assert analysis.main(["verify", "by-file"]) == 0
    assert "every file is what" in capsys.readouterr().out
    kept = Path("both.yaml").read_text()
    Path("both.yaml").write_text(kept.replace("margin: 2", "margin: 3"))
    assert analysis.main(["verify", "by-file"]) != 0
    assert "the study's design is not what it was" in capsys.readouterr().err
    Path("both.yaml").write_text(kept)


def test_the_same_data_set_twice_and_its_name_elsewhere_are_refused(workspace, capsys):
    (workspace / "twice.yaml").write_text(DESIGN.replace('"arrays:own.npz"]', '"arrays:few.npz"]'))
    assert cli.main(["study", "plan", "twice.yaml"]) == 2
    assert "expected two data sets or more, each by a name of its own" in capsys.readouterr().err
    (workspace / "both.yaml").write_text(DESIGN.replace("epochs: 1,", "epochs: 1, dataset: mnist,"))
    assert cli.main(["study", "plan", "both.yaml"]) == 2
    assert "'datasets' says on which data sets: leave this out" in capsys.readouterr().err
