"""Which command comes next, as one that works on the very runs of the one that ends."""

import argparse
import shlex
from collections.abc import Iterator

from regstudy.console.invocation import path

PROGRAM = ("python", "-m", "analysis")


def same_runs(command: str, arguments: argparse.Namespace, *names: str) -> str:
    """Another command on the runs that these options chose; `names` are what it takes beside."""
    return shlex.join(
        [*PROGRAM, command, *_source(arguments), *(["--"] if any(name.startswith("-") for name in names) else []), *names]
    )


def report_of_first(command: str, metrics: list[str]) -> str:
    """The report of runs of any code that were ranked just now, by the first metric, as a report is by one."""
    words = shlex.split(command)
    for metric in metrics[1:]:
        words = _without(words, metric)
    return shlex.join([*words, "--output", "report"])


def _without(words: list[str], metric: str) -> list[str]:
    """The command without this --metric, however it was written."""
    if f"--metric={metric}" in words:
        return [word for word in words if word != f"--metric={metric}"]
    place = next(at for at in range(1, len(words)) if words[at - 1 : at + 1] == ["--metric", metric])
    return words[: place - 1] + words[place + 1 :]


def verify(folder: str) -> str:
    """Compute a report's numbers anew."""
    return shlex.join([*PROGRAM, "verify", path(folder)])


def report_from(snapshot: str, study: str) -> str:
    """The report of a snapshot."""
    return shlex.join([*PROGRAM, "report", "--from", path(snapshot), *(["--study", study] if study else [])])


def _source(arguments: argparse.Namespace) -> Iterator[str]:
    """The options that chose the runs."""
    repeated = {"--experiment": arguments.experiments, "--where": arguments.where, "--allow": arguments.allow}
    single = {"--dataset": arguments.dataset, "--study": arguments.study, "--design": getattr(arguments, "claims_file", "")}
    for folder in arguments.snapshots:
        yield from ("--from", path(folder))
    for option, values in repeated.items():
        for value in values:
            yield from (option, value)
    for option, value in single.items():
        if value:
            yield from (option, value)
    if arguments.planned is not None:
        yield from ("--planned", str(arguments.planned or "none"))
