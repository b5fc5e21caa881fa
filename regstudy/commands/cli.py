"""The command line `python -m regstudy`. Understands options without importing torch or mlflow, so that help and errors come at once."""

import argparse
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from regstudy.console import document, signals, terminal
from regstudy.errors import RegstudyError, UsageError
from regstudy.schema import Summary

if TYPE_CHECKING:
    from regstudy.config import RunConfig
    from regstudy.run.trial import Tell

PROGRAM = "python -m regstudy"
ABOUT = "Train regularisation configurations as MLflow runs, one by one or as a study."
OF_TRAINING = {"torch", "torchvision", "safetensors", "mlxtend", "optuna", "pebble"}
"""What `pip install regstudy` leaves out, which is enough to read and judge."""

SEARCH_EPILOG = (
    "How to write the file: docs/guides/search.md. Store and experiment: MLflow's own defaults and MLFLOW_* variables."
)
STUDY_EPILOG = "Shipped designs, and how to write one: docs/guides/studies.md. Store and experiment: MLflow's own defaults and MLFLOW_* variables."
EPILOG = "Recipes and every option: docs/guides/configuration.md. Store and experiment: MLflow's own defaults and MLFLOW_* variables."


def main(arguments: Sequence[str] | None = None, program: str = PROGRAM) -> int:
    """Run a command; give the exit status. `program` is what the user calls it by."""
    given = terminal.dashed(sys.argv[1:] if arguments is None else arguments)
    return terminal.run_command(program, lambda: _command(given, program))


def parser(program: str = PROGRAM) -> argparse.ArgumentParser:
    """The parser of all commands."""
    top = terminal.Parser(prog=program, description=ABOUT)
    add_commands(top.add_subparsers(title="commands", metavar="COMMAND", required=True, dest="command"))
    return top


def add_commands(commands: "argparse._SubParsersAction[terminal.Parser]") -> None:
    """Add the commands that train."""
    commands.add_parser(
        "train", help="train one configuration", description="Train one configuration.", epilog=EPILOG, fill=_add_training
    )
    resume = commands.add_parser("resume", help="continue a run that was stopped", epilog=EPILOG)
    resume.add_argument("run_id", metavar="RUN_ID", help="the MLflow run's ID")
    document.add_option(resume)
    _add_study(commands.add_parser("study", help="plan and run a study: many configurations, many seeds"))
    _add_search(
        commands.add_parser(
            "search",
            help="search for a configuration on held-out images, and write the study that confirms it",
            description="Search for a configuration on held-out training images, then write the design of a study with fresh seeds that confirms it, or does not.",
            epilog=SEARCH_EPILOG,
        )
    )


def _add_training(train: argparse.ArgumentParser) -> None:
    """The options of `train`, made from RunConfig: pydantic, which checks it, takes half of the time of the other commands' help."""
    from regstudy.config import FILLED_IN, RunConfig, expected

    for name, field in RunConfig.model_fields.items():
        if name in FILLED_IN:
            continue
        default = "" if field.default is None or field.default == "" else f"; default: {field.default}"
        train.add_argument(
            "--" + name.replace("_", "-"),
            dest=name,
            metavar=name.upper(),
            default=argparse.SUPPRESS,
            help=f"{field.description}; {expected(name)}{default}".replace("%", "%%"),
        )
    document.add_option(train)
    _add_system_metrics(train)


def _add_system_metrics(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--system-metrics",
        action="store_true",
        help="log how busy the machine is meanwhile, as MLflow's system metrics; changes no number",
    )


def _add_search(search: argparse.ArgumentParser) -> None:
    search.add_argument("file", metavar="FILE", help="path of a YAML file: what is searched, and where")
    search.add_argument("--trials", default="", metavar="N", help="configurations to try; default: 30")
    search.add_argument("--epochs", default="", metavar="N", help="epochs per run; default: the file's")
    search.add_argument("--dataset", default="", metavar="NAME", help="data set; default: the file's, or the best there is")
    search.add_argument(
        "--data-root", default="", metavar="DIR", help="folder with the data sets (REGSTUDY_DATA goes before it)"
    )
    search.add_argument("--threads", default="", metavar="N", help="cores per run; default: all")
    search.add_argument(
        "--output", default="", metavar="FILE", help="the confirming design; default: NAME-confirm.yaml beside the file"
    )
    document.add_option(search)


def configuration(given: argparse.Namespace) -> "RunConfig":
    """The configuration that the options of `train` describe."""
    from regstudy.config import RunConfig

    return RunConfig.from_text({name: text for name, text in vars(given).items() if name in RunConfig.model_fields})


def _add_study(study: argparse.ArgumentParser) -> None:
    actions = study.add_subparsers(title="what to do", metavar="ACTION", required=True, dest="action")
    about = {
        "plan": "say what would run, what is done already, and how long it will take",
        "run": "run what is missing, and make the report",
        "status": "say what is done, running, failed, stale and missing",
        "schema": "print the JSON schema of design files",
    }
    for name, text in about.items():
        action = actions.add_parser(name, help=text, description=text.capitalize() + ".", epilog=STUDY_EPILOG)
        if name == "schema":
            continue
        document.add_option(action)
        action.add_argument("design", metavar="DESIGN", help="name of a shipped design, or the path of a YAML file")
        action.add_argument(
            "--seeds", default="", metavar="N or A,B,…", help="number of seeds, or a list; default: the design's"
        )
        action.add_argument("--epochs", default="", metavar="N", help="epochs per trial; default: the design's")
        action.add_argument(
            "--dataset", default="", metavar="NAME", help="data set; default: the design's, or the best there is"
        )
        action.add_argument(
            "--data-root", default="", metavar="DIR", help="folder with the data sets (REGSTUDY_DATA goes before it)"
        )
        action.add_argument(
            "--set",
            action="append",
            default=[],
            metavar="FIELD=VALUE",
            help="a value that the design leaves open; may be repeated",
        )
        if name != "status":
            action.add_argument("--jobs", default="", metavar="N", help="trials at a time; default: as many as there are cores")
            action.add_argument("--threads", default="", metavar="N", help="cores per trial; default: what the jobs leave each")
        if name == "plan":
            action.add_argument(
                "--sd",
                default="",
                metavar="SD",
                help="standard deviation of a difference between two configurations; default: from the runs so far",
            )
        if name == "run":
            action.add_argument(
                "--executor", default="", metavar="WHERE", help="here, processes or ray; default: as the jobs need"
            )
            action.add_argument(
                "--address", default="", metavar="ADDRESS", help="of a Ray cluster; default: Ray on this machine"
            )
            action.add_argument("--gpus", default="", metavar="N", help="GPUs per trial on Ray, a fraction if they are shared")
            action.add_argument("--device", default="auto", metavar="NAME", help="auto, cpu, cuda or mps; default: auto")
            action.add_argument(
                "--until",
                default="",
                metavar="decided",
                help="block by block, and look after each, until every claim has a verdict; instead of --seeds",
            )
            action.add_argument(
                "--max-seeds", default="", metavar="N", help="with --until: seeds at which it ends; default: 60"
            )
            action.add_argument(
                "--budget", default="", metavar="TIME", help="with --until: 90m, 2h or 1d after which no block begins"
            )
            _add_system_metrics(action)
            action.add_argument("--no-report", action="store_true", help="make no report at the end, only say by what command")


def _command(arguments: list[str], program: str) -> None:
    # The same signal again ends the process at once.
    signals.interrupt_on((signal.SIGINT, signal.SIGTERM), lambda again: os._exit(128 + again))
    try:
        given = parser(program).parse_args(arguments)
        if given.command != "study" or given.action == "run":
            terminal.go_on_unheard()
        if given.command == "train":
            config = configuration(given)
            _one_run(given, lambda tell: train(config, tell, system_metrics=given.system_metrics))
        elif given.command == "resume":
            from regstudy.run.trial import resume

            _one_run(given, lambda tell: resume(given.run_id, tell))
        elif given.command == "search":
            from regstudy.commands import search_cli

            search_cli.command(given)
        else:
            from regstudy.commands import study_cli

            study_cli.command(given)
    except ModuleNotFoundError as error:
        if error.name not in OF_TRAINING:
            raise
        raise UsageError(f"training needs {error.name}, which is not installed: pip install 'regstudy[train]'") from None
    except RegstudyError as error:
        if os.environ.get("MLFLOW_RUN_ID"):
            from regstudy.tracking import adopted

            adopted.fail(str(error))
        raise


def _one_run(given: argparse.Namespace, work: "Callable[[Tell | None], str]") -> None:
    """Train, and say how it ended or, if that is asked for, give it as JSON: from memory, the store may be away by then."""
    ends: list[document.Document] = []

    def keep(run_id: str, config: "RunConfig", values: Mapping[str, float]) -> None:
        diverged = Summary.ENDPOINT_TEST_ACCURACY not in values
        ends.append(
            {"run_id": run_id, "diverged": diverged, "configuration": config.model_dump(mode="json"), "metrics": dict(values)}
        )

    with document.alone(given.json):
        work(keep if given.json else None)
    for end in ends:
        document.give({**end, "notices": []})


def train(config: "RunConfig", tell: "Tell | None" = None, *, system_metrics: bool = False) -> str:
    """Train a configuration as one MLflow run; its ID. `tell` is told how it ended, else that is said."""
    # Imported here: what reads images, torch and mlflow cost seconds, which help and errors need not wait for.
    from regstudy.data import finding

    source = finding.find(config)
    from regstudy.machine import cores

    with cores.at_work() as share:
        from regstudy.run.trial import run

        return run(config, source, share, tell, system_metrics=system_metrics)
