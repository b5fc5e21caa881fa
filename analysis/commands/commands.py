"""What each command of `python -m analysis` does: reads, analyses, shows."""

import argparse
import os
import shlex
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from regstudy.console import terminal
from regstudy.console.document import Document
from regstudy.design.history import Plan
from regstudy.errors import NothingToAnalyse, TrackingError, UsageError

from ..judging import findings
from ..judging.findings import ALPHA, Findings
from ..reading import comparability, errors, foreign, query
from ..reading.anybody import claims_file, points, values
from ..reading.anybody.asked import Asked
from ..reading.query import Wanted
from ..reading.records import snapshot as snapshots
from ..reading.records import stores
from ..reading.records.record import FINISHED, STATUSES, Records
from ..reading.trials import Trials
from ..reports import formats, note
from ..reports.formats import Contents
from ..showing import gallery as gallery_page
from ..showing import terminal_tables
from ..showing.words import opening
from . import documents, next_steps

MOST = 20
"""Configurations that a message names."""

NOT_PAIRED = ("none",)
"""What --block says where nothing pairs runs."""


def rank(arguments: argparse.Namespace, _command: str) -> Document | None:
    """Print the ranking."""
    result = found(arguments)
    shown = (result, *result.beside)
    if arguments.json:
        return documents.rankings(shown)
    for one in shown:
        terminal_tables.show_ranking(one)
    _say_notices(result.trials)
    if result.judged:
        terminal.say_next(next_steps.same_runs("claims", arguments))
    elif len(result.table) > 1:
        names = [str(name) for name in result.table["configuration"].head(2)]
        terminal.say_next(next_steps.same_runs("compare", arguments, *names))
    return None


def claims(arguments: argparse.Namespace, _command: str) -> Document | None:
    """Print the verdicts on a study's claims."""
    result = found(arguments)
    if not result.judged:
        raise NothingToAnalyse(no_claims(result.trials))
    if arguments.json:
        return documents.verdicts(result)
    terminal_tables.show_verdicts(result)
    _say_notices(result.trials)
    terminal.say_next(next_steps.same_runs("report", arguments))
    return None


def decided(arguments: argparse.Namespace, _command: str) -> Document:
    """What is decided and what is open, and the configurations, by digest, that further seeds may decide it with."""
    result = found(arguments)
    return {**documents.decision(result), "notices": list(result.trials.notices)}


def compare(arguments: argparse.Namespace, command: str) -> Document | None:
    """Print a page about two configurations; or rank the runs of any code."""
    if arguments.metric:
        return _compare_any(arguments, command)
    result = found_for_two(arguments)
    trials = result.trials
    first, second = known(arguments.configurations, trials)
    wrong = errors.read(trials)
    images = gallery_page.pair_in_words(wrong, first, second)
    if arguments.json:
        return documents.compared(result, first, second, gallery_page.between(wrong, first, second), images)
    terminal_tables.show_pair(result, first, second, images)
    _say_notices(trials)
    if not wrong.rows.empty:
        terminal.say_next(next_steps.same_runs("gallery", arguments))
    return None


def gallery(arguments: argparse.Namespace, _command: str) -> Document | None:
    """Write the page of misclassified images."""
    trials = read(arguments)
    page = Path(arguments.output)
    gallery_page.write(trials, page)
    if arguments.json:
        return {"gallery": str(page.absolute()), "runs": len(trials.runs), "notices": list(trials.notices)}
    _say_notices(trials)
    terminal.say(f"gallery: {page.absolute().as_uri()}")
    return None


def report(arguments: argparse.Namespace, command: str) -> Document | None:
    """Write the report; keep it in the store too where that is the study's own, where it is asked to, and under `mlflow run`."""
    asked = arguments.publish or not arguments.output
    if arguments.publish:
        from ..reports import publish

        publish.require_current()
    result = found(arguments)
    with _place(arguments.output) as folder:
        page = _write_report(result, folder, command, Contents.of(arguments), there_to_stay=bool(arguments.output))
        keep(page, result, asked=asked)
    if arguments.json:
        return _written(result, page if arguments.output else None)
    if arguments.output:
        terminal.say_next(next_steps.verify(arguments.output))
    return None


def _written(result: Findings, page: Path | None) -> Document:
    where = str(page.absolute()) if page else None
    return {"report": where, "headline": opening.headline(result), "notices": list(result.trials.notices)}


def snapshot(arguments: argparse.Namespace, _command: str) -> Document | None:
    """Write a snapshot of the trials."""
    trials = read(arguments)
    chosen = {run_id for own in (trials, *trials.beside) for run_id in own.runs["run_id"]} | (
        {trials.study.run_id} if trials.study else set()
    )
    runs = [run for run in trials.source.runs() if run.run_id in chosen]
    folder = Path(arguments.folder)
    snapshots.write(runs, trials.source, folder)
    size = sum(path.stat().st_size for path in folder.iterdir())
    if arguments.json:
        return {"snapshot": str(folder), "runs": len(trials.runs), "bytes": size, "notices": list(trials.notices)}
    terminal.say(f"snapshot: {folder}, {terminal.plural(len(trials.runs), 'run')}, {size / 1e6:.1f} MB")
    _say_notices(trials)
    terminal.say_next(next_steps.report_from(arguments.folder, arguments.study))
    return None


def source(arguments: argparse.Namespace) -> Records:
    """The store or snapshots that a command's options name."""
    anybodys = getattr(arguments, "metric", "") or getattr(arguments, "claims_file", "")
    if anybodys or len(arguments.experiments) > 1:
        return stores.of_anybody(arguments.experiments, arguments.snapshots if anybodys else ())
    return query.open_source(_wanted(arguments))


def found(arguments: argparse.Namespace, source: Records | None = None) -> Findings:
    """What a command's options ask to be analysed, of this source or the one that they name."""
    trials = read(arguments, source)
    # A file per run: only a report has room for what they tell.
    return with_images(trials) if arguments.command == "report" else findings.find(trials)


def with_images(trials: Trials) -> Findings:
    """What the trials say, and of which images; of the study's other data sets, too."""
    return findings.find(trials, errors.read(trials), [errors.read(other) for other in trials.beside])


def found_for_two(arguments: argparse.Namespace) -> Findings:
    """The same where two configurations are to be compared: on the seeds that they share, whatever a third one lacks."""
    result = found(argparse.Namespace(**{**vars(arguments), "allow": [*arguments.allow, comparability.SEEDS]}))
    trials = result.trials
    if not trials.beside:
        return result
    others = ", ".join(f"--dataset {shlex.quote(own.dataset)}" for own in trials.beside)
    told = f"compared on {trials.dataset} alone, one of the study's data sets; the same on the others: {others}"
    return replace(result, trials=replace(trials, notices=(*trials.notices, told)))


@contextmanager
def _place(output: str) -> Iterator[Path]:
    """The folder to write into, if only until the report is uploaded."""
    if output:
        yield Path(output)
        return
    with tempfile.TemporaryDirectory() as scratch:
        yield Path(scratch)


def keep(page: Path, result: Findings, *, asked: bool) -> None:
    """Keep a written report in the store: with the study that it is of, the run that `mlflow run` made, or, if asked, by itself."""
    trials, adopted = result.trials, os.environ.get("MLFLOW_RUN_ID")
    experiment_id, headline = trials.source.experiment_id, opening.headline(result)
    if experiment_id is None and not adopted:
        return
    from ..reports import publish  # imported here: it loads MLflow, which a report from a snapshot needs nowhere else

    if adopted:
        publish.adopt(page, adopted, headline)
        terminal.say(f"report: report/report.html among the artifacts of run {adopted}, the one that mlflow run made")
    if experiment_id is None:
        return
    if trials.study is not None and trials.study.run_id:
        _attach(page, trials.study.run_id, note.of_study(result), asked=asked)
    elif asked and not adopted:
        run_id = publish.publish(page, experiment_id, headline)
        terminal.say(f"report: report/report.html among the artifacts of run {run_id} in {trials.source.where}")


def _attach(page: Path, run_id: str, described: str, *, asked: bool) -> None:
    """Keep a study's report with the study; where nobody asked for it, it is no error that it cannot be."""
    from ..reports import publish

    try:
        publish.require_current()
        publish.attach(page, run_id, described)
    except TrackingError as error:
        if asked:
            raise
        terminal.say(f"note: not attached to the study's run {run_id}: {error}")
        return
    terminal.say(f"report: report/report.html among the artifacts of the study's run {run_id}")


def _compare_any(arguments: argparse.Namespace, command: str) -> Document | None:
    """By each metric that is named; all share α."""
    if arguments.output and len(arguments.metrics) > 1:
        raise UsageError(
            f"--output {arguments.output}: a report is by one metric: name one --metric, or several without --output"
        )
    held = source(arguments)
    results = [found(_by(arguments, metric), held) for metric in arguments.metrics]
    if arguments.output:
        page = _write_report(results[0], Path(arguments.output), command, Contents.of(arguments), there_to_stay=True)
        if arguments.json:
            return _written(results[0], page)
        terminal.say_next(next_steps.verify(arguments.output))
        return None
    if arguments.json:
        return documents.rankings(results)
    for result in results:
        terminal_tables.show_ranking(result)
        _say_notices(result.trials)
    if len(results) > 1:
        terminal.say(f"note: {len(results)} metrics share α = {ALPHA:g}: each is ranked at {results[0].alpha:g}")
    terminal.say_next(next_steps.report_of_first(command, arguments.metrics))
    return None


def _by(arguments: argparse.Namespace, metric: str) -> argparse.Namespace:
    return argparse.Namespace(**{**vars(arguments), "metric": metric})


def _read_anybodys(arguments: argparse.Namespace, source: Records | None) -> Trials:
    blocks = tuple(arguments.block)
    values.check_names(arguments.group_by, "--group-by")
    values.check_names([] if blocks == NOT_PAIRED else blocks, "--block")
    points.check_value(arguments.value)
    for status in arguments.status:
        if status not in STATUSES:
            raise UsageError(f"--status {status!r}: expected one of {', '.join(STATUSES)}")
    asked = Asked(
        claims_file.column(arguments.metric),
        tuple(arguments.group_by),
        () if blocks == NOT_PAIRED else blocks or None,
        arguments.better,
        arguments.margin,
        arguments.last,
        tuple(arguments.experiments),
        planned(arguments.planned),
        value=arguments.value,
        statuses=statuses(arguments),
        where=tuple(arguments.where),
        files=tuple(arguments.snapshots),
    )
    trials = foreign.read(asked, source)
    return replace(trials, alpha=ALPHA / len(arguments.metrics)) if len(arguments.metrics) > 1 else trials


def statuses(arguments: argparse.Namespace) -> tuple[str, ...]:
    """Of the runs of any code that count."""
    return tuple(dict.fromkeys([FINISHED, *getattr(arguments, "status", [])]))


def _read_asserted(arguments: argparse.Namespace, source: Records | None) -> Trials:
    file = claims_file.load(arguments.claims_file)
    plan = planned(file.planned if arguments.planned is None else arguments.planned)
    which = {"experiments": arguments.experiments, "where": arguments.where, "files": arguments.snapshots}
    return foreign.read(Asked.by(file, plan, **{name: tuple(given) for name, given in which.items()}), source)


def read(arguments: argparse.Namespace, source: Records | None = None) -> Trials:
    """The trials that a command's options ask for, regstudy's or, with --metric, anybody's."""
    if arguments.command == "compare" and arguments.metric:
        return _read_anybodys(arguments, source)
    if getattr(arguments, "claims_file", ""):
        return _read_asserted(arguments, source)
    return query.read(_wanted(arguments), source)


def _wanted(arguments: argparse.Namespace) -> Wanted:
    return Wanted(
        arguments.experiment or None,
        arguments.dataset or None,
        arguments.study or None,
        arguments.snapshots,
        arguments.where,
        arguments.allow,
        planned(arguments.planned),
    )


def planned(number: int | None) -> Plan | None:
    """What the user says that was fixed beforehand, 0 being nothing; None if they say nothing."""
    return None if number is None else Plan(number or None, sequential=number == 0)


def write(result: Findings, folder: Path, command: str, asked: Contents) -> Path:
    """Write a report's files; the path of its page."""
    from ..reports import report

    told = documents.report(result) if formats.JSON in asked.formats else None
    return report.write(result, folder, command, asked, told)


def _write_report(result: Findings, folder: Path, command: str, asked: Contents, *, there_to_stay: bool) -> Path:
    page = write(result, folder, command, asked)
    terminal.say(f"{opening.headline(result)}.")
    _say_notices(result.trials)
    if there_to_stay:
        terminal.say(f"report: {page.absolute().as_uri()}")
    return page


def known(names: Sequence[str], trials: Trials) -> list[str]:
    """Two configurations of these trials; UsageError names one that is none."""
    there = list(dict.fromkeys(trials.runs["configuration"]))
    for name in names:
        if name not in there:
            raise UsageError(
                f"{name!r} is no configuration of these runs: expected one of {values.listed(list(map(repr, there)), MOST)}"
            )
    if names[0] == names[1]:
        raise UsageError(f"{names[0]!r} twice: name two configurations")
    return list(names)


def no_claims(trials: Trials) -> str:
    """Why there is nothing to judge."""
    if trials.study is None:
        return "claims belong to a study: name one with --study; or give a file of them, about runs of any code, with --design"
    return f"the design {trials.study.design.name} makes no claims"


def _say_notices(trials: Trials) -> None:
    for notice in trials.notices:
        terminal.say(f"note: {notice}")
