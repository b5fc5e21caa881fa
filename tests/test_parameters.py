"""A search's runs, each a configuration of its own: what is said of each parameter, against scipy, and that no ranking is made of them."""

import numpy as np
import pandas as pd
import pytest
import synthetic
from scipy import stats
from test_anybodys_blocks import log

from analysis.commands import cli
from analysis.judging import findings
from analysis.judging.effects.parameters import responses
from analysis.reading import foreign
from analysis.reading.anybody.asked import Asked
from analysis.reading.trials import Trials
from analysis.showing import figures, plots
from analysis.showing.sections.curves import CURVES
from analysis.showing.sections.section import Material


def made_up() -> tuple[pd.DataFrame, "pd.Series[float]"]:
    """200 runs' parameters, as MLflow keeps them, and their scores."""
    rng = np.random.default_rng(2)
    frame = pd.DataFrame(
        {"lr": 10 ** rng.normal(-3, 1, 200), "depth": rng.integers(1, 5, 200), "optimizer": rng.choice(["sgd", "adam"], 200)}
    )
    scores = pd.Series(0.8 - 0.02 * np.log10(frame["lr"]) + 0.01 * (frame["optimizer"] == "adam") + rng.normal(0, 0.02, 200))
    return frame.map(str), scores


def searched() -> Trials:
    """The same, logged and read."""
    frame, scores = made_up()
    for row, score in zip(frame.to_dict("records"), scores, strict=True):
        log({**row, "seed": 0}, {"acc": score})
    return foreign.read(Asked("acc", ("params.lr",)))


@pytest.fixture
def varied():
    return made_up()


def test_numbers_and_categories_are_scipys(varied):
    frame, scores = varied
    found = responses(frame, scores).set_index("parameter")
    spearman = stats.spearmanr(frame["lr"].astype(float), scores)
    assert found.loc["lr", ["strength", "p"]].tolist() == pytest.approx([spearman.statistic, spearman.pvalue])
    kruskal = stats.kruskal(*(scores[frame["optimizer"] == name] for name in ("adam", "sgd")))
    assert found.loc["optimizer", "p"] == pytest.approx(kruskal.pvalue)
    assert found.loc["lr", "low"] < spearman.statistic < found.loc["lr", "high"] < 0
    assert found["p_adjusted"].tolist() == pytest.approx(
        [min(1.0, p) for p in np.maximum.accumulate(found["p"].to_numpy() * [3, 2, 1])]
    )


def test_the_interval_holds_as_often_as_it_says():
    """Of ranks that correlate by about 0.5: the true value is that of a large sample."""
    rng, inside, studies = np.random.default_rng(0), 0, 400
    x = rng.normal(size=200_000)
    true = stats.spearmanr(x, 0.55 * x + rng.normal(size=200_000)).statistic
    for _ in range(studies):
        x = rng.normal(size=60)
        row = responses(pd.DataFrame({"x": x.astype(str)}), pd.Series(0.55 * x + rng.normal(size=60))).iloc[0]
        inside += row["low"] < true < row["high"]
    assert 0.92 < inside / studies < 0.98


def test_what_does_not_vary_or_is_too_varied_says_nothing(varied):
    frame, scores = varied
    frame = frame.assign(same="1", name=[f"run {number}" for number in range(200)], rare=["a"] * 5 + [None] * 195)
    assert set(responses(frame, scores)["parameter"]) == {"lr", "depth", "optimizer"}
    assert responses(frame, scores * 0)["p"].isna().all()


@pytest.mark.slow
@pytest.mark.usefixtures("workspace")
def test_a_search_is_answered_with_its_parameters_and_not_with_a_ranking(capsys):
    """Its report is among those of odd input."""
    trials = searched()
    assert list(trials.varied) == ["lr", "depth", "optimizer"]
    assert findings.find(trials).parameters["parameter"].iloc[0] == "lr"
    assert cli.main(["compare", "--metric", "acc", "--group-by", "params.lr"]) == 0
    said = capsys.readouterr().out
    assert "How acc follows each parameter by itself" in said
    assert "The first 20 of 200 configurations, which have a run each" in said
    assert len(said.splitlines()) < 60


@pytest.mark.slow
def test_a_long_curve_is_thinned_where_it_is_drawn(workspace):
    for lr in ("0.1", "0.2"):
        for seed in range(3):
            log({"lr": lr, "seed": seed}, {"acc": list(np.linspace(0, float(lr), 5000))})
    found = findings.find(foreign.read(Asked("acc", ("params.lr",))))
    with plots.style():
        (drawing,) = CURVES.figures(Material.of(found))
    assert len(drawing.numbers) <= 6 * 501
    assert drawing.numbers["epoch"].max() == 4999


@pytest.mark.slow
def test_of_many_blocks_some_are_drawn_and_that_is_said():
    found = findings.find(synthetic.trials(seeds=200))
    assert len(figures.drawn_blocks(found)) == figures.MOST_BLOCKS
    assert figures.of_all(found) == " 60 of 200 seeds are drawn."
    few = findings.find(synthetic.trials(seeds=20))
    assert figures.drawn_blocks(few) == list(few.scores.index)
    assert figures.of_all(few) == ""
