"""A gate for pull requests: is a candidate worse than the baseline, by runs of any code? Exit status 0: shown not to be; 1: shown to be; 2: it could not be read; 3: open."""

import argparse
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import IntEnum
from pathlib import Path
from xml.etree import ElementTree as ET

import pandas as pd

from regstudy.console import terminal
from regstudy.console.terminal import plural
from regstudy.console.text import visible
from regstudy.errors import NothingToAnalyse, UsageError

from ..files import places
from ..judging import looks, statistics
from ..judging.findings import score_table
from ..judging.looks import Looks
from ..judging.statistics import BY_ITSELF, LEAST, Estimate
from ..reading import foreign
from ..reading.anybody import claims_file, odd, points, values
from ..reading.anybody.asked import Asked
from ..reading.records import stores
from ..reading.records.record import Record, Records
from ..reading.trials import Trials
from ..showing import rendering, wording
from . import commands

BASELINE, CANDIDATE = "baseline", "candidate"
EXPERIMENT = "experiment="


class Verdict(IntEnum):
    """What is shown, by its exit status."""

    NOT_WORSE = 0
    WORSE = 1
    OPEN = 3


WORDS = {Verdict.NOT_WORSE: "not worse", Verdict.WORSE: "worse", Verdict.OPEN: "open"}


@dataclass(frozen=True)
class Judged:
    """A metric's verdict: candidate minus baseline, positive where the candidate is better; the interval at level 1 − 2α, whose ends decide; how many more blocks will probably decide, None if not known."""

    metric: str
    verdict: str
    baseline: float
    candidate: float
    better_by: float
    low: float
    high: float
    level: float
    margin: float
    n: int
    block: str
    further: int | None
    notes: tuple[str, ...]

    @property
    def status(self) -> Verdict:
        """Its exit status."""
        return next(status for status, word in WORDS.items() if word == self.verdict)


@dataclass(frozen=True)
class Sides:
    """The runs of both sides as one source, each named by its side, which its ID begins with too: two files may number theirs alike."""

    baseline: Records
    candidate: Records
    chosen: dict[str, Sequence[Record]]

    @property
    def where(self) -> str:
        """Where both are."""
        return " and ".join(dict.fromkeys([self.baseline.where, self.candidate.where]))

    @property
    def experiment(self) -> str:
        """Both experiments."""
        return " and ".join(dict.fromkeys([self.baseline.experiment, self.candidate.experiment]))

    @property
    def notices(self) -> tuple[str, ...]:
        """What could not be read of either."""
        return tuple(dict.fromkeys(told for side in (self.baseline, self.candidate) for told in getattr(side, "notices", ())))

    @property
    def experiment_id(self) -> str | None:
        """None: nothing is kept there."""
        return None

    def runs(self) -> Sequence[Record]:
        """Of both, the baseline's first."""
        return [
            run._replace(run_id=f"{side}/{run.run_id}", name=side, tags=_nested(run, side))
            for side in (BASELINE, CANDIDATE)
            for run in self.chosen[side]
        ]

    def epochs(self, run_ids: Sequence[str], metrics: Iterable[str]) -> pd.DataFrame:
        """Each side's."""
        names, parts = list(metrics), []
        for side, source in ((BASELINE, self.baseline), (CANDIDATE, self.candidate)):
            own = [run_id.removeprefix(f"{side}/") for run_id in run_ids if run_id.startswith(f"{side}/")]
            points = source.epochs(own, names)
            parts.append(points.assign(run_id=f"{side}/" + points["run_id"]))
        return pd.concat(parts, ignore_index=True)

    def predictions(self, run_id: str) -> pd.DataFrame | None:
        """None are asked for."""

    def misclassified(self, run_id: str) -> pd.DataFrame | None:
        """None are asked for."""

    def design(self, run_id: str) -> str | None:
        """None is asked for."""


def _nested(run: Record, side: str) -> dict[str, str]:
    """Its tags, with the run that it is nested in as that is called here."""
    above = run.tags.get(odd.PARENT)
    return {**run.tags, odd.PARENT: f"{side}/{above}"} if above else dict(run.tags)


def gate(arguments: argparse.Namespace, _command: str) -> None:
    """Judge each metric; SystemExit has the status of the worst."""
    values.check_names([] if tuple(arguments.block) == commands.NOT_PAIRED else arguments.block, "--block")
    points.check_value(arguments.value)
    written = [path for path in (arguments.summary, arguments.junit, arguments.json) if path]
    for place, path in enumerate(written):
        if Path(path).resolve() in {
            Path(other).resolve() for other in [*written[:place], *arguments.baseline, *arguments.candidate]
        }:
            raise UsageError(f"{path!r} would be written over what is read or written as well: name another file")
        if not Path(path).absolute().parent.is_dir():
            raise UsageError(f"{path!r} cannot be written: its folder is not there; make it, or name another")
    sides = _sides(arguments)
    judged = [_judge(sides, metric, arguments) for metric in arguments.metrics]
    for own in judged:
        terminal.say(said(own))
        for note in own.notes:
            terminal.say(f"note: {note}")
    for path, text in (
        (arguments.summary, markdown(judged)),
        (arguments.junit, junit(judged)),
        (arguments.json, as_json(judged)),
    ):
        if path:
            _write(path, f"{text}\n")
    raise SystemExit(int(_worst(judged)))


def _worst(judged: Sequence[Judged]) -> Verdict:
    there = {own.status for own in judged}
    return next(status for status in (Verdict.WORSE, Verdict.OPEN, Verdict.NOT_WORSE) if status in there)


def _sides(arguments: argparse.Namespace) -> Sides:
    found = {side: _side(side, given) for side, given in ((BASELINE, arguments.baseline), (CANDIDATE, arguments.candidate))}
    both = {run.run_id for run in found[BASELINE][1]} & {run.run_id for run in found[CANDIDATE][1]}
    if both and found[BASELINE][0].where == found[CANDIDATE][0].where:
        raise UsageError(
            f"run {min(both)} is both the baseline's and the candidate's: tell them apart by --baseline and --candidate"
        )
    return Sides(found[BASELINE][0], found[CANDIDATE][0], {side: runs for side, (_, runs) in found.items()})


def _side(side: str, given: Sequence[str]) -> tuple[Records, Sequence[Record]]:
    """Files or stores, an experiment, and conditions."""
    named = [word for word in given if places.is_place(word)]
    experiments = [word.removeprefix(EXPERIMENT) for word in given if word.startswith(EXPERIMENT)]
    conditions = [word for word in given if word not in named and not word.startswith(EXPERIMENT)]
    for place in named:
        places.check(place, f"--{side}")
    if experiments and named and all(map(places.is_results, named)):
        raise UsageError(
            f"--{side}: files ({', '.join(named)}) or an experiment ({', '.join(experiments)}): give one of the two"
        )
    source = stores.of_anybody(experiments, named)
    runs = foreign.where(source.runs(), conditions, f"--{side}")
    if not runs:
        raise NothingToAnalyse(f"--{side} {' '.join(given)}: no run of {source.experiment!r} of {source.where} is so")
    return source, runs


def _judge(sides: Sides, metric: str, arguments: argparse.Namespace) -> Judged:
    asked = Asked(
        claims_file.column(metric),
        ("run_name",),
        tuple(arguments.block) or None if tuple(arguments.block) != commands.NOT_PAIRED else (),
        arguments.better,
        arguments.margin,
        arguments.last,
        value=arguments.value,
    )
    trials = foreign.read(asked, sides)
    scores = score_table(trials.runs, asked.metric)
    missing = [side for side in (BASELINE, CANDIDATE) if side not in scores]
    if missing:
        raise NothingToAnalyse(f"--{missing[0]}: none of its runs has finished with {metric}")
    if scores[BASELINE].isna().all():
        raise NothingToAnalyse(f"--baseline: all its runs diverged: {metric} is no number in any")
    found, looked = estimate(scores, trials, arguments)
    status = verdict(found, arguments.margin, diverged=_diverged(trials))
    rule = looked.rule(found.n)
    low, high = (found.low, found.high) if found.n >= LEAST else (math.nan, math.nan)
    together = scores[[BASELINE, CANDIDATE]].dropna()
    shown = together if trials.pairing.paired and len(together) else scores
    return Judged(
        metric, WORDS[status], float(shown[BASELINE].mean()), float(shown[CANDIDATE].mean()), found.mean, low, high, 1 - float(rule.alpha), arguments.margin,
        found.n, trials.words.block, _further(found, looked, arguments.margin) if status == Verdict.OPEN else None, trials.notices[:-1],
    )  # fmt: skip


def estimate(scores: pd.DataFrame, trials: Trials, arguments: argparse.Namespace) -> tuple[Estimate, Looks]:
    """Candidate minus baseline, turned so that more is better; each end of the interval errs with probability α at most."""
    sign = 1 if trials.scale is None or trials.scale.higher_is_better else -1
    first, second = (sign * scores[side].to_numpy(float) for side in (CANDIDATE, BASELINE))
    alone = statistics.estimate(first, second, trials.pairing, rule=BY_ITSELF)
    of_each = 2 * arguments.alpha / len(arguments.metrics)
    looked = Looks(of_each, alone.n + arguments.seeds_left, overlap=trials.pairing.overlap)
    return statistics.shifted(alone, rule=looked.rule(alone.n)), looked


def _diverged(trials: Trials) -> float:
    """The share of the candidate's runs whose metric is no number."""
    own = trials.runs[trials.runs["configuration"] == CANDIDATE]
    return float(own["diverged"].mean())


def verdict(found: Estimate, margin: float, *, diverged: float = 0.0) -> Verdict:
    """Not worse by the margin goes before worse: a loss that is shown to be smaller than what matters closes no gate. A candidate all of whose runs diverged is worse, one with some is not shown to be as good."""
    if diverged == 1:
        return Verdict.WORSE
    if not found.decidable or found.n < LEAST:
        return Verdict.OPEN
    if found.low > -margin:
        return Verdict.OPEN if diverged else Verdict.NOT_WORSE
    return Verdict.WORSE if found.high < 0 else Verdict.OPEN


def _further(found: Estimate, looked: Looks, margin: float) -> int | None:
    """How many more blocks tell a candidate that is as good from one that is worse by the margin, in 80% of cases."""
    if found.n < LEAST:
        return LEAST - found.n
    if not found.decidable:
        return None
    needed = looked.otherwise().blocks_for(margin, looks.sd_upper(found.sd, found.n), after=found.n)
    return None if needed is None else needed - found.n


def said(judged: Judged) -> str:
    """The verdict in a line."""
    interval = (
        f"{wording.level(1 - judged.level)} interval {judged.low:+.4g} to {judged.high:+.4g}, "
        if math.isfinite(judged.low)
        else ""
    )
    if not math.isfinite(judged.candidate):
        return f"{judged.metric}: {judged.verdict}; all runs of the candidate diverged"
    if not judged.n:
        means = f"{judged.candidate:.5g} against {judged.baseline:.5g}"
        return f"{judged.metric}: {judged.verdict}; {means}, but no {judged.block} in common: the candidate needs runs with the baseline's {judged.block}s"
    told = f"{judged.metric}: {judged.verdict}; {judged.candidate:.5g} against {judged.baseline:.5g}, better by {judged.better_by:+.4g} ({interval}margin {judged.margin:g}, {plural(judged.n, judged.block)} each)"
    if judged.verdict != WORDS[Verdict.OPEN]:
        return told
    more = (
        "more runs are needed"
        if judged.further is None
        else f"about {plural(judged.further, f'further {judged.block}')} will probably decide"
    )
    return f"{told}; {more}"


def markdown(judged: Sequence[Judged]) -> str:
    """For a comment on the pull request."""
    marks = {"not worse": "✓", "worse": "✗", "open": "?"}
    rows = [
        f"| {rendering.markdown_text(own.metric)} | {marks[own.verdict]} {own.verdict} | {own.baseline:.5g} | {own.candidate:.5g} | {own.better_by:+.4g}{f' ({own.low:+.4g} to {own.high:+.4g})' if math.isfinite(own.low) else ''} | {own.margin:g} | {own.n} |"
        for own in judged
    ]
    notes = [f"- {rendering.markdown_text(note)}" for note in dict.fromkeys(note for own in judged for note in own.notes)]
    heading = f"**Candidate against baseline: {WORDS[_worst(judged)]}**"
    columns = "| metric | verdict | baseline | candidate | better by (interval) | margin | n |"
    return "\n".join([heading, "", columns, "|---|---|---:|---:|---:|---:|---:|", *rows, *(["", *notes] if notes else [])])


def as_json(judged: Sequence[Judged]) -> str:
    """All of it; null where there is no number."""
    metrics = [
        {name: None if isinstance(held, float) and not math.isfinite(held) else held for name, held in asdict(own).items()}
        for own in judged
    ]
    return json.dumps({"verdict": WORDS[_worst(judged)], "metrics": metrics}, indent=2, allow_nan=False)


def junit(judged: Sequence[Judged]) -> str:
    """For whatever shows test results: worse is a failure, open is skipped."""
    counts = {"failures": Verdict.WORSE, "skipped": Verdict.OPEN}
    of_kind = {name: str(sum(own.status == status for own in judged)) for name, status in counts.items()}
    suite = ET.Element("testsuite", {"name": "regstudy gate", "tests": str(len(judged)), **of_kind})
    for own in judged:
        case = ET.SubElement(suite, "testcase", {"classname": "gate", "name": visible(own.metric)})
        if own.status != Verdict.NOT_WORSE:
            ET.SubElement(case, "failure" if own.status == Verdict.WORSE else "skipped", {"message": visible(said(own))})
    return ET.tostring(suite, encoding="unicode", xml_declaration=True)


def _write(path: str, text: str) -> None:
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path!r} cannot be written ({error.strerror}): name a file that can") from None
