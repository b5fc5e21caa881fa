"""Whatever a design file holds, the answer is a design or one line, at once."""

import importlib
import time
import tracemalloc

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from regstudy.commands import cli
from regstudy.design import design_file, plain_yaml
from regstudy.errors import DesignError

GOOD = "name: g\nabout: x\nseeds: 1\nconfigurations: [{l1: 0}]\n"
PUBLISHED = (design_file.SHIPPED / "published.yaml").read_text()
VALUES = "[" + ",".join(map(str, range(1, 1001))) + "]"
GRID = "name: g\nabout: x\nseeds: 1\ngrid: "


def multiplied(first: str, each: str) -> str:
    """Eight lines, each of which names the one before nine times."""
    pairs = zip("abcdefgh", "bcdefghi", strict=True)
    return f"a: &a {first}\n" + "".join(each.format(name=name, names=",".join([f"*{p}"] * 9)) for p, name in pairs)


REFUSED = {
    "aliases that multiply": (multiplied("[x]", "{name}: &{name} [{names}]\n"), "more than 250,000 parts"),
    "merges that multiply": (multiplied("{x: 1}", "{name}: &{name} {{<<: [{names}]}}\n"), "more than 250,000 parts"),
    "aliases that nest": ("a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 5000)), "20 deep"),
    "itself": ("a: &x [*x]", "line 1: is not YAML: a part of it contains itself"),
    "an unknown alias": ("a: *x", "line 1: is not YAML: nothing before it is named &x"),
    "depth": ("[" * 100_000, "nested more than 20 deep"),
    "depth of fields": ("".join(" " * i + "a:\n" for i in range(400)), "line 18: is not YAML: it is nested"),
    "null as a name": (GOOD + "~: 3\n", "line 5: is not YAML: expected the name of a field, got ~"),
    "a number as a name": (GOOD + "3: 4\n", "line 5: is not YAML: expected the name of a field, got 3"),
    "a list as a name": (GOOD + "? [a, b]\n: c\n", "expected the name of a field, got a list or fields"),
    "lines in a name": (GOOD + '"a\\nb": 1\n', r"expected the name of a field, got 'a\nb'"),
    "a merge of a number": (GOOD + "<<: 3\n", "line 5: is not YAML: expected a mapping"),
    "a word as a whole number": (GOOD.replace("seeds: 1", "seeds: !!int x"), "line 3: is not YAML: 'x' is not a whole number"),
    "a word as a number": (GOOD + "alpha: !!float x\n", "line 5: is not YAML: 'x' is not a number"),
    "a word as yes or no": (GOOD + "alpha: !!bool x\n", "line 5: is not YAML: 'x' is not yes or no"),
    "a list as a number": (GOOD + "alpha: !!int [1]\n", "line 5: is not YAML: expected a scalar"),
    "Python": ("a: !!python/object/apply:os.system [ls]", "it is no place for !!python/object/apply:os.system"),
    "a set": (GOOD + "alpha: !!set {a}\n", "line 5: is not YAML: it is no place for !!set"),
    "a tag of one's own": (GOOD + "alpha: !mine 1\n", "line 5: is not YAML: it is no place for !mine"),
    "a date as a date": (GOOD + "alpha: !!timestamp x\n", "it is no place for !!timestamp"),
    "a date as a number": (
        GOOD.replace("l1: 0", "l1: 2020-01-01"),
        "line 4: l1: expected a finite number ≥ 0, got '2020-01-01'",
    ),
    "a long number": (GOOD.replace("seeds: 1", "seeds: " + "9" * 5000), "line 3: is not YAML: a number may have 40 characters"),
    "a number to base sixty": (GOOD.replace("seeds: 1", "seeds: 1" + ":1" * 9999), "a number may have 40 characters"),
    "a large number": (GOOD.replace("seeds: 1", "seeds: 1000000000000"), "line 3: seeds: expected a number of seeds"),
    "two documents": (GOOD + "---\n" + GOOD, "line 5: is not YAML: a second document begins"),
    "NUL": (GOOD + "\0", "is not YAML: unacceptable character #x0000"),
    "half a character": ("about: \ud800", "is not YAML: "),
    "a tab": ("name:\tx\n\tabout: y\n", "line 2: is not YAML: found a tab"),
    "length": ("#" * 5_000_000, "it has 5,000,000 characters; there may be 4,000,000"),
    "parts": ("- 1\n" * 400_000, "more than 250,000 parts"),
    "a long value": (GOOD.replace("l1: 0", "l1: " + "x" * 100_000), "line 4: l1: expected a finite number ≥ 0, got 'xxx"),
    "a long list": (GOOD + "alpha: [" + "x," * 10_000 + "]\n", "line 5: alpha: input should be a valid number, got ['x'"),
    "a grid": (f"{GRID}{{l1: {VALUES}, l2: {VALUES}, lr: {VALUES}}}\n", "seeds: this makes 1,000,000,000 trials"),
    "an open grid": (f"{GRID}{{l1: [null], l2: {VALUES}, lr: {VALUES}}}\n", "seeds: this makes 1,000,000 trials"),
    "a grid of aliases": (f"{GRID}{{l1: &v {VALUES}, l2: *v, lr: *v}}\n", "seeds: this makes 1,000,000,000 trials"),
    "a grid of anything": (GRID + "{" + ",".join(f"f{i}: [1, 2]" for i in range(9000)) + "}\n", "grid.f0: expected one of"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_person_means_is_one_line_at_once(name):
    text, message = REFUSED[name]
    start = time.monotonic()
    with pytest.raises(DesignError) as caught:
        design_file.parse(text, "my.yaml")
    assert time.monotonic() - start < 60  # a bomb would take for ever
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_no_memory_is_taken_for_what_is_refused():
    for name in ("aliases that multiply", "merges that multiply", "a grid", "depth"):
        tracemalloc.start()
        with pytest.raises(DesignError):
            design_file.parse(REFUSED[name][0], "my.yaml")
        assert tracemalloc.get_traced_memory()[1] < 5_000_000, name
        tracemalloc.stop()


def test_what_a_person_may_mean_is_read():
    assert design_file.parse("\ufeff" + GOOD, "f").name == "g"
    assert design_file.parse(GOOD.replace("about: x", "about: 2020-13-45"), "f").about == "2020-13-45"
    merged = "name: g\nabout: x\nseeds: 1\nconfigurations:\n  - &a {l1: 0, lr: 0.1}\n  - {<<: *a, l1: 0.1}\n"
    assert design_file.parse(merged, "f").cells() == [{"l1": 0, "lr": 0.1}, {"lr": 0.1, "l1": 0.1}]
    aliased = "name: g\nabout: x\nseeds: 1\ngrid: {l1: &v [0, 0.1], l2: *v}\n"
    assert len(design_file.parse(aliased, "f").cells()) == 4


def test_a_large_study_is_read_in_seconds():
    values = "[" + ",".join(map(str, range(1, 101))) + "]"
    start = time.monotonic()
    assert len(design_file.parse(f"{GRID}{{l1: {values}, l2: {values}}}\n", "f").cells()) == 10_000
    assert time.monotonic() - start < 60  # a bomb would take for ever


def test_a_file_of_any_size_or_name_is_one_line(tmp_path, capsys):
    huge = tmp_path / "huge.yaml"
    with huge.open("wb") as file:
        file.truncate(10**11)
    for name, message in (
        (str(huge), "expected a file of at most 4 MB"),
        ("x" * 5000, "cannot be read"),
        (str(tmp_path), "no design"),
    ):
        assert cli.main(["study", "plan", name]) == 2
        said = capsys.readouterr().err
        assert message in said
        assert said.count("\n") == 1


@given(
    st.text(alphabet="ab01 \n\t:-?[]{}&*!|>'\"%@`#,.~<=\0\ufeff", max_size=40),
    st.integers(0, len(PUBLISHED)),
    st.integers(0, 30),
)
def test_a_slip_of_the_pen_is_a_design_or_one_line(slip, at, cut):
    refused = ""
    try:
        design_file.parse(PUBLISHED[:at] + slip + PUBLISHED[at + cut :], "my.yaml")
    except DesignError as error:
        refused = str(error)
    assert "\n" not in refused


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_with_a_place(text):
    with pytest.raises(DesignError, match=r"\Amy\.yaml"):
        design_file.parse(text, "my.yaml")


def test_the_reader_in_python_refuses_the_same(monkeypatch):
    """Where PyYAML comes without its library in C."""
    with monkeypatch.context() as without:
        without.delattr(yaml, "CSafeLoader")
        importlib.reload(plain_yaml)
    try:
        for name in REFUSED.keys() - {"parts", "a grid of anything", "NUL"}:
            with pytest.raises(DesignError) as caught:
                design_file.parse(REFUSED[name][0], "my.yaml")
            assert REFUSED[name][1] in str(caught.value) or "is not YAML" in str(caught.value), name
    finally:
        importlib.reload(plain_yaml)
