"""`make results`: every study's report from its snapshots, what was run from them too, and the opening of the project's README."""

import sys
from pathlib import Path

import pandas as pd

from analysis import cli

RESULTS, README = Path("results"), Path("README.md")
RAN = RESULTS / "README.md"
FIRST = RESULTS / "published" / "report"
BEGIN, END = "<!-- results: written by `make results` -->", "<!-- results: end -->"


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
    """The folders of studies: a folder is named as its study, each of its snapshots `blocks-…`."""
    return sorted({path.parent for path in RESULTS.glob("*/blocks-*")})


def arguments(study: Path) -> list[str]:
    """What `python -m analysis` makes the report of, on all its snapshots."""
    options = [option for path in snapshots(study) for option in ("--from", path.as_posix())]
    return ["report", *options, "--study", study.name, "--output", (study / "report").as_posix()]


def snapshots(study: Path) -> list[Path]:
    """A study's snapshots, by their first seed."""
    return sorted(study.glob("blocks-*"), key=lambda path: int(path.name.split("-")[1]))


def with_opening(readme: str) -> str:
    """The README with headline, figure and verdicts of the published study's report between the two marks."""
    return _between_marks(readme, _opening((FIRST / "report.md").read_text(encoding="utf-8")))


def with_what_was_run(readme: str) -> str:
    """The README of the results with a row per snapshot: what, when, on what, how long."""
    rows = [_row(path) for study in studies() for path in snapshots(study)]
    head = ["snapshot", "seeds", "trials", "epochs", "data", "trained", "processor", "threads", "a trial", "regstudy"]
    lines = [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]
    return _between_marks(readme, "\n".join([*lines, ""]))


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
    table = next(i for i, line in enumerate(lines) if line.startswith("| claim |"))
    end = next(i for i in range(table, len(lines)) if not lines[i].startswith("|"))
    alt = next(line for line in lines if line.startswith("![")).partition("](")[0]
    headline = lines[0].removeprefix("# ")
    told = f"**{headline}.** {lines[2]}"
    return "\n".join([told, "", f"{alt}]({(FIRST / 'figures/ranking.svg').as_posix()})", "", *lines[table:end], ""])


if __name__ == "__main__":
    sys.exit(main())
