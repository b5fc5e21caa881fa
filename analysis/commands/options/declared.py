"""What each command takes, as its help says it. Imports neither mlflow nor pandas, and only what no help can do without."""

import argparse
from typing import Any

from regstudy.console import document, terminal

from ...reports import formats

PROGRAM = "python -m analysis"
ABOUT = "Compare the runs that regstudy, or anybody, has tracked."
EPILOG = "Tables are as wide as the terminal or COLUMNS; in a pipe or file each row is one line, however long. Reads MLflow's default store and experiment: mlflow.db in this folder, or what MLFLOW_TRACKING_URI and MLFLOW_EXPERIMENT_NAME say."
REPORT = "report"
ALLOWED = ("data", "split", "epochs", "recipe", "parameters", "numerics", "metrics", "seeds", "unknown")
"""Fields of analysis.reading.comparability; a test holds the two together."""


def parser(program: str = PROGRAM) -> argparse.ArgumentParser:
    """The parser of all commands."""
    top = terminal.Parser(prog=program, description=ABOUT, epilog=EPILOG)
    add_commands(top.add_subparsers(title="commands", metavar="COMMAND", required=True, dest="command"))
    return top


def add_commands(commands: "argparse._SubParsersAction[terminal.Parser]") -> None:
    """Add the commands that read."""
    source, asserted = _source(), _asserted()
    for name, parents, fill, about in (
        ("rank", [source, asserted], None, "print the ranking, with its ties"),
        ("claims", [source, asserted], None, "print the verdict on each claim, of a study or of a file"),
        (
            "decided",
            [source],
            None,
            "say what of a study is decided, and what needs further seeds; as JSON, with or without --json",
        ),
        ("power", [source], _add_power, "say what numbers of seeds of a design can find, before any is trained"),
        (
            "compare",
            [source],
            _add_compare,
            "two configurations in a page of text; or the runs of any code; alone, it says what there is to compare",
        ),
        ("gallery", [source], _add_gallery, "write one page of misclassified images"),
        ("report", [source, asserted], _add_report, "write the report in all formats"),
        (
            "gate",
            [],
            _add_gate,
            "say whether a candidate is worse than a baseline, for pull requests: exit status 0 not worse, 1 worse, 3 open",
        ),
        ("verify", [], _add_verify, "write a report anew, and say in what its files differ"),
        (
            "promote",
            [source],
            _add_promote,
            "register the model that a study's report advises, with its verdict; nothing where nothing is shown",
        ),
        ("snapshot", [source], _add_snapshot, "write runs, epochs and predictions as Parquet files, to commit or mail"),
        ("mcp", [], _add_mcp, "answer a coding agent, read-only, by the Model Context Protocol over stdin and stdout"),
    ):
        commands.add_parser(name, parents=parents, help=about, epilog=EPILOG, fill=fill)


def _add_power(power: argparse.ArgumentParser) -> None:
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


def _add_gallery(gallery: argparse.ArgumentParser) -> None:
    gallery.add_argument("--output", metavar="FILE", default="gallery.html", help="file to write; default: %(default)s")


def _add_report(report: argparse.ArgumentParser) -> None:
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


def _add_verify(verify: argparse.ArgumentParser) -> None:
    verify.add_argument("report", metavar="REPORT", help="a report's folder, or its report.html")
    document.add_option(verify)


def _add_promote(promote: argparse.ArgumentParser) -> None:
    promote.add_argument("--alias", metavar="ALIAS", default="champion", help="alias of the version; default: %(default)s")
    promote.add_argument("--name", metavar="NAME", default="", help="name of the registered model; default: regstudy-STUDY")


def _add_snapshot(snapshot: argparse.ArgumentParser) -> None:
    snapshot.add_argument("folder", metavar="DIR", help="folder to write; an earlier snapshot there is replaced")


def _add_mcp(served: argparse.ArgumentParser) -> None:
    _add_list(
        served,
        "--experiment",
        metavar="NAME",
        dest="experiments",
        help="MLflow experiment, where the agent names none; default: MLflow's own; may be repeated",
    )
    _add_list(
        served,
        "--from",
        metavar="DIR",
        dest="snapshots",
        help="a snapshot, or a file of results, that is read instead where the agent names none; may be repeated",
    )


def _source() -> terminal.Parser:
    """Which runs: the options that all commands share."""
    shared = terminal.Parser(add_help=False)
    _add_list(
        shared,
        "--experiment",
        metavar="NAME",
        dest="experiments",
        help="MLflow experiment; default: MLflow's own; may be repeated where runs of any code are compared",
    )
    shared.add_argument("--dataset", metavar="NAME", default="", help="only the runs on this data set")
    shared.add_argument(
        "--study",
        metavar="NAME",
        default="",
        help="only the trials of this study: its name, its run's ID, or its design's file, whoever ran them",
    )
    _add_list(
        shared,
        "--where",
        metavar="FIELD=VALUE",
        help="only runs with this value, or one of A,B,C; a value with commas in double quotes: 'opt=\"adam, fused\"'; may be repeated",
    )
    _add_list(
        shared,
        "--from",
        metavar="WHERE",
        dest="snapshots",
        help="read a snapshot instead; or, with compare --metric and --design, another store, a CSV or Parquet file of results, or a folder that TensorBoard or Weights & Biases wrote; may be repeated",
    )
    shared.add_argument(
        "--planned",
        metavar="N",
        default="",
        help="how many seeds (blocks) were fixed before any was looked at, or 'none'; for runs that do not say",
    )
    _add_list(
        shared,
        "--allow",
        metavar="FIELD",
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
    _add_list(
        anyone,
        "--group-by",
        metavar="params.NAME",
        help="what makes runs the same configuration: params.NAME, tags.NAME, experiment, run_name or store; may be repeated",
    )
    _add_list(
        anyone,
        "--status",
        metavar="STATUS",
        help="also runs of this status, such as FAILED or RUNNING; may be repeated; default: FINISHED alone",
    )
    _add_number(anyone)
    anyone.add_argument("--output", metavar="DIR", default="", help="write the report into this folder")
    _add_written(anyone)


def _add_list(group: "argparse._ArgumentGroup | argparse.ArgumentParser", option: str, **how: Any) -> None:
    """An option that may be repeated."""
    group.add_argument(option, action="append", default=[], **how)


def _add_written(group: "argparse._ArgumentGroup | argparse.ArgumentParser") -> None:
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


def _add_metric(group: "argparse._ArgumentGroup | argparse.ArgumentParser") -> None:
    _add_list(
        group,
        "--metric",
        metavar="NAME",
        dest="metrics",
        help="the metric that is compared; may be repeated: each by itself, and they share α",
    )


def _add_number(group: "argparse._ArgumentGroup | argparse.ArgumentParser") -> None:
    """How runs of any code are paired, and which number of each counts."""
    _add_list(
        group,
        "--block",
        metavar="params.NAME",
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


def _add_gate(gate: argparse.ArgumentParser) -> None:
    for side in ("baseline", "candidate"):
        _add_list(
            gate,
            f"--{side}",
            metavar="WHERE",
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


def _images(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"expected a whole number ≥ 1, got {text!r}")
    return int(text)
