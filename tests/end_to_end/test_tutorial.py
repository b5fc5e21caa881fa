"""docs/tutorial.md as a newcomer follows it, its study in small: three seeds, one epoch."""

import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import forked
import pytest
import yaml

from analysis.commands.options.parsed import parse

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)

pytestmark = pytest.mark.slow


def blocks(language: str) -> list[str]:
    return [text for kind, text in FENCE.findall(PAGE) if kind == language]


def commands() -> Iterator[list[str]]:
    for text in blocks("sh"):
        yield from (shlex.split(line)[2:] for line in text.splitlines() if line.startswith("python -m"))


def said_by(command: list[str], folder: Path) -> str:
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name in {"REGSTUDY_DATA", "MLFLOW_TRACKING_URI"} & os.environ.keys():
            monkeypatch.delenv(name)
        process = forked.start(*command, folder=folder)
    said, _ = process.communicate()
    assert process.returncode == 0, (command, said)
    return said


def test_the_tutorials_commands_lead_to_a_verdict(tmp_path):
    (design,) = blocks("yaml")
    small = design.replace("epochs: 5", "epochs: 1").replace("seeds: 8", "seeds: 3")
    (tmp_path / "dropout.yaml").write_text(small)
    train, plan, run, claims, verify = commands()
    train[train.index("--epochs") + 1] = "1"
    said_by([*train, "--threads", "1"], tmp_path)
    assert "2 configurations × 3 seeds = 6 trials" in said_by(plan, tmp_path)
    assert "done: all 6 trials of the study dropout" in said_by([*run, "--no-report"], tmp_path)
    told = said_by(claims, tmp_path)
    assert all(claim["text"] in told for claim in yaml.safe_load(design)["claims"])
    assert "done already" not in told, "the run of the second step is none of the study's"
    assert parse(verify[1:]).report == "report/dropout", "what a report is, and that it is verified, is test_readme_order's"
