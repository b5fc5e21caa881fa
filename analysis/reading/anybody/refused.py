"""Why anybody's runs cannot be compared as was asked, in one line that names the option, or the place in the file of claims."""

from collections.abc import Sequence

from regstudy.console.terminal import plural
from regstudy.errors import UsageError

from ..records import stores
from ..records.record import RUNNING, SCHEDULED, Record, Records
from ..records.table import TableRecords
from . import claims_file, odd, values
from .asked import Asked
from .directions import direction


def check_metrics(
    known: Sequence[Record], counted: Sequence[Record], asked: Asked, source: Records, needed: Sequence[str]
) -> None:
    """UsageError names a metric that no run has."""
    there = sorted({name for run in known for name in run.metrics})
    for column in asked.metrics:
        name = claims_file.logged(column)
        if name in there:
            continue
        said = asked.said("metric", name if asked.claims is None else column)
        if isinstance(source, TableRecords) and name in source.odd:
            raise UsageError(f"{said}: {source.odd[name]}")
        elsewhere = sum(name in run.metrics for run in counted)
        if elsewhere:
            own = " and ".join(needed)
            raise UsageError(
                f"{said}: no run that has {own} has it, and the {plural(elsewhere, 'run')} with it not {own}: log both with the same run, or name others"
            )
        raise UsageError(f"{said}: no run has {f'it; expected one of {values.listed(there)}' if there else 'any metric'}")


def way(metric: str, asked: Asked) -> str:
    """As its name says; UsageError says where else it can be said."""
    try:
        return direction(claims_file.logged(metric))
    except UsageError:
        if asked.claims is None:
            raise
        how = (
            "add better: higher or better: lower"
            if metric == asked.metric
            else "its best is not known: say value: min, max or last"
        )
        raise UsageError(f"{asked.said('metric', metric)}: its name does not say which way is better: {how}") from None


def option(field: str, asked: Asked) -> str:
    """What a setting is called where it was made."""
    return f"--{field.replace('_', '-')}" if asked.claims is None else field


def only(others: Sequence[Record]) -> str:
    """Which runs there are, none of which counts; empty if there are none."""
    number = {status: sum(run.status == status for run in others) for status in sorted({run.status for run in others})}
    told = " and ".join(f"{plural(n, 'run')}, {status}" for status, n in number.items())
    may_end = "wait, or " if number.keys() & {RUNNING, SCHEDULED} else ""
    return f", only {told}: {may_end}count them with --status {next(iter(number))}" if told else ""


def nothing(source: Records, everything: Sequence[Record], others: Sequence[Record], asked: Asked) -> str:
    """Why there is nothing to compare."""
    what = f"experiment {source.experiment!r} of {source.where} has no {odd.one_status(asked)}"
    if others:
        return f"{what}{only(others)}"
    if asked.where and not everything:
        return f"{what} with {' and '.join(asked.where)}: change --where"
    return f"{what}{stores.elsewhere(source)}"


def unknown(counted: Sequence[Record], asked: Asked, blocks: Sequence[str]) -> str:
    """Which of the names is missing, and what there is."""
    wanted = [*asked.group_by, *blocks]
    none = [name for name in wanted if all(values.of(run, name) is None for run in counted)]
    params = sorted({f"params.{name}" for run in counted for name in run.params} - set(wanted))
    pairs = any(name in blocks for name in none)
    hint = (
        f": name with {option('block', asked)} what pairs them, or with {option('block', asked)} none that nothing does"
        if pairs
        else f": name with {option('group_by', asked)} what makes runs the same configuration"
    )
    lacking = f"no finished run has {' and '.join(none)}" if none else f"no finished run has all of {', '.join(wanted)}"
    field = next((field for field in ("group_by", "block") if none and none[0] in (getattr(asked, field) or ())), "group_by")
    where = f"{asked.claims.said(asked.claims.place_of(field, none[0] if none else ''))}: " if asked.claims else ""
    return f"{where}{lacking}; expected names such as {values.listed(params)}{hint}"
