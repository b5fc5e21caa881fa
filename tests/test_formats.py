"""What a report is written as beside its page: which formats there are, LaTeX that compiles, files that are the user's."""

import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
import synthetic
from PIL import Image
from pylatexenc.latex2text import LatexNodes2Text
from pylatexenc.latexwalker import LatexWalker
from test_hostile_names import HOSTILE

import analysis as an
from analysis.commands import cli
from analysis.commands.options.parsed import parse
from analysis.files import folders
from analysis.judging import findings
from analysis.reports import card, cite, formats, latex
from analysis.showing import plots
from analysis.showing.grids import Column, Grid
from analysis.showing.sections.first import FIRST
from analysis.showing.sections.section import Material
from regstudy.console.text import visible
from regstudy.errors import FolderError, UsageError

ODD = ("[x] & y", "* {a}_b^c~d", "a--b---c", "50% of $5 #1 \\frac", "''quoted'' `x` “y”", "−0.5 ± 1 × 2 → 3", "none", "<|>")


@pytest.mark.parametrize(("given", "word"), [("htm", "'htm'"), ("html,,md", "''"), ("html, PDF", "'PDF'")])
def test_an_unknown_format_is_one_line_before_anything_is_made(given, word, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["report", "--format", given]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert f"--format {word}: expected one of html, md, csv, json, latex, pdf" in told
    assert not list(tmp_path.iterdir())


def test_a_report_of_anybodys_runs_takes_formats_too_by_the_command_and_in_a_program(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    compare = ["compare", "--metric", "acc", "--group-by", "params.lr"]
    for words, told in (
        (["--output", "report", "--format", "htm"], "--format 'htm': expected one of html, md, csv, json, latex, pdf"),
        (["--card"], "--card is of the report that --metric and --output write"),
        (["--format", "json"], "--format is of the report that --metric and --output write"),
    ):
        assert cli.main([*compare, *words]) == 2
        said = capsys.readouterr().err
        assert told in said
        assert said.count("\n") == 1
    with pytest.raises(UsageError, match="formats='htm': expected one of html, md"):
        an.report(synthetic.trials(), "report", formats=["json", "htm"])
    assert not list(tmp_path.iterdir())
    asked = formats.Contents.named(("json", "latex"), card=True)
    assert asked.as_words() == ["--format", "json,latex", "--card"]
    assert formats.Contents.of(parse([*compare, "--output", "report", *asked.as_words()])) == asked
    assert formats.Contents.named("", card=False).as_words() == []


def test_without_a_browser_a_page_cannot_be_printed_and_nothing_is_made(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert cli.main(["report", "--format", "html,pdf"]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "install one (Debian: apt install chromium), or leave pdf out" in told
    assert not list(tmp_path.iterdir())
    with pytest.raises(UsageError):
        formats.browser()


def test_nothing_said_is_what_reports_always_were():
    assert formats.read("") == ("html", "md", "csv")
    assert formats.Contents().files == ()
    assert formats.read("json, latex,json") == ("json", "latex")


def cells(tex: str) -> list[list[str]]:
    """A table's rows, as pylatexenc reads them; LatexWalkerParseError if they are no LaTeX."""
    body = tex.partition("\\midrule\n")[2].partition("\\bottomrule")[0]
    LatexWalker(tex, tolerant_parsing=False).get_latex_nodes()
    texts = LatexNodes2Text(math_mode="text", strict_latex_spaces="macros")
    rows = [line.removesuffix(r" \\") for line in body.splitlines()]
    return [[texts.latex_to_text(cell).strip() for cell in re.split(r"(?<!\\) & ", row)] for row in rows]


def fits(tex: str) -> bool:
    """Whether a table is no wider than a line of `article` on A4 by what it says itself: by its columns' points, all in all, or since it is scaled to the line."""
    if "\\resizebox{\\textwidth}{!}{\\begin{tabular}" in tex:
        return tex.count("\\end{tabular}}") == 1
    points = [float(width) for width in re.findall(r"p\{([\d.]+)pt\}", tex)]
    gap = float(re.findall(r"\\setlength\{\\tabcolsep\}\{([\d.]+)pt\}", tex)[0])
    if points:
        return sum(points) + 2 * gap * (len(points) - 1) <= LINE
    # Not broken: no digit of footnotesize is narrower than 4.2 points.
    return max(sum(4.2 * len(cell) + 2 * gap for cell in row) for row in cells(tex)) <= 1.2 * LINE


LINE = 345.0
LONG = (
    "learning_rate_schedule_cosine_with_warm_restarts_v2",
    "a" * 60,
    "100% of $5 & −0.5 × x_{1}^2 and more",
    "W" * 30,
    "L1 0.001",
)


@pytest.mark.parametrize("columns", [3, 6, 16])
def test_a_table_of_long_names_and_many_numbers_is_no_wider_than_a_line_and_loses_nothing(columns):
    headings = (Column("configuration", numeric=False), *(Column(f"95% interval_of_{place}") for place in range(1, columns)))
    grid = Grid("t", "wide", headings, tuple((name, *["−1,234.56 to +1,234.56"] * (columns - 1)) for name in LONG))
    tex = latex.table(grid)
    assert fits(tex)
    assert [row[0] for row in cells(tex)] == [as_read(name) for name in LONG]
    assert {cell for row in cells(tex) for cell in row[1:]} == {"-1,234.56 to +1,234.56"}
    assert "\\usepackage{array,booktabs,graphicx}" in tex.splitlines()[0]


def test_a_table_that_fits_is_as_wide_as_it_is():
    tex = latex.table(Grid("t", "small", (Column("configuration", numeric=False), Column("mean")), (("none", "1.5"),)))
    assert "\\begin{tabular}{lr}" in tex
    assert "\\usepackage{booktabs}" in tex.splitlines()[0]


def as_read(text: str) -> str:
    """As pylatexenc spells it."""
    return text.replace("^", "ˆ").replace("−", "-").replace("\u00a0", " ")


def test_every_character_of_a_table_is_the_one_that_it_was():
    names = (*ODD, *(visible(name) for name in HOSTILE))
    grid = Grid("t", "a_b & 100%", (Column("A_1", numeric=False), Column("x")), tuple((name, "−1.5") for name in names))
    tex = latex.table(grid)
    assert [row[0] for row in cells(tex)] == [as_read(name) for name in names]
    assert {row[1] for row in cells(tex)} == {"-1.5"}
    assert r"\caption{a\_b \& 100\%}" in tex
    assert not re.search(r"\\\\\s*[\[*]", tex), "an argument of the row's end"


def test_a_studys_tables_are_whole_latex_with_booktabs_rules():
    made = latex.tables(findings.find(synthetic.trials()))
    assert set(made) == {"ranking", "verdicts", "comparisons"}
    for name, tex in made.items():
        assert "booktabs" in tex.splitlines()[0]
        assert fits(tex), name
        assert tex.count("\\toprule") == tex.count("\\bottomrule") == 1, name
        widths = {len(row) for row in cells(tex)}
        assert len(widths) == 1, name
    assert {row[1] for row in cells(made["ranking"])} == {"none", "L1 0.001", "L2 0.0005", "L1 0.001 + L2 0.0005"}


def test_files_that_a_report_holds_only_where_it_is_asked_to_are_else_the_users(tmp_path):
    own = tmp_path / "card.png"
    own.write_text("mine")
    with folders.replacing_report(tmp_path) as new:
        (new / "report.md").write_text("a")
    assert own.read_text() == "mine"
    assert folders.beside(tmp_path) == ["card.png"]
    with pytest.raises(FolderError, match=r"card\.png"):
        folders.check_report(tmp_path, ["card.png"])
    with pytest.raises(FolderError, match=r"card\.png"), folders.replacing_report(tmp_path) as new:
        (new / "card.png").write_text("ours")
    own.unlink()
    with folders.replacing_report(tmp_path) as new:
        (new / "card.png").write_text("ours")
    with folders.replacing_report(tmp_path) as new:
        (new / "report.md").write_text("b")
    assert not own.exists()


NOON = 1_795_435_200_000
"""23 November 2026, 12:00 UTC, in milliseconds."""


def cited(*, began: int = NOON, seconds: float = 90_000.0) -> cite.Citation:
    """A synthetic study's citation, whose runs all began then and took so long."""
    trials = synthetic.trials()
    runs = trials.runs.assign(start_time=began, **{"time/wall_seconds": seconds})
    return cite.citation(findings.find(replace(trials, runs=runs)), dict.fromkeys(runs["run_id"], "d"))


@pytest.mark.slow
def test_a_citation_follows_from_the_runs_alone():
    told = cited()
    assert told == cited()
    assert told.bibtex.startswith("@misc{published2026,\n  title = {published: ")
    assert "runs of 23 to 24 Nov 2026" in told.bibtex
    assert told.digest in told.bibtex
    assert not told.has_author
    assert told.last == "24 Nov 2026"
    answers = dict(told.answers)
    assert answers["How many seeds?"] == "3 seeds each; 12 runs"
    assert answers["How much computing?"].startswith("300.0 hours")
    assert "l1 0.0, 0.001" in answers["Which hyperparameters were tried?"]


def test_a_place_in_a_file_is_no_date():
    told = cited(began=3)
    assert "year" not in told.bibtex
    assert told.bibtex.startswith("@misc{published,")
    assert "When did the runs run?" not in dict(told.answers)


@pytest.mark.slow
def test_a_card_is_one_picture_of_its_size_with_its_words(tmp_path):
    found = findings.find(synthetic.trials())
    with plots.style():
        made = FIRST.make(Material.of(found))
        assert made is not None
        card.write(found, made.figures[0], cited(), tmp_path)
    with Image.open(tmp_path / "card.png") as picture:
        assert picture.size == (1200, 630)
    drawn = ET.parse(tmp_path / "card.svg").getroot()
    assert (drawn.get("width"), drawn.get("height"), drawn.get("role")) == ("1200px", "630px", "img")
    snippet = (tmp_path / "card.md").read_text(encoding="utf-8")
    assert snippet.startswith("![Which of 4 configurations is best is not known")
    assert snippet.endswith("](card.png)\n")
    for words in (cited().digest[:12], "last run 24 Nov 2026", "4 configurations × 3 seeds"):
        assert words in snippet
        assert words in drawn.get("aria-label", "")
