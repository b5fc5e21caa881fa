"""How the user's shell calls these programs: what the commands that we print begin with, so that they work where they are pasted.

Everywhere else such commands are written `python -m regstudy …` or `python -m analysis …`. Asks only the environment, opens no store.
"""

import os
import re
import shlex
import shutil
import sys
from pathlib import Path
from urllib.parse import quote

CALL = "REGSTUDY_CALL"
"""Environment variable: what stands for `python` in printed commands. Processes that we start inherit it."""

PYTHON = re.compile(r"(?<![\w/.-])python(?= -m (?:regstudy|analysis) )")
MODULE = re.compile(r"(?<![\w/.-])python -m (?:regstudy|analysis)(?= )")
INSTALLED = "regstudy"
"""The command that a wheel brings."""

PROJECT = Path(__file__).parent.parent.parent
DEFAULT_EXPERIMENT = "0"
OWN_SERVER = "http://127.0.0.1:5000"
"""Where `mlflow ui` answers."""


def remember() -> None:
    """Find out how this process was called, unless its parent has: MLflow consumes the variables that tell."""
    os.environ.setdefault(CALL, _call())


def pasteable(line: str) -> str:
    """A line whose commands work in the user's folder and shell."""
    if _is_installed_command():
        return MODULE.sub(lambda _: _remembered(), line)
    return PYTHON.sub(lambda _: _remembered(), line)


def path(text: str) -> str:
    """A path for a printed command: under `mlflow run` from another folder, relative ones are the project's, not the user's."""
    return str(Path(text).absolute()) if _from_elsewhere() and Path(text).exists() else text


def training_runs(address: str, experiment_id: str) -> str:
    """Where MLflow shows an experiment's training runs; of a store that is no server, what starts one, and the page there.

    MLflow itself opens an experiment on a page about generative AI, on which no training run is.
    """
    page = f"/#/experiments/{quote(experiment_id, safe='')}/runs?workflowType=machine_learning"
    if address.startswith("http"):
        return address.rstrip("/") + page
    return f"{ui(address)}, then {OWN_SERVER}{page}"


def ui(address: str) -> str:
    """The command that opens MLflow's UI on a database."""
    python = _python() if _is_installed_command() else next(word for word in shlex.split(_remembered()) if "=" not in word)
    command = "mlflow ui" if python == "python" else f"{shlex.quote(python)} -m mlflow ui"
    if not _from_elsewhere() and address == _default_store(Path.cwd()):
        return command
    # Of the variables that MLflow itself reads, `mlflow ui` leaves this one out.
    there = '"$MLFLOW_TRACKING_URI"' if _may_be_secret(address) else shlex.quote(address)
    return f"{command} --backend-store-uri {there}"


def _analysis() -> str:
    """The module's name: in a wheel it is part of this package."""
    return "regstudy.analysis" if (Path(__file__).parent.parent / "analysis").is_dir() else "analysis"


def reading(*words: str) -> list[str]:
    """A command of the package that reads, for a process of its own: the store is all that the two packages share."""
    alone = ["-P"] if sys.flags.safe_path else []
    return [sys.executable, *alone, "-m", _analysis(), *words]


def _is_installed_command() -> bool:
    return Path(shlex.split(_remembered())[-1]).stem == INSTALLED


def _remembered() -> str:
    return os.environ.get(CALL, "python")


def _from_elsewhere() -> bool:
    return "PYTHONPATH=" in _remembered()


def _call() -> str:
    """With all that `mlflow run` has set and the user's shell has not, and nothing of a folder of the user's that is named as we are."""
    if "MLFLOW_RUN_ID" not in os.environ:
        return _command() if Path(sys.argv[0]).stem == INSTALLED else _python()
    address, python = os.environ.get("MLFLOW_TRACKING_URI", ""), _python()
    variables: dict[str, str] = {}
    if address != _default_store(PROJECT):
        python += " -P"
        variables["PYTHONPATH"] = str(PROJECT)
        variables |= {} if _may_be_secret(address) else {"MLFLOW_TRACKING_URI": address}
    experiment = os.environ.get("MLFLOW_EXPERIMENT_ID", DEFAULT_EXPERIMENT)
    if experiment != DEFAULT_EXPERIMENT and "MLFLOW_EXPERIMENT_NAME" not in os.environ:
        variables["MLFLOW_EXPERIMENT_ID"] = experiment
    return " ".join([*(f"{name}={shlex.quote(value)}" for name, value in variables.items()), python])


def _command() -> str:
    """`regstudy` where the user's shell means this one by it, else its path."""
    own, found = Path(sys.argv[0]).absolute(), shutil.which(INSTALLED)
    return INSTALLED if found is not None and own.exists() and Path(found).samefile(own) else shlex.quote(str(own))


def _python() -> str:
    """`python` where the user's shell means this one by it, else its path."""
    own, found = Path(sys.executable), shutil.which("python")
    ours = found is not None and Path(found).parent.samefile(own.parent) and Path(found).samefile(own)
    return "python" if ours and not _is_mlflows_own(own) else shlex.quote(str(own))


def _is_mlflows_own(python: Path) -> bool:
    """Whether `mlflow run` has made the environment, which it activates for its child alone."""
    return python.is_relative_to(Path(os.environ.get("MLFLOW_ENV_ROOT", "~/.mlflow/envs")).expanduser())


def _default_store(folder: Path) -> str:
    """As MLflow spells it."""
    from urllib.request import pathname2url  # loads HTTP, which no start needs

    return f"sqlite:///{pathname2url(str(folder))}/mlflow.db"


def _may_be_secret(address: str) -> bool:
    """`mlflow run` takes such an address from the shell's own MLFLOW_TRACKING_URI, which is there again for the next command."""
    return not address or "@" in address or "?" in address
