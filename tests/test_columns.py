"""Whatever the width, in a pipe and as JSON: the same numbers, none lost, no word cut; and each command ends with the next."""

import io
import json
import math
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import redirect_stdout

import pytest
from conftest import ROOT
from rich.cells import cell_len

from analysis.commands import cli as reading
from analysis.reading.measures import measure
from regstudy.commands import cli as writing
from regstudy.console import document, screen, terminal

SNAPSHOT = (ROOT / "results" / "published" / "blocks-5-9").as_posix()
RUNS = ("--from", SNAPSHOT, "--study", "published", "--planned", "5")
COMMANDS = {
    "rank": ("rank", *RUNS),
    "claims": ("claims", *RUNS),
    "compare": ("compare", "none", "L1 0.001 + L2 0.0005", *RUNS),
    "power": ("power", "published", "--sd", "0.07", "--seed-seconds", "600"),
    "status": ("study", "status", "published", "--dataset", "mnist-5k"),
    "plan": ("study", "plan", "published", "--dataset", "mnist-5k", "--sd", "0.07", "--threads", "1"),
}
NEXT = {
    "rank": f"python -m analysis claims --from {SNAPSHOT} --study published --planned 5",
    "claims": f"python -m analysis report --from {SNAPSHOT} --study published --planned 5",
    "compare": f"python -m analysis gallery --from {SNAPSHOT} --study published --planned 5",
    "power": "python -m regstudy study run published",
    "status": "python -m regstudy study run published --dataset mnist-5k",
    "plan": "python -m regstudy study run published --dataset mnist-5k --threads 1",
}
NUMBER = re.compile(r"[−+]?\d[\d,]*(?:\.\d+)?")
WIDTHS = (60, 80, 120)
Said = Callable[..., str]


@pytest.fixture(scope="module")
def heard() -> dict[tuple[str, ...], str]:
    """What was said already: each is asked once."""
    return {}


@pytest.fixture
def said(heard, workspace, unmeasured, monkeypatch, capsys) -> Said:
    """What a command prints on stdout, on a terminal so wide or, without a width, into a pipe."""
    monkeypatch.setattr(subprocess, "run", in_this_process)

    def say(name: str, width: int | None = None, *more: str) -> str:
        key = (name, str(width), *more)
        if key not in heard:
            if width:
                monkeypatch.setenv("COLUMNS", str(width))
            command = COMMANDS[name]
            assert (writing if command[0] == "study" else reading).main([*command, *more]) == 0
            monkeypatch.delenv("COLUMNS", raising=False)
            heard[key] = capsys.readouterr().out
        return heard[key]

    return say


def in_this_process(command: list[str], *, stdout: int | None, **_: object) -> subprocess.CompletedProcess[str]:
    """What `plan` has a process of its own say, without its start."""
    written = io.StringIO()
    with redirect_stdout(written if stdout == subprocess.PIPE else sys.stdout):
        status = reading.main(command[command.index("-m") + 2 :])
    return subprocess.CompletedProcess(command, status, written.getvalue())


def words(text: str) -> list[str]:
    """Without what a layout adds: colons behind headings, and the end of a line that a command goes on after."""
    return [word.removesuffix(":") for word in text.split() if word != "\\"]


@pytest.mark.slow
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", COMMANDS)
def test_on_a_terminal_nothing_is_lost_or_cut_or_too_wide(name, width, said):
    whole, narrow = said(name), said(name, width)
    assert set(words(narrow)) == set(words(whole))
    assert Counter(NUMBER.findall(narrow)) >= Counter(NUMBER.findall(whole))
    for line in narrow.splitlines():
        assert cell_len(line) <= width or len(line.removesuffix(" \\").split()) == 1, line


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_ends_with_the_next_but_not_as_json(name, said):
    lines = said(name).splitlines()
    assert [line for line in lines if line.startswith("next: ")] == lines[-1:] == [f"next: {NEXT[name]}"]
    assert "next: " not in said(name, None, "--json")


@pytest.mark.parametrize("name", ["rank", "power", "status"])
def test_json_is_one_document_whatever_the_width(name, said):
    assert json.loads(said(name, 60, "--json")) == json.loads(said(name, None, "--json"))


@pytest.mark.parametrize("name", COMMANDS)
def test_json_has_the_keys_that_the_guide_lists(name, said):
    guide = (ROOT / "docs" / "guides" / "json.md").read_text(encoding="utf-8")
    called = "compare A B" if name == "compare" else name
    (listed,) = re.findall(rf"^\| `(?:study )?{called}` \| (.*) \|$", guide, re.MULTILINE)
    assert list(json.loads(said(name, None, "--json"))) == re.findall(r"`(\w+)`", listed)


def test_the_ranking_as_json_has_what_is_shown(said):
    (ranking,) = json.loads(said("rank", None, "--json"))["rankings"]
    assert ranking["metric"] == "endpoint/test_accuracy"
    for row, line in zip(ranking["configurations"], rows(said("rank"), 1), strict=True):
        half = (row["high"] - row["low"]) / 2
        percents = [row["mean"], half, row["sd"], row["best_epoch_accuracy_biased"]]
        mean, half, sd, best = (value * ranking["factor"] for value in percents)
        place, _, rest = line.partition(row["configuration"])
        assert place.strip() in {f"{row['rank']}", f"{row['rank']}=", f"{row['rank']}–{row['rank_to']}?"}
        same(rest, [row["seeds"], mean, half, sd, row["wrong_images"], row["test_loss"], best])
    for sentence in ranking["in_words"]:
        assert sentence in said("rank")


def test_the_verdicts_as_json_have_what_is_shown(said):
    told = json.loads(said("claims", None, "--json"))
    for claim, line in zip(told["claims"], rows(said("claims"), 1), strict=True):
        assert line.startswith(claim["text"])
        assert f"{claim['answer']}: {claim['verdict']}" in line
        deciding = next((own for own in claim["contrasts"] if own["deciding"]), None)
        if deciding is None:
            continue
        contrast, _, rest = line.rpartition(": ")
        assert deciding["subject"] in contrast
        numbers = [claim["estimate"], claim["low"], claim["high"]]
        ratio, factor = deciding["scale"] == "ratio", measure(deciding["measure"]).factor
        shown = [math.exp(value) if ratio else value * factor for value in numbers]
        same(rest, [*shown, claim["n"], *([claim["further_seeds"]] if claim["further_seeds"] else [])])


def test_a_pair_as_json_has_what_is_shown(said):
    told = json.loads(said("compare", None, "--json"))
    table = said("compare").partition("\nMeans over seeds")[2].splitlines()[2:]
    for row, line in zip(told["measures"], table, strict=False):
        assert line.startswith(row["words"])
        differences = [row[name] for name in ("difference", "low", "high") if row[name] is not None]
        as_shown = [math.exp(value) if row["logarithm"] else value * row["factor"] for value in differences]
        means = [row[name] * row["factor"] for name in ("mean_first", "mean_second")]
        same(line.removeprefix(row["words"]).replace(f"({row['unit']})", ""), [*means, *as_shown, row["n"]])
    images, text = told["images"], said("compare")
    assert f"differ on {images['images']} images" in text
    assert f"wrong {images['only_first']} times" in text
    for sentence in told["in_words"]:
        assert sentence in text


def test_what_seeds_can_find_as_json_is_what_is_shown(said):
    for own, name in ((json.loads(said("power", None, "--json")), "power"), (json.loads(said("plan", None, "--json")), "plan")):
        power, text = own.get("power", own), said(name)
        table = power["power"] if name == "plan" else power
        for row, line in zip(table, [line for line in text.splitlines() if re.match(r" *\d+ ", line)], strict=True):
            same(line, [row["seeds"], row["difference"], row["equivalence"], None])
    plan = json.loads(said("plan", None, "--json"))
    assert f"left: {plan['trials_left']} trials, {plan['jobs']} process" in said("plan").replace("in this process", "1 process")
    assert f"about {terminal.in_words(plan['seconds'])} ({plan['seconds_per_epoch']:.1f} s per epoch" in said("plan")


def test_the_state_of_a_study_as_json_is_what_is_shown(said):
    told = json.loads(said("status", None, "--json"))
    assert told["states"]["missing"] == told["trials"] == len(told["each"]) == 40
    for row, line in zip(told["configurations"], rows(said("status"), 1), strict=True):
        assert line.split("  ")[0] == row["configuration"]
        same(line.removeprefix(row["configuration"]), [row["missing"]])


def rows(text: str, title: int) -> list[str]:
    """Of a table in a pipe: a line each, below its title and headings."""
    lines = text.splitlines()[title + 1 :]
    ends = (at for at, line in enumerate(lines) if "  " not in line.strip())
    return lines[: next(ends)]


def same(text: str, values: list[float | None]) -> None:
    """The numbers in a text are these, rounded to as many decimals; None: any."""
    shown = NUMBER.findall(text)
    assert len(shown) == len(values), (text, values)
    for number, value in zip(shown, values, strict=True):
        decimals = len(number.partition(".")[2])
        assert value is None or float(number.replace("−", "-").replace(",", "")) == pytest.approx(
            value, abs=0.5000001 * 10**-decimals
        )


def test_where_columns_do_not_fit_each_row_is_a_block():
    table = screen.Table()
    for heading in ("name", "first value", "second"):
        table.column(*heading.split())
    table.row("a long name", "1,234.5678", "")
    table.row("b", "2", "indivisible-word-that-is-wider")
    assert table.text(24).splitlines() == [
        "name: a long name",
        "  first value:",
        "    1,234.5678",
        "",
        "name: b",
        "  first value: 2",
        "  second:",
        "    indivisible-word-that-is-wider",
    ]


def test_a_command_that_is_too_long_goes_on_as_shells_understand_it(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "40")
    terminal.say_next("python -m analysis compare 'L1 0.001 + L2 0.0005' none --study published")
    assert capsys.readouterr().out == (
        "next: python -m analysis compare \\\n    'L1 0.001 + L2 0.0005' none \\\n    --study published\n"
    )


def test_a_document_has_no_numbers_that_json_has_not_and_no_secrets(capsys):
    document.give({"a": math.nan, "b": (math.inf, 1.5), "c": "postgresql://me:hidden@host/db\x1b\u202e"})
    out = capsys.readouterr().out
    assert out.isascii()
    assert "hidden" not in out
    assert json.loads(out)["a"] is None
    assert json.loads(out)["b"] == [None, 1.5]


def test_beside_a_document_all_else_goes_to_stderr(capsys):
    with document.alone(True):
        terminal.say("said meanwhile")
    document.give({})
    assert capsys.readouterr() == ("{}\n", "said meanwhile\n")
