"""What each command of `python -m analysis` does: reads, analyses, shows."""

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path

from analysis import (
    findings,
    others,
    publish,
    query,
    tables,
)
from analysis import (
    gallery as gallery_page,
)
from analysis import (
    report as report_files,
)
from analysis import (
    snapshot as snapshots,
)
from analysis.findings import Findings
from analysis.query import Trials, Wanted
from regstudy import terminal
from regstudy.errors import NothingToAnalyse, UsageError


def rank(arguments: argparse.Namespace, _command: str) -> None:
    """Print the ranking."""
    result = found(arguments)
    tables.show_ranking(result)
    _say_notices(result.trials)


def claims(arguments: argparse.Namespace, _command: str) -> None:
    """Print the verdicts on a study's claims."""
    result = found(arguments)
    if not result.judged:
        raise NothingToAnalyse(_no_claims(result.trials))
    tables.show_verdicts(result)
    _say_notices(result.trials)


def compare(arguments: argparse.Namespace, command: str) -> None:
    """Print a page about two configurations; or rank the runs of any code."""
    if arguments.metric:
        _compare_any(arguments, command)
        return
    trials = _read(arguments)
    first, second = _known(arguments.configurations, trials)
    tables.show_pair(findings.find(trials), first, second, gallery_page.pair_in_words(gallery_page.read(trials), first, second))
    _say_notices(trials)


def gallery(arguments: argparse.Namespace, _command: str) -> None:
    """Write the page of misclassified images."""
    trials = _read(arguments)
    page = Path(arguments.output)
    gallery_page.write(trials, page)
    _say_notices(trials)
    terminal.say(f"gallery: {page.absolute().as_uri()}")


def report(arguments: argparse.Namespace, command: str) -> None:
    """Write the report, and keep it in the store too."""
    result = found(arguments)
    trials, page = result.trials, _write_report(result, Path(arguments.output), command)
    if trials.source.experiment_id is None:
        return
    if trials.study is not None:
        run_id = trials.study.run_id
        publish.attach(page, run_id)
    else:
        run_id = publish.publish(page, trials.source.experiment_id, report_files.headline(result))
    terminal.say(f"also as an artifact of run {run_id} in {trials.source.where}")


def snapshot(arguments: argparse.Namespace, _command: str) -> None:
    """Write a snapshot of the trials."""
    trials = _read(arguments)
    chosen = set(trials.runs["run_id"]) | ({trials.study.run_id} if trials.study else set())
    runs = [run for run in trials.source.runs() if run.run_id in chosen]
    folder = Path(arguments.folder)
    snapshots.write(runs, trials.source, folder)
    size = sum(path.stat().st_size for path in folder.iterdir())
    terminal.say(f"snapshot: {folder}, {terminal.plural(len(trials.runs), 'run')}, {size / 1e6:.1f} MB")
    _say_notices(trials)
    terminal.say(f"report from it: python -m analysis report --from {shlex.quote(arguments.folder)}")


def found(arguments: argparse.Namespace) -> Findings:
    """What a command's options ask to be analysed."""
    return _found_anybodys(arguments) if arguments.command == "compare" else findings.find(_read(arguments))


def _compare_any(arguments: argparse.Namespace, command: str) -> None:
    result = _found_anybodys(arguments)
    if arguments.output:
        _write_report(result, Path(arguments.output), command)
        return
    tables.show_ranking(result)
    _say_notices(result.trials)


def _found_anybodys(arguments: argparse.Namespace) -> Findings:
    others.check_names(tuple(arguments.group_by), "--group-by")
    others.check_names((arguments.block,), "--block")
    asked = others.Asked(
        arguments.metric,
        tuple(arguments.group_by),
        arguments.block,
        arguments.better,
        arguments.margin,
        arguments.last,
        arguments.experiment or None,
    )
    trials, measure, scale = others.read(asked)
    return findings.find_plain(trials, measure, scale, findings.ALPHA)


def _read(arguments: argparse.Namespace) -> Trials:
    wanted = Wanted(
        arguments.experiment or None,
        arguments.dataset or None,
        arguments.study or None,
        arguments.snapshots,
        arguments.where,
        arguments.allow,
    )
    return query.read(wanted)


def _write_report(result: Findings, folder: Path, command: str) -> Path:
    page = report_files.write(result, folder, command)
    terminal.say(f"{report_files.headline(result)}.")
    _say_notices(result.trials)
    terminal.say(f"report: {page.absolute().as_uri()}")
    return page


def _known(names: Sequence[str], trials: Trials) -> list[str]:
    there = list(dict.fromkeys(trials.runs["configuration"]))
    for name in names:
        if name not in there:
            raise UsageError(f"{name!r} is no configuration of these runs: expected one of {', '.join(map(repr, there))}")
    if names[0] == names[1]:
        raise UsageError(f"{names[0]!r} twice: name two configurations")
    return list(names)


def _no_claims(trials: Trials) -> str:
    if trials.study is None:
        return "claims belong to a study: name one with --study"
    return f"the design {trials.study.design.name} makes no claims"


def _say_notices(trials: Trials) -> None:
    for notice in trials.notices:
        terminal.say(f"note: {notice}")
