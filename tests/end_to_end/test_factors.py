"""Any field is a factor: a 2 × 2 × 2 study over L1, label smoothing and dropout, run and reported."""

from pathlib import Path

import pandas as pd
import pytest

from analysis.commands import cli as analysis
from regstudy.commands import cli

ROOT = Path(__file__).parent.parent.parent

DESIGN = """
name: three-factors
about: Do L1, label smoothing and dropout help five thousand digits, and do they interact?
overrides: {dataset: mnist-5k, epochs: 1, batch_size: 50, augmentation: none}
grid:
  l1: [0, 0.001]
  label_smoothing: [0, 0.1]
  dropout: [0, 0.2]
seeds: 3
margin: 1
"""


@pytest.mark.slow
def test_three_factors_are_run_and_reported(workspace, capsys, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    (workspace / "three.yaml").write_text(DESIGN)
    assert cli.main(["study", "run", "three.yaml", "--jobs", "2", "--threads", "1"]) == 0
    assert "done: all 24 trials" in capsys.readouterr().out
    report = workspace / "report" / "three-factors"
    effects = pd.read_csv(report / "tables" / "effects.csv")
    assert effects["effect"].tolist() == [
        "L1",
        "dropout",
        "label smoothing",
        "L1 × dropout",
        "L1 × label smoothing",
        "dropout × label smoothing",
        "L1 × dropout × label smoothing",
    ]
    runs = pd.read_csv(report / "tables" / "ranking.csv")
    assert "L1 0.001 + label smoothing 0.1, dropout 0.2" in runs["configuration"].tolist()
    assert "Do the factors interact?" in (report / "report.html").read_text()
    assert analysis.main(["verify", str(report)]) == 0
