"""What was really done, in words, from the findings themselves: methods, and the summary's three sentences."""

import math

from regstudy.console.terminal import plural
from regstudy.schema import LAST_EPOCHS

from ..files.rows import rows
from ..judging import statistics
from ..judging.claims import Verdict
from ..judging.findings import Findings
from ..judging.ranking import BEST_FROM, Relation
from . import wording


def summary(found: Findings) -> list[str]:
    """What was run, what holds, what is open and what would settle it."""
    return [sentence for sentence in (_what_was_run(found), _what_holds(found), _what_is_open(found)) if sentence]


def advice(found: Findings) -> str:
    """One paragraph to paste: what to use, why, n, interval, and what could not be told apart from it."""
    ranked, reading = found.ranking, found.endpoint
    if len(ranked.table) < 2 or ranked.table["seeds"].max() < 2:
        return "These runs allow no recommendation yet: two configurations with two seeds each are the least."
    if wording.untested(ranked):
        return f"These runs allow no recommendation: {wording.untested(ranked)}."
    chosen = ranked.simplest or ranked.leading[0]
    row = next(row for row in rows(ranked.table) if row["configuration"] == chosen)
    n, mean = int(row["seeds"]), reading.value(row["mean"])
    interval = (
        f"95% interval {reading.value(row['low'])} to {reading.value(row['high'])}, " if math.isfinite(row["low"]) else ""
    )
    value = f"{reading.words} {mean}{_unit(found)} ({interval}n = {plural(n, 'seed')}{endpoint_words(found)})"
    others = [name for name in ranked.leading if name != chosen]
    if not others:
        why = "diverged, or is separated" if ranked.table["diverged"].any() else "is separated"
        return f"Use {chosen}: {value}. Every other configuration {why} from it{_separated(found, chosen)}."
    why = (
        "the simplest of those that no other was shown to beat"
        if ranked.simplest
        else "one of those that no other was shown to beat"
    )
    return f"Use {chosen}, {why}: {value}. {_tied(found, chosen, others)}{_separated(found, chosen)}."


def methods(found: Findings) -> list[str]:
    """How each number was made, one sentence or two per step."""
    reading, m = found.endpoint, sum(bool(judged.contrasts) for judged in found.judged)
    pairs = len(found.ranking.pairs)
    steps = [
        f"Endpoint: {reading.words}{endpoint_words(found)}; no epoch was chosen by its result."
        if found.ours
        else f"Endpoint: {reading.words}{endpoint_words(found)}; {'higher' if found.scale.higher_is_better else 'lower'} is better.",
        "Each seed is a block in which every configuration runs with the same split, initialisation, batch order, augmentation and dropout; "
        "configurations are compared by differences within blocks."
        if found.ours
        else "Runs of the same block are a pair; configurations are compared by differences within blocks.",
        f"Intervals and p-values are from Student's t distribution of the paired differences ({statistics.LEVEL:.0%} level).",
    ]
    if m:
        steps += [
            f"The sign-flip test of the claims' contrasts, exact up to {statistics.EXACT_UP_TO} seeds, is a check; it decides nothing.",
            (
                f"Claims: one Holm family of {plural(m, 'claim')} at α = {found.alpha:g}. A claim about several rivals is supported only if each "
                "contrast is (the largest p counts), and refuted by any (Bonferroni). That something is not lower is a one-sided test against the margin."
            ),
        ]
    if pairs:
        steps.append(
            f"Ranking: Holm over {plural(pairs, 'pair')} at α = {found.alpha:g}. A configuration's rank is one more than the number of those "
            f"separated from it for the better, so that ties share a rank."
        )
    if m and pairs:
        steps.append(
            "Claims and ranking are two families, each corrected by itself: a pair may be separated in the one and open in the other."
        )
    if found.scale.margin is not None:
        steps.append(
            f"Practically equivalent: the 90% interval of the difference lies inside ±{reading.margin(found.scale.margin)} (two one-sided tests at 5%, "
            "each pair by itself: what shows equivalence, or rules an effect out, is not corrected for how many were looked at)."
        )
    return steps + _special(found)


def _special(found: Findings) -> list[str]:
    """Steps that only some findings need."""
    steps: list[str] = []
    if found.ranking.table["best"].notna().any():
        steps.append(
            f"P(best): the share of {statistics.RESAMPLES:,} redraws of the seeds in which the mean is best (from {BEST_FROM} seeds on)."
        )
    if (found.scale.unit.resolution > 0) and found.ours:
        steps.append(
            "Standard deviations are at least what rounding to whole images or kernels causes (step/√6), so that equal values do not pass for certainty."
        )
    if any(judged.verdict == Verdict.INCONCLUSIVE for judged in found.judged):
        steps.append(
            "Further seeds: until each open contrast by itself has 80% power against the margin, at α over the number of claims, the standard deviation "
            "taken at its upper 80% bound. They are for planning, one look ahead: whoever adds seeds until a verdict changes is wrong more often than α says."
        )
    if found.trials.runs["diverged"].any():
        steps.append(
            "Runs that diverged have no endpoint: they are in no mean, and a configuration with such a run ranks after all without."
        )
    return steps


def _what_was_run(found: Findings) -> str:
    runs, n = found.trials.runs, len(found.table)
    size = f"{plural(n, 'configuration')} × {wording.seeds_in_words(found.table).removesuffix(' each')}"
    if not found.ours:
        return f"{size}, {plural(len(runs), 'run')}, compared by {found.endpoint.words}."
    epochs = sorted(set(runs["epochs"]))
    length = plural(int(epochs[0]), "epoch") if len(epochs) == 1 else f"{epochs[0]} to {epochs[-1]} epochs"
    return f"{size} × {length} on {runs['dataset'].iloc[0]}, judged on {int(runs['test_images'].iloc[0]):,} test images."


def _what_holds(found: Findings) -> str:
    standing = wording.standing(found.ranking, wording.seeds_in_words(found.table))
    held = [judged for judged in found.judged if judged.verdict in {Verdict.SUPPORTED, Verdict.REFUTED}]
    if not found.judged:
        return standing
    if not held:
        then = standing[0].lower() + standing[1:] if standing.startswith("No ") else standing
        if len(found.judged) == 1:
            return f"“{found.judged[0].text}” is neither supported nor refuted; {then}"
        return f"None of the {len(found.judged)} claims is supported or refuted; {then}"
    told = "; ".join(f"“{judged.text}” is {wording.verdict_words(judged)}" for judged in held)
    return f"{told}. {standing}"


def _what_is_open(found: Findings) -> str:
    open_claims = [judged for judged in found.judged if judged.verdict == Verdict.INCONCLUSIVE]
    if open_claims:
        most = [judged.further for judged in open_claims]
        if None in most:
            return f"{plural(len(open_claims), 'claim')} could not be decided, and for at least one no number of seeds that can be run would do."
        wanted = plural(max(n for n in most if n), "further seed")
        if len(open_claims) == 1:
            return f"1 claim could not be decided; with {wanted} it would be in 80% of studies, if the effect is as large as the margin."
        return (
            f"{len(open_claims)} claims could not be decided; with up to {wanted} each would be in "
            f"80% of studies, if effects are as large as the margins."
        )
    power = found.power
    if power is None:
        return "" if wording.untested(found.ranking) else "Two seeds or more per configuration would allow intervals and tests."
    seen = found.endpoint.margin(power.ours)
    return f"With {plural(power.seeds, 'seed')}, a single comparison that varies as these do on average finds a true difference of {seen} in 80% of studies."


def _tied(found: Findings, chosen: str, others: list[str]) -> str:
    """What shares the lead with the chosen one, and why."""
    pairs = found.ranking.pairs
    own = pairs[
        ((pairs["first"] == chosen) & pairs["second"].isin(others))
        | ((pairs["second"] == chosen) & pairs["first"].isin(others))
    ]
    alike = {
        *own.loc[own["relation"] == Relation.EQUIVALENT, "first"],
        *own.loc[own["relation"] == Relation.EQUIVALENT, "second"],
    }
    equivalent, unresolved = [name for name in others if name in alike], [name for name in others if name not in alike]
    told = []
    if equivalent:
        told.append(f"{_count(equivalent)} {'is' if len(equivalent) == 1 else 'are'} practically equivalent to it")
    if unresolved:
        told.append(f"{_count(unresolved)} could not be told apart from it")
    return "; ".join(told)


def _separated(found: Findings, chosen: str) -> str:
    """The configurations that are separated from the chosen one, with their differences."""
    pairs = found.ranking.pairs
    own = pairs[(pairs["first"] == chosen) & (pairs["relation"] == "separated")]
    told = [
        f"{row['second']} by {found.endpoint.difference(-row['mean'])}{found.endpoint.difference_unit} "
        f"({found.endpoint.interval(-row['high'], -row['low'])})"
        for row in rows(own.head(wording.FEW))
    ]
    more = f" and {len(own) - wording.FEW} more" if len(own) > wording.FEW else ""
    return f"; separated from it: {', '.join(told)}{more}" if told else ""


def endpoint_words(found: Findings) -> str:
    """What was averaged, to follow a value."""
    averaged = int(found.trials.runs["averaged"].min())
    if not found.ours:
        return f", {f'mean of the last {averaged} steps' if averaged > 1 else 'of the last step'}"
    epochs = int(found.trials.runs["epochs"].max())
    if averaged < LAST_EPOCHS:
        return f", mean of the {plural(averaged, 'epoch')} there {'is' if averaged == 1 else 'are'}"
    return f", mean of the last {averaged} of {epochs} epochs"


def _count(names: list[str]) -> str:
    return (
        names[0]
        if len(names) == 1
        else f"{', '.join(names[:-1])} and {names[-1]}"
        if len(names) <= wording.FEW
        else f"{len(names)} others"
    )


def _unit(found: Findings) -> str:
    return {"%": "%", "": ""}.get(found.endpoint.unit, f" {found.endpoint.unit}")
