"""The command line `python -m regstudy`. Understands options without importing torch or mlflow, so that help and errors come at once."""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

from regstudy import data_files, terminal
from regstudy.config import RunConfig, expected
from regstudy.errors import RegstudyError

PROGRAM = "python -m regstudy"
EPILOG = "Recipes and every option: docs/guides/configuration.md. Store and experiment: MLflow's own defaults and MLFLOW_* variables."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; give the exit status."""
    given = terminal.dashed(sys.argv[1:] if arguments is None else arguments)
    return terminal.run_command(PROGRAM, lambda: _command(given))


def parser() -> argparse.ArgumentParser:
    """The parser, its training options made from RunConfig."""
    top = terminal.Parser(prog=PROGRAM, description="Train one regularisation configuration as one MLflow run.")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    train = commands.add_parser("train", help="train one configuration", description="Train one configuration.", epilog=EPILOG)
    for name, field in RunConfig.model_fields.items():
        default = "" if field.default is None else f"; default: {field.default}"
        train.add_argument(
            "--" + name.replace("_", "-"),
            dest=name,
            metavar=name.upper(),
            default=argparse.SUPPRESS,
            help=f"{field.description}; {expected(name)}{default}".replace("%", "%%"),
        )
    return top


def _command(arguments: list[str]) -> None:
    _stop_on_signals()
    try:
        config = RunConfig.from_text(vars(parser().parse_args(arguments)))
        source = data_files.locate(config.dataset, config.data_root)
        # Imported here: torch and mlflow cost seconds, which help and errors need not wait for.
        from regstudy import cores

        with cores.at_work() as share:
            from regstudy.run import run

            run(config, source, share)
    except RegstudyError as error:
        if os.environ.get("MLFLOW_RUN_ID"):
            from regstudy import tracking

            tracking.fail_adopted_run(str(error))
        raise


def _stop_on_signals() -> None:
    """Turn SIGINT and SIGTERM into an exception, so that the run is ended KILLED on the way out."""

    def stop(signal_number: int, _frame: FrameType | None) -> NoReturn:
        raise terminal.Interrupted(signal_number)

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
