"""Names, from whoever writes to the store, that act on a terminal, a browser, a Markdown page or a spreadsheet: each is shown, none acts."""

import base64
import csv
import hashlib
import io
import json
import re
import shlex
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import mlflow
import numpy as np
import pandas as pd
import pytest
from conftest import use_store
from markdown_it import MarkdownIt
from mlflow.entities import Metric, Param
from seen import seen

from analysis.commands import cli
from analysis.files import rows
from analysis.showing import rendering
from regstudy.console.text import visible

HOSTILE = (
    "\x1b]0;owned\x07\x1b[31mred",
    "a\n# b\tc\r\u2028d\x85e\x9bf",
    "\u202egnp.exe\u2066\u200f",
    "=HYPERLINK(\"http://evil.example\",\"x\")",
    "--><script>alert(1)</script>&lt;",
    "`x` ``y | [a](javascript:alert(1)) <b> $x$ @all https://evil.example www.evil.example",
    "a[/]b",
    "$\\frac{a$",
)  # fmt: skip


FOLDS, STEPS = HOSTILE[:3], 6
IN_A_FILE = HOSTILE[-2:]
"""Configurations whose runs are in a file of results; all others are in the store."""

NOT_THEIRS = re.compile(r"(?i)\b(images?|seeds?|epochs?|digits?|l1|l2|published study|misclassif\w*|kernels?|batchnorm)\b")


@pytest.fixture(scope="module")
def report(migrated_database, tmp_path_factory) -> Iterator[Path]:
    """A report on anybody's runs, of an experiment and of a file, whose names are all of these."""
    folder = tmp_path_factory.mktemp("hostile")
    with pytest.MonkeyPatch.context() as monkeypatch:
        use_store(folder, migrated_database, monkeypatch)
        experiment = " ".join(HOSTILE)
        client = mlflow.MlflowClient()
        number = client.create_experiment(experiment, artifact_location=str(folder / "artifacts"))
        rng = np.random.default_rng(0)
        for name in HOSTILE:
            for fold in FOLDS if name not in IN_A_FILE else ():
                run = client.create_run(number, run_name=name).info.run_id
                points = [Metric("val_rmse", rng.normal(0.9, 0.01), 0, step) for step in range(STEPS)]
                client.log_batch(run, points, [Param("what", name), Param("fold", fold)])
                client.set_terminated(run)
        rows_of_file(rng).to_parquet("results.parquet")
        given = ["--metric", "val_rmse", "--group-by", "params.what", "--block", "params.fold", "--margin", "0.5"]
        where = ["--from", "mlflow.db", "--from", "results.parquet", "--experiment", experiment]
        formats = ["--format", "html,md,csv,latex,json", "--card"]
        assert cli.main(["compare", *given, *where, *formats, "--output", "report"]) == 0
        assert cli.main(["verify", "report"]) == 0
        yield folder / "report"
    mlflow.set_tracking_uri(None)  # pyright: ignore[reportArgumentType]  # None unsets it


def rows_of_file(rng: np.random.Generator) -> pd.DataFrame:
    each = [(name, fold, step) for name in IN_A_FILE for fold in FOLDS for step in range(STEPS)]
    return pd.DataFrame(each, columns=["what", "fold", "step"]).assign(
        metric="val_rmse", value=rng.normal(0.8, 0.01, len(each)), run_name="=1"
    )


@pytest.mark.slow
def test_a_report_of_anybodys_runs_makes_no_claims_of_ours(report):
    text = (report / "report.md").read_text(encoding="utf-8")
    assert "claim" not in text.lower()
    assert "nothing says whether these runs share their data" in text


@pytest.mark.slow
def test_it_speaks_of_nothing_that_they_do_not_have(report):
    for path in (path for path in report.rglob("*") if path.suffix in {".html", ".md", ".csv", ".svg"}):
        told = path.read_text(encoding="utf-8").splitlines() if path.suffix == ".csv" else seen(path)
        assert not [line for line in told if NOT_THEIRS.search(line)], path
    said = "\n".join(seen(report / "report.html"))
    assert "8 configurations × 3 folds" in said
    assert "within folds" in said
    assert "fold,step,value" in (report / "figures" / "val_rmse.csv").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_file_that_has_changed_since_is_noticed(report, monkeypatch, capsys):
    file = report.parent / "results.parquet"
    before = file.read_bytes()
    monkeypatch.chdir(report.parent)
    rows_of_file(np.random.default_rng(1)).to_parquet(file)
    assert cli.main(["verify", "report"]) == 2
    file.write_bytes(before)
    assert "is not what it was" in capsys.readouterr().err


def acting(text: str) -> list[str]:
    """Characters that are not seen but act; lines end as they do."""
    return [c for c in text.replace("\n", "") if unicodedata.category(c) in {"Cc", "Cf", "Zl", "Zp", "Cs"}]


@pytest.mark.slow
def test_no_file_holds_a_character_that_acts_unseen(report):
    files = [path for path in report.rglob("*") if path.suffix in {".html", ".md", ".csv", ".svg", ".json"}]
    assert len(files) > 15
    for path in files:
        assert acting(path.read_text(encoding="utf-8")) == [], path
        assert acting(unquote(path.read_text(encoding="utf-8"))) == [], path
    for name in ("report.html", "report.md", "tables/ranking.csv", "figures/ranking.svg"):
        text = (report / name).read_text(encoding="utf-8")
        assert "x1b" in text, name
        assert "u202egnp" in text, name


@pytest.mark.slow
def test_html_holds_no_script_but_its_own_and_runs_no_other(report):
    html = (report / "report.html").read_text(encoding="utf-8")
    assert "<script>alert" not in html
    policy = re.search(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', html)[1]
    assert policy.startswith("default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; script-src 'sha256-")
    for element in re.findall(r"<(?:script|style)(?: type=\"text/css\")?>(.*?)</(?:script|style)>", html, re.S):
        assert base64.b64encode(hashlib.sha256(element.encode()).digest()).decode() in policy
    assert html.index("Content-Security-Policy") < html.index("<style")
    assert "unsafe-inline" not in policy.replace("style-src-attr 'unsafe-inline'", "")
    assert not re.findall(r"\son[a-z]+=", re.sub(r">[^<]*<", "><", html))


@pytest.mark.slow
def test_svg_is_whole_and_holds_no_script(report):
    for path in report.rglob("*.svg"):
        elements = {element.tag.rpartition("}")[2] for element in ET.parse(path).iter()}
        assert not elements & {"script", "foreignObject", "a"}, path


@pytest.mark.slow
def test_markdown_shows_names_as_they_are_and_links_nowhere_else(report):
    text = (report / "report.md").read_text(encoding="utf-8")
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    inline = [child for token in tokens for child in token.children or []]
    targets = {str(token.attrs["href"]) for token in inline if token.type == "link_open"}
    assert all(re.fullmatch(r"(figures|tables|runs)/[\w.-]+|#what-the-words-mean", target) for target in targets), targets
    assert not [token for token in [*tokens, *inline] if token.type.startswith("html")]
    headings = [tokens[i + 1].content for i, token in enumerate(tokens) if token.type == "heading_open"]
    assert not any(heading.startswith("b") for heading in headings)
    shown = "".join(token.content for token in inline)
    for name in HOSTILE:
        assert visible(name) in shown


@pytest.mark.slow
def test_a_spreadsheet_takes_no_name_for_a_formula_and_every_number_for_a_number(report):
    for path in report.rglob("*.csv"):
        for row in csv.reader(io.StringIO(path.read_text(encoding="utf-8"))):
            for cell in row:
                assert not re.match(r"\s*[=+@-]", cell) or float(cell) < 0, (path, cell)
    pairs = pd.read_csv(report / "tables" / "pairs.csv")
    assert pairs["low"].dtype == float
    assert pairs["low"].min() < 0


@pytest.mark.parametrize("text", ["=1", "+1+1", "-x", "@x", " =1", "＝1", "'=1", "-", "--1", "-1 -1"])
def test_a_text_that_would_be_a_formula_gets_an_apostrophe_that_can_be_taken_away(text):
    written = rows.csv(pd.DataFrame({"a": [text], "b": [-1.5]}))
    back = pd.read_csv(io.StringIO(written))
    assert back["a"].tolist() == [f"'{text}"]
    assert back["b"].tolist() == [-1.5]


@pytest.mark.parametrize("text", ["-1.5", "+1e-5", "-.5", "-inf", "x", "'x", "L1 0.001 − none", "1=", ""])
def test_other_texts_stay_as_they_are(text):
    assert rows.csv(pd.DataFrame({"a": [text, "z"]})).splitlines()[1].strip('"') == text


@pytest.mark.slow
def test_a_command_is_told_as_it_was_given_and_can_be_run_again(report):
    html = (report / "report.html").read_text(encoding="utf-8")
    made_by = json.loads(re.search(r'id="made-by">(.*?)</script>', html)[1])
    words = shlex.split(made_by["command"])
    assert words[words.index("--experiment") + 1] == " ".join(HOSTILE)
    rows_of_file = {f"row {number}" for number in range(1, 1 + len(IN_A_FILE) * len(FOLDS))}
    assert set(made_by["runs"]) - rows_of_file == set(re.findall(r"\b[0-9a-f]{32}\b", (report / "report.md").read_text()))


@pytest.mark.parametrize("text", ["a`b", "``", "`", "a``` b", "x"])
def test_a_code_span_ends_where_it_should(text):
    (token,) = MarkdownIt().parseInline(rendering.markdown_code(text))[0].children
    assert (token.type, token.content) == ("code_inline", text)


@pytest.mark.parametrize(
    "text", ["- a", "= a", "===", "1. a", "+ a", "# a", "> a", "| a |", "https://a.b", "ftp://a.b", "www.a.b", "a@b.c", "$a$"]
)
def test_markdown_makes_nothing_of_a_text(text):
    tokens = MarkdownIt("commonmark").enable("table").parse(rendering.markdown_text(text))
    assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]
    assert {child.type for child in tokens[1].children} <= {"text", "text_special"}
    assert "".join(child.content for child in tokens[1].children) == text
