"""What the report's terms mean, for whoever has not met them: those that it uses, in the order in which they are met. Longer: docs/reading.md."""

import math
from collections.abc import Iterator

from regstudy.schema import Summary

from ...judging import published
from ...judging.findings import BEST, Findings
from . import opening


def meanings(found: Findings) -> list[tuple[str, str]]:
    """Terms and what they mean here."""
    return [*_of_the_judgement(found), *_of_the_ranking(found), *_of_measures(found)]


def _of_the_judgement(found: Findings) -> Iterator[tuple[str, str]]:
    n, margin = opening.images(found), found.scale.margin
    if margin is not None:
        counted = f" ({opening.amount(found, margin * n)} images in {n:,})" if n else ""
        yield (
            "margin",
            f"the smallest difference that matters, as whoever asked has chosen it: {found.endpoint.margin(margin)}{counted}",
        )
    if n:
        yield "points", f"percentage points, of accuracies: 0.01 points are {opening.amount(found, n / 10_000)} of {n:,} images"
    yield (
        "interval",
        "the differences, or values, that the data allow; the higher its level, the surer that it holds the true one, and the wider",
    )
    judged, again = ("of the claims", ", and as often of the ranking") if found.judged else ("of the ranking", "")
    yield (
        "α",
        (
            f"how often, at most, anything that is said {judged} may be wrong by chance: {100 * found.alpha:g}%{again}. Each statement has a share of it, and so an interval that is wider "
            "than at 95%"
        ),
    )
    if margin is not None:
        yield "practically equivalent", "shown to differ by less than the margin; not the same as “no difference was found”"


def _of_the_ranking(found: Findings) -> Iterator[tuple[str, str]]:
    if found.new_images is not None:
        yield "for new images", "what the interval would be if the test images, too, were others of the same source"
    if found.trials.has(BEST):
        yield (
            "best epoch",
            "the epoch with the highest test accuracy. It is chosen by the images that it is judged on, so it looks better than it is: biased",
        )
    if found.table["best"].notna().any():
        yield (
            "P(best)",
            f"the share of redraws of the {found.trials.words.block}s in which the configuration’s mean is the best",
        )


def _of_measures(found: Findings) -> Iterator[tuple[str, str]]:
    has = found.trials.has
    if has(Summary.ENDPOINT_TEST_LOSS.value):
        loss = float(found.trials.runs[Summary.ENDPOINT_TEST_LOSS.value].median())
        example = (
            f": {loss:.3g} nats mean that the actual class was given {math.exp(-loss):.0%} (geometric mean)"
            if loss >= 0
            else ""
        )
        yield "nats", f"the unit of a loss by natural logarithms{example}"
        yield "geometric mean", "the mean of logarithms, turned back: what ratios (×) are ratios of"
    if has(Summary.ROUGHNESS_TEST_ACCURACY.value):
        yield (
            "roughness",
            "how far a curve jumps from one epoch to the next: √(mean(Δ²)/2) of its steps Δ over the second half of the epochs",
        )
    if has(Summary.GAP_ACCURACY.value):
        yield "gap", "training accuracy (or loss) minus test accuracy (or loss), over the last epochs"
    if has(Summary.DEAD_KERNELS.value):
        yield "dead kernel", "a filter that no image makes answer, or whose weights are nearly all 0"
        yield "reach of L1", "how far L1’s pull alone, always the same way, could have moved a weight over the run"
    if has(Summary.CALIBRATION_ECE.value):
        yield (
            "expected calibration error",
            "how far stated probabilities are from how often they are right, on average; 0 is perfect",
        )
        yield "Brier score", "the mean squared error of the probabilities of all classes; 0 is perfect"
    if not published.beside(found.trials).empty:
        yield "V1, V2", "the two versions of the published study, which ran each configuration once"
