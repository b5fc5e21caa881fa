"""The committed results are what their snapshots give, and the README says what their report says."""

import re
import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from analysis.commands import cli
from analysis.files import made_by
from analysis.judging.findings import Findings
from analysis.reading import query
from analysis.reading.query import Wanted
from analysis.reports import report
from analysis.showing.run_pages import MOST_RUNS
from regstudy.design.history import Plan
from regstudy.errors import UsageError
from results import rebuild

ROOT = Path(__file__).parents[1]
NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")
LINK = re.compile(r"\]\(([^)#]+)[^)]*\)")
STUDIES = sorted(path.parent.name for path in (ROOT / "results").glob("*/report"))


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch):
    """The reports' commands are relative to the project."""
    monkeypatch.chdir(ROOT)


def test_every_study_with_snapshots_has_a_report():
    names = [study.name for study in rebuild.studies()]
    assert sorted(names) == STUDIES
    assert names[0] == "published"


@pytest.mark.slow
def test_the_readme_opens_with_what_the_report_says():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert readme == rebuild.with_opening(readme), "run make results"
    assert "](results/published/report/figures/ranking.svg)" in readme.split("make demo")[0], (
        "a picture stands before the commands"
    )


@pytest.mark.slow
def test_the_table_of_what_was_run_is_the_snapshots():
    readme = (ROOT / "results" / "README.md").read_text(encoding="utf-8")
    assert readme == rebuild.with_what_was_run(readme), "run make results"
    assert readme.count("| L1 = 0.001 alone is best | [published](") == 1
    assert "nan" not in readme


@pytest.mark.parametrize("name", STUDIES)
def test_all_snapshots_are_one_study_of_complete_blocks(name):
    study = ROOT / "results" / name
    read = query.read(Wanted(study=rebuild.name_of(study), snapshots=[str(path) for path in rebuild.snapshots(study)]))
    for trials in (read, *read.beside):
        blocks = trials.runs.groupby("seed")["configuration"].nunique()
        assert set(blocks) == {len(trials.study.design.cells())}
        assert blocks.sum() == len(trials.runs)
        assert trials.runs["epochs"].unique().tolist() == [40]
        left_out = any("left out" in notice for notice in trials.notices)
        assert left_out == (not trials.study.run_id), "a design's file takes some of other studies' runs, all others take all"


def test_a_plan_that_was_recorded_elsewhere_later_is_not_the_studys():
    """The first seeds are of a version that recorded none; those that were added were planned one by one, by stores that did not know of them."""
    grown = rebuild.snapshots(ROOT / "results" / "published-grown")
    wanted = Wanted(study="published", snapshots=[str(path) for path in grown], plan=Plan(10))
    trials = query.read(wanted)
    assert (trials.plan, trials.runs["seed"].nunique()) == (Plan(10), 20)
    with pytest.raises(UsageError, match="recorded its own plan, 1 seed"):
        query.read(replace(wanted, snapshots=[str(grown[-1])]))


@pytest.mark.parametrize("name", STUDIES)
def test_three_clicks_lead_from_the_readme_to_any_runs_curve_and_images(name):
    report = ROOT / "results" / name / "report"
    assert "](results/README.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"]({name}/report/report.md)" in (ROOT / "results" / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\| \[\w{32}\]\((runs/[\w.-]+)\) \|\n", (report / "report.md").read_text(encoding="utf-8"))
    runs = pd.read_csv(report / "tables" / "ranking.csv")["seeds"].sum()
    assert len(links) == (runs if runs <= MOST_RUNS else 0)
    for link in links:
        picture = (report / link).read_text(encoding="utf-8")
        assert "over epochs; its other seeds pale." in picture
        assert picture.count("<title>test image ") > 20


@pytest.mark.parametrize("name", STUDIES)
def test_what_the_published_study_says_is_in_its_own_report_alone(name):
    report = (ROOT / "results" / name / "report" / "report.md").read_text(encoding="utf-8")
    assert ("in the study that this one repeats" in " ".join(report.split())) == (rebuild.name_of(Path(name)) == "published")


def test_every_number_of_the_findings_is_in_a_source_that_its_paragraph_names():
    page = ROOT / "docs" / "findings.md"
    checked = 0
    paragraphs = page.read_text(encoding="utf-8").split("\n\n")
    for paragraph in [text for text in paragraphs if not text.startswith("#")]:
        sources = [(page.parent / link).resolve() for link in LINK.findall(paragraph)]
        text = "\n".join(path.read_text(encoding="utf-8") for path in sources if path.is_file())
        known = set(NUMBER.findall(text))
        told = NUMBER.findall(LINK.sub("]", paragraph))
        assert [number for number in told if number not in known] == [], paragraph
        assert all(path.exists() for path in sources), paragraph
        checked += len(told)
    assert checked > 50


@pytest.mark.slow
@pytest.mark.parametrize("name", STUDIES)
def test_a_report_is_rebuilt_byte_for_byte_and_verified(name, tmp_path, monkeypatch):
    """What `verify` computes anew, by the command that `make results` gives, is looked at byte by byte too."""
    folder, anew, write = ROOT / "results" / name / "report", tmp_path / "anew", report.write
    told = made_by.read((folder / "report.html").read_text(encoding="utf-8"))
    assert shlex.split(told.command)[3:] == rebuild.arguments(Path("results") / name)

    def write_and_keep(found: Findings, place: Path, *how: object) -> Path:
        page = write(found, place, *how)
        shutil.copytree(place, anew)
        return page

    monkeypatch.setattr(report, "write", write_and_keep)
    assert cli.main(["verify", str(folder)]) == 0
    for path in sorted(folder.rglob("*.*")):
        if path.suffix not in {".png", ".pdf"}:
            assert committed(path) == committed(anew / path.relative_to(folder)), path


def committed(path: Path) -> bytes:
    """A file's bytes; of a manifest, without the lines of figures that are not committed, whose compression is each machine's own."""
    lines = path.read_bytes().splitlines(keepends=True)
    return b"".join(line for line in lines if not (path.suffix == ".json" and (b".png" in line or b".pdf" in line)))
