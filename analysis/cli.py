"""The command line `python -m analysis`. Understands options without importing mlflow or pandas, so that help and errors come at once."""

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from regstudy import terminal
from regstudy.errors import UsageError

PROGRAM = "python -m analysis"
EPILOG = "Reads MLflow's default store and experiment: mlflow.db in this folder, or what MLFLOW_TRACKING_URI and MLFLOW_EXPERIMENT_NAME say."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; give the exit status."""
    given = terminal.dashed(sys.argv[1:] if arguments is None else arguments)
    return terminal.run_command(PROGRAM, lambda: _command(given))


def parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    top = terminal.Parser(prog=PROGRAM, description="Compare the runs that regstudy has tracked.", epilog=EPILOG)
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True, dest="command")
    shared = terminal.Parser(add_help=False)
    shared.add_argument("--experiment", metavar="NAME", default="", help="MLflow experiment; default: MLflow's own")
    shared.add_argument("--dataset", metavar="NAME", default="", help="only the runs on this data set")
    report = commands.add_parser(
        "report", parents=[shared], help="write report.html, report.md, ranking.csv and figures", epilog=EPILOG
    )
    report.add_argument("--output", metavar="DIR", default="report", help="folder to write into; default: %(default)s")
    commands.add_parser("rank", parents=[shared], help="print the ranking", epilog=EPILOG)
    return top


def _command(given: list[str]) -> None:
    arguments = parser().parse_args(given)
    if arguments.command == "rank":
        _rank(arguments)
    else:
        _report(arguments, given)


def _rank(arguments: argparse.Namespace) -> None:
    from analysis import query, ranking, tables

    trials = query.read(arguments.experiment or None, arguments.dataset or None)
    table = ranking.rank(trials.runs)
    tables.show_ranking(table, trials)
    terminal.say(ranking.standing(table))
    _say_notices(trials.notices)


def _report(arguments: argparse.Namespace, given: list[str]) -> None:
    folder = Path(arguments.output)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"--output {arguments.output!r} cannot be made ({error.strerror}): name a folder that can be written"
        ) from None
    from analysis import publish, query, ranking, report, sheets

    trials = query.read(arguments.experiment or None, arguments.dataset or None)
    report.remove_old(folder)
    command = shlex.join(["python", "-m", "analysis", *given])
    page = report.write(trials, sheets.fetch(trials.runs), folder, command)
    table = ranking.rank(trials.runs)
    run_id = publish.publish(page, trials.experiment_id, report.headline(table))
    terminal.say(f"{report.headline(table)}.")
    _say_notices(trials.notices)
    terminal.say(f"report: {page.absolute().as_uri()}")
    terminal.say(f"also as an artifact of run {run_id} in {trials.store}")


def _say_notices(notices: Sequence[str]) -> None:
    for notice in notices:
        terminal.say(f"note: {notice}")
