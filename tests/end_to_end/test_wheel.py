"""The wheel in an environment of its own, without torch: one package, one command, which reads, judges and reports."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from test_terminal import C_LOCALE

pytestmark = pytest.mark.slow

SNAPSHOT = ROOT / "results" / "published" / "blocks-0-1"


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The folder of an environment's programs."""
    folder = tmp_path_factory.mktemp("wheel")
    # Of a copy: a build leaves folders beside what it builds, and other tests watch what is written into the project.
    left_out = shutil.ignore_patterns(".*", "__pycache__", "build", "*.egg-info", "mlruns", "results", "tests")
    copy = shutil.copytree(ROOT, folder / "project", ignore=left_out)
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(copy)], check=True, capture_output=True
    )
    # Neither a pip of its own nor all that is installed compiled: a third of the time.
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "env")], check=True)
    programs = folder / "env" / "bin"
    (wheel,) = folder.glob("*.whl")
    pip = [sys.executable, "-m", "pip", "--python", str(programs / "python"), "install", "--no-compile", "--quiet"]
    pip += ["--disable-pip-version-check", "-c", str(ROOT / "constraints.txt"), str(wheel)]
    subprocess.run(pip, check=True, capture_output=True)
    return programs


def called(installed: Path, folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "REGSTUDY_", "PYTHON"))}
    environment |= {"PATH": f"{installed}:/usr/bin:/bin", **variables}
    return subprocess.run(
        [str(installed / words[0]), *words[1:]], cwd=folder, env=environment, text=True, capture_output=True, check=False
    )


def test_a_report_is_made_from_a_snapshot_without_torch_in_a_c_locale(installed, tmp_path):
    """Nor do its names have to be ASCII."""
    here = tmp_path / "Müller−☃"
    here.mkdir()
    absent = "import importlib.util as u; print([n for n in ('torch', 'torchvision', 'mlxtend', 'analysis') if u.find_spec(n)])"
    assert called(installed, tmp_path, "python", "-c", absent).stdout == "[]\n"
    asked = ["regstudy", "report", "--from", str(SNAPSHOT), "--study", "published", "--output", "bericht−ö"]
    made = called(installed, here, *asked, **C_LOCALE)
    assert made.returncode == 0, made.stderr
    assert (here / "bericht−ö" / "report.html").is_file()
    checked = called(installed, here, "regstudy", "verify", "bericht−ö", **C_LOCALE)
    assert checked.returncode == 0, checked.stderr
    ranked = called(installed, tmp_path, "python", "-m", "regstudy.analysis", "rank", "--from", str(SNAPSHOT))
    assert "test accuracy" in ranked.stdout, ranked.stderr
    face = "import regstudy.analysis as an, sys; print(an.rank(an.read('published', snapshots=[sys.argv[1]])))"
    assert (
        "Two seeds for each configuration allow no conclusion"
        in called(installed, tmp_path, "python", "-c", face, str(SNAPSHOT)).stdout
    )


def test_one_command_has_the_commands_of_both_packages(installed, tmp_path):
    told = called(installed, tmp_path, "regstudy", "--help").stdout
    commands = re.findall(r"^    ([a-z]+) ", told, re.M)
    reading = [
        "rank",
        "claims",
        "decided",
        "power",
        "compare",
        "gallery",
        "report",
        "gate",
        "verify",
        "promote",
        "snapshot",
        "mcp",
    ]
    assert commands == ["train", "resume", "study", "search", *reading]
    planned = called(installed, tmp_path, "regstudy", "study", "schema")
    assert planned.stdout.startswith("{"), planned.stderr
    wrong = called(installed, tmp_path, "regstudy", "rank", "--nothing")
    assert (wrong.returncode, wrong.stderr) == (
        2,
        "regstudy: error: unrecognized arguments: --nothing; 'regstudy --help' lists what is understood\n",
    )


def test_training_without_torch_says_what_to_install(installed, tmp_path):
    asked = called(installed, tmp_path, "regstudy", "train", "--dataset", "mnist-5k")
    assert asked.returncode == 2
    assert re.fullmatch(r"regstudy: error: .*pip install 'regstudy\[train\]'\n", asked.stderr), asked.stderr
    assert not list(tmp_path.iterdir()), "nothing half-made"


def test_printed_commands_are_the_installed_one(installed, tmp_path):
    taken = called(installed, tmp_path, "regstudy", "rank")
    assert "first run, in this folder, regstudy train --l1 0.001" in taken.stderr, taken.stderr


@pytest.mark.parametrize(
    ("line", "words"),
    [("regstudy re", {"resume", "report"}), ("regstudy train --l1", {"--l1", "--l1-kind", "--l1-scope"})],
)
def test_shells_complete_it(installed, tmp_path, line, words):
    asked = {
        "_ARGCOMPLETE": "1",
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
        "_ARGCOMPLETE_STDOUT_FILENAME": str(tmp_path / "words"),
    }
    called(installed, tmp_path, "regstudy", **asked)
    assert {word.strip() for word in re.split("[\v\x0b]", (tmp_path / "words").read_text())} == words
