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
from ..reading.anybody import values
from ..reading.anybody.asked import FINISHED, SEED
from ..reading.anybody.directions import direction
from ..reading.records import stores
from ..reading.records.snapshot import Record

MOST = 12
"""Metrics and parameters that are listed."""

SHOWN = 4
"""Values that are shown of a parameter."""

JUDGED = ("test", "val", "valid", "validation", "eval", "holdout")
"""Words of metrics that were measured on what was not trained on."""


@dataclass(frozen=True)
class _Parameter:
    """A parameter that varies: its values, in order; how many runs have it; whether its name is a block's."""

    name: str
    values: tuple[str, ...]
    runs: int
    pairs: bool


def choices(arguments: argparse.Namespace, _command: str) -> Document | None:
    """Print them."""
    source = stores.of_anybody(arguments.experiments, arguments.snapshots)
    runs = [run for run in source.runs() if foreign.counts(run, [FINISHED])]
    metrics = _metrics(runs)
    if not metrics:
        raise NothingToAnalyse(
            f"experiment {source.experiment!r} of {source.where} has no finished run with metrics{stores.elsewhere(source)}"
        )
    parameters = _parameters(runs)
    commands = _commands(runs, metrics, parameters, arguments)
    if arguments.json:
        return _document(source.experiment, len(runs), metrics, parameters, commands)
    say(f"{source.experiment}: {plural(len(runs), 'finished run')}")
    _show("metric", [(name, f"{n:,}", better) for name, n, better in metrics], ("runs", "better"))
    if parameters:
        rows = [(own.name, _few(own.values), "perhaps what pairs runs" if own.pairs else "") for own in parameters]
        _show("parameter", rows, ("values", ""))
    else:
        say("No parameter varies between these runs.")
    for command in commands:
        say_command("", command)
    return None


def _document(
    experiment: str,
    runs: int,
    metrics: Sequence[tuple[str, int, str]],
    parameters: Sequence[_Parameter],
    commands: Sequence[str],
) -> Document:
    """All of them, also those that a table has no room for."""
    return {
        "experiment": experiment,
        "runs": runs,
        "metrics": [{"metric": name, "runs": n, "better": better or None} for name, n, better in metrics],
        "parameters": [
            {"parameter": own.name, "runs": own.runs, "values": own.values, "pairs": own.pairs} for own in parameters
        ],
        "commands": commands,
        "notices": [],
    }


def _show(what: str, rows: Sequence[tuple[str, str, str]], others: tuple[str, str]) -> None:
    more = f", the first {MOST} of {len(rows)}" if len(rows) > MOST else ""
    table = Table(f"{what.capitalize()}s{'' if what == 'metric' else ' that vary'}{more}")
    for heading in (what, *others):
        table.column(heading)
    for row in rows[:MOST]:
        table.row(*row)
    table.show()


def _metrics(runs: Sequence[Record]) -> list[tuple[str, int, str]]:
    """Name, number of runs, and which way is better if its name says; what most runs have, and was not trained on, first."""
    counted = {name: sum(name in run.metrics for run in runs) for name in {name for run in runs for name in run.metrics}}
    told = [(name, n, _better(name)) for name, n in counted.items()]
    return sorted(told, key=lambda own: (not own[2], -own[1], not any(word in own[0].lower() for word in JUDGED), own[0]))


def _better(name: str) -> str:
    try:
        return direction(name)
    except UsageError:
        return ""


def _parameters(runs: Sequence[Record]) -> list[_Parameter]:
    """Those that vary, with few values first, what may pair runs last."""
    found: list[_Parameter] = []
    for name in sorted({name for run in runs for name in run.params}):
        held = [values.canonical(run.params[name]) for run in runs if name in run.params]
        distinct = tuple(sorted(set(held), key=values.in_order))
        of_numbers = any(name in run.metrics for run in runs) and 2 * len(distinct) > len(held)  # a file's measured column
        if len(distinct) > 1 and not of_numbers:
            full = f"params.{name}"
            found.append(_Parameter(full, distinct, len(held), pairs=foreign.word([full]) != foreign.BLOCK))
    return sorted(found, key=lambda own: (own.pairs, len(own.values) == own.runs, len(own.values), own.name))


def _few(texts: Sequence[str]) -> str:
    shown = ", ".join(values.short(text) for text in texts[:SHOWN])
    return f"{shown}{f' and {len(texts) - SHOWN} more' if len(texts) > SHOWN else ''}"


def _commands(
    runs: Sequence[Record],
    metrics: Sequence[tuple[str, int, str]],
    parameters: Sequence[_Parameter],
    arguments: argparse.Namespace,
) -> list[str]:
    """At most three, which some runs can answer: the likeliest question, another, and the first one's report."""
    groups, blocks = ([own.name for own in parameters if own.pairs == pairs] for pairs in (False, True))
    options = [blocks, *([name] for name in blocks), []]
    where = [word for name in arguments.experiments for word in ("--experiment", name)]
    where += [word for name in arguments.snapshots for word in ("--from", name)]
    found: list[str] = []
    for metric, _, better in metrics[:MOST]:
        for group in groups[:MOST]:
            paired = next((names for names in options if _answers(runs, metric, group, names)), None)
            if paired is not None and len(found) < 2:
                found.append(_command(where, metric, better, group, paired))
    return [*found, f"{found[0]} --margin SMALLEST-THAT-MATTERS --output report"] if found else []


def _answers(runs: Sequence[Record], metric: str, group: str, blocks: Sequence[str]) -> bool:
    """Whether runs of two configurations or more have all of these."""
    own = [run for run in runs if metric in run.metrics and all(values.of(run, name) is not None for name in (group, *blocks))]
    return len({values.canonical(values.of(run, group) or "") for run in own}) > 1


def _command(where: Sequence[str], metric: str, better: str, group: str, blocks: Sequence[str]) -> str:
    way = [] if better else ["--better", "higher"]
    pairs = [] if list(blocks) == [SEED] else [word for name in blocks or ["none"] for word in ("--block", name)]
    return shlex.join(["python", "-m", "analysis", "compare", *where, "--metric", metric, *way, "--group-by", group, *pairs])
