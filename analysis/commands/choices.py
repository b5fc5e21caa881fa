"""What there is to compare in anybody's runs, where nobody says what: metrics, parameters that vary, what looks like a seed; and the most sensible commands."""

import argparse
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from regstudy.console.screen import Table
from regstudy.console.terminal import plural, say
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
    """A parameter that varies: its values, in order; whether its name, or how it varies, is a block's."""

    name: str
    values: tuple[str, ...]
    runs: int
    pairs: bool


def choices(arguments: argparse.Namespace, _command: str) -> None:
    """Print them."""
    source = stores.of_anybody(arguments.experiments, arguments.snapshots)
    runs = [run for run in source.runs() if foreign.counts(run, [FINISHED])]
    metrics = _metrics(runs)
    if not metrics:
        raise NothingToAnalyse(
            f"experiment {source.experiment!r} of {source.where} has no finished run with metrics{stores.elsewhere(source)}"
        )
    parameters = _parameters(runs)
    say(f"{source.experiment}: {plural(len(runs), 'finished run')}")
    _show("metric", [(name, f"{n:,}", better) for name, n, better in metrics], ("runs", "better"))
    if parameters:
        rows = [(own.name, _few(own.values), "perhaps what pairs runs" if own.pairs else "") for own in parameters]
        _show("parameter", rows, ("values", ""))
    else:
        say("No parameter varies between these runs.")
    for command in _commands(metrics, parameters, arguments):
        say(f"  {command}")


def _show(what: str, rows: Sequence[tuple[str, str, str]], others: tuple[str, str]) -> None:
    more = f", the first {MOST} of {len(rows)}" if len(rows) > MOST else ""
    table = Table(f"{what.capitalize()}s{'' if what == 'metric' else ' that vary'}{more}")
    for heading in (what, *others):
        table.column(heading, overflow="fold")
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
        if len(distinct) > 1:
            full = f"params.{name}"
            found.append(_Parameter(full, distinct, len(held), pairs=foreign.word([full]) != foreign.BLOCK))
    return sorted(found, key=lambda own: (own.pairs, len(own.values) == own.runs, len(own.values), own.name))


def _few(texts: Sequence[str]) -> str:
    shown = ", ".join(values.short(text) for text in texts[:SHOWN])
    return f"{shown}{f' and {len(texts) - SHOWN} more' if len(texts) > SHOWN else ''}"


def _commands(
    metrics: Sequence[tuple[str, int, str]], parameters: Sequence[_Parameter], arguments: argparse.Namespace
) -> list[str]:
    """At most three: the likeliest question, the same of the next parameter or metric, and its report."""
    groups, blocks = ([own.name for own in parameters if own.pairs == pairs] for pairs in (False, True))
    if not groups:
        return []
    where = [word for name in arguments.experiments for word in ("--experiment", name)] + [
        word for name in arguments.snapshots for word in ("--from", name)
    ]
    pairs = [] if blocks == [SEED] else [word for name in blocks for word in ("--block", name)]
    (metric, _, better), *rest = metrics
    first = _command(where, metric, better, groups[0], pairs)
    others = [_command(where, metric, better, groups[1], pairs)] if len(groups) > 1 else []
    others += [_command(where, rest[0][0], rest[0][2], groups[0], pairs)] if rest and not others else []
    return [first, *others, f"{first} --margin SMALLEST-THAT-MATTERS --output report"]


def _command(where: Sequence[str], metric: str, better: str, group: str, pairs: Sequence[str]) -> str:
    way = [] if better else ["--better", "higher"]
    return shlex.join(["python", "-m", "analysis", "compare", *where, "--metric", metric, *way, "--group-by", group, *pairs])
