"""Verdicts: exclusive, exhaustive, in the protocol's order; families, directions, ratios, margins; and sentences that match them."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy import stats

from analysis.judging import claims, looks, statistics
from analysis.judging.claims import Judged, OnData, Verdict
from analysis.judging.looks import Looks
from analysis.reading import measures
from analysis.reading.measures import Unit
from analysis.showing import wording
from regstudy.design import design_file
from regstudy.design.claim import Claim, Contrast
from regstudy.design.design import Design

PUBLISHED = design_file.load("published")
NAMES = ["none", "L1 0.001", "L2 0.0005", "L1 0.001 + L2 0.0005"]
NOISE = np.array([0.3, -0.4, 0.1, 0.5, -0.5, 0.2, -0.1, 0.4, -0.3, -0.2]) * 1e-4


def estimate(mean, half_width, n=10):
    """An estimate whose 95% interval is mean ± half_width."""
    sd = half_width * math.sqrt(n) / float(stats.t.ppf(0.975, n - 1))
    differences = np.resize([1.0, -1.0], n) * sd * math.sqrt((n - 1) / n) + mean
    return statistics.estimate(differences, np.zeros(n))


def frames(**scores):
    """Every metric the same where not given: a row per seed, a column per configuration."""
    n = len(next(iter(scores.values()))[NAMES[0]]) if scores else 10
    metrics = {contrast.metric for claim in PUBLISHED.claims for contrast in claim.contrasts}
    same = pd.DataFrame({name: 0.5 + np.roll(NOISE[:n], i) for i, name in enumerate(NAMES)})
    named = {
        "accuracy": "endpoint/test_accuracy",
        "loss": "endpoint/test_loss",
        "rough": "roughness/test_accuracy",
        "dead": "kernels/dead",
    }
    return dict.fromkeys(metrics, same) | {named[key]: pd.DataFrame(value) for key, value in scores.items()}


def on_data(scores, run=None) -> dict[str, OnData]:
    return {"mnist": OnData(scores, measures.units(10_000, 5), run)}


def judged(**scores) -> dict[str, Judged]:
    return {claim.id: claim for claim in claims.judge(PUBLISHED, NAMES, on_data(frames(**scores)))}


def with_effect(index, by, n=10):
    """Scores in which one configuration lies off the others by so much."""
    return {name: 0.99 + np.roll(NOISE, 3 * i)[:n] + (by if i == index else 0) for i, name in enumerate(NAMES)}


@pytest.mark.parametrize(
    ("mean", "half", "expected"),
    [
        (-0.10, 0.05, Verdict.REFUTED),
        (0.00, 0.03, Verdict.EQUIVALENT),
        (0.02, 0.01, Verdict.EQUIVALENT),  # different from zero, but by less than matters
        (0.10, 0.04, Verdict.SUPPORTED),
        (0.06, 0.05, Verdict.SUPPORTED),
        (-0.01, 0.055, Verdict.NOT_BY_MARGIN),
        (0.02, 0.10, Verdict.INCONCLUSIVE),
        (-0.02, 0.10, Verdict.INCONCLUSIVE),
    ],
)
def test_the_verdicts_by_their_intervals(mean, half, expected):
    found = estimate(mean, half)
    assert claims.verdict(found, found, 0.05) == expected


def test_refutation_comes_before_equivalence():
    found = estimate(-0.02, 0.01)
    assert claims.verdict(found, found, 0.05) == Verdict.REFUTED


@given(st.floats(-1, 1), st.floats(1e-6, 2), st.floats(0.01, 1), st.floats(1, 3), st.integers(3, 30))
def test_every_estimate_has_exactly_one_verdict(mean, half, margin, wider, n):
    found, strict = estimate(mean, half, n), estimate(mean, half * wider, n)
    refuted = strict.high < 0
    equivalent = -margin < strict.inner_low and strict.inner_high < margin
    supported = found.low > 0
    short = strict.high < margin
    conditions = {
        Verdict.REFUTED: refuted,
        Verdict.EQUIVALENT: not refuted and equivalent,
        Verdict.SUPPORTED: not refuted and not equivalent and supported,
        Verdict.NOT_BY_MARGIN: not refuted and not equivalent and not supported and short,
        Verdict.INCONCLUSIVE: not refuted and not equivalent and not supported and not short,
    }
    assert [verdict for verdict, holds in conditions.items() if holds] == [claims.verdict(found, strict, margin)]


@pytest.mark.parametrize("n", [1, 2])
def test_fewer_than_three_blocks_have_no_verdict(n):
    found = statistics.estimate([0.1, 0.11][:n], [0.0] * n)
    assert claims.verdict(found, found, 0.05) == Verdict.NONE


@pytest.mark.parametrize(
    ("parts", "whole"),
    [
        ("supported supported", "supported"),
        ("supported practically_equivalent", "practically equivalent"),
        ("supported refuted", "refuted"),
        ("refuted no_verdict", "refuted"),
        ("supported no_verdict", "no verdict"),
        ("practically_equivalent inconclusive", "not by the margin"),
        ("not_by_the_margin supported", "not by the margin"),
        ("supported inconclusive", "inconclusive"),
    ],
)
def test_what_may_be_said_of_all_together(parts, whole):
    assert claims.together([Verdict(part.replace("_", " ")) for part in parts.split()]) == whole


def test_a_clear_winner_supports_the_claim_against_every_rival():
    found = judged(accuracy=with_effect(1, 0.002))
    best = found["l1-best"]
    assert best.verdict == Verdict.SUPPORTED
    assert best.strongly
    assert len(best.contrasts) == 3
    assert best.p == max(contrast.plain.p for contrast in best.contrasts), "intersection-union: the largest p counts"


def test_one_better_rival_refutes_it():
    scores = with_effect(1, 0.002)
    scores["none"] = scores["L1 0.001"] + 0.002 + np.roll(NOISE, 5)
    best = judged(accuracy=scores)["l1-best"]
    assert best.verdict == Verdict.REFUTED
    assert best.deciding.rival == "none"
    assert best.p == pytest.approx(3 * best.deciding.plain.p), "refuted by any of three: Bonferroni"


def test_an_equivalent_rival_makes_best_practically_equivalent():
    best = judged(accuracy=with_effect(3, -0.002))["l1-best"]
    assert best.verdict == Verdict.EQUIVALENT
    assert best.deciding.rival in {"none", "L2 0.0005"}


def test_all_claims_are_one_family_whatever_their_verdict():
    found = judged(accuracy=with_effect(1, 0.002))
    tested = [claim for claim in found.values() if claim.contrasts]
    assert len(tested) == 8
    for claim in tested:
        for contrast in claim.contrasts:
            assert contrast.alpha == pytest.approx(0.05 / 8)
            assert contrast.strict_alpha == pytest.approx(0.05 / 8 / len(claim.contrasts)), (
                "what is said against it may be false of each"
            )
            shown = contrast.verdict in {Verdict.SUPPORTED, Verdict.EQUIVALENT} and contrast.tested.mean > 0
            assert contrast.verdict != Verdict.SUPPORTED or (contrast.tested.mean > 0 and contrast.p < 0.05 / 8)
            assert shown or not (contrast.tested.mean > 0 and contrast.p < 0.05 / 8)
        assert claim.p_adjusted == pytest.approx(min(1, 8 * claim.p))


def test_at_another_number_than_planned_the_test_holds_at_any_time():
    planned, early = (
        claims.judge(PUBLISHED, NAMES, on_data(frames(accuracy=with_effect(1, 0.002))), Looks(planned=n))[0] for n in (10, 12)
    )
    assert [c.anytime for c in (planned.contrasts[0], early.contrasts[0])] == [False, True]
    assert (planned.contrasts[0].alpha, early.contrasts[0].alpha) == pytest.approx((0.045 / 8, 0.005 / 8))
    assert early.contrasts[0].plain.low < planned.contrasts[0].plain.low, "wider"


def test_a_look_counts_the_seeds_that_were_run_diverged_ones_included():
    scores = pd.DataFrame(with_effect(1, 0.002))
    run = scores.notna()
    scores.loc[3, "none"] = np.nan
    found = claims.judge(PUBLISHED, NAMES, on_data(frames(accuracy=scores), run), Looks(planned=10))[0]
    against_none = next(contrast for contrast in found.contrasts if contrast.rival == "none")
    assert (against_none.plain.n, against_none.anytime) == (9, False)


def test_a_claim_against_a_number_is_of_one_sample():
    contrast = Contrast(metric="endpoint/test_accuracy", of={"l1": 0.001}, target=99.0, expect="higher", margin=0.05)
    design = PUBLISHED.model_copy(update={"claims": (Claim(id="x", text="x", contrasts=(contrast,)),)})
    claim = claims.judge(design, NAMES, on_data(frames(accuracy=with_effect(1, 0.002))))[0]
    assert claim.verdict == Verdict.SUPPORTED
    assert claim.deciding.plain.mean == pytest.approx(0.002, abs=1e-5)
    assert wording.sentence(claim).startswith("L1 0.001's test accuracy is higher than 99%: +0.200 points")


def test_ratios_are_judged_on_the_log_scale_in_the_claimed_direction():
    rough = {
        name: 0.001 * np.exp(NOISE * 1e3) * (0.5 if name == "L1 0.001" else 1.5 if name == "L2 0.0005" else 1) for name in NAMES
    }
    found = judged(rough=rough)
    smoother, rocky = found["l1-smoother"].deciding, found["l2-rocky"].deciding
    # The same noise in each would leave no variation at all.
    assert smoother.plain.mean == pytest.approx(math.log(0.5))
    assert smoother.tested.mean == pytest.approx(math.log(2)), "lower was claimed: less is positive"
    assert smoother.margin == pytest.approx(-math.log(0.8))
    assert rocky.tested.mean == pytest.approx(math.log(1.5))
    assert rocky.margin == pytest.approx(math.log(1.25))


def test_a_margin_is_never_less_than_two_images():
    small = judged(accuracy=with_effect(1, 0.002))["l1-best"].contrasts[0]
    assert small.margin == pytest.approx(0.0005)
    unit = measures.units(1_000, 5)["endpoint/test_accuracy"]
    contrast = PUBLISHED.claims[0].contrasts[0]
    assert claims.margin_of(contrast, unit) == pytest.approx(0.002)


def test_not_lower_is_tested_against_the_margin():
    good = judged(accuracy=with_effect(3, -0.002))["none-good"]
    assert good.verdict == Verdict.SUPPORTED, "none lies well above −margin against all"
    contrast = good.contrasts[0]
    assert contrast.tested.mean == pytest.approx(contrast.plain.mean + 0.0005)
    worse = judged(accuracy=with_effect(0, -0.003))["none-good"]
    assert worse.verdict == Verdict.REFUTED


def test_equal_counts_of_kernels_are_equivalent_not_certain():
    zero = {name: np.zeros(5) for name in NAMES}
    dead = judged(dead=zero, accuracy=with_effect(1, 0, 5))["l1-zeroes-kernels"]
    assert dead.verdict == Verdict.EQUIVALENT
    assert dead.deciding.plain.low < 0 < dead.deciding.plain.high


def test_a_metric_that_does_not_vary_has_no_verdict_and_says_why():
    loss = {name: np.full(10, 0.02) for name in NAMES}
    claim = judged(loss=loss)["l1-lower-loss"]
    assert claim.verdict == Verdict.NONE
    assert "in all n = 10 seeds: without variation there is no interval" in wording.sentence(claim)


@pytest.mark.parametrize("missing", ["column", "values"])
def test_a_configuration_without_runs_leaves_no_verdict(missing):
    scores = pd.DataFrame(with_effect(1, 0.002))
    if missing == "column":
        scores = scores.drop(columns="L2 0.0005")
    else:
        scores["L2 0.0005"] = np.nan
    claim = judged(accuracy=scores)["l1-best"]
    assert claim.verdict == Verdict.NONE
    assert "no seed has it for both L1 0.001 and L2 0.0005; 3 are needed" in wording.sentence(claim)


def test_blocks_that_cannot_be_paired_are_told():
    scores = pd.DataFrame(with_effect(1, 0.002))
    scores.loc[3, "none"] = np.nan
    claim = judged(accuracy=scores)["l1-best"]
    against_none = next(contrast for contrast in claim.contrasts if contrast.rival == "none")
    assert against_none.left_out == (3,)
    assert against_none.plain.n == 9


def test_a_claim_made_of_others_is_as_weak_as_its_weakest_part():
    found = judged(accuracy=with_effect(1, 0.002))
    both = found["l1-without-l2"]
    assert [part.id for part in both.parts] == ["l1-best", "l2-worse"]
    assert f"“{found['l2-worse'].text}”, {found['l2-worse'].verdict}" in wording.sentence(both)
    assert wording.estimate(both) == f"as “{found['l2-worse'].text}”"
    assert found["l1-best"].verdict == Verdict.SUPPORTED
    assert both.verdict == found["l2-worse"].verdict != Verdict.SUPPORTED
    assert both.p is None


def test_further_blocks_are_enough_in_simulation():
    rng = np.random.default_rng(7)
    noise = pd.DataFrame({name: 0.994 + rng.normal(0, 5e-4, 5) for name in NAMES})
    claim = judged(accuracy=noise, loss={name: rng.normal(1, 0.1, 5) for name in NAMES})["l1-best"]
    assert claim.verdict == Verdict.INCONCLUSIVE
    widest = max(claim.contrasts, key=lambda contrast: contrast.plain.sd)
    upper = looks.sd_upper(widest.plain.sd, 5)
    assert looks.power(0.0005, upper, 5 + claim.further, 0.05 / 8) >= 0.8
    assert looks.power(0.0005, upper, 4 + claim.further, 0.05 / 8) < 0.8


WORDS = {
    Verdict.SUPPORTED: "accuracy is higher than",
    Verdict.REFUTED: "The opposite was found",
    Verdict.EQUIVALENT: "differ by less than 0.05 points",
    Verdict.NOT_BY_MARGIN: "or more is ruled out",
    Verdict.INCONCLUSIVE: "could not be told apart",
}


def drawn(seed, effect, sd):
    """Claims on random scores of six seeds, of which L1 0.001's accuracy has an effect."""
    rng = np.random.default_rng(seed)
    scores = {name: 0.99 + rng.normal(0, sd, 6) + (effect if name == "L1 0.001" else 0) for name in NAMES}
    others = {key: {name: rng.normal(1, 0.05, 6) for name in NAMES} for key in ("loss", "rough", "dead")}
    return judged(accuracy=scores, **others)


@pytest.mark.slow
@given(st.integers(0, 2**32 - 1), st.sampled_from([-0.002, -0.0008, 0.0, 0.0002, 0.0008, 0.002]), st.floats(5e-5, 1e-3))
def test_the_sentence_matches_the_verdict(seed, effect, sd):
    claim = drawn(seed, effect, sd)["l1-best"]
    told = wording.sentence(claim)
    assert WORDS[claim.verdict] in told
    assert all(words not in told for verdict, words in WORDS.items() if verdict != claim.verdict)
    assert f"n = {claim.deciding.plain.n}" in told
    assert "best" not in told
    assert "no effect" not in told
    assert "nan" not in told.lower()


@pytest.mark.slow
@given(st.integers(0, 2**32 - 1), st.sampled_from([-0.002, -0.0008, 0.0, 0.0002, 0.0008, 0.002]), st.floats(5e-5, 1e-3))
def test_the_interval_that_is_told_is_the_one_that_decides(seed, effect, sd):
    for claim in drawn(seed, effect, sd).values():
        if claim.deciding is None:
            continue
        low, high, alpha = wording.deciding(claim.deciding)
        up, margin = claim.deciding.expect in {"higher", "not lower"}, claim.deciding.margin
        worst, best = (low, high) if up else (-high, -low)  # in the claimed direction
        assert {
            Verdict.SUPPORTED: worst > (-margin if claim.deciding.not_worse else 0),
            Verdict.REFUTED: best < (-margin if claim.deciding.not_worse else 0),
            Verdict.EQUIVALENT: max(-low, high) < margin,
            Verdict.NOT_BY_MARGIN: best < margin,
            Verdict.INCONCLUSIVE: worst <= (-margin if claim.deciding.not_worse else 0),
        }[claim.verdict]
        unit = measures.measure(claim.deciding.metric).as_ratio(ratio=claim.deciding.scale == "ratio")
        told = unit.interval(low, high)
        assert f"{wording.level(alpha)} interval {told}" in wording.sentence(claim)
        assert f"({told})" in wording.estimate(claim)


def test_what_only_the_correction_leaves_open_is_told_as_such():
    """Eight claims: p = 0.01 by itself is not enough."""
    rng = np.random.default_rng(5)
    scores = {name: rng.normal(0.99, 5e-4, 5) for name in NAMES}
    others = {key: {name: rng.normal(1, 0.1, 5) for name in NAMES} for key in ("loss", "dead")}
    rough = {name: rng.normal(1, 0.1, 5) for name in NAMES}
    rough["L2 0.0005"] = rough["none"] * np.exp(0.6 + 0.38 * np.array([-1, -0.5, 0, 0.5, 1]))
    rocky = judged(accuracy=scores, rough=rough, **others)["l2-rocky"]
    told = wording.sentence(rocky)
    assert rocky.verdict == Verdict.INCONCLUSIVE
    assert "could not be told apart" in told
    assert (
        f"Looked at once and by itself it would be; with the other claims and looks counted p = {rocky.p_adjusted:.2g}." in told
    )
    assert rocky.deciding.tested.p < 0.05 <= rocky.p_adjusted


def test_a_claim_of_no_worse_is_tested_at_its_margin_by_both_tests():
    """Five equal scores within a tenth of the margin: surely not worse by the margin, and by sign flips as sure as five blocks can be."""
    claim = judged(accuracy=with_effect(0, 0.0, n=5))["none-good"]
    for result in claim.contrasts:
        assert result.tested.mean == pytest.approx(result.plain.mean + result.margin)
        assert result.p_sign_flip == pytest.approx(2 / 2**5)


@given(st.integers(0, 2**32 - 1), st.floats(-4e-4, 4e-4), st.floats(5e-5, 6e-4))
def test_what_is_practically_equivalent_is_by_itself_not_lower_either(seed, effect, sd):
    """The same pair under both claims: equivalence and 'not lower' are the same one-sided tests."""
    rng = np.random.default_rng(seed)
    a, b = (pd.Series(0.99 + effect * i + rng.normal(0, sd, 6), name=name) for i, name in enumerate(NAMES[:2]))
    asked = PUBLISHED.claims[0].contrasts[0]
    higher, not_lower = (
        claims.compare(a, b, asked.model_copy(update={"expect": expect}), Unit()) for expect in ("higher", "not lower")
    )
    if statistics.is_equivalent(higher.plain.inner_low, higher.plain.inner_high, higher.margin):
        assert not_lower.p < 0.05
        assert not_lower.beyond_chance
    assert not_lower.beyond_chance == (not_lower.tested.mean > 0 and not_lower.p < 0.05)
    assert higher.beyond_chance == (higher.tested.mean > 0 and higher.p < 0.05)


def test_a_large_effect_that_only_the_correction_leaves_open_wants_few_seeds():
    """Its interval lies beyond the margin: to plan for the margin would ask for hundreds."""
    rng = np.random.default_rng(5)
    scores = {name: rng.normal(0.99, 5e-4, 5) for name in NAMES}
    rough = {name: rng.normal(1, 0.1, 5) for name in NAMES}
    rough["L2 0.0005"] = rough["none"] * np.exp(0.9 + 0.5 * np.array([-1, -0.5, 0, 0.5, 1]))
    others = {key: {name: rng.normal(1, 0.1, 5) for name in NAMES} for key in ("loss", "dead")}
    rocky = judged(accuracy=scores, rough=rough, **others)["l2-rocky"]
    assert rocky.verdict == Verdict.INCONCLUSIVE
    sd, low = rocky.deciding.tested.sd, statistics.shifted(rocky.deciding.tested).low
    assert low > rocky.deciding.margin
    assert rocky.further == Looks().blocks_for(low, looks.sd_upper(sd, 5), 8, after=5) - 5
    assert "as its 95% interval allows" in wording.sentence(rocky)


def test_a_margin_of_a_ratio_is_told_on_the_side_that_is_claimed():
    rough = {name: 0.001 * np.exp(NOISE * 1e3) for name in NAMES} | {"L2 0.0005": 0.003 * np.exp(NOISE[::-1] * 1e3)}
    found = judged(rough=rough)
    assert "beyond the margin, a factor of 1.25" in wording.sentence(found["l2-rocky"])
    rough["L1 0.001"] = 0.0012 * np.exp(np.roll(NOISE, 2) * 9e3)
    assert "is at most 0.80 times none's is ruled out" in wording.sentence(judged(rough=rough)["l1-smoother"])


def test_units_without_a_resolution_are_plain():
    assert Unit() == Unit(0.0, 0.0)


BETWEEN = design_file.parse(
    """
name: between
about: Two data sets
datasets: [mnist, fashion-mnist]
configurations: [{l1: 0}, {l1: 0.001}]
seeds: 10
claims:
  - id: everywhere
    text: L1 raises the accuracy
    contrasts: [{metric: endpoint/test_accuracy, of: {l1: 0.001}, against: {l1: 0}, expect: higher, margin: 0.05}]
  - id: there
    text: L1 raises the accuracy on Fashion-MNIST
    contrasts: [{metric: endpoint/test_accuracy, of: {l1: 0.001}, against: {l1: 0}, expect: higher, margin: 0.05, on: fashion-mnist}]
  - id: more
    text: L1 raises the accuracy more on Fashion-MNIST
    contrasts: [{metric: endpoint/test_accuracy, of: {l1: 0.001}, against: {l1: 0}, expect: higher, margin: 0.05, on: fashion-mnist, minus: mnist}]
  - id: more-as-a-ratio
    text: L1 lowers the loss by a larger factor on Fashion-MNIST
    contrasts: [{metric: endpoint/test_loss, of: {l1: 0.001}, against: {l1: 0}, expect: lower, scale: ratio, margin: 1.05, on: fashion-mnist, minus: mnist}]
""",
    "between",
)


def two_data_sets(seed: int = 4) -> dict[str, OnData]:
    """Ten blocks, of which each data set lacks one of its own."""
    rng = np.random.default_rng(seed)

    def on(start: int, effect: float) -> OnData:
        index = range(start, start + 9)
        accuracy = pd.DataFrame(rng.normal(0.9, 1e-3, (9, 2)) + np.array([0, effect]), index=index, columns=NAMES[:2])
        loss = pd.DataFrame(rng.uniform(0.3, 0.31, (9, 2)) * [1, 1 - 50 * effect], index=index, columns=NAMES[:2])
        return OnData({"endpoint/test_accuracy": accuracy, "endpoint/test_loss": loss}, measures.units(10_000, 5))

    return {"mnist": on(0, 0.0), "fashion-mnist": on(1, 0.006)}


def test_an_interaction_with_data_is_the_t_test_of_the_differences_of_differences():
    data = two_data_sets()
    found = {claim.id: claim for claim in claims.judge(BETWEEN, NAMES[:2], data, Looks(planned=8))}
    one, other = (data[name].scores["endpoint/test_accuracy"].loc[1:8] for name in ("fashion-mnist", "mnist"))
    differences = (one["L1 0.001"] - one["none"]) - (other["L1 0.001"] - other["none"])
    (result,) = found["more"].contrasts
    assert result.blocks == tuple(range(1, 9)), "those that all four cells have"
    assert result.plain.mean == pytest.approx(differences.mean())
    assert result.plain.sd == pytest.approx(differences.std())
    level = 1 - result.alpha
    ends = stats.t.interval(level, 7, differences.mean(), stats.sem(differences))
    assert (result.plain.low, result.plain.high) == pytest.approx(ends)
    losses = [data[name].scores["endpoint/test_loss"].loc[1:8] for name in ("fashion-mnist", "mnist")]
    ratios = (losses[0]["L1 0.001"] / losses[0]["none"]) / (losses[1]["L1 0.001"] / losses[1]["none"])
    (ratio,) = found["more-as-a-ratio"].contrasts
    assert math.exp(ratio.plain.mean) == pytest.approx(stats.gmean(ratios))


def test_a_change_of_scale_is_no_interaction_of_ratios():
    data = two_data_sets()
    scaled = {name: 10 * own if "loss" in name else own for name, own in data["mnist"].scores.items()}
    found = claims.judge(BETWEEN, NAMES[:2], {"mnist": data["mnist"], "fashion-mnist": OnData(scaled, {})})
    assert found[3].contrasts[0].plain.mean == pytest.approx(0)


def test_a_claim_without_a_data_set_is_about_each():
    found = claims.judge(BETWEEN, NAMES[:2], two_data_sets(), Looks(planned=9))
    assert [result.on for result in found[0].contrasts] == ["mnist", "fashion-mnist"]
    assert found[1].verdict == Verdict.SUPPORTED
    assert found[0].verdict != Verdict.SUPPORTED, "on MNIST it is not shown"
    assert wording.contrast(found[1].contrasts[0]) == "L1 0.001 compared with none, on fashion-mnist"
    assert wording.contrast(found[2].contrasts[0]) == "L1 0.001 compared with none, on fashion-mnist minus mnist"
    assert "L1 0.001's test accuracy on fashion-mnist minus that on mnist" in wording.sentence(found[2], "seed")


def test_a_data_set_without_runs_leaves_its_claims_open():
    found = claims.judge(BETWEEN, NAMES[:2], {"mnist": two_data_sets()["mnist"]})
    assert [judged.verdict for judged in found[1:]] == [Verdict.NONE] * 3


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"on": "cifar"}, "expected one of mnist, fashion-mnist, got 'cifar'"),
        ({"minus": "mnist"}, "'minus' needs a rival, and 'on', another data set"),
        ({"on": "mnist", "minus": "mnist"}, "'minus' needs a rival, and 'on', another data set"),
    ],
)
def test_a_claim_about_other_data_is_refused(change, told):
    design = BETWEEN.model_dump()
    contrast = {name: value for name, value in design["claims"][1]["contrasts"][0].items() if name not in {"on", "minus"}}
    claim = {**design["claims"][1], "contrasts": [contrast | change]}
    with pytest.raises(ValidationError, match=told):
        Design.model_validate(design | {"claims": [claim]})
