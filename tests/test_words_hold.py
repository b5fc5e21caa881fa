"""Random studies: no page says more than is shown, and none contradicts itself."""

import os
import re
from dataclasses import replace

import numpy as np
import pytest
import synthetic

from analysis.judging import findings
from analysis.judging.claims import Verdict
from analysis.showing import grids, methods, wording
from analysis.showing.words import opening
from regstudy.design.history import Plan

pytestmark = pytest.mark.slow

KEY = findings.Summary.ENDPOINT_TEST_ACCURACY.value


def study(number: int):
    """Two to ten configurations of whatever quality, near the end of what accuracies can be, with or without a plan."""
    rng = np.random.default_rng([17, number])
    configurations, seeds = int(rng.integers(2, 11)), int(rng.choice([1, 2, 3, 4, 5, 8, 12, 25]))
    trials = synthetic.trials(configurations, seeds)
    runs = trials.runs
    better = dict(
        zip(dict.fromkeys(runs["configuration"]), rng.normal(0, rng.choice([0, 3e-4, 3e-3]), configurations), strict=True)
    )
    level, spread = rng.choice([0.9, 0.994, 0.9999]), rng.choice([1e-5, 3e-4, 3e-3])
    scores = level + runs["configuration"].map(better) + rng.normal(0, spread, len(runs))
    lost = rng.random(len(runs)) < rng.choice([0, 0, 0.05])
    runs = runs.assign(**{KEY: scores.clip(0, 1).mask(lost)}, diverged=lost)
    plan = rng.choice([None, Plan(seeds), Plan(seeds + 2), Plan(max(1, seeds - 1)), Plan(None, sequential=True)])
    return replace(trials, runs=runs, plan=plan)


def holds(number: int) -> None:
    found = findings.find(study(number))
    ranked, margin = found.ranking, found.scale.margin
    said = "\n".join([opening.headline(found), *methods.summary(found), methods.advice(found), *methods.methods(found)])
    told = "\n".join([said, *(wording.sentence(judged) for judged in found.judged)])
    rows = [" ".join(row) for row in grids.ranking(found).rows]
    assert not [text for text in re.findall(r"(\d+\.\d\d)%?", " ".join([said, *rows])) if 100 < float(text) < 101], (
        "an accuracy above 100%"
    )
    assert not [
        text
        for text in re.findall(r"([\d,]+) further", told)
        if int(text.replace(",", "")) > 1000 and f"ore than {text}" not in told
    ]
    for name in ranked.advised:
        others = ranked.pairs[(ranked.pairs["first"] == name) | (ranked.pairs["second"] == name)]
        for row in others.to_dict("records"):
            low = row["inner_low"] if row["first"] == name else -row["inner_high"]
            other = row["second"] if row["first"] == name else row["first"]
            assert low > -margin or found.table.set_index("configuration").loc[other, "diverged"], (
                f"{name} is advised, not shown to be no worse than {other}"
            )
        assert found.table["seeds"].max() >= 3
    assert ("Use " in methods.advice(found)) == bool(ranked.advised)
    headline = opening.headline(found)
    assert headline.startswith("Use ") <= bool(ranked.advised)
    assert ("comes first" in headline) <= (
        len(ranked.leading) == 1 and found.table["seeds"].max() >= 3 and len(found.table) > 1 and not wording.untested(ranked)
    )
    anchor = opening.compared_with(found)
    for row in opening.against(found, anchor).to_dict("records") if anchor else ():
        inside, apart = abs(row["low"]) < margin and abs(row["high"]) < margin, row["low"] > 0 or row["high"] < 0
        assert {"equivalent": inside, "separated": apart, "unresolved": True}[row["relation"]], "a bar contradicts its word"
    for judged in found.judged:
        if judged.verdict == Verdict.INCONCLUSIVE:
            assert f"Open to “{judged.text}”" in said or f"“{judged.text}”" in said
    assert "settle" not in told
    if found.table["seeds"].max() < 3:
        assert all(judged.verdict == Verdict.NONE for judged in found.judged)
        assert (ranked.pairs["relation"] == "unresolved").all()


@pytest.mark.parametrize("tens", range(2))
def test_no_page_says_more_than_is_shown(tens):
    for number in range(10 * tens, 10 * tens + 10):
        holds(number)


def test_nor_do_many():
    """Five hundred, unless CI says how many."""
    for number in range(20, int(os.environ.get("REGSTUDY_STUDIES", "500"))):
        holds(number)
