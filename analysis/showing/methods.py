"""What was really done, in words, from the findings themselves: methods, and the summary's three sentences."""

import math
import shlex
from collections.abc import Callable

from regstudy.config import strengths
from regstudy.console.terminal import plural
from regstudy.design import design_file
from regstudy.schema import LAST_EPOCHS, Metric

from ..files.rows import rows
from ..judging import looks, statistics
from ..judging.claims import Verdict
from ..judging.findings import Findings
from ..judging.looks import AT_THE_PLAN
from ..judging.ranking import BEST_FROM, Relation
from ..judging.statistics import LEAST
from ..reading import measures
from ..reading.trials import AVERAGED, TEST_IMAGES
from . import wording

OF_LAST_EPOCHS = ("endpoint/", "gap/")
"""Trials' numbers that are means over the last epochs; their names begin so."""

TAKEN = {
    ("roughness/",): "over the second half of {} epochs",
    ("biased/",): "of the best epoch",
    tuple(metric.value for metric in Metric): "of the last epoch",
    ("calibration/", "errors/", "kernels/", "recall/", "sparsity/"): "of the final model",
}
"""Where the others come from, by how their names begin."""


def summary(found: Findings) -> list[str]:
    """What was run, what holds, what is open, and what was planned: the first screen's sentences."""
    told = (
        what_was_run(found),
        _searched(found),
        _what_holds(found),
        _what_is_open(found),
        planned(found),
        seen_before(found),
    )
    return [sentence for sentence in told if sentence]


def advice(found: Findings) -> str:
    """One paragraph to paste: what to use, why, n, interval; or that nothing can be advised yet, and what to run."""
    ranked, reading, block = found.ranking, found.endpoint, _block(found)
    if len(ranked.table) < 2 or ranked.table["seeds"].max() < LEAST:
        return f"These runs allow no recommendation yet: two configurations with {LEAST} {block}s each are the least."
    if wording.untested(ranked, block):
        return f"These runs allow no recommendation: {wording.untested(ranked, block)}."
    if not ranked.advised:
        return _no_advice(found)
    chosen = ranked.advised[0]
    row = next(row for row in rows(found.table) if row["configuration"] == chosen)
    n, mean = int(row["seeds"]), reading.value(row["mean"])
    interval = (
        f"95% interval {reading.value(row['low'])} to {reading.value(row['high'])}, " if math.isfinite(row["low"]) else ""
    )
    if math.isfinite(row.get("new_low", math.nan)):
        interval += f"for new images {reading.value(row['new_low'])} to {reading.value(row['new_high'])}, "
    value = f"{reading.words} {mean}{_unit(found)} ({interval}n = {plural(n, block)}{endpoint_words(found)})"
    if ranked.leading == (chosen,):
        why = "diverged, or is shown to be worse" if ranked.table["diverged"].any() else "is shown to be worse"
        return f"Use {chosen}: {value}. Every other configuration {why}{_separated(found, chosen)}."
    margin = f" by {reading.margin(found.scale.margin)} or more" if found.scale.margin is not None else ""
    whole = " that did not diverge" if ranked.table["diverged"].any() else ""
    return f"Use {chosen}: {value}. No other{whole} is better{margin}{_as_well(found, chosen)}{_separated(found, chosen)}."


def _as_well(found: Findings, chosen: str) -> str:
    """What else is advised, to follow what is shown of the chosen one."""
    also = [name for name in found.ranking.advised if name != chosen]
    simpler = f", but {chosen} is simpler" if all(_simpler(found, chosen, name) for name in also) else ""
    return f"; {wording.names(also)} would do as well{simpler}" if also else ""


def _simpler(found: Findings, one: str, other: str) -> bool:
    """Whether the one has fewer regularisers, or as many and weaker ones."""
    known = [name for name in strengths() if found.trials.has(name)]
    own = found.trials.runs.drop_duplicates("configuration").set_index("configuration")[known].astype(float)
    first, second = (((own.loc[name] > 0).sum(), own.loc[name].sum()) for name in (one, other))
    return first < second


def _no_advice(found: Findings) -> str:
    """Why nothing is advised, and how many blocks more will probably allow it."""
    block = _block(found)
    if not more_may_advise(found):
        return why_none(found)
    wanted = further_for_advice(found)
    more = f"more than {looks.MOST:,} further {block}s" if wanted is None else f"about {plural(wanted, f'further {block}')}"
    return f"{why_none(found)} Run {more}{_how_to_run(found, wanted)}."


def why_none(found: Findings) -> str:
    """Why nothing is advised, where tests were possible."""
    ranked = found.ranking
    if found.scale.margin is None:
        return "These runs allow no recommendation: none is shown to be better than all others, and without a margin that none is needlessly worse cannot be shown. Add --margin."
    leader = ranked.leader
    if (ranked.table["diverged"] > 0).all():
        return "These runs allow no recommendation: every configuration has runs that diverged."
    if ranked.compared == "reference":
        return f"These runs allow no recommendation of the best: {leader} leads, and the design compares all with its reference only."
    return f"No recommendation yet: {leader} leads, but none is shown to be within {found.endpoint.margin(found.scale.margin)} of the best.{wording.not_tested(ranked, _block(found))}"


def more_may_advise(found: Findings) -> bool:
    """Whether nothing is advised, and further blocks may change that."""
    ranked = found.ranking
    whole = (ranked.table["diverged"] == 0).any()
    return bool(not ranked.advised and found.scale.margin is not None and ranked.compared != "reference" and whole)


def further_for_advice(found: Findings) -> int | None:
    """How many more blocks will probably show of the leader, and of what is level with it, that it is not worse by the margin; None if more than 1,000."""
    pairs, margin = found.ranking.pairs, found.scale.margin or 0.0
    own = pairs[(pairs["first"] == found.ranking.leader) & (pairs["relation"] == Relation.UNRESOLVED) & pairs["sd"].gt(0)]
    few = lacking(found)
    if own.empty:
        return few or 1
    row = max(rows(own), key=lambda row: row["sd"])
    n = int(row["seeds"])
    needed = found.looked.blocks_for_equivalence(margin, looks.sd_upper(row["sd"], n), found.ranking.tests, after=n)
    return None if needed is None else max(few, needed - n)


def lacking(found: Findings) -> int:
    """How many more blocks a configuration needs, none of whose runs diverged, until it can be tested against the leader; 0 if all can."""
    pairs, leader, table = found.ranking.pairs, found.ranking.leader, found.table
    whole = set(table.loc[table["diverged"] == 0, "configuration"])
    own = pairs[
        ((pairs["first"] == leader) | (pairs["second"] == leader)) & pairs["first"].isin(whole) & pairs["second"].isin(whole)
    ]
    return max(0, int(LEAST - own["seeds"].min())) if len(own) else 0


def _how_to_run(found: Findings, wanted: int | None) -> str:
    if found.trials.study is None or wanted is None:
        return ""
    command, design, seeds = command_for(found, wanted), found.trials.study.design, _seeds(found, wanted)
    how = command or (f"the study {design.name} with --seeds {seeds}" if seeds else "")
    return f": {how}" if how else ""


def _seeds(found: Findings, further: int) -> int:
    """What `--seeds` takes for so many more; 0 where that number, counted from 0, would leave out seeds that are there."""
    seeds = found.trials.study.design.seeds if found.trials.study else ()
    wanted = max(found.blocks + further, len(seeds))
    return wanted if max(seeds, default=0) < wanted else 0


def command_for(found: Findings, further: int) -> str:
    """What runs so many more blocks; empty if it is not known: where the design is none that is shipped, as it is but for epochs and data set, or no number names its seeds."""
    study = found.trials.study
    if study is None or study.design.name not in design_file.shipped():
        return ""
    design, shipped = study.design, design_file.load(study.design.name)
    changed = {
        name: design.overrides[name]
        for name in ("epochs", "dataset")
        if name in design.overrides and design.overrides[name] != shipped.overrides.get(name)
    }
    asked = shipped.with_changes(seeds=None, epochs=changed.get("epochs"), dataset=changed.get("dataset"))
    seeds, options = _seeds(found, further), [word for name, value in changed.items() for word in (f"--{name}", str(value))]
    is_known = bool(seeds) and asked.digest == design.digest
    words = ["python", "-m", "regstudy", "study", "run", design.name, *options, "--seeds", str(seeds)]
    return shlex.join(words) if is_known else ""


def methods(found: Findings) -> list[str]:
    """How each number was made, one sentence or two per step."""
    reading, m = found.endpoint, sum(bool(judged.contrasts) for judged in found.judged)
    of = f" of {len(found.judged)}" if m < len(found.judged) else ""
    words, ranked, alpha = found.trials.words, found.ranking, found.alpha
    block = words.block
    steps = [f"Endpoint: {reading.words}{endpoint_words(found)}; {words.endpoint}.", words.pairing, _looking(found)]
    if m:
        steps += [
            (
                f"Claims: {f'{m}{of} claims share' if len(found.judged) > 1 else '1 claim has'} α = {alpha:g}{' (the rest is made of these)' if of else ''}, whatever the verdict: each interval is as wide as its share demands. A claim about several rivals is supported only if each "
                "contrast is; whatever else is said of it is held to its share divided by its rivals. That something is not lower is a one-sided test against the margin."
            ),
            f"The sign-flip test of the claims' contrasts, exact up to {statistics.EXACT_UP_TO} {block}s, is a check; it decides nothing.",
        ]
    if len(ranked.pairs):
        share = "has" if ranked.tests == 1 else "share"
        how = {
            "each": f"each configuration is compared with each, {plural(ranked.tests, 'pair')}, which {share}",
            "leader": f"all are compared with the leader; since any may have come to lead, all {ranked.tests:,} pairs share",
            "reference": f"all are compared with the design's reference, {plural(ranked.tests, 'pair')}, which {share}",
        }[ranked.compared]
        steps.append(
            f"Ranking: {how} α = {alpha:g}. A place is given only where others are shown to be better or worse; = marks what is shown to be equivalent."
        )
    if ranked.moderated:
        steps.append(
            "With so many configurations each pair's standard deviation is drawn towards what all have in common (Smyth 2004), where the number of "
            f"{block}s was fixed beforehand."
        )
    if m and len(ranked.pairs):
        steps.append(
            "Claims and ranking are two families, and each interval is as wide as its share of its own family's α demands: those of one difference differ, and a pair may be separated in the one and open in the other."
        )
    if found.scale.margin is not None:
        steps.append(
            f"Practically equivalent: the interval at 1 − 2α of the pair's share lies inside ±{reading.margin(found.scale.margin)} (two one-sided tests)."
        )
    if found.comparisons["difference"].notna().any():
        steps.append(
            f"Other measures are compared with {found.reference}, each interval at 95% by itself; a heading names what differs by intervals that hold for all comparisons of its measure together."
        )
    return steps + _special(found)


def _looking(found: Findings) -> str:
    """What was planned, and which tests follow from that."""
    block, looked, alpha = _block(found), found.looked, found.alpha
    anytime = "a t test that is valid whenever one looks (a Bayes factor against a standardised effect of N(0, 1), which exceeds 1/α at any time with probability α at most)"
    if looked.sequential:
        return f"The study is looked at after every {block}: tests and intervals are from {anytime}."
    if looked.planned is None:
        return (
            f"Nothing says how many {block}s were planned. Tests and intervals are {which_test(found)}, which hold if that number was fixed before any was looked at; "
            f"what holds if it was not, by {anytime}, stands beside them."
        )
    return (
        f"{plural(looked.planned, block).capitalize()} were planned. With so many, tests and intervals are {which_test(found)} at {AT_THE_PLAN:g} α; with any other number, from {anytime}, at {1 - AT_THE_PLAN:.1g} α: "
        f"together they are wrong at most as often as α = {alpha:g} says, however often one looks."
    )


def which_test(found: Findings) -> str:
    """The test that holds for a number of blocks that was fixed beforehand."""
    pairing = found.trials.pairing
    if not pairing.paired:
        return "Welch's t of two samples"
    corrected = ", corrected for training sets that overlap" if pairing.overlap else ""
    return f"Student's t of the paired differences{corrected}"


def _special(found: Findings) -> list[str]:
    """Steps that only some findings need."""
    steps: list[str] = []
    if found.trials.pairing.paired and found.scores.isna().to_numpy().any():
        steps.append(
            f"Where a configuration lacks {_block(found)}s that others have, its mean is that of the configuration with most, plus their mean difference in the {_block(found)}s that both have: so "
            "means and differences agree."
        )
    if found.ranking.table["best"].notna().any():
        steps.append(
            f"P(best): the share of {statistics.RESAMPLES:,} redraws of the {_block(found)}s in which the mean is best (from {BEST_FROM} {_block(found)}s on)."
        )
    if found.new_images is not None:
        steps.append(
            f"Intervals over {_block(found)}s hold for these {found.trials.words.counted}s. For new ones of the same source, runs and {found.trials.words.counted}s are crossed: "
            "the variance is (MS of runs + MS of images − MS of the rest) / (runs × images), with Satterthwaite's degrees of freedom; below 5 runs the wider interval is kept. "
            f"Verdicts are for these {found.trials.words.counted}s."
        )
    if found.scale.unit.resolution > 0:
        steps.append(
            f"Standard deviations are at least what rounding to whole {found.trials.words.counted}s or kernels causes (step/√6), so that equal values do not pass for certainty."
        )
    if any(judged.verdict == Verdict.INCONCLUSIVE for judged in found.judged):
        steps.append(
            f"Further {_block(found)}s: until each open contrast has 80% power against the margin at that look, the standard deviation taken at its upper 80% bound."
        )
    if found.trials.runs["diverged"].any():
        steps.append(
            "Runs that diverged have no endpoint: they are in no mean, and a configuration with such a run ranks after all without."
        )
    return steps


def what_was_run(found: Findings) -> str:
    """How many configurations, blocks and steps, on which data."""
    runs, n = found.trials.runs, len(found.table)
    size = f"{plural(n, 'configuration')} × {wording.blocks_in_words(found).removesuffix(' each')}"
    if not found.trials.has("epochs", "dataset", TEST_IMAGES):
        return f"{size}, {plural(len(runs), 'run')}, compared by {found.endpoint.words}."
    epochs = sorted(set(runs["epochs"]))
    length = plural(int(epochs[0]), "epoch") if len(epochs) == 1 else f"{epochs[0]} to {epochs[-1]} epochs"
    others = wording.names([other.trials.dataset for other in found.beside]) if found.beside else ""
    also = (
        f" The same was run on {others}: the ranking here is on {found.trials.dataset}, claims are on what each says."
        if others
        else ""
    )
    return f"{size} × {length} on {runs['dataset'].iloc[0]}, judged on {int(runs[TEST_IMAGES].iloc[0]):,} test images.{also}"


def _searched(found: Findings) -> str:
    """Where a configuration comes from that a search chose."""
    searched = found.trials.study.design.searched if found.trials.study else None
    if searched is None:
        return ""
    by = measures.measure(searched.metric).words
    return (
        f"It confirms, or does not, what the search {searched.name} chose of {plural(searched.configurations, 'configuration')} ({plural(searched.runs, 'run')}) by "
        f"{by}, with seeds that the search did not use."
    )


def _what_holds(found: Findings) -> str:
    standing = wording.standing(found.ranking, wording.blocks_in_words(found), _block(found))
    if not found.judged:
        return standing
    told = [
        f"{answer} to {wording.quoted(own)}"
        for answer in ("Yes", "No", "Open")
        if (own := [judged.text for judged in found.judged if wording.ANSWERS[judged.verdict] == answer])
    ]
    return f"{'; '.join(told)}. {standing}"


def _what_is_open(found: Findings) -> str:
    open_claims, block = [judged for judged in found.judged if judged.verdict == Verdict.INCONCLUSIVE], _block(found)
    if open_claims:
        most = [judged.further for judged in open_claims]
        if None in most:
            return f"{plural(len(open_claims), 'claim')} could not be decided; for at least one, more than {looks.MOST:,} further {block}s would be needed."
        wanted = plural(max(n for n in most if n), f"further {block}")
        if len(open_claims) == 1:
            return f"1 claim could not be decided; with {wanted} it would be in 80% of studies, if the effect is as large as the margin."
        return (
            f"{len(open_claims)} claims could not be decided; with up to {wanted} each would be in "
            f"80% of studies, if effects are as large as the margins."
        )
    power = found.power
    if power is None or power.seeds < LEAST:
        untested = wording.untested(found.ranking, block)
        return "" if untested else f"{LEAST} {block}s or more per configuration allow intervals and tests."
    if not math.isfinite(power.found_here):
        return f"{finds(found, str)}."
    seen = found.endpoint.margin(power.found_here)
    return f"With {plural(power.seeds, block)}, a comparison that varies as these do on average finds a true difference of {seen} in 80% of studies."


def finds(found: Findings, shown: Callable[[float], str]) -> str:
    """What difference the study's blocks find by the ranking's test, as `shown`; where they can show none, that."""
    power, looked = found.power, found.looked
    if power is None:
        return ""
    n = plural(power.seeds, found.trials.words.block)
    if math.isfinite(power.found_here):
        return f"{n} find a difference of {shown(power.found_here)} in 4 studies of 5"
    instead = f" where {looked.planned:,} were planned" if looked.planned not in {None, power.seeds} else ""
    return f"{n}{instead} can show no difference, however large"


def planned(found: Findings) -> str:
    """Whether the study has grown beyond its plan, and what that costs; what holds if nobody planned."""
    looked, block = found.looked, _block(found)
    if looked.sequential or len(found.table) < 2:
        return ""
    if looked.planned is None:
        return _if_not_fixed(found)
    n = found.blocks
    if n == looked.planned:
        return ""
    way = "has grown beyond its plan" if n > looked.planned else "is not at its plan yet"
    return f"The study {way} of {plural(looked.planned, block)}: with {n} its verdicts are from tests that hold whenever one looks, at {1 - AT_THE_PLAN:.1g} of α, whose intervals are wider."


def seen_before(found: Findings) -> str:
    """That runs were there when the study was planned: no test can know whether they were seen."""
    plan = found.trials.plan
    if plan is None or not plan.done_before:
        return ""
    were = "was" if plan.done_before == 1 else "were"
    return f"When the study was planned, {plan.done_before:,} of its runs {were} done already: if its claims were chosen by these, they are no evidence for them."


def _if_not_fixed(found: Findings) -> str:
    """What no longer holds if blocks were added while looking."""
    block, otherwise = _block(found), found.otherwise
    if otherwise is None or found.table["seeds"].max() < LEAST:
        return ""
    changing: dict[str, list[str]] = {}
    for judged, other in zip(found.judged, otherwise.judged, strict=True):
        if wording.ANSWERS[judged.verdict] != (then := wording.ANSWERS[other.verdict]):
            changing.setdefault(then, []).append(judged.text)
    changed = (found.ranking.pairs["relation"] != otherwise.ranking.pairs["relation"]).any()
    beginning = f"This holds if the number of {block}s was fixed before any was looked at"
    if not changing and not changed:
        return f"{beginning}, and also if {block}s were added while looking."
    lost = [f"{wording.quoted(texts)} {wording.HOLDS[then][len(texts) > 1]}" for then, texts in changing.items()]
    lost += [wording.within(wording.standing(otherwise.ranking, wording.blocks_in_words(found), block))] if changed else []
    return f"{beginning}. If {block}s were added while looking, {'; '.join(lost)}."


def _separated(found: Findings, chosen: str) -> str:
    """The configurations that are shown to be worse than the chosen one, with their differences."""
    pairs = found.ranking.pairs
    own = pairs[(pairs["first"] == chosen) & (pairs["relation"] == "separated")]
    reading, told = found.endpoint, []
    for row in rows(own.head(wording.FEW)):
        low, high = (reading.spread(end) for end in sorted((abs(row["low"]), abs(row["high"]))))
        told.append(f"{row['second']} by {reading.spread(abs(row['mean']))}{reading.difference_unit} ({low} to {high})")
    more = f" and {len(own) - wording.FEW} more" if len(own) > wording.FEW else ""
    return f". Worse are {', '.join(told)}{more}" if told else ""


def endpoint_words(found: Findings) -> str:
    """What was averaged, to follow a value."""
    if found.trials.words.taken:
        return found.trials.words.taken
    lowest, step = found.trials.runs[AVERAGED].min(), found.trials.words.step
    averaged = int(lowest) if math.isfinite(lowest) else 0
    if not step:
        return ""
    if not found.trials.has("epochs"):
        return f", {f'mean of the last {averaged} {step}s' if averaged > 1 else f'of the last {step}'}"
    epochs = int(found.trials.runs["epochs"].max())
    if found.trials.has(TEST_IMAGES) and not found.endpoint.key.startswith(OF_LAST_EPOCHS):
        return next((f", {told}" for names, told in TAKEN.items() if found.endpoint.key.startswith(names)), "").format(epochs)
    if averaged < LAST_EPOCHS:
        return f", mean of the {plural(averaged, step)} there {'is' if averaged == 1 else 'are'}"
    return f", mean of the last {averaged} of {epochs} {step}s"


def _block(found: Findings) -> str:
    return found.trials.words.block


def _unit(found: Findings) -> str:
    return {"%": "%", "": ""}.get(found.endpoint.unit, f" {found.endpoint.unit}")
