"""The documentation quotes what the committed reports say; its site builds strictly and asks no other server for anything."""

import html
import re
import shutil
import subprocess
import sys

import pytest
import synthetic
from conftest import ROOT

from analysis.judging import findings
from analysis.showing.words import meanings

NOT_READ = re.compile(r"<(script|style|svg)\b.*?</\1>", re.S)


def words(page: str) -> str:
    """What a reader sees of a page, on one line."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", NOT_READ.sub("", page))).split())


def test_what_the_page_on_reading_quotes_is_in_a_report():
    quotes = re.findall(r"^> (.+)$", (ROOT / "docs" / "reading.md").read_text(encoding="utf-8"), re.M)
    shown = [
        words((ROOT / "results" / name / "report" / "report.html").read_text(encoding="utf-8"))
        for name in ("published", "published-v2")
    ]
    assert len(quotes) > 5
    assert [quote for quote in quotes if not any(quote in page for page in shown)] == []


def test_the_words_that_a_report_explains_are_on_the_page_on_reading():
    page = (ROOT / "docs" / "reading.md").read_text(encoding="utf-8")
    explained = [word for word, _ in meanings.meanings(findings.find(synthetic.trials(seeds=20)))]
    assert {"margin", "points", "α", "roughness", "P(best)", "expected calibration error"} <= set(explained)
    assert [word for word in explained if f"| {word}" not in page] == []


def test_every_page_is_in_the_index():
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")} - {"index.md"}
    assert pages <= set(re.findall(r"\]\(([^)#]+)", index))


def build(config: str, site: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", config, "-d", site]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_site_leads_to_reports_and_loads_nothing_from_elsewhere(tmp_path):
    built = build(str(ROOT / "mkdocs.yml"), str(tmp_path))
    assert built.returncode == 0, built.stderr
    pages = [path for path in tmp_path.rglob("*.html") if path.name != "report.html"]
    assert len(pages) > 15
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert re.findall(r"<(?:script|link|img|iframe)\b[^>]*(?:src|href)=\"(?:https?:)?//[^\"]*", text) == [], page
        for target in re.findall(r"(?:src|href)=\"((?!https?:|data:|mailto:)[^\"#?]+)", text):
            root = tmp_path if target.startswith("/") else page.parent  # the page for what is not found
            assert (root / target.lstrip("/")).exists(), (page, target)
    assert "results/published/report/report.html" in (tmp_path / "findings.html").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("link", ["../results/none.md", "reading.md#none", "guides/none.md", "/none.md"])
def test_a_broken_link_is_an_error(tmp_path, link):
    for name in ("docs", "results", "benchmarks"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("*.parquet", "tables", "runs", "*.ipynb"))
    shutil.copy(ROOT / "mkdocs.yml", tmp_path)
    with (tmp_path / "docs" / "tutorial.md").open("a") as page:
        page.write(f"\n[a link]({link})\n")
    built = build(str(tmp_path / "mkdocs.yml"), str(tmp_path / "site"))
    assert built.returncode == 1
    assert "Aborted with 1 warnings" in built.stderr + built.stdout
