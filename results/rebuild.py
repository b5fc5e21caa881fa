"""`make results`: every study's report from its snapshots, and the opening of the project's README from the published study's."""

import sys
from pathlib import Path

from analysis import cli

RESULTS, README = Path("results"), Path("README.md")
FIRST = RESULTS / "published" / "report"
BEGIN, END = "<!-- results: written by `make results` -->", "<!-- results: end -->"


def main() -> int:
    """Rebuild everything; the exit status of the first report that fails."""
    for study in studies():
        status = cli.main(arguments(study))
        if status:
            return status
    README.write_text(with_opening(README.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


def studies() -> list[Path]:
    """The folders of studies: a folder is named as its study, each of its snapshots `blocks-…`."""
    return sorted({path.parent for path in RESULTS.glob("*/blocks-*")})


def arguments(study: Path) -> list[str]:
    """What `python -m analysis` makes the report of, on all its snapshots."""
    snapshots = sorted(study.glob("blocks-*"), key=lambda path: int(path.name.split("-")[1]))
    options = [option for path in snapshots for option in ("--from", path.as_posix())]
    return ["report", *options, "--study", study.name, "--output", (study / "report").as_posix()]


def with_opening(readme: str) -> str:
    """The README with headline, figure and verdicts of the published study's report between the two marks."""
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{_opening((FIRST / 'report.md').read_text(encoding='utf-8'))}{END}{after}"


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
