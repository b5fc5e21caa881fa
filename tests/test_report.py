"""The report: every format, self-contained, repeatable, and safe against names that are code."""

import re
import sqlite3
from contextlib import closing
from dataclasses import replace

import mlflow
import pandas as pd
import pytest

from analysis import cli, query, ranking, report, sheets
from regstudy.schema import REPORT, Tag

FILES = {
    "report.html", "report.md", "ranking.csv", "figures",
    *(f"figures/{name}.{kind}" for name in ("ranking", "test_accuracy", "test_loss", "train_loss") for kind in ("svg", "png")),
    "figures/misclassified_none.png", "figures/misclassified_L1_0.001.png",
}  # fmt: skip


def test_report_writes_all_formats_and_says_where(own_copy, capsys):
    assert cli.main(["report"]) == 0
    folder = own_copy / "report"
    assert {str(path.relative_to(folder)) for path in folder.rglob("*")} == FILES
    printed = capsys.readouterr()
    assert printed.err == ""
    assert f"report: {(folder / 'report.html').as_uri()}" in printed.out
    assert "2 configurations, 2 seeds each: means and spreads, not yet tested." in printed.out


def test_the_report_is_an_artifact_of_a_run_of_its_own(own_copy):
    cli.main(["report"])
    cli.main(["report"])
    client = mlflow.MlflowClient()
    reports = client.search_runs(["0"], f"tags.`{Tag.KIND}` = '{REPORT}'")
    assert [run.info.status for run in reports] == ["FINISHED"] * 2
    assert "report/report.html" in [file.path for file in client.list_artifacts(reports[0].info.run_id, "report")]
    assert len(query.read().runs) == 4


def test_under_mlflow_run_the_report_is_on_that_run(own_copy, monkeypatch):
    with mlflow.start_run() as outer:
        pass
    monkeypatch.setenv("MLFLOW_RUN_ID", outer.info.run_id)
    assert cli.main(["report"]) == 0
    monkeypatch.delenv("MLFLOW_RUN_ID", raising=False)
    assert mlflow.get_run(outer.info.run_id).data.tags[Tag.KIND] == REPORT


def test_html_stands_alone(own_copy):
    cli.main(["report", "--output", "out"])
    html = (own_copy / "out" / "report.html").read_text()
    assert not re.findall(r'(?:src|href)="(?!data:|#)[^"]*"', html)
    assert "<script" not in html
    assert "@import" not in html
    assert "url(http" not in html
    assert html.count("<svg ") == 4
    assert len(re.findall(r'<img src="data:image/png;base64,[^"]+" alt="[^"]+"', html)) == 2
    identifiers = re.findall(r' id="([^"]+)"', html)
    assert len(identifiers) == len(set(identifiers)), "four figures in one page must not share IDs"


def test_numbers_are_the_rankings(own_copy):
    cli.main(["report"])
    table = ranking.rank(query.read().runs)
    pd.testing.assert_frame_equal(pd.read_csv(own_copy / "report" / "ranking.csv"), table, check_dtype=False)
    for text in ((own_copy / "report" / name).read_text() for name in ("report.html", "report.md")):
        for row in table.to_dict("records"):
            assert f"{100 * row['accuracy']:.2f}" in text
            assert f"{row['errors']:.1f}" in text


def test_the_same_input_gives_the_same_bytes(own_copy):
    trials = query.read()
    pages = sheets.draw(trials.source, trials.runs)
    for name in ("one", "two"):
        report.write(trials, pages, own_copy / name, "command")
    for path in (own_copy / "one").rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (own_copy / "two" / path.relative_to(own_copy / "one")).read_bytes(), path


def test_an_earlier_report_is_replaced_and_other_files_stay(own_copy):
    folder = own_copy / "report"
    (folder / "figures").mkdir(parents=True)
    (folder / "figures" / "old.svg").write_text("old")
    (folder / "notes.txt").write_text("mine")
    cli.main(["report"])
    assert not (folder / "figures" / "old.svg").exists()
    assert (folder / "notes.txt").read_text() == "mine"


def test_a_refused_report_leaves_the_earlier_one(own_copy, capsys):
    cli.main(["report"])
    before = (own_copy / "report" / "report.html").read_bytes()
    assert cli.main(["report", "--experiment", "nonesuch"]) == 2
    assert (own_copy / "report" / "report.html").read_bytes() == before


def test_names_that_are_code_appear_as_text(own_copy):
    trials = query.read()
    evil = "<script>alert(1)</script> {{ 7 * 7 }} *x* | [a](b)"
    changed = query.Trials(trials.runs, trials.epochs, (evil,), replace(trials.source, experiment=evil))
    report.write(changed, [], own_copy / "out", evil)
    html, markdown = ((own_copy / "out" / name).read_text() for name in ("report.html", "report.md"))
    assert "<script>" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt; {{ 7 * 7 }}" in html
    assert r"\<script\>alert\(1\)\</script\> \{\{ 7 \* 7 \}\} \*x\* \| \[a\]\(b\)" in markdown


def test_one_seed_says_that_it_allows_no_conclusion(own_copy, capsys):
    client = mlflow.MlflowClient()
    for run in client.search_runs(["0"]):
        if '"seed":1' in run.data.tags[Tag.CONFIG]:
            client.delete_run(run.info.run_id)
    cli.main(["report"])
    for name in ("report.html", "report.md"):
        text = (own_copy / "report" / name).read_text()
        assert "2 configurations, one seed each: no winner can be named" in text
        assert "One seed for each configuration allows no conclusion" in text
        assert "SD over seeds" not in text


def test_missing_sheets_are_passed_over(own_copy, monkeypatch):
    trials = query.read()
    assert len(sheets.draw(trials.source, trials.runs)) == 2
    assert sheets.draw(trials.source, trials.runs.assign(run_id="0" * 32)) == []


def test_rank_prints_the_table(own_copy, capsys):
    assert cli.main(["rank"]) == 0
    out = capsys.readouterr().out
    assert "L1 0.001" in out
    assert "best epoch" in out
    assert "2 seeds per configuration" in out


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_diverged_run_is_shown_as_one(own_copy, value, capsys):
    client = mlflow.MlflowClient()
    diverged = next(run for run in client.search_runs(["0"]) if run.info.run_name == "l1=0.001 l2=0 seed=1 epochs=1 mnist-5k")
    with closing(sqlite3.connect(own_copy / "mlflow.db")) as connection, connection:
        for table in ("metrics", "latest_metrics"):
            connection.execute(
                f"UPDATE {table} SET value = ?, is_nan = ? WHERE run_uuid = ? AND key IN ('test/loss', 'train/loss')",
                [0 if value != value else 1.7976931348623157e308, value != value, diverged.info.run_id],
            )
    client.delete_run(next(run.info.run_id for run in client.search_runs(["0"]) if "l1=0.001 l2=0 seed=0" in run.info.run_name))
    assert cli.main(["report"]) == 0
    text = (own_copy / "report" / "report.md").read_text()
    row = next(line for line in text.splitlines() if line.startswith("| L1 0.001 |"))
    assert "| diverged |" in row
    assert "nan" not in text
    assert "L1 0.001 (diverged)" in (own_copy / "report" / "figures" / "test_loss.svg").read_text()
    assert cli.main(["rank"]) == 0
    assert "diverged" in capsys.readouterr().out
