"""What so many seeds can find, said before any is trained."""

import pytest

from analysis.commands import cli
from analysis.commands.power import enough_for, recommendation
from analysis.judging import looks
from regstudy.commands import cli as writing
from regstudy.design import design_file

PUBLISHED = design_file.load("published")


@pytest.mark.parametrize("n", [3, 10, 60])
@pytest.mark.parametrize("alpha", [0.045, 0.045 / 8])
def test_the_smallest_margin_is_shown_with_that_power(n, alpha):
    margin = looks.shown_equivalent(0.07, n, alpha)
    assert looks.equivalence_power(margin, 0.07, n, alpha) == pytest.approx(0.8, abs=1e-6)


def test_what_is_recommended_decides_either_way():
    alpha, sd = 0.045 / 8, 0.0707
    n = enough_for(PUBLISHED.margin, sd, alpha)
    assert recommendation(n, "0.05").startswith(f"Plan {n} seeds: they decide a claim with the margin of 0.05")
    assert looks.power(0.05, sd, n, alpha) >= 0.8
    assert looks.equivalence_power(0.05, sd, n, alpha) >= 0.8
    assert min(looks.power(0.05, sd, n - 1, alpha), looks.equivalence_power(0.05, sd, n - 1, alpha)) < 0.8
    assert recommendation(enough_for(PUBLISHED.margin, 9.0, alpha), "0.05").startswith("More than 1,000 seeds would be needed")


def test_without_any_run_a_guess_is_said_to_be_one(workspace, capsys):
    assert cli.main(["power", "published", "--seed-seconds", "900"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "8 claims sharing α = 0.05" in said
    assert "a guess: 0.05 points per seed" in said
    assert "10 (this design) 0.103 0.105 2.5 h" in said
    assert "Plan 33 seeds" in said
    assert not (workspace / "mlruns").exists()


def test_a_pilot_tells_how_much_seeds_vary(trained, capsys, monkeypatch):
    assert cli.main(["power", "published", "--sd", "0.1"]) == 0
    assert "standard deviation of 0.1 points (as given)" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("sd", ["0", "-1", "nan", "x"])
def test_a_spread_that_is_none_is_refused(workspace, capsys, sd):
    assert cli.main(["power", "published", "--sd", sd]) == 2
    assert (
        capsys.readouterr().err
        == f"python -m analysis: error: --sd {sd!r}: expected a number above 0, the standard deviation of a difference\n"
    )


@pytest.mark.slow
def test_planning_a_study_says_so_too(workspace, capfd, monkeypatch):
    from conftest import ROOT

    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    assert (
        writing.main(["study", "plan", "published", "--epochs", "1", "--dataset", "mnist-5k", "--sd", "0.1", "--threads", "1"])
        == 0
    )
    said = " ".join(capfd.readouterr().out.split())
    assert "40 trials of 1 epochs on mnist-5k" in said
    assert "0.1 points (as given)" in said
    assert "time here" in said
