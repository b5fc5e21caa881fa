"""The report: every format, self-contained, repeatable, and safe against names that are code."""

import json
import re
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import mlflow
import pandas as pd
import pytest
import synthetic
from matplotlib.figure import Figure
from mlflow.entities import Run
from seen import seen
from test_findings import CASES, said
from test_parameters import searched

from analysis.commands import cli
from analysis.judging import findings
from analysis.reading import errors, query
from analysis.reading.query import Wanted
from analysis.reading.trials import Trials
from analysis.reports import report
from analysis.showing import gallery, grids, rendering, run_pages, svg
from analysis.showing.run_pages import Single, Wrong
from regstudy.schema import DIVERGED, REPORT, Tag

SVG = "{http://www.w3.org/2000/svg}"
FIGURES = (
    "ranking",
    "gap_accuracy",
    "calibration_expected_calibration_error",
    "contest",
    "hardest_images",
    "confusions",
)
FILES = {
    "report.html", "report.md", "report.manifest.json", "figures", "tables",
    *(f"figures/{name}.{kind}" for name in FIGURES for kind in ("svg", "png", "pdf", "csv")),
    *(f"tables/{name}.csv" for name in ("ranking", "pairs", "comparisons")),
    "runs", *(f"runs/run-{place}.svg" for place in range(4)),
}  # fmt: skip


@pytest.fixture
def own_report(own_copy, reported) -> Path:
    """A copy of the report beside a copy of its store, both to be changed."""
    return Path(shutil.copytree(reported.report, own_copy / "report"))


def test_report_writes_all_formats_and_says_where(reported):
    folder = reported.report
    assert {str(path.relative_to(folder)) for path in folder.rglob("*")} == FILES
    assert reported.warned == ""
    assert f"report: {(folder / 'report.html').as_uri()}" in reported.printed
    assert "2 configurations, two seeds each: no winner can be named." in reported.printed


def test_a_report_changes_no_store_unless_it_is_asked_to(reported):
    assert (reported.folder / "mlflow.db").read_bytes() == reported.store_before
    assert {path.name for path in reported.folder.iterdir()} == {"mlflow.db", "report"}


@pytest.mark.slow
def test_when_asked_the_report_is_an_artifact_of_a_run_of_its_own_without_what_else_its_folder_holds(
    own_copy, instead_of_writing
):
    (own_copy / "report").mkdir()
    (own_copy / "report" / ".env").write_text("PASSWORD=x")
    with instead_of_writing():
        assert cli.main(["report", "--publish"]) == 0
    client = mlflow.MlflowClient()
    (run,) = client.search_runs(["0"], f"tags.`{Tag.KIND}` = '{REPORT}'")
    assert run.info.status == "FINISHED"
    kept = Path(client.download_artifacts(run.info.run_id, "report"))
    assert {str(path.relative_to(kept)) for path in kept.rglob("*")} == FILES
    assert cli.main(["verify", str(kept)]) == 0
    assert len(query.read().runs) == 4


def test_under_mlflow_run_the_report_is_on_that_run(own_copy, monkeypatch, instead_of_writing):
    with mlflow.start_run() as outer:
        pass
    monkeypatch.setenv("MLFLOW_RUN_ID", outer.info.run_id)
    with instead_of_writing():
        assert cli.main(["report", "--output="]) == 0
    monkeypatch.delenv("MLFLOW_RUN_ID", raising=False)
    assert mlflow.get_run(outer.info.run_id).data.tags[Tag.KIND] == REPORT
    kept = mlflow.MlflowClient().list_artifacts(outer.info.run_id, "report")
    assert "report/report.html" in [file.path for file in kept]
    assert not (own_copy / "report").exists(), "mlflow run works in the project's folder, whoever calls it"


def test_under_mlflow_run_the_report_is_where_it_is_to_be_too(own_copy, monkeypatch, instead_of_writing):
    run_id = mlflow.MlflowClient().create_run("0").info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", run_id)
    with instead_of_writing():
        assert cli.main(["report", "--output", "there"]) == 0
    monkeypatch.delenv("MLFLOW_RUN_ID", raising=False)
    assert "L1 0.001" in (own_copy / "there" / "report.md").read_text()
    assert mlflow.get_run(run_id).data.tags[Tag.KIND] == REPORT


def test_under_mlflow_run_a_report_that_cannot_be_made_fails_with_its_reason(own_copy, monkeypatch):
    run_id = mlflow.MlflowClient().create_run("0").info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", run_id)
    assert cli.main(["report", "--dataset", "nope"]) == 2
    monkeypatch.delenv("MLFLOW_RUN_ID", raising=False)
    run = mlflow.get_run(run_id)
    assert run.info.status == "FAILED"
    assert "has no finished run on 'nope'" in run.data.tags[Tag.FAILURE]


def test_html_stands_alone(reported):
    html = (reported.report / "report.html").read_text()
    assert not re.findall(r'(?:src|href)="(?!data:|#)[^"]*"', html)
    assert "@import" not in html
    assert "url(http" not in html
    assert html.count("<svg ") == 2 * len(FIGURES), "one of each for small screens"
    assert html.count('class="gallery-image') > 20
    identifiers = re.findall(r' id="([^"]+)"', html)
    assert len(identifiers) == len(set(identifiers)), "four figures in one page must not share IDs"


def test_the_entry_to_cite_is_copied_line_by_line(reported):
    html = (reported.report / "report.html").read_text()
    entry = html.partition('<pre id="bibtex">')[2].partition("</pre>")[0].splitlines()
    assert entry[0].startswith("@misc{")
    assert any(line.startswith("  title = {") for line in entry)
    assert entry[-1] == "}"


def test_a_command_is_not_broken_between_an_option_and_its_value():
    assert rendering.options("python -m regstudy study run mine --seeds 33 --quiet --name a") == [
        "python", "-m regstudy", "study", "run", "mine", "--seeds 33", "--quiet", "--name a",
    ]  # fmt: skip


def test_every_run_has_its_place_with_its_own_images(reported, own_copy):
    html = (reported.report / "report.html").read_text()
    trials = query.read()
    links = re.findall(r'<td><a href="#(run-\d+)">(\w+)</a>', html)
    assert [run_id for _, run_id in links] == list(trials.runs["run_id"])
    for place, run_id in links:
        own = html.partition(f'<div id="{place}">')[2].partition("</details>")[0]
        shown = {int(image) for image in re.findall(r'aria-label="Test image (\d+): ', own)}
        assert shown == set(trials.source.misclassified(run_id)["index"])


def test_where_no_html_is_shown_a_runs_link_leads_to_its_curve_and_its_images(reported, own_copy):
    trials = query.read()
    links = re.findall(r"\| \[(\w+)\]\((runs/run-\d+\.svg)\) \|", (reported.report / "report.md").read_text())
    assert [run_id for run_id, _ in links] == list(trials.runs["run_id"])
    for run_id, name in links:
        picture = ET.parse(reported.report / name)
        told = "\n".join(picture.getroot().itertext())
        assert f"run {run_id}" in told
        shown = {int(image) for image in re.findall(r"test image (\d+)", told)}
        assert shown == set(trials.source.misclassified(run_id)["index"])


def test_a_runs_picture_holds_its_curve_and_its_images():
    curve = svg.svg(Figure(figsize=(4, 2)))
    images = [Wrong(3, "Bag", "Coat", "97%", gallery.png(gallery.image(bytes(784)))), Wrong(8, "Bag", "Shirt", "51%", "")]
    whole = Single("run-0", "a <b> & c", "4", "0f", "99.37%", curve, "its curve", images, query.WORDS)
    root = ET.fromstring(run_pages.page(whole))
    texts = [text.text for text in root.iter(f"{SVG}text") if text.get("transform") is None]
    assert texts[:3] == ["a <b> & c, seed 4", "99.37%", "run 0f"]
    assert texts[5:] == ["Bag · 3", "→ Coat, 97%", "Bag · 8", "→ Shirt, 51%"]
    inner = root.find(f"{SVG}g/{SVG}svg")
    assert (inner.get("width"), inner.get("height"), inner.get("viewBox")) == ("640", "320", "0 0 288 144")
    assert 76 + 320 + 16 < float(root.find(f"{SVG}g/{SVG}image").get("y")) < float(root.get("height")) - 64
    bare = ET.fromstring(run_pages.page(replace(whole, curve=None, images=None)))
    assert "Its misclassified images are not in the store." in "".join(bare.itertext())
    assert bare.find(f"{SVG}g") is None


def test_numbers_are_the_rankings(reported, own_copy):
    trials = query.read()
    table = findings.find(trials, errors.read(trials)).table
    pd.testing.assert_frame_equal(pd.read_csv(reported.report / "tables" / "ranking.csv"), table, check_dtype=False)
    for text in ((reported.report / name).read_text() for name in ("report.html", "report.md")):
        for row in table.to_dict("records"):
            assert f"{100 * row['mean']:.2f}" in text
            assert f"{row['wrong_images']:.1f}" in text


@pytest.mark.slow
def test_an_earlier_releases_report_is_replaced_by_the_same_bytes_and_what_it_did_not_write_is_named(
    own_report, capsys, reported
):
    folder = own_report
    mlflow.set_tracking_uri(reported.uri)
    (folder / "report.manifest.json").unlink()
    page = folder / "report.html"
    earlier = json.dumps({"command": "python -m analysis report", "version": "0.1.0"})
    page.write_text(re.sub(r'(id="made-by">).*?(?=</script>)', rf"\g<1>{earlier}", page.read_text()))
    (folder / "notes.txt").write_text("mine")
    (folder / "figures" / "holiday.png").write_text("mine")
    (folder / "figures" / "gap_accuracy.png").unlink()
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    capsys.readouterr()
    assert cli.main(["report"]) == 2
    assert "holds what is of no earlier report, figures/holiday.png, where the report is to be" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert cli.main(["verify", "report"]) == 2
    told = capsys.readouterr().err
    assert (
        "report: written by an earlier release, which did not name its runs: those that its command finds now were taken: "
        in told
    )
    assert (
        "the numbers in 9 tables (CSV) are what 'python -m analysis report' gives, but nothing else of it is verified" in told
    )
    (folder / "figures" / "holiday.png").unlink()
    assert cli.main(["report"]) == 0
    assert (folder / "notes.txt").read_text() == "mine"
    assert {str(path.relative_to(folder)) for path in folder.rglob("*")} == {*FILES, "notes.txt"}
    for path in reported.report.rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (folder / path.relative_to(reported.report)).read_bytes(), path


def test_a_refused_report_leaves_the_earlier_one(own_report):
    before = {path: path.read_bytes() for path in own_report.rglob("*") if path.is_file()}
    assert cli.main(["report", "--experiment", "nonesuch"]) == 2
    assert {path: path.read_bytes() for path in own_report.rglob("*") if path.is_file()} == before


EVIL = "<script>alert(1)</script> {{ 7 * 7 }} *x* | [a](b)"


def evil() -> Trials:
    """The store's runs, under a name that is code in each of the languages of a report."""
    trials = query.read()
    renamed = trials.runs.assign(configuration=trials.runs["configuration"].replace("none", EVIL))
    epochs = trials.epochs.assign(configuration=trials.epochs["configuration"].replace("none", EVIL))
    return replace(
        trials, runs=renamed, epochs=epochs, notices=(EVIL,), source=replace(trials.source, experiment=EVIL), study=None
    )


def names_appear_as_text(folder: Path, html: str, markdown: str) -> None:
    assert "<script>alert" not in html
    assert html.count("&lt;script&gt;alert(1)&lt;/script&gt; {{ 7 * 7 }}") > 10
    assert r"\<script\>alert\(1\)\</script\> \{\{ 7 \* 7 \}\} \*x\* \| \[a\]\(b\)" in markdown
    assert "<script>" not in re.sub(r"`[^`]*`", "", markdown)
    assert not list(folder.rglob("*script*"))
    for figure in (folder / "figures").glob("*.svg"):
        assert "<script" not in figure.read_text()


def no_conclusion_is_drawn(_folder: Path, *pages: str) -> None:
    for text in pages:
        assert "4 configurations, one seed each: no winner can be named" in text
        assert "One seed for each configuration allows no conclusion" in text
        assert "These runs allow no recommendation yet" in text


def divergence_is_shown(folder: Path, _html: str, markdown: str) -> None:
    row = next(line for line in markdown.splitlines() if "| none | 3 \\+ 1 diverged |" in line)
    assert row.startswith("| last |")
    assert "Runs that diverged have no endpoint" in markdown
    assert "1 diverged" in (folder / "figures" / "ranking.svg").read_text()


def no_run_is_shown_by_itself(folder: Path, html: str, markdown: str) -> None:
    assert "There are too many runs to show each of them here" in html
    assert 'href="#run-' not in html
    assert not (folder / "runs").exists(), "nor are those of the earlier report"
    assert "](runs/" not in markdown
    assert len(html) < 20e6, "bearable"


def parameters_are_told(folder: Path, html: str, _markdown: str) -> None:
    assert "200 configurations, one seed each: no winner can be named" in html
    assert "What do the parameters do?" in html
    assert "The first 20 of 200" in html
    assert pd.read_csv(folder / "tables" / "parameters.csv")["parameter"].iloc[0] == "lr"
    assert pd.read_csv(folder / "tables" / "pairs.csv").empty
    assert len(pd.read_csv(folder / "tables" / "ranking.csv")) == 200
    assert sum(path.stat().st_size for path in folder.rglob("*")) < 1.5e6


ODD = {case: (lambda case=case: CASES[case](), None) for case in ("one run", "one diverged always", "all diverged")} | {
    "one seed": (CASES["one seed"], no_conclusion_is_drawn),
    "one diverged": (CASES["one diverged"], divergence_is_shown),
    "30 configurations": (lambda: synthetic.trials(30, 3), None),
    "a thousand runs": (lambda: synthetic.trials(20, 50), no_run_is_shown_by_itself),
    "names that are code": (evil, names_appear_as_text),
    "a search": (searched, parameters_are_told),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", ODD)
def test_the_report_of_odd_input_is_whole(case, own_report):
    """In place of an earlier one."""
    make, judge = ODD[case]
    report.write(findings.find(make()), own_report, EVIL)
    pages = [(own_report / name).read_text() for name in ("report.html", "report.md")]
    for name in ("report.html", "report.md"):
        text = "\n".join(seen(own_report / name))
        assert not re.findall(r".*\b(?i:nan|inf)\b.*|.*\bNone\b(?! of).*", text)
        assert re.search(r"Can I trust this\?|Trust: ", text)
    assert ("Images: " in pages[0]) == (case == "names that are code"), "the others' runs have no artifacts"
    if judge:
        judge(own_report, *pages)


def test_one_seed_allows_no_conclusion(own_copy):
    client = mlflow.MlflowClient()
    for run in client.search_runs(["0"]):
        if '"seed":1' in run.data.tags[Tag.CONFIG]:
            client.delete_run(run.info.run_id)
    text = said(findings.find(query.read()))
    assert "2 configurations, one seed each: no winner can be named" in text
    assert "One seed for each configuration allows no conclusion" in text
    assert "These runs allow no recommendation yet" in text
    assert "nan" not in text.lower()


def test_runs_without_artifacts_have_no_gallery(own_copy):
    trials = query.read()
    lost = replace(trials, runs=trials.runs.assign(run_id=[str(i) * 32 for i in range(4)]), notices=(), study=None)
    assert gallery.context(errors.read(lost)) is None


def test_rank_prints_the_table(own_copy, capsys):
    assert cli.main(["rank"]) == 0
    out = capsys.readouterr().out
    assert "L1 0.001" in out
    assert "best" in out
    assert "Two seeds for each configuration allow no conclusion" in " ".join(out.split())


@pytest.mark.slow
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_diverged_run_is_shown_as_one(own_copy, value, capsys):
    client = mlflow.MlflowClient()
    diverged = next(run for run in client.search_runs(["0"]) if run.info.run_name == "L1 0.001 · seed 1 · epochs 1 · mnist-5k")
    with closing(sqlite3.connect(own_copy / "mlflow.db")) as connection, connection:
        for table in ("metrics", "latest_metrics"):
            connection.execute(
                f"UPDATE {table} SET value = ?, is_nan = ? WHERE run_uuid = ? AND key IN ('test/loss', 'train/loss')",
                [0 if value != value else 1.7976931348623157e308, value != value, diverged.info.run_id],
            )
    client.set_tag(diverged.info.run_id, Tag.OUTCOME, DIVERGED)
    client.delete_run(next(run.info.run_id for run in client.search_runs(["0"]) if "L1 0.001 · seed 0" in run.info.run_name))
    found = findings.find(query.read(Wanted(allow=["seeds"])))
    row = next(row for row in grids.ranking(found).rows if row[1] == "L1 0.001")
    assert (row[0], row[2]) == ("last", "0 + 1 diverged")
    assert "diverged" in row[3:]
    text = said(found)
    assert "nan" not in text
    assert "Runs that diverged have no endpoint" in text
    drawn = synthetic.figures(found)
    assert "1 diverged" in drawn["ranking"]
    assert cli.main(["rank", "--allow", "seeds"]) == 0
    assert "diverged" in capsys.readouterr().out


def test_the_gallery_is_one_page_that_stands_alone(own_copy, capsys):
    assert cli.main(["gallery", "--output", "pages/mine.html"]) == 0
    page = own_copy / "pages" / "mine.html"
    assert f"gallery: {page.as_uri()}" in capsys.readouterr().out
    html = page.read_text()
    assert html.count('class="gallery-image') > 20
    assert not re.findall(r'(?:src|href)="(?!data:|#)[^"]*"', html)
    assert cli.main(["gallery", "--output", "pages"]) == 2
    assert "is a folder: name a file" in capsys.readouterr().err


def test_two_configurations_fill_a_page_of_text(own_copy, capsys):
    assert cli.main(["compare", "none", "L1 0.001"]) == 0
    out = capsys.readouterr().out
    assert "none against L1 0.001: 2 common seeds, mnist-5k" in out
    assert "Test accuracy: 3 common seeds that differ are needed to say anything; there are 2." in out
    assert "expected calibration error" in out
    assert "common seeds they differ on" in out
    assert "nan" not in out


@pytest.mark.slow
def test_verify_finds_nothing_where_nothing_was_changed(own_report, capsys):
    assert cli.main(["verify", "report"]) == 0
    assert "every file is what" in capsys.readouterr().out


@pytest.mark.slow
def test_verify_finds_what_was_changed_in_words_tables_figures_and_data(own_report, capsys):
    folder = own_report
    changes = {
        "figures/ranking.svg": ("test images", "test imagos"),
        "report.html": ('"wrong": {"', '"wrong": {"x'),
        "figures/contest.csv": ("configuration", "konfiguration"),
        "tables/ranking.csv": (",0.6", ",0.7"),
        "report.md": ("| 1–2", "| 1"),
    }
    for name, (old, new) in changes.items():
        text = (folder / name).read_text(encoding="utf-8")
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1), encoding="utf-8")
    page = folder / "report.html"
    page.write_text(page.read_text(encoding="utf-8").replace("utf-8,configuration", "utf-8,k", 1), encoding="utf-8")
    (folder / "tables" / "pairs.csv").write_text('"a')
    (folder / "tables" / "extra.csv").write_text("a\n")
    assert cli.main(["verify", "report/report.html"]) == 2
    told = capsys.readouterr().err
    assert "report: 7 differences: " in told
    for words in (
        "figures/ranking.svg, line ",
        "test imagos",
        "report.html, line ",
        'tables/pairs.csv, line 1: ‘"a’, expected ',
        "extra.csv is no part of the report",
        "figures/contest.csv, line 1: ‘konfiguration",
        "tables/ranking.csv, line ",
        "report.md, line ",
    ):
        assert words in told
    assert told.count("\n") == 1
    assert cli.main(["verify", "."]) == 2
    assert "is no report" in capsys.readouterr().err


@pytest.mark.slow
def test_a_store_that_has_grown_is_a_note_and_no_difference(own_copy, own_report, capsys):
    shutil.copytree(own_copy / "report", own_copy / "report" / "published")
    (own_copy / "report" / "published" / "tables" / "mine.csv").write_text("a")
    with mlflow.start_run():
        mlflow.log_param("lr", 1)
    for run in mlflow.MlflowClient().search_runs(["0"], f"tags.`{Tag.CONFIG}` LIKE '%\"seed\":1%'"):
        again(run, 2)
    capsys.readouterr()
    assert cli.main(["verify", "report"]) == 0
    told = capsys.readouterr().out
    assert "note: the store has grown since: the report's command now finds 2 runs more" in told
    assert "every file is what" in told
    assert "1 run of other kinds" in query.read().notices[0]


def again(run: Run, seed: int) -> None:
    """A finished run like another, with another seed."""
    client, before = mlflow.MlflowClient(), run.data.tags
    config = json.dumps({**json.loads(before[Tag.CONFIG]), "seed": seed})
    tags = {name: value for name, value in before.items() if name.startswith("regstudy.")}
    digests = {name: f"{before[name]}{seed}" for name in (Tag.CONFIG_DIGEST, Tag.TRIAL_DIGEST)}
    copy = client.create_run("0", tags=tags | {Tag.CONFIG: config} | digests)
    for name in run.data.metrics:
        for point in client.get_metric_history(run.info.run_id, name):
            client.log_metric(copy.info.run_id, name, point.value, step=point.step)
    client.set_terminated(copy.info.run_id)


@pytest.mark.slow
def test_runs_that_are_missing_or_changed_are_named(own_report, capsys):
    client = mlflow.MlflowClient()
    first, second, *_ = (run.info.run_id for run in client.search_runs(["0"]))
    client.log_metric(first, "test/loss", 0.5, step=0)
    capsys.readouterr()
    assert cli.main(["verify", "report"]) == 2
    told = capsys.readouterr().err
    assert f"run {first} is not what it was" in told
    assert f"run {second} is not what it was" not in told
    client.delete_run(second)
    assert cli.main(["verify", "report"]) == 2
    assert f"run {second} of this report is not in 'Default'" in capsys.readouterr().err


@pytest.mark.slow
def test_a_report_is_verified_wherever_its_runs_have_moved_to(own_copy, own_report):
    (own_copy / "moved").mkdir()
    for name in ("mlflow.db", "report"):
        (own_copy / name).rename(own_copy / "moved" / name)
    mlflow.set_tracking_uri(f"sqlite:///{own_copy}/moved/mlflow.db")
    assert cli.main(["verify", "moved/report"]) == 0


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ('{"command": "rm -r /", "version": "0.1.0"}', "says that it was made by 'rm -r /', which makes no report"),
        ('{"command": "python -m analysis snapshot x", "version": "1"}', "which makes no report"),
        ('{"command": "python -m analysis report \\"", "version": "1"}', "which makes no report"),
        ('{"command": "python -m analysis report", "version": "1", "runs": {"a": 1}}', "does not say how it was made"),
        ('{"command": "python -m analysis report", "version": "1", "runs": 3}', "does not say how it was made"),
        ("[", "does not say how it was made"),
        (
            '{"command": "python -m analysis report", "version": "1", "runs": {"../x": "0"}}',
            "run ../x of this report is not in",
        ),
    ],
)
def test_what_a_page_says_of_itself_is_not_trusted(own_copy, capsys, block, words):
    (own_copy / "report.html").write_text(f'<script type="application/json" id="made-by">{block}</script>')
    assert cli.main(["verify", "."]) == 2
    told = capsys.readouterr().err
    assert words in told
    assert told.count("\n") == 1
