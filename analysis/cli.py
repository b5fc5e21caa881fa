"""The command line `python -m analysis`. Understands options without importing mlflow or pandas, so that help and errors come at once."""

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from regstudy import terminal
from regstudy.errors import UsageError

if TYPE_CHECKING:
    from analysis.query import Trials

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
    shared.add_argument("--study", metavar="NAME", default="", help="only the trials of this study: its name, or its run's ID")
    shared.add_argument(
        "--from", metavar="DIR", dest="snapshots", action="append", default=[], help="read a snapshot instead; may be repeated"
    )
    report = commands.add_parser(
        "report", parents=[shared], help="write report.html, report.md, ranking.csv and figures", epilog=EPILOG
    )
    report.add_argument("--output", metavar="DIR", default="report", help="folder to write into; default: %(default)s")
    commands.add_parser("rank", parents=[shared], help="print the ranking", epilog=EPILOG)
    snapshot = commands.add_parser(
        "snapshot",
        parents=[shared],
        help="write runs, epochs and predictions as Parquet files, to commit or mail",
        epilog=EPILOG,
    )
    snapshot.add_argument("folder", metavar="DIR", help="folder to write; an earlier snapshot there is replaced")
    return top


def _command(given: list[str]) -> None:
    arguments = parser().parse_args(given)
    if arguments.experiment and arguments.snapshots:
        raise UsageError("--experiment names one of the store's, --from a snapshot: give one of the two")
    {"rank": _rank, "report": _report, "snapshot": _snapshot}[arguments.command](arguments, given)


def _read(arguments: argparse.Namespace) -> "Trials":
    from analysis import query

    return query.read(arguments.experiment or None, arguments.dataset or None, arguments.study or None, arguments.snapshots)


def _rank(arguments: argparse.Namespace, _given: list[str]) -> None:
    from analysis import ranking, tables

    trials = _read(arguments)
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
    from analysis import publish, ranking, report, sheets

    trials = _read(arguments)
    report.remove_old(folder)
    command = shlex.join(["python", "-m", "analysis", *given])
    page = report.write(trials, sheets.draw(trials.source, trials.runs), folder, command)
    headline = report.headline(ranking.rank(trials.runs))
    terminal.say(f"{headline}.")
    _say_notices(trials.notices)
    terminal.say(f"report: {page.absolute().as_uri()}")
    if trials.source.experiment_id is None:
        return
    if trials.study is not None:
        publish.attach(page, trials.study.run_id)
        run_id = trials.study.run_id
    else:
        run_id = publish.publish(page, trials.source.experiment_id, headline)
    terminal.say(f"also as an artifact of run {run_id} in {trials.source.where}")


def _snapshot(arguments: argparse.Namespace, _given: list[str]) -> None:
    from analysis import snapshot

    trials = _read(arguments)
    chosen = set(trials.runs["run_id"]) | ({trials.study.run_id} if trials.study else set())
    runs = [run for run in trials.source.runs() if run.run_id in chosen]
    folder = Path(arguments.folder)
    snapshot.write(runs, trials.source, folder)
    size = sum(path.stat().st_size for path in folder.iterdir())
    terminal.say(f"snapshot: {folder}, {terminal.plural(len(trials.runs), 'run')}, {size / 1e6:.1f} MB")
    _say_notices(trials.notices)
    terminal.say(f"report from it: python -m analysis report --from {shlex.quote(arguments.folder)}")


def _say_notices(notices: Sequence[str]) -> None:
    for notice in notices:
        terminal.say(f"note: {notice}")
