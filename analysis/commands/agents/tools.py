"""What each tool does: its arguments become the command line's own options, so that they are understood, and refused, in the same words. Knows no protocol."""

import argparse
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from regstudy.design import design_file
from regstudy.errors import NothingToAnalyse, UsageError
from regstudy.schema import STUDY, Tag

from ...files import folders
from ...judging import findings
from ...judging.claims import Judged
from ...reading import measures
from ...reading.anybody import values
from ...reading.records import mlflow_store, stores
from ...reading.records.record import Records
from ...showing import methods, wording
from .. import choices, commands, power
from . import planning, question
from .answers import (
    MOST,
    Ask,
    Comparison,
    Experiments,
    ExperimentThere,
    Judgement,
    MetricThere,
    ParameterThere,
    Planned,
    Verdicts,
)
from .arguments import (
    NO_TEXTS,
    Better,
    Block,
    Comparisons,
    DataSet,
    Experiment,
    GroupBy,
    Margin,
    Metric,
    PlannedFor,
    ReadFrom,
    Study,
    Where,
    Which,
)

Parse = Callable[[Sequence[str]], argparse.Namespace]
"""Options that make sense together: the command line's own."""


@dataclass(frozen=True)
class Tools:
    """The tools of a server; `experiments` and `read_from` are read where a call names none."""

    parse: Parse
    experiments: Sequence[str] = ()
    read_from: Sequence[str] = ()

    def list_experiments(self, experiments: Experiment = NO_TEXTS, read_from: ReadFrom = NO_TEXTS) -> Experiments:
        """What there is to ask about: experiments, their metrics, the parameters that vary and which of them look like seeds, studies, and arguments for `compare`."""
        names, files = self._source(experiments, read_from)
        if files:
            return Experiments(experiments=[_there(self._records(files))], experiments_total=1)
        known = list(names) or mlflow_store.experiment_names()
        return Experiments(experiments=[_there(stores.from_store(name)) for name in known[:MOST]], experiments_total=len(known))

    def compare(
        self,
        a: Annotated[str, Field(description='the candidate, named as configurations are, such as "lr 0.1"')],
        b: Annotated[str, Field(description="what it is compared with: the baseline")],
        metric: Metric = "",
        group_by: GroupBy = NO_TEXTS,
        block: Block = NO_TEXTS,
        margin: Margin = None,
        better: Better = None,
        value: Which = "last",
        where: Where = NO_TEXTS,
        experiments: Experiment = NO_TEXTS,
        read_from: ReadFrom = NO_TEXTS,
        study: Study = "",
        dataset: DataSet = "",
        planned: PlannedFor = None,
        comparisons: Comparisons = None,
    ) -> Comparison:
        """Is a better than b, or may the difference be chance? Ask this before you keep a change. Yes, No or Open, with n, the interval, and what would change the answer.

        With a metric and group_by: runs of any code. Without: trials of regstudy, whose configurations are named as `python -m analysis rank` shows them.
        """
        if margin is not None and not metric:
            raise UsageError(
                "margin: with trials of regstudy it is their design's; leave it out, or name a metric and group_by"
            )
        options = self._options(metric, group_by, block, margin, better, value, where, experiments, read_from, planned)
        options += [f"--study={study}"] if study else []
        options += [f"--dataset={dataset}"] if dataset else []
        arguments = self.parse(["compare", *options, *([] if metric else ["--", a, b])])
        found = commands.found(arguments) if metric else commands.found_for_two(arguments)
        commands.known([a, b], found.trials)
        return question.answer(question.ask(found, a, b, comparisons))

    def verdicts(
        self,
        study: Study = "",
        claims_file: Annotated[str, Field(description="a YAML file of claims about runs of any code, instead of a study")] = "",
        where: Where = NO_TEXTS,
        experiments: Experiment = NO_TEXTS,
        read_from: ReadFrom = NO_TEXTS,
        planned: PlannedFor = None,
    ) -> Verdicts:
        """The verdict on each claim of a study, or of a file of claims: sentence, Yes, No or Open, n, interval, and how many more seeds it will probably take."""
        options = [*_conditions(where), *self._where(experiments, read_from, planned)]
        options += [f"--study={study}"] if study else []
        options += [f"--design={claims_file}"] if claims_file else []
        found = commands.found(self.parse(["claims", *options]))
        if not found.judged:
            raise NothingToAnalyse(commands.no_claims(found.trials))
        block, notices = found.trials.words.block, found.trials.notices
        return Verdicts(
            summary=wording.counted(found.judged),
            claims=[_judgement(judged, block) for judged in found.judged[:MOST]],
            claims_total=len(found.judged),
            holds_if=methods.planned(found),
            notices=list(notices[:MOST]),
            notices_total=len(notices),
        )

    def plan(
        self,
        margin: Margin = None,
        sd: Annotated[
            float | None,
            Field(
                description="standard deviation of a difference between two configurations; default: from a pilot's runs, by metric and group_by"
            ),
        ] = None,
        design: Annotated[
            str, Field(description="a design of regstudy's, shipped or a YAML file: its margin and claims count")
        ] = "",
        metric: Metric = "",
        group_by: GroupBy = NO_TEXTS,
        block: Block = NO_TEXTS,
        better: Better = None,
        value: Which = "last",
        where: Where = NO_TEXTS,
        experiments: Experiment = NO_TEXTS,
        read_from: ReadFrom = NO_TEXTS,
        comparisons: Annotated[int, Field(ge=1, le=100_000, description="how many comparisons will share α = 0.05")] = 1,
    ) -> Planned:
        """How many seeds to run, before they are run: so that a difference as large as the margin is found, and none is shown to be none, in 80% of studies each. Give the number to `compare` as planned."""
        if margin is not None and not 0 < margin < math.inf:
            raise UsageError(f"margin {margin:g}: expected a number above 0, in the metric's unit")
        if (design or sd is not None) and (metric or group_by):
            raise UsageError(f"metric and group_by, or {'design' if design else 'sd'}: give one of the two")
        if design and comparisons != 1:
            raise UsageError("comparisons: a design says its own by its claims; leave one of the two out")
        if design:
            return self._plan_of(design, margin, sd, [*self._where(experiments, read_from, None), *_conditions(where)])
        if sd is None and not metric:
            raise UsageError(
                "plan needs sd, the standard deviation of a difference, or metric and group_by: runs to take it from; or design"
            )
        if sd is not None:
            return planning.planned(margin, power.Spread(power.number(str(sd)), "as given"), findings.ALPHA, comparisons)
        options = self._options(metric, group_by, block, margin, better, value, where, experiments, read_from, None)
        pilot = planning.pilot(commands.found(self.parse(["compare", *options])))
        return planning.planned(margin, pilot, findings.ALPHA, comparisons)

    def _plan_of(self, name: str, margin: float | None, sd: float | None, options: Sequence[str]) -> Planned:
        """A design's own."""
        if margin is not None:
            raise UsageError("margin: a design says its own; leave one of the two out")
        arguments = self.parse(["power", name, *options, *([] if sd is None else [f"--sd={sd!r}"])])
        loaded = design_file.load(name)
        return planning.planned(loaded.margin, power.spread(arguments, loaded), loaded.alpha, power.shares(loaded))

    def _source(self, experiments: Sequence[str], read_from: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
        """What a call names, else what the server was started with."""
        return (experiments, read_from) if experiments or read_from else (self.experiments, self.read_from)

    def _records(self, files: Sequence[str]) -> Records:
        """Snapshots, or what `compare` reads of anybody's."""
        options = [f"--from={name}" for name in files]
        if all((Path(name) / folders.SNAPSHOT_MANIFEST).is_file() for name in files):
            return commands.source(self.parse(["rank", *options]))
        return stores.of_anybody((), self.parse(["compare", *options]).snapshots)

    def _where(self, experiments: Sequence[str], read_from: Sequence[str], planned: int | str | None) -> list[str]:
        names, files = self._source(experiments, read_from)
        options = [*(f"--experiment={name}" for name in names), *(f"--from={name}" for name in files)]
        return options + ([] if planned is None else [f"--planned={planned}"])

    def _options(
        self,
        metric: str,
        group_by: Sequence[str],
        block: Sequence[str],
        margin: float | None,
        better: str | None,
        value: str,
        where: Sequence[str],
        experiments: Sequence[str],
        read_from: Sequence[str],
        planned: int | str | None,
    ) -> list[str]:
        """The command line's, of `compare`."""
        one = {"metric": metric or None, "margin": None if margin is None else repr(margin), "better": better, "value": value}
        options = [f"--{name}={given}" for name, given in one.items() if given is not None]
        options += [f"--group-by={name}" for name in group_by] + [f"--block={name}" for name in block]
        return [*options, *_conditions(where), *self._where(experiments, read_from, planned)]


def _conditions(where: Sequence[str]) -> list[str]:
    return [f"--where={condition}" for condition in where]


def _there(source: Records) -> ExperimentThere:
    """An experiment's runs, and what they allow to ask."""
    everything = source.runs()
    runs = choices.finished(everything)
    metrics, parameters = choices.metrics_of(runs), choices.parameters_of(runs)
    studies = {run.tags[Tag.STUDY] for run in everything if run.tags.get(Tag.KIND) == STUDY and Tag.STUDY in run.tags}
    return ExperimentThere(
        name=source.experiment,
        runs=len(everything),
        finished=len(runs),
        metrics=[MetricThere(name=name, runs=n, better=_way(better)) for name, n, better in metrics[: choices.MOST]],
        metrics_total=len(metrics),
        parameters=[
            ParameterThere(
                name=own.name,
                values=[values.short(one) for one in own.values[:MOST]],
                values_total=len(own.values),
                pairs_runs=own.pairs,
            )
            for own in parameters[: choices.MOST]
        ],
        parameters_total=len(parameters),
        studies=sorted(studies)[:MOST],
        ask=[
            Ask(metric=own.metric, group_by=[own.group_by], block=list(own.block) or ["none"], better=_way(own.better))
            for own in choices.questions(runs, metrics, parameters)
        ],
    )


def _way(better: str) -> Literal["higher", "lower"] | None:
    return "higher" if better == "higher" else "lower" if better == "lower" else None


def _judgement(judged: Judged, block: str) -> Judgement:
    result = judged.deciding
    told = {
        "claim": judged.text,
        "verdict": wording.ANSWERS[judged.verdict],
        "reason": wording.verdict_words(judged),
        "found": wording.sentence(judged, block),
        "further": judged.further,
    }
    if result is None:
        return Judgement.model_validate(told)
    reading = measures.measure(result.metric).as_ratio(ratio=result.scale == "ratio")
    *ends, alpha = wording.deciding(result)
    estimate, low, high = (_shown(reading, number) for number in (result.plain.mean, *ends))
    level = round(1 - alpha, 6)
    unit = "×" if reading.ratio else reading.difference_unit.strip()
    numbers = {"estimate": estimate, "low": low, "high": high, "level": level, "unit": unit, "n": result.plain.n}
    return Judgement.model_validate(told | numbers)


def _shown(reading: measures.Measure, stored: float) -> float | None:
    """A difference as it is shown, or the ratio that a logarithm stands for."""
    if not math.isfinite(stored):
        return None
    return math.exp(stored) if reading.ratio else stored * reading.factor
