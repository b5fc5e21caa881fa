"""Measures beside the endpoint, each compared with the reference: smoothness, overfitting, calibration."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from regstudy.console.terminal import plural
from regstudy.schema import Summary

from ...files.rows import rows as each
from ...judging import statistics
from ...judging.claims import Verdict
from ...judging.findings import Findings
from ...judging.ranking import Relation
from ...reading import measures
from .. import plots, wording
from ..figures import Drawing, both, by_rank, counted, drawn, file_name, labelled, long, of_all_configurations, summary, wide
from ..grids import NONE, Column, Grid, is_number
from .section import Material, Section


@dataclass(frozen=True)
class Apart:
    """The configurations whose measure is shown to be higher than the reference's, and lower; the rest of those with an interval.

    `told`: each with its 95% interval; of those that a claim is about, `claimed`, with the one that decides it.
    """

    higher: tuple[str, ...]
    lower: tuple[str, ...]
    rest: tuple[str, ...]
    told: dict[str, str]
    claimed: frozenset[str]


def apart(found: Findings, metric: str) -> Apart:
    """By the test that ranks, whose α all comparisons of the measure share."""
    table = found.comparisons
    own = table[table["measure"].eq(metric) & table["low"].notna() & table["seeds"].ge(statistics.LEAST)]
    own = own.set_index("configuration", drop=False).loc[by_rank(found, own["configuration"])]
    reading = measures.measure(metric)
    sides: dict[int, list[str]] = {1: [], -1: [], 0: []}
    told: dict[str, str] = {}
    claimed = _claimed(found, metric)
    for row in each(own):
        name, seeds = str(row["configuration"]), int(row["seeds"])
        low, high = statistics.deciding(row["low"], row["high"], seeds, found.looked.rule(seeds, len(own)))
        sides[int(low > 0) - int(high < 0)].append(name)
        difference = f"{reading.difference(row['difference'])}{reading.difference_unit}"
        *ends, claim = claimed.get(name, (row["low"], row["high"], ""))
        told[name] = f"{name} {difference} ({reading.interval(*ends)}{claim})"
    return Apart(tuple(sides[1]), tuple(sides[-1]), tuple(sides[0]), told, frozenset(claimed) & frozenset(told))


def _claimed(found: Findings, metric: str) -> dict[str, tuple[float, float, str]]:
    """By configuration, the interval of its difference from the reference that decides the first claim about it, and which that is."""
    told: dict[str, tuple[float, float, str]] = {}
    for number, judged in enumerate(found.judged, 1):
        for result in judged.contrasts:
            same = result.metric == metric and (result.scale == "ratio") == measures.measure(metric).ratio
            here = result.on in {"", found.trials.dataset} and not result.minus and not result.left_out
            if not (same and here) or result.verdict == Verdict.NONE:
                continue
            low, high, _ = wording.deciding(result)
            if result.rival == found.reference:
                told.setdefault(result.subject, (low, high, f", claim {number}"))
            elif result.subject == found.reference:
                told.setdefault(result.rival, (-high, -low, f", claim {number}"))
    return told


def finding(found: Findings, metric: str, more: str, less: str, at_end: str = "") -> list[str]:
    """What may be said of a measure against the reference, as a phrase, and the intervals behind it as a sentence; empty if it does not vary."""
    own, block = found.comparisons[found.comparisons["measure"] == metric], found.trials.words.block
    if len(own) < 2 or found.trials.runs[metric].nunique() < 2:
        return []
    sides = apart(found, metric)
    if not sides.told:
        return [f"too few {block}s to tell"]
    phrases = [f"{word} with {wording.names(which)}" for word, which in ((more, sides.higher), (less, sides.lower)) if which]
    seeds = int(own.loc[own["low"].notna(), "seeds"].max())
    if not phrases:
        phrases = [f"no difference{at_end} that {plural(seeds, block)} can see"]
    first = by_rank(found, [*sides.higher, *sides.lower, *sides.rest][: wording.FEW + 1])
    intervals = "; ".join(sides.told[name] for name in first)
    level = "each interval at 95%" + (", or as it decides a claim" if sides.claimed.intersection(first) else "")
    return ["; ".join(phrases), f"Against {found.reference}, {level}: {intervals}."]


def dots(material: Material, metric: str, words: str, short: str = "", means: str = "") -> list[Drawing]:
    """The metric of each configuration, every block a dot; none if no run has it, or all have the same. `short`: the words in its title, whose finding the section's heading says; `means`: what it is."""
    found, block = material.found, material.found.trials.words.block
    own, values = found.comparisons[found.comparisons["measure"] == metric], found.trials.runs
    if own.empty or values[metric].nunique() < 2:
        return []
    reading, told = measures.measure(metric), finding(found, metric, "higher", "lower")
    title = f"{short or words}: {told[0]}" if told else words
    scores = drawn(found, long(wide(values, metric) * reading.factor))
    mean = "geometric mean" if reading.ratio else "mean"
    figures = both(
        plots.dots,
        scores,
        summary(scores, log=reading.ratio),
        material.look,
        title=title,
        subtitle=f"{counted(found)}; every dot is a {block}, the bar the {mean}’s 95% interval",
        label=f"{labelled(reading)}{', logarithmic' if reading.ratio else ''}",
        log=reading.ratio,
    )
    alt = f"{words} of each configuration: every dot is a {block}. {title}."
    caption = f"{words}{f': {means}' if means else ''}. Every dot is a {block}, the bar the {mean}'s 95% interval.{of_all_configurations(found)}"
    return [Drawing(file_name(metric), figures[0], caption, alt, scores, figures[1], titled=not told)]


def comparisons(found: Findings, keys: Iterable[str], name: str) -> Grid | None:
    """Other measures of each configuration against the reference, unadjusted; None if no run has them, or all runs have the same."""
    varying = [key for key in keys if found.trials.has(key) and found.trials.runs[key].nunique() > 1]
    table = found.comparisons[found.comparisons["measure"].isin(varying)]
    if table.empty:
        return None
    rows, order = [], by_rank(found, table["configuration"].unique())
    for row in sorted(each(table), key=lambda row: (varying.index(row["measure"]), order.index(row["configuration"]))):
        reading = measures.measure(str(row["measure"]))
        of = ", ".join(filter(None, [reading.unit, "geometric mean" if reading.ratio else ""]))
        of = f"{reading.words} ({of})" if of else reading.words
        against = (
            f"{reading.difference(row['difference'])}{reading.difference_unit}" if is_number(row["difference"]) else "reference"
        )
        few = row["seeds"] < statistics.LEAST  # where nothing may be concluded, no interval invites it
        interval = reading.interval(row["low"], row["high"]) if is_number(row["low"]) and not few else NONE
        rows.append((of, row["configuration"], reading.value(row["mean"]), against, interval, str(row["seeds"])))
    headings = ("measure", "configuration", "mean", f"against {found.reference}", "95% interval", "n")
    columns = tuple(Column(text, text not in {"measure", "configuration"}) for text in headings)
    return Grid(
        name,
        f"{name.capitalize()} against {found.reference}: differences, or ratios (×) of geometric means; unadjusted",
        columns,
        tuple(rows),
    )


@dataclass(frozen=True)
class Asked:
    """What a section asks of a measure: its words, and fewer of them for a title, what its heading begins with, what more and less of it are called, and what it is."""

    metric: Summary
    words: str
    short: str
    heading: str
    more: str
    less: str
    means: str = ""

    def said(self, material: Material) -> list[str]:
        """The heading and what follows it."""
        told = finding(material.found, self.metric, self.more, self.less)
        return [f"{self.heading}: {told[0]}", *told[1:]] if told else []

    def drawn(self, material: Material) -> list[Drawing]:
        """Its figure."""
        return dots(material, self.metric, self.words, self.short, self.means)


def beside_reference(found: Findings) -> dict[str, bool]:
    """The configurations whose endpoint the ranking's tests show to differ from the reference's, and whether it is higher."""
    pairs, reference = found.ranking.pairs, found.reference
    apart = pairs[pairs["relation"] == Relation.SEPARATED]
    higher = {str(row["first"]): row["mean"] > 0 for row in each(apart[apart["second"] == reference])}
    return higher | {str(row["second"]): row["mean"] < 0 for row in each(apart[apart["first"] == reference])}


def _overfitting(asked: Asked, material: Material) -> list[str]:
    """Also that a gap which narrows where test accuracy falls is no gain: training accuracy falls further."""
    found, told = material.found, asked.said(material)
    if not told or found.endpoint.key != Summary.ENDPOINT_TEST_ACCURACY:
        return told
    higher = beside_reference(found)
    narrower = apart(found, asked.metric).lower
    worse = [name for name in narrower if higher.get(name) is False]
    if not worse:
        return told
    of = "" if len(worse) == len(narrower) else f" with {wording.names(worse)}"
    why = f"With {wording.names(worse)} accuracy falls on test images and, by more, on training images: that is what narrows the gap."
    return [f"{told[0]}, but no gain{of}", why, *told[1:]]


def _section(
    name: str,
    question: str,
    asked: Asked,
    keys: Sequence[str],
    table: str = "",
    finding: Callable[[Asked, Material], Sequence[str]] = Asked.said,
) -> Section:
    return Section(
        name,
        question,
        needs=(asked.metric.value,),
        finding=lambda material: finding(asked, material),
        figures=asked.drawn,
        tables=lambda material: [comparisons(material.found, keys, table or name)],
    )


SMOOTH = _section(
    "smooth",
    "Is it smoother?",
    Asked(
        Summary.ROUGHNESS_TEST_ACCURACY,
        "Roughness of the test accuracy",
        "Roughness",
        "Smoothness",
        "rougher curves",
        "smoother curves",
        "how far the curve jumps from one epoch to the next",
    ),
    (Summary.ROUGHNESS_TEST_ACCURACY, Summary.ROUGHNESS_TEST_LOSS),
    "roughness",
)
OVERFITTING = _section(
    "overfitting",
    "Does it overfit?",
    Asked(
        Summary.GAP_ACCURACY,
        "Gap in accuracy, training − test images",
        "Gap in accuracy",
        "Overfitting",
        "a wider gap",
        "a narrower gap",
    ),
    (Summary.GAP_ACCURACY, Summary.GAP_LOSS, Summary.ENDPOINT_TEST_LOSS),
    finding=_overfitting,
)
CALIBRATION = _section(
    "calibration",
    "Are its probabilities right?",
    Asked(
        Summary.CALIBRATION_ECE,
        "Expected calibration error",
        "Calibration error",
        "Probabilities",
        "further off",
        "closer",
        "how far stated probabilities are from how often they are right",
    ),
    (Summary.CALIBRATION_BRIER, Summary.CALIBRATION_ECE),
)
