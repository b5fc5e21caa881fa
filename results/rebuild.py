"""`make results`: every study's report from its snapshots; from these, what was run, every verdict, and the picture that the project's README opens with."""

import sys
from functools import cache
from pathlib import Path

import pandas as pd

import analysis as an
from analysis.commands import cli, commands
from analysis.judging.findings import Findings
from analysis.showing import grids
from analysis.showing.rendering import markdown_text
from analysis.showing.sections import luck
from analysis.showing.sections.first import FIRST as FIRST_SCREEN
from analysis.showing.sections.section import Material
from analysis.showing.words.opening import headline, opening

RESULTS, README = Path("results"), Path("README.md")
RAN = RESULTS / "README.md"
READING = "docs/reading.md"
FIRST = RESULTS / "published" / "report"
BEGIN, END = "<!-- results: written by `make results` -->", "<!-- results: end -->"
HEAD = ["claim", "study", "verdict", "estimate \\(interval\\)", "n", "further seeds"]
OF_OTHERS = {"published-grown": ("published",), "fashion-minus-mnist": ("published",)}
"""Reports on the snapshots of other studies, too: of one that went on after its own report, which stays as it is; of one whose trials another asks about beside its own."""

CALLED = {"published-grown": "published", "fashion-minus-mnist": "regstudy/design/designs/fashion-minus-mnist.yaml"}
"""What the study of a folder is called by, where that is not the folder's name: one that nobody started, by its design's file."""

PLANNED = {
    "fashion-minus-mnist": 10,
    "published": 10,
    "published-factors": 0,
    "published-grown": 10,
    "published-stepped": 3,
    "published-v2": 3,
    "sweep-l1": 2,
    "sweep-l2": 2,
}
"""Seeds that each study's design named before any of them ran, of those that do not record it themselves; 0: its design was written when its runs were there."""

NOT_AS_PLANNED = {
    "fashion-minus-mnist": "designed after all runs on MNIST had been seen, and of those on Fashion-MNIST the last test accuracy of two",
    "published-grown": "planned with ten seeds; ten more were added after these had been seen",
    "published-v2": "planned with three seeds; two more were added after these had been seen",
    "published-factors": "designed after all of its runs had been seen, so judged as if its seeds had been added while looking",
}
"""Where this project itself looked first: said beside what the study concluded."""

BESIDE = (
    "Best epochs of single runs, as the published study reports them, each beside the same of ours; biased upwards in both. With 5 runs or fewer the\n"
    "standard deviation is itself uncertain. Epochs have a range only."
)


def main() -> int:
    """Rebuild everything; the exit status of the first report that fails."""
    for study in studies():
        _remove_pictures(study)
        status = cli.main(arguments(study))
        if status:
            return status
    for page, change in ((README, with_opening), (RAN, with_what_was_run)):
        page.write_text(change(page.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


def _remove_pictures(study: Path) -> None:
    """Without the figures as PNG and PDF: they are not committed, so a manifest that is may list others than those of an earlier rebuild here."""
    for kind in ("png", "pdf"):
        for picture in (study / "report" / "figures").glob(f"*.{kind}"):
            picture.unlink()


def studies() -> list[Path]:
    """The folders of studies, the published one first: a folder is named as its study, or in CALLED, each of its snapshots `blocks-…`."""
    ran = {path.parent for path in RESULTS.glob("*/blocks-*")}
    together = {RESULTS / name for name, others in OF_OTHERS.items() if all(RESULTS / other in ran for other in others)}
    return sorted(ran | together, key=lambda path: (path != FIRST.parent, path.name))


def arguments(study: Path) -> list[str]:
    """What `python -m analysis` makes the report of, on all its snapshots."""
    options = [option for path in snapshots(study) for option in ("--from", path.as_posix())]
    planned = ["--planned", str(PLANNED[study.name] or "none")] if study.name in PLANNED else []
    return ["report", *options, "--study", name_of(study), *planned, "--output", (study / "report").as_posix()]


def name_of(study: Path) -> str:
    """What the study in a folder is called, as `--study` takes it."""
    return CALLED.get(study.name, study.name)


def snapshots(study: Path) -> list[Path]:
    """A study's snapshots, by their first seed: those of the others that it is of, and its own."""
    others = [path for name in OF_OTHERS.get(study.name, ()) for path in snapshots(RESULTS / name)]
    return [*others, *_own(study)]


def _own(study: Path) -> list[Path]:
    return sorted(study.glob("blocks-*"), key=lambda path: int(path.name.split("-")[1]))


def with_opening(readme: str) -> str:
    """The README with figure and headline of the published study's report between the two marks."""
    return _between_marks(readme, _opening())


def with_what_was_run(readme: str) -> str:
    """The README of the results between its marks: what was run, a row per snapshot; every verdict of every study; every published number."""
    rows = [_row(path) for study in studies() for path in _own(study)]
    head = ["snapshot", "seeds", "trials", "epochs", "data", "trained", "processor", "threads", "a trial", "regstudy"]
    verdicts = [row for study in studies() for row in _verdicts(study)]
    headlines = [f"- **{study.name}**: {_headline(study)}{_how_planned(study)}." for study in studies()]
    beside, published = _fidelity()
    lines = [*_table(head, rows), "", "## What each study concluded", "", *headlines, "", *_table(HEAD, verdicts)]
    lines += [
        "",
        "## The published numbers beside ours",
        "",
        BESIDE,
        "",
        _so_many_fit(beside, published),
        "",
        *_table(beside, published),
    ]
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


def _opening() -> str:
    """The figure, and below it what it shows: the finding, what was run, and how many claims hold."""
    found = _found(FIRST.parent)
    material = Material.of(found)
    figure, said = FIRST_SCREEN.figures(material)[0], opening(found)
    picture = f"![{markdown_text(figure.alt)}]({(FIRST / 'figures/ranking.svg').as_posix()})"
    told = f"**{markdown_text(said.headline)}.** {markdown_text(said.deck)}"
    links = f"[The whole report]({(FIRST / 'report.md').as_posix()}) · [how to read it]({READING})"
    return "\n".join([picture, "", told, links, ""])


@cache
def _found(study: Path) -> Findings:
    return commands.with_images(an.read(name_of(study), snapshots=snapshots(study), planned=PLANNED.get(study.name)))


def _headline(study: Path) -> str:
    return markdown_text(headline(_found(study)))


def _how_planned(study: Path) -> str:
    return f" ({NOT_AS_PLANNED[study.name]})" if study.name in NOT_AS_PLANNED else ""


def _verdicts(study: Path) -> list[list[str]]:
    """A row per claim of a study, as its report words it, and where that stands."""
    rows = grids.verdicts(_found(study)).rows
    return [[markdown_text(claim), _link(study), *map(markdown_text, verdict)] for claim, *verdict in rows]


def _fidelity() -> tuple[list[str], list[list[str]]]:
    """Headings, and a row per published number, beside the most runs that any study has of its configuration."""
    rows: dict[str, list[str]] = {}
    head: list[str] = []
    for study in studies():
        beside = luck.beside_published(_found(study))
        if beside is None:
            continue
        head = [markdown_text(column.heading) for column in beside.columns]
        n = head.index("n")
        for row in ([markdown_text(cell) for cell in cells] for cells in beside.rows):
            name = " ".join(row[:3])
            if name not in rows or int(row[n]) > int(rows[name][n]):
                rows[name] = [*row, _link(study)]
    return [*head, "runs of"], sorted(rows.values(), key=lambda row: row[0])


def _so_many_fit(head: list[str], rows: list[list[str]]) -> str:
    """How many published values lie where ours do, and how many would if each were one more run of ours."""
    values, sizes = ([row[head.index(heading)] for row in rows] for heading in ("published value", "n"))
    ranges = [(value, int(n)) for value, n in zip(values, sizes, strict=True) if value.endswith("range")]
    intervals = len(values) - len(ranges)
    expected = sum((n - 1) / (n + 1) for _, n in ranges)  # of values that never tie; ties make it more
    told = (
        f"{values.count('inside')} of {intervals} accuracies inside their 95% prediction interval ({0.95 * intervals:.1f} expected)",
        f"{values.count('in our range')} of {len(ranges)} epochs in our range (at least {expected:.1f} expected)",
    )
    return f"Even of runs just like ours some would lie outside, by chance. Of the published ones: {', '.join(told)}."


def _link(study: Path) -> str:
    return f"[{study.name}]({study.name}/report/report.md)"


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]


if __name__ == "__main__":
    sys.exit(main())
