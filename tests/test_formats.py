"""What a report is written as beside its page: which formats there are, LaTeX that compiles, files that are the user's."""

import json
import re
import shutil

import pytest
import synthetic
from pylatexenc.latex2text import LatexNodes2Text
from pylatexenc.latexwalker import LatexWalker
from test_hostile_names import HOSTILE

from analysis.commands import cli
from analysis.files import folders
from analysis.judging import findings
from analysis.reports import formats, latex
from analysis.showing.grids import Column, Grid
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
        assert "\\usepackage{booktabs}" in tex.splitlines()[0]
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


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromium") is None, reason="Chromium prints")
def test_each_format_is_written_and_all_but_the_print_is_verified(own_copy, capsys):
    assert cli.main(["report", "--format", "json,latex,pdf"]) == 0
    folder = own_copy / "report"
    assert {path.name for path in (folder / "tables").iterdir()} == {"ranking.tex", "comparisons.tex"}
    assert not (folder / "report.md").exists()
    assert (folder / "report.pdf").read_bytes().startswith(b"%PDF-")
    assert cli.main(["rank", "--json"]) == 0
    held = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert held["rankings"] == json.loads(capsys.readouterr().out.splitlines()[-1])["rankings"]
    assert cli.main(["verify", "report"]) == 0
    assert "so not compared: report.pdf" in capsys.readouterr().out
    for name, old, new in (("report.json", "none", "nine"), ("tables/ranking.tex", "none", "nine")):
        path = folder / name
        path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    (folder / "report.pdf").write_bytes(b"%PDF-another")
    assert cli.main(["verify", "report"]) == 2
    told = capsys.readouterr().err
    assert all(name in told for name in ("report.json, line ", "tables/ranking.tex, line ", "another digest of report.pdf"))
