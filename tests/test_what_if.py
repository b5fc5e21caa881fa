"""The report's What if says what a report of fewer blocks, or by another margin, would have said: held against such reports."""

import re
from dataclasses import replace
from functools import cache

import had_been
import numpy as np
import pytest
import synthetic
from test_words_hold import study

from analysis.judging import findings
from analysis.judging.findings import Findings
from analysis.judging.stability import what_if
from analysis.judging.stability.what_if import WhatIf
from analysis.reading.measures import Pairing
from analysis.showing.sections.first import FIRST
from analysis.showing.sections.section import Made, Material
from analysis.showing.sections.stability.what_if import OWN, STABILITY
from analysis.showing.words import opening
from regstudy.design.history import Plan
from regstudy.schema import Summary

pytestmark = pytest.mark.slow

KEY = Summary.ENDPOINT_TEST_ACCURACY.value


def made(found: Findings) -> Made | None:
    return STABILITY.make(Material.of(found))


def apart(seeds: int, plan: Plan | None):
    """Four configurations of the published study, the second as good as the first, others worse by more than chance."""
    trials = synthetic.trials(4, seeds, spread=5e-5)
    worse = dict(zip(dict.fromkeys(trials.runs["configuration"]), (0, 1e-4, 6e-4, 2e-3), strict=True))
    runs = trials.runs
    return replace(trials, runs=runs.assign(**{KEY: runs[KEY] - runs["configuration"].map(worse)}), plan=plan)


def said(section: Made, place: int, times: int) -> list[str]:
    """Every line's answer, as the page's script looks it up."""
    assert section.told is not None
    each = section.told["data"]["lines"]
    told = [[step for step in line[place] if step[0] <= times][-1][2] for line in each]
    return [had_been.as_told(told[0]), *told[1:]]


@cache
def usual() -> tuple[Findings, Made, WhatIf]:
    """Of five seeds where four were planned: some as good, some worse, some open; by the analysis once, since that takes a second."""
    found = findings.find(apart(5, Plan(4)))
    section, what = made(found), what_if.find(found)
    assert section is not None
    assert what is not None
    return found, section, what


def check(found: Findings, section: Made | None, what: WhatIf | None, at: list[tuple[int, int]]) -> set[str]:
    """At these places of numbers and margins, what is said is what the analysis says of such trials; what was said."""
    assert section is not None
    assert what is not None
    anchor = opening.compared_with(found)
    assert anchor is not None
    names = list(opening.against(found, anchor)["configuration"])
    seen = set()
    for place, times in at:
        own = had_been.found_in(had_been.only(found.trials, what.firsts[place], what.times[times]))
        told = said(section, place, times)
        assert told == had_been.answers(own, anchor, names), (len(what.firsts[place]), what.times[times])
        seen |= set(told)
    return seen


def test_what_it_says_is_what_the_analysis_says_of_such_runs():
    seen = check(*usual(), [(0, OWN), (2, OWN), (2, 29)])
    assert {"open", "as good", "worse", "? Open: no verdict", "nothing"} <= seen


def test_of_half_the_seeds_all_that_would_be_open_is_counted():
    """Also what is open with all; but where six were planned nothing could be shown by three, whatever the data: that is no finding."""
    section, planned = (made(findings.find(apart(6, plan))) for plan in (None, Plan(6)))
    assert section is not None
    assert planned is not None
    assert re.search(r"with the first 3 seeds alone (\d+|none) of \d+ answers would be open", section.title), section.title
    assert "alone" not in planned.title


def test_the_same_at_every_number_of_blocks_and_many_margins():
    places = [0, 3, 6, OWN, 12, 19, 29]
    for plan in (Plan(6), Plan(None, sequential=True), None):
        found = findings.find(apart(6, plan))
        check(
            found,
            made(found),
            what_if.find(found),
            [(place, times) for place in range(5) for times in places[place % 2 :: 2]],
        )


def test_the_same_where_runs_diverged_or_many_are_compared_with_the_leader():
    checked = 0
    for number in range(20):
        trials = study(number)
        found = findings.find(trials)
        what, anchor = what_if.find(found), opening.compared_with(found)
        if what is None or anchor is None or found.ranking.compared == "leader":
            continue
        for place in {0, len(what.firsts) // 2, len(what.firsts) - 1}:
            own = had_been.found_in(had_been.only(trials, what.firsts[place]))
            now = what.rankings[place][OWN]
            assert now.advised == own.ranking.advised
            assert list(now.pairs["relation"]) == list(own.ranking.pairs["relation"])
            assert now.order[0] == own.ranking.leader
            checked += 1
    assert checked > 10


def test_of_many_each_is_shown_beside_whoever_leads_then():
    trials = synthetic.trials(10, 3, spread=3e-4)
    found = findings.find(trials)
    assert found.ranking.compared == "leader"
    section, what = made(found), what_if.find(found)
    assert section is not None
    assert what is not None
    for place, first in enumerate(what.firsts):
        own = findings.find(had_been.only(trials, first)).ranking
        where = "" if own.leader == found.ranking.leader else f", beside {own.leader}"
        told = said(section, place, OWN)[1:]
        assert {text.partition(", beside ")[2] for text in told} - {""} == ({own.leader} if where else set())
        assert told.count("compared with this") == (1 if where else 0)


def test_all_blocks_at_the_reports_own_margin_are_the_first_screen():
    found, section, _ = usual()
    (table,) = section.tables
    claims = [f"{line.sign} {line.answer}: {line.told.partition(';')[0]}" for line in opening.opening(found).claims]
    reported = [row[1] for row in table.rows]
    assert reported[-len(claims) :] == claims
    material = Material.of(found)
    (figure,) = FIRST.figures(material)
    rows = reported[1 : -len(claims)]
    assert len(rows) == 3
    assert all(f" {row}" in figure.alt for row in rows)
    assert had_been.as_told(reported[0]) == had_been.answers(found, "none", [])[0]


def test_the_table_says_since_when_and_between_which_margins():
    _, section, what = usual()
    (table,) = section.tables
    for line, row in enumerate(table.rows):
        by_seeds = [said(section, place, OWN)[line] for place in range(len(what.firsts))]
        last = max((place for place, answer in enumerate(by_seeds) if answer != by_seeds[-1]), default=-1)
        assert row[2] == str(len(what.firsts[last + 1]))
        assert (row[3] == "–") == (last < 0)
        at = [said(section, len(what.firsts) - 1, times)[line] == by_seeds[-1] for times in range(len(what.times))]
        low = max((place for place in range(OWN) if not at[place]), default=-1) + 1
        high = min((place for place in range(OWN, len(at)) if not at[place]), default=len(at)) - 1
        numbers = [what.times[low]] * (low > 0) + [what.times[high]] * (high < len(at) - 1)
        words = row[4].replace("from ", "").replace("up to ", "").replace("any", "").split(" to ")
        assert [float(word) for word in words if word] == numbers


@pytest.mark.parametrize(
    "trials",
    [
        synthetic.trials(4, 1),
        synthetic.trials(4, 2),
        synthetic.trials(13, 3, claims=False),
        replace(synthetic.trials(3, 4), pairing=Pairing(paired=False)),
    ],
    ids=["one seed", "two seeds", "thirteen configurations", "two samples"],
)
def test_it_is_left_out_where_there_is_nothing_to_take_away_or_too_much_to_show(trials):
    assert made(findings.find(trials)) is None


def test_of_many_blocks_so_many_numbers_are_looked_at_the_plan_and_all_among_them():
    what = what_if.find(findings.find(replace(synthetic.trials(2, 45), plan=Plan(37))))
    assert what is not None
    sizes = [len(first) for first in what.firsts]
    assert (sizes[:2], sizes[-1], len(sizes) <= what_if.MOST_COUNTS + 2, 37 in sizes) == ([2, 3], 45, True, True)
    assert [list(first) for first in what.firsts] == [list(range(n)) for n in sizes]
    assert np.all(np.diff(sizes) > 0)
