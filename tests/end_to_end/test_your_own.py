"""docs/guides/your-own.md as a new user follows it: its files, its commands, its notebook."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import forked
import pytest
from test_own_data import folder

ROOT = Path(__file__).parent.parent.parent
GUIDE = (ROOT / "docs" / "guides" / "your-own.md").read_text()
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)

pytestmark = pytest.mark.slow


def blocks(language: str) -> list[str]:
    return [text for kind, text in FENCE.findall(GUIDE) if kind == language]


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with the guide's images and files."""
    here = tmp_path_factory.mktemp("user")
    folder(here / "flags", 40, ((32, 24), (40, 48), (28, 28), (64, 50)), noise=120)
    for text in blocks("python"):
        name = re.match(r"# (\w+\.py)\n", text)
        if name:
            (here / name[1]).write_text(text)
    (here / "flags.yaml").write_text(blocks("yaml")[0])
    return here


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if name not in {"REGSTUDY_DATA", "MLFLOW_TRACKING_URI"}}
    return own | {"PYTHONPATH": str(ROOT), "MLFLOW_DISABLE_TELEMETRY": "true"}


def said_by(command: list[str], folder: Path, environment: dict[str, str], status: int = 0) -> str:
    """What a command of a module says, forked: that Python starts it is other tests' affair."""
    module, *options = command
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
        monkeypatch.delenv("REGSTUDY_DATA", raising=False)
        process = forked.start(module, *options, folder=folder, **environment)
    said, _ = process.communicate()
    assert process.returncode == status, (command, said)
    return said


def ran(command: list[str], cwd: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def commands() -> Iterator[list[str]]:
    for text in blocks("sh"):
        yield from (shlex.split(line)[2:] for line in text.splitlines() if line.startswith("python"))


def without_report(command: list[str]) -> list[str]:
    return ["--no-report"] if command[1:3] == ["study", "run"] else []


def test_every_command_works(place, environment):
    """But for the report, which test_tutorial makes; the gallery shows the same images and names."""
    said = [said_by([*command, *without_report(command)], place, environment) for command in commands()]
    assert "120 of 120 images were scaled to 34 × 34 pixels" in said[0]
    assert "done: all 12 trials of the study flags" in said[-2]
    assert "Of 1 claim" in said[-1]
    said_by(["analysis", "gallery", "--study", "flags", "--output", "gallery.html"], place, environment)
    page = (place / "gallery.html").read_text()
    assert "weight decay 0.01 + label smoothing 0.1" in page
    assert re.search(r'aria-label="Test image \d+: (red|green|blue), taken for (red|green|blue)"', page)


def test_it_works_by_mlflow_run(place, environment):
    for line in (line for text in blocks("sh") for line in text.splitlines() if line.startswith("mlflow")):
        command = shlex.split(line.replace("/home/you", str(place)))
        store = {"MLFLOW_TRACKING_URI": f"sqlite:///{place}/mlflow.db"}  # the commands': what they have trained is done
        path = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        done = ran([*command, "--env-manager", "local"], ROOT, environment | store | path)
        assert done.returncode == 0, done.stderr[-2000:]


def test_the_notebook_works(place, environment):
    text = next(text for text in blocks("python") if "import regstudy" in text)
    environment = environment | {"MLFLOW_TRACKING_URI": f"sqlite:///{place}/mlflow.db"}
    done = ran([sys.executable, "-c", f"{text}\nprint(an.rank(trials))\nprint(run)"], place, environment)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "weight decay 0.01" in done.stdout
    assert "network mynet.py:small" in done.stdout


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("--dataset folder:nowhere", "there is no such folder"),
        ("--dataset folder:flags/red", "expected images"),
        ("--dataset folder:flags --network mynet.py:big", "has no 'big'"),
        ("--dataset folder:flags --network wrong.py:net", "expected logits or log-probabilities of shape (2, 3), got (2, 5)"),
        ("--dataset folder:flags --regulariser wrong.py:Nan --strength 1", "expected a penalty that is a finite scalar tensor"),
        ("--dataset folder:broken", "broken/red/cut.png: is no image that can be read"),
    ],
)
def test_what_is_wrong_is_one_line(place, environment, options, told):
    (place / "wrong.py").write_text(
        "import torch\nfrom torch import nn\n\ndef net(shape, classes):\n    return nn.Sequential(nn.Flatten(), nn.LazyLinear(5))\n\n"
        "class Nan:\n    def __init__(self, strength): ...\n    def penalty(self, model): return torch.tensor(float('nan'))\n"
    )
    if not (place / "broken").exists():
        folder(place / "broken", 3)
        (place / "broken" / "red" / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    command = ["regstudy", "train", "--epochs", "1", *options.split()]
    said = said_by(command, place, environment | {"MLFLOW_TRACKING_URI": f"sqlite:///{place}/wrong.db"}, status=2)
    (line,) = [line for line in said.splitlines() if line.startswith("python -m regstudy")]
    assert told in line
    assert "Traceback" not in said
