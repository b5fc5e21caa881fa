"""A command line's options as those that make sense together, or what is wrong with them in a line. Imports neither mlflow nor pandas."""

import argparse
import math
import os
from collections.abc import Sequence

from regstudy.console import terminal
from regstudy.errors import UsageError
from regstudy.schema import LAST_EPOCHS, MOST_PLANNED, MOST_STEPS

from ...files import places
from ...reports import formats
from .declared import ALLOWED, PROGRAM, REPORT, parser

PLANNED_WORDS = {"": None, "none": 0}
ANYBODYS = "reads an experiment as it is: of the other options it takes --experiment, --from, --where and --planned only"
CHOICES = "choices"
"""What `compare` does where nobody says what to compare: it says what there is."""


def parse(given: Sequence[str], program: str = PROGRAM) -> argparse.Namespace:
    """Options that make sense together; UsageError says which do not."""
    arguments = parser(program).parse_args(given)
    if arguments.command in {"verify", "mcp"}:
        return arguments
    if arguments.command == "gate":
        _check_gate(arguments)
        return arguments
    _check_lists(arguments)
    arguments.planned = _planned(arguments.planned)
    if arguments.command == "report":
        _check_report(arguments)
    if arguments.command == "promote" and (not arguments.study or arguments.snapshots):
        raise UsageError(
            "promote needs --study, whose advised configuration it registers, in the store: leave --from out"
            if arguments.snapshots
            else "promote needs --study: whose advised configuration is registered"
        )
    arguments.experiment = arguments.experiments[0] if arguments.experiments else ""
    arguments.metric = arguments.metrics[0] if getattr(arguments, "metrics", []) else ""
    _check_experiments(arguments)
    _check_from(arguments)
    if getattr(arguments, "claims_file", "") and (arguments.study or arguments.dataset or arguments.allow):
        raise UsageError(f"--design {ANYBODYS}")
    if arguments.command == "compare":
        _check_compare(arguments)
    return arguments


def _check_lists(arguments: argparse.Namespace) -> None:
    """`mlflow run` hands on empty defaults: they are nothing."""
    for name in ("where", "snapshots", "allow", "experiments"):
        setattr(arguments, name, [value for value in getattr(arguments, name) if value])
    for name in arguments.allow:
        if name not in ALLOWED:
            raise UsageError(f"--allow {name!r}: expected one of {', '.join(ALLOWED)}")


def _check_gate(arguments: argparse.Namespace) -> None:
    if not arguments.metrics:
        raise UsageError("gate needs --metric: what is compared, such as val_acc")
    if arguments.margin is None:
        raise UsageError("gate needs --margin: the smallest loss that matters, in the metric's unit")
    if not 0 < arguments.alpha < 0.5:
        raise UsageError(f"--alpha {arguments.alpha:g}: expected a number between 0 and 0.5")
    if arguments.seeds_left < 0:
        raise UsageError(f"--seeds-left {arguments.seeds_left}: expected a number from 0 on")
    _check_numbers(arguments)


def _check_experiments(arguments: argparse.Namespace) -> None:
    """Several are for runs of any code: regstudy's own trials are one experiment's."""
    several = arguments.experiments
    if len(set(several)) < len(several):
        raise UsageError(f"--experiment {several[-1]} is there twice: name each once")
    if len(several) > 1 and not (arguments.metric or getattr(arguments, "claims_file", "")):
        raise UsageError(
            f"--experiment {several[1]}: one experiment at a time, unless runs of any code are compared with --metric"
        )


def _check_from(arguments: argparse.Namespace) -> None:
    """Files of results and stores are for runs of any code; all else reads snapshots."""
    choices = arguments.command == "compare" and not arguments.configurations and not _narrows_to_ours(arguments)
    anybodys = arguments.metric or choices or getattr(arguments, "claims_file", "")
    for place in arguments.snapshots if anybodys else ():
        places.check(place, "--from")
    if not arguments.experiment or not arguments.snapshots:
        return
    if not anybodys:
        raise UsageError("--experiment names one of the store's, --from a snapshot: give one of the two")
    if all(places.is_results(place) for place in arguments.snapshots):
        raise UsageError("--experiment names one of a store's, --from a file of results: give one of the two")


def _planned(text: str) -> int | None:
    """The number; 0 if none was fixed, None if the user does not say."""
    if text in PLANNED_WORDS:
        return PLANNED_WORDS[text]
    if not (text.isascii() and text.isdigit() and len(text) <= terminal.DIGITS and 0 < int(text) <= MOST_PLANNED):
        raise UsageError(f"--planned {text!r}: expected a number of seeds (blocks) from 1 to {MOST_PLANNED:,}, or none")
    return int(text)


def _check_report(arguments: argparse.Namespace) -> None:
    formats.read(arguments.format)
    kept = os.environ.get("MLFLOW_RUN_ID") or (not arguments.snapshots and (arguments.study or arguments.publish))
    if not arguments.output and not kept:
        arguments.output = REPORT
    if arguments.publish and arguments.snapshots:
        raise UsageError("--publish writes into the store that is read, and --from reads a snapshot: leave one of the two out")


def _check_compare(arguments: argparse.Namespace) -> None:
    formats.read(arguments.format)
    if (arguments.format or arguments.card) and not (arguments.metric and arguments.output):
        raise UsageError(
            f"{'--format' if arguments.format else '--card'} is of the report that --metric and --output write: give these too, or leave it out"
        )
    if arguments.metric:
        _check_what_is_read(arguments)
        _check_how(arguments)
        return
    if not arguments.configurations and not _narrows_to_ours(arguments):
        arguments.command = CHOICES
    elif len(arguments.configurations) != 2:
        raise UsageError(
            f"expected two configurations, got {len(arguments.configurations)}: name them as the ranking does, in quotes; or give --metric"
        )
    _check_of_metric(arguments)


def _check_of_metric(arguments: argparse.Namespace) -> None:
    """UsageError for an option that would have no effect without --metric."""
    given = {
        "--group-by": arguments.group_by, "--status": arguments.status, "--block": arguments.block, "--output": arguments.output,
        "--better": arguments.better, "--margin": arguments.margin is not None, "--value": arguments.value != "last", "--last": arguments.last != LAST_EPOCHS,
    }  # fmt: skip
    for option in (option for option, there in given.items() if there):
        raise UsageError(f"{option} is for runs of any code, which --metric names: give it too, or leave {option} out")


def _narrows_to_ours(arguments: argparse.Namespace) -> bool:
    """Whether it names what only trials of regstudy have."""
    return bool(
        arguments.study or arguments.where or arguments.dataset or arguments.allow or arguments.group_by or arguments.output
    )


def _check_what_is_read(arguments: argparse.Namespace) -> None:
    """Of runs of any code."""
    if arguments.configurations:
        raise UsageError(f"A and B ({', '.join(arguments.configurations)}) or --metric: give one of the two")
    if arguments.study or arguments.dataset or arguments.allow:
        raise UsageError(f"--metric {ANYBODYS}")


def _check_how(arguments: argparse.Namespace) -> None:
    """Runs of any code are compared."""
    if not arguments.group_by:
        raise UsageError("--metric needs --group-by: what makes runs the same configuration, such as params.lr")
    _check_numbers(arguments)


def _check_numbers(arguments: argparse.Namespace) -> None:
    """What pairs runs, and which number of each counts."""
    if len(set(arguments.metrics)) < len(arguments.metrics):
        raise UsageError(f"--metric {arguments.metrics[-1]} is there twice: name each once")
    for option, names in (("--group-by", getattr(arguments, "group_by", [])), ("--block", arguments.block)):
        if len(set(names)) < len(names):
            raise UsageError(f"{option} {names[-1]} is there twice: name each once")
    if "none" in arguments.block and len(arguments.block) > 1:
        raise UsageError("--block none and another --block: give one of the two")
    if arguments.margin is not None and not 0 < arguments.margin < math.inf:
        raise UsageError(f"--margin {arguments.margin:g}: expected a number above 0, in the metric's unit")
    if not 1 <= arguments.last <= MOST_STEPS:
        raise UsageError(f"--last {arguments.last}: expected a number of steps from 1 to {MOST_STEPS:,}")
