"""Everything that a report says, as numbers: trials and a design in, tables and verdicts out. Reads nothing, draws nothing, phrases nothing."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from regstudy.config import strengths
from regstudy.design.claim import SCALED_IN_POINTS
from regstudy.design.design import Design
from regstudy.schema import Summary

from ..files.rows import rows, visible_names
from ..reading import measures
from ..reading.anybody.values import in_order
from ..reading.errors import Errors
from ..reading.measures import PAIRED, Measure, Pairing, Scale, Unit
from ..reading.trials import AVERAGED, TEST_IMAGES, Trials
from . import claims, looks, ranking, single_runs, statistics
from .claims import Judged, OnData, Questions
from .effects import factorial, parameters, response
from .effects.response import Response
from .looks import Looks
from .populations import NewImages
from .ranking import Ranking
from .single_runs import BEST, Contest
from .statistics import LEAST, Estimate

ALPHA = float(Design.model_fields["alpha"].default)
MARGIN = float(Design.model_fields["margin"].default)
REFERENCE = "none"
FURTHEST = 40
"""Seeds up to which the power of the study is drawn, at least."""

DETAILS = (Summary.ENDPOINT_TEST_ACCURACY.value, Summary.ENDPOINT_TEST_LOSS.value, BEST, AVERAGED, TEST_IMAGES)
"""Columns of what stands beside the ranking."""

SHARPNESS = ["measure", "configuration", "seeds", "standardised"]
PAIR = ("mean", "sd", "low", "high", "inner_low", "inner_high", "p")
COMPARISON = ["measure", "configuration", "seeds", "mean", "difference", "low", "high"]


@dataclass(frozen=True)
class Power:
    """What differences of the endpoint a number of seeds finds with 80% power, by the pairs' pooled standard deviation and the ranking's own test: α is shared by its comparisons.

    `table`: seeds, difference: of studies that are planned with so many. `found_here`: the difference that this study's `seeds` find, infinite if they can show none. `enough`: the seeds to plan so that
    a difference as large as the margin is found although the standard deviation may be at its upper 80% bound; None if there is no margin, or the table does not reach so far.
    """

    sd: float
    seeds: int
    found_here: float
    table: pd.DataFrame
    enough: int | None


@dataclass(frozen=True)
class Otherwise:
    """Ranking and claims by tests that are valid whenever one looks."""

    ranking: Ranking
    judged: tuple[Judged, ...]


@dataclass(frozen=True)
class Findings:
    """What the data say.

    `looked` is how α is shared out between the planned number of blocks and others; where nobody recorded what was planned, `ranking` and `judged` hold if the number was fixed
    beforehand, and `otherwise` has what holds if it was not, else it is None.
    `scores`: the endpoint, a row per seed, a column per configuration in the order of the trials. `table`: the ranking's, with wrong_images,
    test_loss, best_epoch_accuracy_biased and epochs_averaged beside it where the runs have them. `errors` are the images that runs were wrong on, `new_images` the intervals for others of the same source, None where they are not known; then the table and the ranking's
    pairs have columns new_low and new_high. `comparisons`: each other measure of each configuration against the
    reference: measure, configuration, seeds, mean, difference, low, high (95%, unadjusted). Where the measure is a ratio, the mean is geometric,
    the others are logarithms. `sharpness`: how many standard deviations of the paired difference a configuration is from the reference, by each measure that varies: measure, configuration, seeds,
    standardised (absolute); from three seeds on. `parameters`: what each does, of runs that are each a configuration of their own (effects.parameters.responses), else None. `beside`: the same of the study's other data sets, on which nothing is claimed.
    """

    trials: Trials
    endpoint: Measure
    scale: Scale
    alpha: float
    reference: str
    scores: pd.DataFrame
    table: pd.DataFrame
    ranking: Ranking
    judged: tuple[Judged, ...]
    looked: Looks
    otherwise: "Otherwise | None"
    errors: Errors | None
    new_images: NewImages | None
    comparisons: pd.DataFrame
    sharpness: pd.DataFrame
    effects: pd.DataFrame | None
    power: Power | None
    contest: Contest | None
    responses: tuple[Response, ...]
    parameters: pd.DataFrame | None
    beside: "tuple[Findings, ...]"

    @property
    def blocks(self) -> int:
        """At how many the study is looked at: those of the configuration with most, diverged runs included."""
        return int((self.table["seeds"] + self.table["diverged"]).max())


def find(trials: Trials, errors: Errors | None = None, beside: Sequence[Errors] = ()) -> Findings:
    """Analyse trials by the endpoint that was asked for, else by their study's design if they have one, else by the defaults of a design.

    `errors` say which images each run was wrong on, `beside` the same of the study's other data sets: without them nothing is said of new images. Each part is left out, or empty, where the runs do not have the columns that it is made of.
    """
    trials = _named(trials)
    runs, design = trials.runs, trials.study.design if trials.study else None
    by_measure = _units(trials)
    endpoint = trials.endpoint or measures.measure(design.endpoint if design else Summary.ENDPOINT_TEST_ACCURACY.value)
    endpoint = endpoint.as_ratio(ratio=False)  # a ranking, and its margin, are of differences
    scale, key = trials.scale or _scale(design, endpoint, by_measure), endpoint.key
    questions = trials.asserted or design
    alpha = questions.alpha if questions else trials.alpha or ALPHA
    scores = score_table(runs, key)
    looked = looks_of(trials, alpha)
    run = was_run(runs)
    details = {"diverged": diverged(runs), "complexity": complexity(trials), "reference": _asked_reference(design, runs)}

    def ranked(by: Looks) -> Ranking:
        return ranking.rank(scores, scale, looked=by, run=run, pairing=trials.pairing, **details)

    def judged(by: Looks) -> tuple[Judged, ...]:
        return _judge(trials, by)

    first, reference = ranked(looked), _reference(scores)
    new = _new_images(trials, errors, key)
    otherwise = None if looked.known else Otherwise(ranked(looked.otherwise()), judged(looked.otherwise()))
    return Findings(
        trials=trials,
        endpoint=endpoint,
        scale=scale,
        alpha=alpha,
        reference=reference,
        scores=scores,
        table=_with_details(_for_new_images(first.table, new, scores), trials),
        ranking=replace(first, pairs=_pairs_for_new_images(first.pairs, new)),
        judged=judged(looked),
        looked=looked,
        otherwise=otherwise,
        errors=errors,
        new_images=new,
        comparisons=_comparisons(runs, reference, by_measure),
        sharpness=_sharpness(runs, reference, list(dict.fromkeys([key, *measures.COMPARED])), trials.pairing),
        effects=factorial.effects(runs, key, looked),
        power=_power(first, looked, scale.margin),
        contest=single_runs.contest(runs, key, scale, alpha) if trials.has(BEST, TEST_IMAGES) else None,
        responses=response.responses(runs, key, scale),
        parameters=_parameters(trials, key),
        beside=tuple(
            find(_without_claims(other), beside[place] if beside else None) for place, other in enumerate(trials.beside)
        ),
    )


def _without_claims(trials: Trials) -> Trials:
    """Claims are judged once, on all data sets together."""
    study = trials.study
    return (
        trials
        if study is None
        else replace(trials, study=replace(study, design=study.design.model_copy(update={"claims": ()})))
    )


def looks_of(trials: Trials, alpha: float = ALPHA) -> Looks:
    """How α is shared out over looks at these trials, by what was planned."""
    plan = trials.plan
    overlap = trials.pairing.overlap
    return Looks(alpha, overlap=overlap) if plan is None else Looks(alpha, plan.seeds, plan.sequential, overlap)


def score_table(runs: pd.DataFrame, column: str) -> pd.DataFrame:
    """A row per seed, a column per configuration in the order in which they come; NaN where a run is missing or has no such number.

    Of several runs of a block the mean counts, which is none if one of them is none.
    """
    places, seeds = _in_order(runs["seed"])
    columns, names = pd.factorize(runs["configuration"])
    of_block = runs[column].astype(float).groupby(places * len(names) + columns)
    counted = of_block.mean().where(of_block.count() == of_block.size())
    table = np.full(len(seeds) * len(names), np.nan)
    table[counted.index] = counted
    # As it lies: where pandas lays each column out by itself, its mean has other last digits.
    return pd.DataFrame(table.reshape(len(seeds), len(names)), seeds, names, copy=False)


def _in_order(blocks: pd.Series) -> tuple[np.ndarray, pd.Index]:
    """The place of each, and each once: numbers by size, also where they are texts."""
    places, once = pd.factorize(blocks)
    numeric = pd.api.types.is_numeric_dtype(blocks)
    order = sorted(range(len(once)), key=lambda place: once[place] if numeric else in_order(str(once[place])))
    return np.argsort(order)[places], pd.Index(once, name="seed")[order]


def _named(trials: Trials) -> Trials:
    """Trials whose configurations and seeds are named as they can be shown; two names stay two."""
    names = {column: visible_names(trials.runs[column].unique()) for column in ("configuration", "seed")}
    if all(name == shown for own in names.values() for name, shown in own.items()):
        return trials
    runs, epochs = (
        frame.assign(**{column: frame[column].map(own) for column, own in names.items()})
        for frame in (trials.runs, trials.epochs)
    )
    asserted = trials.asserted
    if asserted is not None:
        asserted = replace(
            asserted, configurations={names["configuration"][name]: own for name, own in asserted.configurations.items()}
        )
    return replace(trials, runs=runs, epochs=epochs, asserted=asserted)


def _units(trials: Trials) -> dict[str, Unit]:
    """How to judge each measure; of runs that count nothing, nothing is known."""
    if not trials.has(TEST_IMAGES):
        return {}
    averaged = trials.runs[AVERAGED].min()
    return measures.units(int(trials.runs[TEST_IMAGES].iloc[0]), int(averaged) if math.isfinite(averaged) else 1)


def _scale(design: Design | None, endpoint: Measure, by_measure: dict[str, Unit]) -> Scale:
    unit = by_measure.get(endpoint.key, Unit())
    given = design.margin if design else MARGIN
    margin = max(given / 100 if endpoint.key in SCALED_IN_POINTS else given, unit.least_margin)
    return Scale(endpoint.higher_is_better is not False, margin, unit, endpoint.bounds)


def diverged(runs: pd.DataFrame) -> dict[str, int]:
    """How many runs of each configuration diverged."""
    return {str(name): int(n) for name, n in runs.groupby("configuration", sort=False)["diverged"].sum().items()}


def complexity(trials: Trials) -> dict[str, tuple[float, ...]]:
    """How many regularisers a configuration has, then how strong they are; empty where that is not known."""
    known = [name for name in strengths() if trials.has(name)]
    if not known:
        return {}
    first = rows(trials.runs.drop_duplicates("configuration"))
    values = {row["configuration"]: [float(row[name]) for name in known] for row in first}
    return {name: (float(sum(value > 0 for value in own)), math.fsum(own)) for name, own in values.items()}


def _reference(scores: pd.DataFrame) -> str:
    whole = [str(name) for name in scores if scores[name].notna().any()] or [str(scores.columns[0])]
    return REFERENCE if REFERENCE in whole else whole[0]


def _with_details(table: pd.DataFrame, trials: Trials) -> pd.DataFrame:
    if not trials.has(*DETAILS):
        return table
    grouped = trials.runs.groupby("configuration", sort=False)
    accuracy, loss, best, averaged, images = DETAILS
    details = pd.DataFrame(
        {
            # Counts: what binary fractions leave beyond the ninth decimal is nothing.
            "wrong_images": ((1 - grouped[accuracy].mean()) * grouped[images].first()).round(9),
            "test_loss": grouped[loss].mean(),
            "best_epoch_accuracy_biased": grouped[best].mean(),
            "epochs_averaged": grouped[averaged].min().astype("Int64"),
        }
    )
    return table.merge(details, left_on="configuration", right_index=True, how="left")


def _names(design: Design, runs: pd.DataFrame) -> list[str]:
    """What each configuration of a design is called here, in the design's order."""
    dataset, seed = str(runs["dataset"].iloc[0]), int(runs["seed"].iloc[0])
    named = dict(zip(runs["configuration_digest"], runs["configuration"], strict=True))
    configs = design.configs(dataset, seed)
    return [named.get(config.configuration_digest(), own) for config, own in zip(configs, design.called(), strict=True)]


def _asked_reference(design: Design | None, runs: pd.DataFrame) -> str | None:
    """The configuration that a design names for all others to be compared with, if it was run."""
    if design is None or design.reference is None:
        return None
    name = _names(design, runs)[design.pick(design.reference)]
    return name if name in set(runs["configuration"]) else None


def _judge(trials: Trials, looked: Looks) -> tuple[Judged, ...]:
    asked = claimed(trials)
    return () if asked is None else tuple(claims.judge(*asked, looked))


def claimed(trials: Trials) -> tuple[Questions, list[str], dict[str, OnData]] | None:
    """What is claimed of these trials, as `claims.judge` takes it: the claims, the configurations' names, what was measured; None if nothing is."""
    if trials.asserted is not None:
        names = list(trials.asserted.names)
        return trials.asserted, names, {"": _on_data(trials, trials.asserted.metrics(), names, names)}
    design = trials.study.design if trials.study is not None else None
    if design is None or not design.claims:
        return None
    names = _names(design, trials.runs)
    data = {own.dataset: _on_data(own, design.metrics(), _names(design, own.runs), names) for own in (trials, *trials.beside)}
    return design, names, data


def _on_data(trials: Trials, metrics: Sequence[str], own: Sequence[str], names: Sequence[str]) -> OnData:
    """What was measured in these trials; their configurations' own names become those that all data sets share."""
    shared = dict(zip(own, names, strict=True))
    scores = {metric: score_table(trials.runs, metric).rename(columns=shared) for metric in metrics}
    return OnData(scores, _units(trials), was_run(trials.runs).rename(columns=shared), trials.pairing)


def was_run(runs: pd.DataFrame) -> pd.DataFrame:
    """In which block each configuration was run, diverged ones included."""
    once = runs.drop_duplicates(["seed", "configuration"])
    return once.assign(run=True).pivot(index="seed", columns="configuration", values="run").notna()  # noqa: PD010  # as above


def _comparisons(runs: pd.DataFrame, reference: str, by_measure: dict[str, Unit]) -> pd.DataFrame:
    rows = [
        row
        for key in measures.COMPARED
        if key in runs
        for row in _compared(score_table(runs, key), measures.measure(key), reference, by_measure)
    ]
    return pd.DataFrame(rows, columns=COMPARISON)


def _compared(scores: pd.DataFrame, reading: Measure, reference: str, by_measure: dict[str, Unit]) -> list[dict[str, object]]:
    """A row per configuration that has the measure; the reference's own has no difference."""
    values = statistics.log(scores.where(scores > 0)) if reading.ratio else scores
    found = _against(values, reference, 0.0 if reading.ratio else by_measure.get(reading.key, Unit()).resolution)
    compared: list[dict[str, object]] = []
    for name, present in scores.notna().sum().items():
        if not present:
            continue
        against = found[name]
        ends = {"difference": against.mean, "low": against.low, "high": against.high} if name != reference else {}
        seeds = against.n if name != reference else int(present)
        mean = math.exp(values[name].mean()) if reading.ratio else scores[name].mean()
        compared.append({"measure": reading.key, "configuration": name, "seeds": seeds, "mean": mean, **ends})
    return compared


def _sharpness(runs: pd.DataFrame, reference: str, keys: Sequence[str], pairing: Pairing) -> pd.DataFrame:
    """The larger, the fewer seeds a measure needs to tell the two apart."""
    rows: list[dict[str, object]] = []
    for key in (key for key in keys if key in runs):
        scores, reading = score_table(runs, key), measures.measure(key)
        values = statistics.log(scores.where(scores > 0)) if reading.ratio else scores
        for name, found in _against(values, reference, pairing=pairing).items():
            if name != reference and found.decidable and found.n >= LEAST:
                standardised = abs(found.mean) / found.sd
                rows.append({"measure": key, "configuration": name, "seeds": found.n, "standardised": standardised})
    return pd.DataFrame(rows, columns=SHARPNESS)


def _against(values: pd.DataFrame, reference: str, resolution: float = 0.0, pairing: Pairing = PAIRED) -> dict[Any, Estimate]:
    """Each configuration's difference from the reference, all at once."""
    own = np.ascontiguousarray(values.to_numpy(float).T)  # a row each, added up as it would be by itself
    names = list(values.columns)
    found = statistics.compare(own, own[names.index(reference)][None], pairing, resolution=resolution)
    return {name: statistics.one(found, place) for place, name in enumerate(names)}


def _new_images(trials: Trials, errors: Errors | None, key: str) -> NewImages | None:
    """What is known for new images: of accuracies on the test images, where predictions are known."""
    if errors is None or errors.shares is None or key != Summary.ENDPOINT_TEST_ACCURACY:
        return None
    return NewImages(errors.shares, int(trials.runs[TEST_IMAGES].iloc[0]))


def _for_new_images(table: pd.DataFrame, new: NewImages | None, scores: pd.DataFrame) -> pd.DataFrame:
    """With columns new_low and new_high, of the mean; none where nothing is known."""
    if new is None:
        return table
    # A mean that is moved to agree with the pairs takes its interval along.
    moved = table["mean"].to_numpy(float) - np.array([scores[name].mean() for name in table["configuration"]])
    moved[abs(moved) <= statistics.SAME] = 0.0  # that is rounding
    ends = [
        (low + by, high + by)
        for (low, high), by in zip((new.of_mean(scores[name]) for name in table["configuration"]), moved, strict=True)
    ]
    return table.assign(new_low=[low for low, _ in ends], new_high=[min(high, 1.0) for _, high in ends])


def _pairs_for_new_images(pairs: pd.DataFrame, new: NewImages | None) -> pd.DataFrame:
    """The same for each pair, at its own level."""
    if new is None:
        return pairs
    ends = [
        new.interval(_of_row(row), row["first"], row["second"], row["alpha"], anytime=bool(row["anytime"]))
        for row in rows(pairs)
    ]  # fmt: skip
    return pairs.assign(new_low=[low for low, _ in ends], new_high=[high for _, high in ends])


def _of_row(row: dict[str, Any]) -> Estimate:
    """A pair's estimate, as it stands in the ranking's table."""
    return Estimate(n=int(row["seeds"]), freedom=row["seeds"] - 1.0, **{name: row[name] for name in PAIR})


def _power(ranked: Ranking, looked: Looks, margin: float | None) -> Power | None:
    usable = ranked.pairs[ranked.pairs["seeds"].ge(2) & ranked.pairs["sd"].gt(0)]
    if usable.empty:
        return None
    if usable["seeds"].ge(LEAST).any():
        usable = usable[usable["seeds"].ge(LEAST)]  # what could not be tested says nothing of what is found
    sd, seeds = math.sqrt((usable["sd"] ** 2).mean()), int(usable["seeds"].min())
    tests, counts = max(1, ranked.tests), range(LEAST, max(FURTHEST, 2 * seeds) + 1)
    here = looked.detectable(sd, seeds, tests) if seeds >= LEAST else math.inf
    found = [looked.as_planned(n).detectable(looked.sd_of(sd, seeds, n), n, tests) for n in counts]
    table = pd.DataFrame({"seeds": counts, "difference": found})
    table = table[np.isfinite(table["difference"])]
    wider = looks.sd_upper(sd, seeds) / sd  # what is found is as wide
    enough = table.loc[table["difference"] * wider <= margin, "seeds"] if margin is not None else table["seeds"][:0]
    return Power(sd, seeds, here, table, int(enough.min()) if len(enough) else None)


def _parameters(trials: Trials, key: str) -> pd.DataFrame | None:
    """What the parameters do, of runs that are each a configuration of their own; None of others."""
    if trials.varied is None:
        return None
    return parameters.responses(trials.varied.reindex(trials.runs["run_id"]), trials.runs.set_index("run_id")[key])
