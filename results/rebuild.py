"""`make results`: every study's report from its snapshots; from these, what was run, every verdict, and the opening of the project's README."""

import sys
from itertools import dropwhile, takewhile
from pathlib import Path

import pandas as pd

from analysis import cli

RESULTS, README = Path("results"), Path("README.md")
RAN = RESULTS / "README.md"
FIRST = RESULTS / "published" / "report"
BEGIN, END = "<!-- results: written by `make results` -->", "<!-- results: end -->"
HEAD = ["claim", "study", "verdict", "estimate \\(95% interval\\)", "n", "further seeds"]
OPEN = [
    "L1 reduces overfitting more on harder data",
    "–",
    "open",
    "needs the difference of two data sets, which no design can express yet",
    "–",
    "–",
]


def main() -> int:
    """Rebuild everything; the exit status of the first report that fails."""
    for study in studies():
        status = cli.main(arguments(study))
        if status:
            return status
    for page, change in ((README, with_opening), (RAN, with_what_was_run)):
        page.write_text(change(page.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


def studies() -> list[Path]:
    """The folders of studies, the published one first: a folder is named as its study, each of its snapshots `blocks-…`."""
    return sorted({path.parent for path in RESULTS.glob("*/blocks-*")}, key=lambda path: (path != FIRST.parent, path.name))


def arguments(study: Path) -> list[str]:
    """What `python -m analysis` makes the report of, on all its snapshots."""
    options = [option for path in snapshots(study) for option in ("--from", path.as_posix())]
    return ["report", *options, "--study", study.name, "--output", (study / "report").as_posix()]


def snapshots(study: Path) -> list[Path]:
    """A study's snapshots, by their first seed."""
    return sorted(study.glob("blocks-*"), key=lambda path: int(path.name.split("-")[1]))


def with_opening(readme: str) -> str:
    """The README with headline and figure of the published study's report, and a verdict on each claim, between the two marks."""
    return _between_marks(readme, _opening((FIRST / "report.md").read_text(encoding="utf-8")))


def with_what_was_run(readme: str) -> str:
    """The README of the results with a row per snapshot: what, when, on what, how long; and with every verdict of every study."""
    rows = [_row(path) for study in studies() for path in snapshots(study)]
    head = ["snapshot", "seeds", "trials", "epochs", "data", "trained", "processor", "threads", "a trial", "regstudy"]
    verdicts = [row for study in studies() for row in _verdicts(study, RESULTS)]
    headlines = [f"- **{study.name}**: {_headline(study)}" for study in studies()]
    return _between_marks(readme, "\n".join([*_table(head, rows), "", *headlines, "", *_table(HEAD, verdicts), ""]))


def _between_marks(page: str, text: str) -> str:
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{text}{END}{after}"


def _row(snapshot: Path) -> list[str]:
    runs, epochs = (pd.read_parquet(snapshot / f"{name}.parquet") for name in ("runs", "epochs"))
    runs = runs[runs["tags.regstudy.block"].notna()]  # without the study's own
    seconds = epochs[epochs["metric"] == "time/epoch_seconds"].groupby("run_id")["value"].sum()
    started = pd.to_datetime(runs["start_time"], unit="ms").dt.date
    told = {
        name: ", ".join(sorted({str(value) for value in runs[f"tags.regstudy.{name}"]}, key=lambda text: (len(text), text)))
        for name in ("block", "dataset", "processor", "threads", "version")
    }
    epochs_trained = ", ".join(sorted(set(epochs.groupby("run_id")["step"].nunique().astype(str))))
    days = " to ".join(sorted({started.min().isoformat(), started.max().isoformat()}))
    minutes = f"{seconds.min() / 60:.0f} to {seconds.max() / 60:.0f} min"
    where = snapshot.relative_to(RESULTS).as_posix()
    name = f"[{where}]({where})"
    return [
        name,
        told["block"],
        str(len(runs)),
        epochs_trained,
        told["dataset"],
        days,
        told["processor"],
        told["threads"],
        minutes,
        told["version"],
    ]


def _opening(report: str) -> str:
    lines = report.splitlines()
    alt = next(line for line in lines if line.startswith("![")).partition("](")[0]
    figure = f"{alt}]({(FIRST / 'figures/ranking.svg').as_posix()})"
    verdicts: dict[str, list[str]] = {}
    for study in studies():
        for row in _verdicts(study, Path()):
            verdicts.setdefault(row[0], row)  # what several studies claim is told of the first
    return "\n".join(
        [f"**{_headline(FIRST.parent)}.** {lines[2]}", "", figure, "", *_table(HEAD, [*verdicts.values(), OPEN]), ""]
    )


def _headline(study: Path) -> str:
    report = (study / "report" / "report.md").read_text(encoding="utf-8")
    return report.partition("\n")[0].removeprefix("# ")


def _verdicts(study: Path, seen_from: Path) -> list[list[str]]:
    """A row per claim of a study's report, as the report words it, and where that stands."""
    report = study / "report" / "report.md"
    lines = iter(report.read_text(encoding="utf-8").splitlines())
    told = takewhile(lambda line: line.startswith("|"), dropwhile(lambda line: not line.startswith("| claim |"), lines))
    rows = [line.strip("| ").split(" | ") for line in told][2:]
    link = f"[{study.name}]({report.relative_to(seen_from).as_posix()})"
    return [[claim, link, *verdict] for claim, *verdict in rows]


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]


if __name__ == "__main__":
    sys.exit(main())
