"""Any field is a factor: a 2 × 2 × 2 study over L1, label smoothing and dropout, run and reported. That such a report is verified: test_your_own."""

import few
import pytest

from analysis.judging import findings
from analysis.reading import query
from analysis.reading.query import Wanted
from analysis.showing import csv_numbers
from analysis.showing.sections.factors import EFFECTS
from analysis.showing.sections.section import Material
from regstudy.commands import cli

DESIGN = """
name: three-factors
about: Do L1, label smoothing and dropout help few digits, and do they interact?
overrides: {dataset: "arrays:few.npz", epochs: 2, batch_size: 8}
grid:
  l1: [0, 0.001]
  label_smoothing: [0, 0.1]
  dropout: [0, 0.2]
seeds: 3
margin: 1
"""


@pytest.mark.slow
def test_three_factors_are_run_and_reported(workspace, capsys, unmeasured):
    few.put(workspace, DESIGN)
    assert cli.main(["study", "run", "small.yaml", "--executor", "here", "--threads", "1", "--no-report"]) == 0
    assert "done: all 24 trials" in capsys.readouterr().out
    found = findings.find(query.read(Wanted(study="three-factors")))
    tables = csv_numbers.frames(found)
    assert tables["effects"]["effect"].tolist() == [
        "L1",
        "dropout",
        "label smoothing",
        "L1 × dropout",
        "L1 × label smoothing",
        "dropout × label smoothing",
        "L1 × dropout × label smoothing",
    ]
    assert "L1 0.001 + label smoothing 0.1, dropout 0.2" in tables["ranking"]["configuration"].tolist()
    shown = EFFECTS.make(Material.of(found))
    assert shown is not None
    effects = tables["effects"]
    apart = effects[effects["effect"].str.contains("×") & ((effects["low"] > 0) | (effects["high"] < 0))]
    # Of so small trainings a machine's last bits decide what chance shows.
    assert ("no interaction that 3 seeds can see" in shown.title) == apart.empty, shown.title
