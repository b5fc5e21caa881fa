"""What there is to compare in anybody's runs, where nobody says what: metrics, parameters that vary, what looks like a seed; and the most sensible commands."""

import argparse
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from regstudy.console.document import Document
from regstudy.console.screen import Table
from regstudy.console.terminal import plural, say, say_command
from regstudy.errors import NothingToAnalyse, UsageError

from ..reading import foreign
from ..reading.anybody import refused, values
from ..reading.anybody.asked import SEED
from ..reading.anybody.directions import direction
from ..reading.anybody.odd import PARENT
from ..reading.records import stores
from ..reading.records.record import FINISHED, Record
from . import commands

MOST = 12
"""Metrics and parameters that are listed."""

THEIRS = ("mlflow.", "regstudy.")
"""What begins tags that say nothing of a configuration."""

SHOWN = 4
"""Values that are shown of a parameter."""

JUDGED = ("test", "val", "valid", "validation", "eval", "holdout")
"""Words of metrics that were measured on what was not trained on."""


@dataclass(frozen=True)
class Parameter:
    """A parameter that varies: its values, in order; how many runs have it; whether its name is a block's."""

    name: str
    values: tuple[str, ...]
    runs: int
    pairs: bool


@dataclass(frozen=True)
class Question:
    """What can be asked of runs: a metric, and which way is better if its name says; what makes a configuration; what pairs runs, if anything does."""

    metric: str
    better: str
    group_by: str
    block: tuple[str, ...]


def choices(arguments: argparse.Namespace, _command: str) -> Document | None:
    """Print them."""
    source = stores.of_anybody(arguments.experiments, arguments.snapshots)
    everything = source.runs()
    runs = finished(everything, commands.statuses(arguments))
    metrics = metrics_of(runs)
    if not metrics:
        raise NothingToAnalyse(
            f"experiment {source.experiment!r} of {source.where} has no finished run with metrics{refused.only(_others(everything, runs)) or stores.elsewhere(source)}"
        )
    parameters = parameters_of(runs)
    notices = list(getattr(source, "notices", ()))
    told = _commands(questions(runs, metrics, parameters), arguments)
    if arguments.json:
        return _document(source.experiment, len(runs), metrics, parameters, told, notices)
    say(f"{source.experiment}: {plural(len(runs), 'finished run')}")
    for notice in notices:
        say(f"note: {notice}")
    _show("metric", [(name, f"{n:,}", better) for name, n, better in metrics], ("runs", "better"))
    if parameters:
        rows = [(own.name, _few(own.values), "perhaps what pairs runs" if own.pairs else "") for own in parameters]
        _show("parameter", rows, ("values", ""))
    else:
        say("No parameter varies between these runs.")
    for command in told:
        say_command("", command)
    return None


def _document(
    experiment: str,
    runs: int,
    metrics: Sequence[tuple[str, int, str]],
    parameters: Sequence[Parameter],
    told: Sequence[str],
    notices: Sequence[str],
) -> Document:
    """All of them, also those that a table has no room for."""
    return {
        "experiment": experiment,
        "runs": runs,
        "metrics": [{"metric": name, "runs": n, "better": better or None} for name, n, better in metrics],
        "parameters": [
            {"parameter": own.name, "runs": own.runs, "values": own.values, "pairs": own.pairs} for own in parameters
        ],
        "commands": told,
        "notices": notices,
    }


def finished(runs: Sequence[Record], statuses: Sequence[str] = (FINISHED,)) -> list[Record]:
    """The runs that are compared: where nobody asks for others, finished ones."""
    return [run for run in runs if foreign.counts(run, statuses)]


def _others(everything: Sequence[Record], runs: Sequence[Record]) -> list[Record]:
    counted = {run.run_id for run in runs}
    return [run for run in everything if run.run_id not in counted]


def _show(what: str, rows: Sequence[tuple[str, str, str]], others: tuple[str, str]) -> None:
    more = f", the first {MOST} of {len(rows)}" if len(rows) > MOST else ""
    table = Table(f"{what.capitalize()}s{'' if what == 'metric' else ' that vary'}{more}")
    for heading in (what, *others):
        table.column(heading)
    for row in rows[:MOST]:
        table.row(*row)
    table.show()


def metrics_of(runs: Sequence[Record]) -> list[tuple[str, int, str]]:
    """Name, number of runs, and which way is better if its name says; what most runs have, and was not trained on, first."""
    counted = {name: sum(name in run.metrics for run in runs) for name in {name for run in runs for name in run.metrics}}
    told = [(name, n, _better(name)) for name, n in counted.items()]
    return sorted(
        told,
        key=lambda own: (
            not own[2],
            -own[1],
            not any(word in own[0].lower() for word in JUDGED),
            "train" in own[0].lower(),
            own[0],
        ),
    )


def _better(name: str) -> str:
    try:
        return direction(name)
    except UsageError:
        return ""


def parameters_of(runs: Sequence[Record]) -> list[Parameter]:
    """Those that vary, with few values first, what may pair runs last."""
    found: list[Parameter] = []
    tags = {f"tags.{name}" for run in runs for name in run.tags if not name.startswith(THEIRS)}
    for full in sorted({f"params.{name}" for run in runs for name in run.params} | tags | {values.RUN_NAME, values.EXPERIMENT}):
        held = [values.canonical(text) for run in runs if (text := values.of(run, full)) is not None]
        distinct = tuple(sorted(set(held), key=values.in_order))
        measured = any(values.key(full) in run.metrics for run in runs)  # a file's column
        each_its_own = full == values.RUN_NAME or measured
        if len(distinct) > 1 and not (each_its_own and 2 * len(distinct) > len(held)):
            found.append(Parameter(full, distinct, len(held), pairs=foreign.word([full]) != foreign.BLOCK))
    return sorted(found, key=lambda own: (own.pairs, len(own.values) == own.runs, len(own.values), own.name))


def _few(texts: Sequence[str]) -> str:
    shown = ", ".join(values.short(text) for text in texts[:SHOWN])
    return f"{shown}{f' and {len(texts) - SHOWN} more' if len(texts) > SHOWN else ''}"


def questions(
    runs: Sequence[Record], metrics: Sequence[tuple[str, int, str]], parameters: Sequence[Parameter]
) -> list[Question]:
    """At most two, which some runs can answer: the likeliest, and another."""
    groups, blocks = ([own.name for own in parameters if own.pairs == pairs] for pairs in (False, True))
    options = [blocks, *([name] for name in blocks), *_nesting(runs), []]
    found: list[Question] = []
    for metric, _, better in metrics[:MOST]:
        for group in groups[:MOST]:
            paired = next((names for names in options if _answers(runs, metric, group, names)), None)
            if paired is not None and len(found) < 2:
                found.append(Question(metric, better, group, tuple(paired)))
    return found


def _commands(asked: Sequence[Question], arguments: argparse.Namespace) -> list[str]:
    """A command for each, and one for the first one's report."""
    where = [word for name in arguments.experiments for word in ("--experiment", name)]
    where += [word for name in arguments.snapshots for word in ("--from", name)]
    found = [_command(where, own) for own in asked]
    return [*found, f"{found[0]} --margin SMALLEST-THAT-MATTERS --output report"] if found else []


def _nesting(runs: Sequence[Record]) -> list[list[str]]:
    """What pairs runs that are nested, several in each of several: a search's, say."""
    above = [run.tags[PARENT] for run in runs if PARENT in run.tags]
    return [[f"tags.{PARENT}"]] if 1 < len(set(above)) < len(above) else []


def _answers(runs: Sequence[Record], metric: str, group: str, blocks: Sequence[str]) -> bool:
    """Whether runs of two configurations or more have all of these, and share a block, if one is named."""
    own = [run for run in runs if metric in run.metrics and all(values.of(run, name) is not None for name in (group, *blocks))]
    held = {tuple(values.canonical(values.of(run, name) or "") for name in (group, *blocks)) for run in own}
    is_shared = not blocks or len({cell[1:] for cell in held}) < len(held)
    return is_shared and len({cell[0] for cell in held}) > 1


def _command(where: Sequence[str], asked: Question) -> str:
    way = [] if asked.better else ["--better", "HIGHER-OR-LOWER"]
    pairs = [] if asked.block == (SEED,) else [word for name in asked.block or ["none"] for word in ("--block", name)]
    options = ["--metric", asked.metric, *way, "--group-by", asked.group_by, *pairs]
    return shlex.join(["python", "-m", "analysis", "compare", *where, *options])
