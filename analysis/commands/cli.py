"""The command line `python -m analysis`. Understands options without importing mlflow or pandas, so that help and errors come at once."""

import argparse
import math
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from regstudy.console import document, terminal
from regstudy.console.redaction import redacted
from regstudy.errors import RegstudyError, UsageError

from ..files import folders, places
from ..reports import formats

PROGRAM = "python -m analysis"
ABOUT = "Compare the runs that regstudy, or anybody, has tracked."
EPILOG = "Tables are as wide as the terminal or COLUMNS; in a pipe or file each row is one line, however long. Reads MLflow's default store and experiment: mlflow.db in this folder, or what MLFLOW_TRACKING_URI and MLFLOW_EXPERIMENT_NAME say."
REPORT = "report"
PLANNED_WORDS = {"": None, "none": 0}
CHOICES = "choices"
"""What `compare` does where nobody says what to compare: it says what there is."""

JSON = "--json"
"""Changes how a result is told, so it is no part of the command that made it."""

MOST_PLANNED = 100_000
ALLOWED = ("data", "split", "epochs", "recipe", "parameters", "numerics", "metrics", "seeds", "unknown")
"""Fields of analysis.reading.comparability; a test holds the two together."""


def main(arguments: Sequence[str] | None = None, program: str = PROGRAM) -> int:
    """Run a command; give the exit status. `program` is what the user calls it by."""
    given = terminal.dashed(sys.argv[1:] if arguments is None else arguments)
    return terminal.run_command(program, lambda: _command(given, program))


def parser(program: str = PROGRAM) -> argparse.ArgumentParser:
    """The parser of all commands."""
    top = terminal.Parser(prog=program, description=ABOUT, epilog=EPILOG)
    add_commands(top.add_subparsers(title="commands", metavar="COMMAND", required=True, dest="command"))
    return top


def add_commands(commands: "argparse._SubParsersAction[terminal.Parser]") -> None:
    """Add the commands that read."""
    source = _source()
    asserted = _asserted()
    commands.add_parser("rank", parents=[source, asserted], help="print the ranking, with its ties", epilog=EPILOG)
    commands.add_parser(
        "claims", parents=[source, asserted], help="print the verdict on each claim, of a study or of a file", epilog=EPILOG
    )
    commands.add_parser(
        "decided",
        parents=[source],
        help="say what of a study is decided, and what needs further seeds; as JSON, with or without --json",
        epilog=EPILOG,
    )
    power = commands.add_parser(
        "power", parents=[source], help="say what numbers of seeds of a design can find, before any is trained", epilog=EPILOG
    )
    power.add_argument("design", metavar="DESIGN", help="name of a shipped design, or the path of a YAML file")
    power.add_argument(
        "--sd",
        metavar="SD",
        default="",
        help="standard deviation of a difference between two configurations; default: from the runs so far",
    )
    power.add_argument("--seed-seconds", metavar="S", type=float, default=0.0, help="how long a seed takes; adds the time")
    power.add_argument(
        "--test-images",
        metavar="N",
        type=_images,
        default=10_000,
        help="test images, which the guess without any run goes by; default: %(default)s",
    )
    power.add_argument(
        "--embedded", action="store_true", help=argparse.SUPPRESS
    )  # of `study plan`, which says itself what is next
    compare = commands.add_parser(
        "compare",
        parents=[source],
        help="two configurations in a page of text; or the runs of any code; alone, it says what there is to compare",
        epilog=EPILOG,
    )
    _add_compare(compare)
    gallery = commands.add_parser("gallery", parents=[source], help="write one page of misclassified images", epilog=EPILOG)
    gallery.add_argument("--output", metavar="FILE", default="gallery.html", help="file to write; default: %(default)s")
    report = commands.add_parser("report", parents=[source, asserted], help="write the report in all formats", epilog=EPILOG)
    report.add_argument(
        "--output",
        metavar="DIR",
        default=REPORT,
        help="folder to write into; default: %(default)s; empty: into the artifacts only, of the study's run or the one that `mlflow run` made",
    )
    _add_written(report)
    report.add_argument(
        "--publish", action="store_true", help="keep the report in the store that is read, too; a study's own report always is"
    )
    _add_gate(commands)
    verify = commands.add_parser("verify", help="write a report anew, and say in what its files differ", epilog=EPILOG)
    verify.add_argument("report", metavar="REPORT", help="a report's folder, or its report.html")
    document.add_option(verify)
    promote = commands.add_parser(
        "promote",
        parents=[source],
        help="register the model that a study's report advises, with its verdict; nothing where nothing is shown",
        epilog=EPILOG,
    )
    promote.add_argument("--alias", metavar="ALIAS", default="champion", help="alias of the version; default: %(default)s")
    promote.add_argument("--name", metavar="NAME", default="", help="name of the registered model; default: regstudy-STUDY")
    snapshot = commands.add_parser(
        "snapshot",
        parents=[source],
        help="write runs, epochs and predictions as Parquet files, to commit or mail",
        epilog=EPILOG,
    )
    snapshot.add_argument("folder", metavar="DIR", help="folder to write; an earlier snapshot there is replaced")
    _add_mcp(commands)


def _add_mcp(commands: "argparse._SubParsersAction[terminal.Parser]") -> None:
    served = commands.add_parser(
        "mcp", help="answer a coding agent, read-only, by the Model Context Protocol over stdin and stdout", epilog=EPILOG
    )
    served.add_argument(
        "--experiment",
        metavar="NAME",
        dest="experiments",
        action="append",
        default=[],
        help="MLflow experiment, where the agent names none; default: MLflow's own; may be repeated",
    )
    served.add_argument(
        "--from",
        metavar="DIR",
        dest="snapshots",
        action="append",
        default=[],
        help="a snapshot, or a file of results, that is read instead where the agent names none; may be repeated",
    )


def _source() -> terminal.Parser:
    """Which runs: the options that all commands share."""
    shared = terminal.Parser(add_help=False)
    shared.add_argument(
        "--experiment",
        metavar="NAME",
        dest="experiments",
        action="append",
        default=[],
        help="MLflow experiment; default: MLflow's own; may be repeated where runs of any code are compared",
    )
    shared.add_argument("--dataset", metavar="NAME", default="", help="only the runs on this data set")
    shared.add_argument(
        "--study",
        metavar="NAME",
        default="",
        help="only the trials of this study: its name, its run's ID, or its design's file, whoever ran them",
    )
    shared.add_argument(
        "--where",
        metavar="FIELD=VALUE",
        action="append",
        default=[],
        help="only runs with this value, or one of A,B,C; a value with commas in double quotes: 'opt=\"adam, fused\"'; may be repeated",
    )
    shared.add_argument(
        "--from",
        metavar="WHERE",
        dest="snapshots",
        action="append",
        default=[],
        help="read a snapshot instead; or, with compare --metric, another store, a CSV or Parquet file of results, or a folder that TensorBoard or Weights & Biases wrote; may be repeated",
    )
    shared.add_argument(
        "--planned",
        metavar="N",
        default="",
        help="how many seeds (blocks) were fixed before any was looked at, or 'none'; for runs that do not say",
    )
    shared.add_argument(
        "--allow",
        metavar="FIELD",
        action="append",
        default=[],
        help=f"compare runs although they differ in one of {', '.join(ALLOWED)}; the report says so; may be repeated",
    )
    document.add_option(shared)
    return shared


def _asserted() -> terminal.Parser:
    """Claims about runs of any code."""
    shared = terminal.Parser(add_help=False)
    shared.add_argument(
        "--design",
        metavar="FILE",
        dest="claims_file",
        default="",
        help="runs of any code, and claims about them, as this YAML file says (docs/guides/any-runs.md)",
    )
    return shared


def _add_compare(compare: argparse.ArgumentParser) -> None:
    compare.add_argument("configurations", metavar="A B", nargs="*", help="two configurations, named as in the ranking")
    anyone = compare.add_argument_group("runs of any code", "instead of A and B")
    _add_metric(anyone)
    anyone.add_argument(
        "--group-by",
        metavar="params.NAME",
        action="append",
        default=[],
        help="what makes runs the same configuration: params.NAME, tags.NAME, experiment, run_name or store; may be repeated",
    )
    anyone.add_argument(
        "--status",
        metavar="STATUS",
        action="append",
        default=[],
        help="also runs of this status, such as FAILED or RUNNING; may be repeated; default: FINISHED alone",
    )
    _add_number(anyone)
    anyone.add_argument("--output", metavar="DIR", default="", help="write the report into this folder")
    _add_written(anyone)


def _add_written(group: "argparse._ArgumentGroup | terminal.Parser") -> None:
    """What a report is written as."""
    group.add_argument(
        "--format",
        metavar="LIST",
        default="",
        help=f"beside report.html and its figures, with commas: {', '.join(formats.FORMATS)}; pdf, the page printed, needs Chromium; default: {','.join(formats.USUAL)}",
    )
    group.add_argument(
        "--card", action="store_true", help="write card.svg, card.png and card.md too: the report as one picture, 1,200 × 630"
    )


def _add_metric(group: "argparse._ArgumentGroup | terminal.Parser") -> None:
    group.add_argument(
        "--metric",
        metavar="NAME",
        dest="metrics",
        action="append",
        default=[],
        help="the metric that is compared; may be repeated: each by itself, and they share α",
    )


def _add_number(group: "argparse._ArgumentGroup | terminal.Parser") -> None:
    """How runs of any code are paired, and which number of each counts."""
    group.add_argument(
        "--block",
        metavar="params.NAME",
        action="append",
        default=[],
        help="what pairs runs; may be repeated; none: nothing does; default: params.seed, where runs have it",
    )
    group.add_argument(
        "--value",
        default="last",
        help="which number of a curve counts: last, best (biased), min, max or step:N; default: the mean of the last steps",
    )
    group.add_argument(
        "--better", choices=("higher", "lower"), help="default: as the metric's name says (a loss: lower, an accuracy: higher)"
    )
    group.add_argument(
        "--margin", type=float, help="smallest difference that matters, in the metric's unit: needed to show ties"
    )
    group.add_argument("--last", metavar="N", type=int, default=5, help="mean over the last N steps; default: %(default)s")


def _add_gate(commands: "argparse._SubParsersAction[terminal.Parser]") -> None:
    gate = commands.add_parser(
        "gate",
        help="say whether a candidate is worse than a baseline, for pull requests: exit status 0 not worse, 1 worse, 3 open",
        epilog=EPILOG,
    )
    for side in ("baseline", "candidate"):
        gate.add_argument(
            f"--{side}",
            metavar="WHERE",
            action="append",
            default=[],
            required=True,
            help="its runs: FIELD=VALUE such as tags.branch=main, experiment=NAME, a CSV or Parquet file, or a folder of TensorBoard’s or Weights & Biases’ files; may be repeated, all must hold",
        )
    _add_metric(gate)
    _add_number(gate)
    gate.add_argument(
        "--alpha",
        type=float,
        default=0.01,
        help="how often a candidate that is as good may be called worse; default: %(default)s",
    )
    gate.add_argument(
        "--seeds-left",
        metavar="N",
        type=int,
        default=0,
        help="how many more are planned if this look leaves it open; default: none",
    )
    gate.add_argument("--summary", metavar="FILE", default="", help="write the verdict as Markdown, for a comment")
    gate.add_argument("--junit", metavar="FILE", default="", help="write it as JUnit XML")
    gate.add_argument("--json", metavar="FILE", default="", help="write it as JSON")


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


def _command(given: list[str], program: str) -> None:
    try:
        _run(given, program)
    except RegstudyError as error:
        if os.environ.get("MLFLOW_RUN_ID"):
            from regstudy.tracking import adopted

            adopted.fail(str(error))
        raise


def _run(given: list[str], program: str) -> None:
    arguments = parse(given, program)
    if arguments.command == "verify":
        from . import verify

        with document.alone(arguments.json):
            checked = verify.verify(arguments.report, parse)
        if arguments.json:
            document.give(checked)
        return
    if arguments.command == "mcp":
        from .agents import server

        server.serve(arguments, parse)
        return
    if formats.PDF in formats.read(getattr(arguments, "format", "")):
        formats.browser()
    made = _make_folder(arguments)
    command = as_command([word for word in given if word != JSON])
    try:
        from . import choices, commands, gate, power, promote

        own = {
            "power": power.power,
            CHOICES: choices.choices,
            "gate": gate.gate,
            "promote": promote.promote,
        }
        run = own[arguments.command] if arguments.command in own else getattr(commands, arguments.command)
        with document.alone(_as_json(arguments)):
            told = run(arguments, command)
        if told is not None:
            document.give(told)
    except BaseException:
        folders.unmake(made)
        raise


def _as_json(arguments: argparse.Namespace) -> bool:
    """Whether stdout is a document's alone; `gate` takes a file instead."""
    return arguments.command == "decided" or (arguments.command != "gate" and arguments.json)


def _images(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"expected a whole number ≥ 1, got {text!r}")
    return int(text)


def as_command(given: Sequence[str]) -> str:
    """The command line as reports hold it, whoever called it however: without secrets."""
    return redacted(shlex.join([*PROGRAM.split(), *given]))


def _check_lists(arguments: argparse.Namespace) -> None:
    """`mlflow run` hands on empty defaults: they are nothing."""
    for name in ("where", "snapshots", "allow", "experiments"):
        setattr(arguments, name, [value for value in getattr(arguments, name) if value])
    for name in arguments.allow:
        if name not in ALLOWED:
            raise UsageError(f"--allow {name!r}: expected one of {', '.join(ALLOWED)}")


def _make_folder(arguments: argparse.Namespace) -> list[Path]:
    """Make the folder that is to be written into, unless it holds what is not ours, before anything heavy is loaded; those that were not there."""
    output = arguments.folder if arguments.command == "snapshot" else getattr(arguments, "output", "")
    if not output:
        return []
    try:
        if arguments.command == "snapshot":
            folders.check_snapshot(Path(output))
            return []
        if arguments.command == "gallery":
            folders.check_gallery(Path(output))
            return folders.make(Path(output).parent)
        folders.check_report(Path(output), formats.Contents.of(arguments).files)
        return folders.make(Path(output))
    except OSError as error:
        option = "" if arguments.command == "snapshot" else "--output "
        raise UsageError(f"{option}{output!r} cannot be made ({error.strerror}): name a folder that can be written") from None


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
    if getattr(arguments, "claims_file", "") and _narrows(arguments):
        raise UsageError("--design reads an experiment as it is: of the other options it takes --experiment and --planned only")
    if arguments.command == "compare":
        _check_compare(arguments)
    return arguments


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
    anybodys = arguments.command == "compare" and not arguments.configurations and not _narrows_to_ours(arguments)
    for place in arguments.snapshots if arguments.metric or anybodys else ():
        places.check(place, "--from")
    if not arguments.experiment or not arguments.snapshots:
        return
    if not (arguments.metric or anybodys):
        raise UsageError("--experiment names one of the store's, --from a snapshot: give one of the two")
    if all(places.is_results(place) for place in arguments.snapshots):
        raise UsageError("--experiment names one of a store's, --from a file of results: give one of the two")


def _planned(text: str) -> int | None:
    """The number; 0 if none was fixed, None if the user does not say."""
    if text in PLANNED_WORDS:
        return PLANNED_WORDS[text]
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= MOST_PLANNED):
        raise UsageError(f"--planned {text!r}: expected a number of seeds (blocks) from 1 to {MOST_PLANNED:,}, or none")
    return int(text)


def _check_report(arguments: argparse.Namespace) -> None:
    formats.read(arguments.format)
    kept = os.environ.get("MLFLOW_RUN_ID") or (not arguments.snapshots and (arguments.study or arguments.publish))
    if not arguments.output and not kept:
        arguments.output = REPORT
    if arguments.publish and arguments.snapshots:
        raise UsageError("--publish writes into the store that is read, and --from reads a snapshot: leave one of the two out")


def _narrows(arguments: argparse.Namespace) -> bool:
    """Whether it names what only runs of regstudy have."""
    return bool(arguments.snapshots or arguments.study or arguments.where or arguments.dataset or arguments.allow)


def _check_compare(arguments: argparse.Namespace) -> None:
    formats.read(arguments.format)
    if (arguments.format or arguments.card) and not (arguments.metric and arguments.output):
        raise UsageError(
            f"{'--format' if arguments.format else '--card'} is of the report that --metric and --output write: give these too, or leave it out"
        )
    if arguments.metric:
        _check_what_is_read(arguments)
        _check_how(arguments)
    elif not arguments.configurations and not _narrows_to_ours(arguments):
        arguments.command = CHOICES
    elif len(arguments.configurations) != 2:
        raise UsageError(
            f"expected two configurations, got {len(arguments.configurations)}: name them as the ranking does, in quotes; or give --metric"
        )


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
        raise UsageError(
            "--metric reads an experiment as it is: of the other options it takes --experiment, --from, --where and --planned only"
        )


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
    if arguments.last < 1:
        raise UsageError(f"--last {arguments.last}: expected a number of steps from 1 on")
