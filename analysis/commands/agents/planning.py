"""How many seeds to run, from how differences vary: the numbers of `power`, of a design or of anybody's pilot."""

from regstudy.errors import NothingToAnalyse, UsageError

from ...judging import looks
from ...judging.findings import Findings
from ...judging.looks import AT_THE_PLAN
from ...judging.statistics import LEAST
from .. import power
from .answers import Planned, Power


def pilot(found: Findings) -> power.Spread:
    """As large as it may well be, pooled over pairs."""
    block, pooled = found.trials.words.block, found.power
    if found.trials.pairing.overlap:
        raise UsageError(
            f"{block}s of one data set overlap, so that more of them hardly help: plan other data, or give sd of independent runs"
        )
    if pooled is None or pooled.seeds < LEAST:
        raise NothingToAnalyse(f"a pilot needs {LEAST} {block}s of two configurations that differ: run them, or give sd")
    source = f"{pooled.seeds} {block}s of {len(found.table)} configurations, its upper 80% bound"
    return power.Spread(looks.sd_upper(pooled.sd, pooled.seeds), source)


def planned(margin: float | None, spread: power.Spread, alpha: float, comparisons: int) -> Planned:
    """What numbers of seeds find, and the fewest that decide by this margin; the first look is at the plan."""
    share = AT_THE_PLAN * alpha / comparisons
    seeds = None if margin is None else power.enough_for(margin, spread.sd, share)
    counts: list[int] = sorted({*power.SEEDS, seeds or power.SEEDS[0]})
    return Planned(
        answer=_advice(margin, seeds),
        seeds=seeds,
        margin=margin,
        sd=spread.sd,
        sd_from=spread.source,
        comparisons=comparisons,
        alpha=alpha,
        table=[
            Power(
                n=n, difference=looks.detectable(spread.sd, n, share), equivalence=looks.shown_equivalent(spread.sd, n, share)
            )
            for n in counts
        ],
    )


def _advice(margin: float | None, seeds: int | None) -> str:
    if margin is None:
        return "Give a margin, the smallest difference that matters, and it is said how many seeds decide; `table` has what numbers of seeds find."
    if seeds is None:
        return f"More than {looks.MOST:,} seeds would be needed for a margin of {margin:g}: choose a larger one, or a metric that varies less."
    return f"Plan {seeds} seeds per configuration: they decide either way, a difference of {margin:g} or none, in 80% of studies. Then ask compare with planned={seeds}."
