"""What was really done, in words, from the findings themselves: methods, and the summary's three sentences."""

import math

from regstudy.console.terminal import plural
from regstudy.schema import LAST_EPOCHS

from ..files.rows import rows
from ..judging import statistics
from ..judging.claims import Verdict
from ..judging.findings import Findings
from ..judging.ranking import BEST_FROM, Relation
from ..reading.trials import AVERAGED, TEST_IMAGES
from . import wording


def summary(found: Findings) -> list[str]:
    """What was run, what holds, what is open and what would settle it."""
    return [sentence for sentence in (_what_was_run(found), _what_holds(found), _what_is_open(found)) if sentence]


def advice(found: Findings) -> str:
    """One paragraph to paste: what to use, why, n, interval, and what could not be told apart from it."""
    ranked, reading = found.ranking, found.endpoint
    if len(ranked.table) < 2 or ranked.table["seeds"].max() < 2:
        return f"These runs allow no recommendation yet: two configurations with two {_block(found)}s each are the least."
    if wording.untested(ranked, _block(found)):
        return f"These runs allow no recommendation: {wording.untested(ranked, _block(found))}."
    chosen = ranked.simplest or ranked.leading[0]
    row = next(row for row in rows(ranked.table) if row["configuration"] == chosen)
    n, mean = int(row["seeds"]), reading.value(row["mean"])
    interval = (
        f"95% interval {reading.value(row['low'])} to {reading.value(row['high'])}, " if math.isfinite(row["low"]) else ""
    )
    value = f"{reading.words} {mean}{_unit(found)} ({interval}n = {plural(n, _block(found))}{endpoint_words(found)})"
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
    words = found.trials.words
    pairs = len(found.ranking.pairs)
    steps = [
        f"Endpoint: {reading.words}{endpoint_words(found)}; {words.endpoint}.",
        words.pairing,
        f"Intervals and p-values are from Student's t distribution of the paired differences ({statistics.LEVEL:.0%} level).",
    ]
    if m:
        steps += [
            f"The sign-flip test of the claims' contrasts, exact up to {statistics.EXACT_UP_TO} {words.block}s, is a check; it decides nothing.",
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
            f"P(best): the share of {statistics.RESAMPLES:,} redraws of the {_block(found)}s in which the mean is best (from {BEST_FROM} {_block(found)}s on)."
        )
    if found.scale.unit.resolution > 0:
        steps.append(
            f"Standard deviations are at least what rounding to whole {found.trials.words.counted}s or kernels causes (step/√6), so that equal values do not pass for certainty."
        )
    if any(judged.verdict == Verdict.INCONCLUSIVE for judged in found.judged):
        steps.append(
            f"Further {_block(found)}s: until each open contrast by itself has 80% power against the margin, at α over the number of claims, the standard deviation "
            f"taken at its upper 80% bound. They are for planning, one look ahead: whoever adds {_block(found)}s until a verdict changes is wrong more often than α says."
        )
    if found.trials.runs["diverged"].any():
        steps.append(
            "Runs that diverged have no endpoint: they are in no mean, and a configuration with such a run ranks after all without."
        )
    return steps


def _what_was_run(found: Findings) -> str:
    runs, n = found.trials.runs, len(found.table)
    size = f"{plural(n, 'configuration')} × {wording.blocks_in_words(found).removesuffix(' each')}"
    if not found.trials.has("epochs", "dataset", TEST_IMAGES):
        return f"{size}, {plural(len(runs), 'run')}, compared by {found.endpoint.words}."
    epochs = sorted(set(runs["epochs"]))
    length = plural(int(epochs[0]), "epoch") if len(epochs) == 1 else f"{epochs[0]} to {epochs[-1]} epochs"
    return f"{size} × {length} on {runs['dataset'].iloc[0]}, judged on {int(runs[TEST_IMAGES].iloc[0]):,} test images."


def _what_holds(found: Findings) -> str:
    standing = wording.standing(found.ranking, wording.blocks_in_words(found), _block(found))
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
            return f"{plural(len(open_claims), 'claim')} could not be decided, and for at least one no number of {_block(found)}s that can be run would do."
        wanted = plural(max(n for n in most if n), f"further {_block(found)}")
        if len(open_claims) == 1:
            return f"1 claim could not be decided; with {wanted} it would be in 80% of studies, if the effect is as large as the margin."
        return (
            f"{len(open_claims)} claims could not be decided; with up to {wanted} each would be in "
            f"80% of studies, if effects are as large as the margins."
        )
    power = found.power
    if power is None:
        untested = wording.untested(found.ranking, _block(found))
        return "" if untested else f"Two {_block(found)}s or more per configuration would allow intervals and tests."
    seen = found.endpoint.margin(power.found_here)
    return f"With {plural(power.seeds, _block(found))}, a single comparison that varies as these do on average finds a true difference of {seen} in 80% of studies."


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
    lowest, step = found.trials.runs[AVERAGED].min(), found.trials.words.step
    averaged = int(lowest) if math.isfinite(lowest) else 0
    if not step:
        return ""
    if not found.trials.has("epochs"):
        return f", {f'mean of the last {averaged} {step}s' if averaged > 1 else f'of the last {step}'}"
    epochs = int(found.trials.runs["epochs"].max())
    if averaged < LAST_EPOCHS:
        return f", mean of the {plural(averaged, step)} there {'is' if averaged == 1 else 'are'}"
    return f", mean of the last {averaged} of {epochs} {step}s"


def _block(found: Findings) -> str:
    return found.trials.words.block


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
