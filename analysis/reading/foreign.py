"""Anybody's runs as trials: grouped, blocked and measured by what their own parameters, tags and metrics say. Knows no recipe and no claim."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import pandas as pd

from regstudy.console.terminal import plural
from regstudy.console.text import visible
from regstudy.design.history import Plan
from regstudy.errors import NothingToAnalyse, UsageError
from regstudy.schema import LAST_EPOCHS

from . import claims_file
from .claims_file import Asserted, ClaimsFile
from .measures import Curve, Measure, Scale
from .query import LARGEST, is_done
from .records import stores
from .records.snapshot import Record, Records
from .records.unstored import Unstored
from .trials import AVERAGED, Trials, Words

LOWER_IS_BETTER = re.compile(r".*loss|.*error|err|mae|mse|rmse|mape|perplexity|ppl|nll|brier|ece|wer|cer|.*entropy|latency")
HIGHER_IS_BETTER = re.compile(
    r"acc|.*accuracy|.*score|auc|auroc|auprc|f1|precision|recall|r2|bleu|iou|dice|reward|return|throughput"
)
"""Words of a metric's name that tell which way is better."""

BLOCKS = {word: word for word in ("seed", "fold", "split", "repeat", "replicate", "subject", "site", "task")} | {
    "state": "seed"
}
"""Words in the name of what pairs runs, by which reports call it: `cv_fold` is a fold, scikit-learn's `random_state` a seed."""

HUNDRED = 100.0
SHOWN, FEW = 8, 4
"""Names listed in an error message, groups in a notice."""


@dataclass(frozen=True)
class Asked:
    """What to compare: a metric; what makes runs the same configuration, and what pairs them (params.NAME or tags.NAME)."""

    metric: str
    group_by: tuple[str, ...]
    block: str
    better: str | None = None
    margin: float | None = None
    last: int = LAST_EPOCHS
    experiment: str | None = None
    plan: Plan | None = None
    claims: ClaimsFile | None = None

    @classmethod
    def by(cls, file: ClaimsFile, experiment: str | None, plan: Plan | None) -> "Asked":
        """What a file of claims asks for."""
        return cls(file.metric, file.group_by, file.block, file.better, file.margin, file.last, experiment, plan, file)

    @property
    def metrics(self) -> list[str]:
        """The metrics that are read, that which ranks first."""
        return self.claims.metrics() if self.claims else [self.metric]


def read(asked: Asked, source: Records | None = None) -> Trials:
    """Read the finished runs of an experiment, or of this source; NothingToAnalyse or UsageError says what is missing."""
    source = source or stores.from_store(asked.experiment)
    everything = source.runs()
    finished = [run for run in everything if is_done(run)]
    ended = sum(run.status == "FINISHED" and not is_done(run) for run in everything)
    if not finished:
        raise NothingToAnalyse(
            f"experiment {source.experiment!r} of {source.where} has no finished run{stores.elsewhere(source)}"
        )
    known = [run for run in finished if all(_value(run, name) is not None for name in (*asked.group_by, asked.block))]
    if not known:
        raise UsageError(_unknown(finished, asked))
    runs, epochs = _frames(source, known, asked)
    runs, repeated = _latest(runs)
    notices = [
        f"{plural(ended, 'run')} of regstudy that ended without an outcome, left out" if ended else "",
        f"{plural(len(finished) - len(known), 'run')} without {' or '.join((*asked.group_by, asked.block))}, left out" if len(known) < len(finished) else "",
        f"{plural(len(known) - len(runs) - repeated, 'run')} without {asked.metric}, left out" if len(known) > len(runs) + repeated else "",
        _missing(runs),
        f"{plural(repeated, 'run')} with the group and block of a later one, left out" if repeated else "",
        f"{plural(int(runs['diverged'].sum()), 'run')} whose {asked.metric} is no number, counted as diverged" if runs["diverged"].any() else "",
        _differing(known, asked),
        "nothing says whether these runs share their data, code and budget: that is for you to know",
    ]  # fmt: skip
    higher = (asked.better or direction(asked.metric)) == "higher"
    measure = Measure(asked.metric, visible(asked.metric), decimals=_decimals(runs[asked.metric]), higher_is_better=higher)
    curve = Curve(asked.metric, _file(asked.metric), f"{measure.words} over steps", measure.words, higher_is_better=higher)
    words, scale = (
        _words(asked.block, higher=higher),
        Scale(higher, asked.margin, bounds=_bounds(asked.metric, runs[asked.metric])),
    )
    return Trials(
        runs, epochs, tuple(filter(None, notices)), source, words, (curve,), endpoint=measure, scale=scale, plan=asked.plan, asserted=_asserted(asked, known, runs)
    )  # fmt: skip


def _asserted(asked: Asked, known: list[Record], runs: pd.DataFrame) -> Asserted | None:
    if asked.claims is None:
        return None
    there = dict.fromkeys(runs["configuration"])
    held = {_name(run, asked.group_by): run for run in known}
    values = {name: {key.partition(".")[2]: _value(held[name], key) or "" for key in asked.group_by} for name in there}
    return Asserted(asked.claims, values)


def _words(block: str, *, higher: bool) -> Words:
    """What can be said of anybody's runs: the block is called by the word in its parameter's name that is one for blocks."""
    parts = re.split(r"[^a-z]+", block.partition(".")[2].lower())
    word = next((BLOCKS[part] for part in parts if part in BLOCKS), "block")
    return Words(
        block=word,
        step="step",
        endpoint=f"{'higher' if higher else 'lower'} is better",
        pairing=f"Runs of the same {word} are a pair; configurations are compared by differences within {word}s.",
    )


def _file(metric: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in metric)


def of_scores(scores: pd.DataFrame, *, higher_is_better: bool, margin: float | None, plan: Plan | None = None) -> Trials:
    """Trials of a frame of numbers, a row per block, a column per configuration; NaN is a missing one. UsageError if there are none."""
    block, name = scores.index.name or "block", "score"
    named = scores.rename_axis(index="seed", columns="configuration").reset_index()
    long = named.melt("seed", value_name=name).dropna()
    if long.empty or not pd.api.types.is_numeric_dtype(long[name]):
        raise UsageError("scores: expected numbers, a row per block and a column per configuration")
    long = long.assign(configuration=long["configuration"].astype(str), run_id=[str(i) for i in range(len(long))])
    runs = long.assign(**{"run_name": "", "start_time": 0, "diverged": False, AVERAGED: 1})
    epochs = long[["run_id", "configuration", "seed", name]].assign(epoch=0)
    measure = Measure(name, name, decimals=_decimals(runs[name]), higher_is_better=higher_is_better)
    words = replace(_words(f"params.{block}", higher=higher_is_better), step="")
    scale = Scale(higher_is_better, margin, bounds=_bounds(name, runs[name]))
    curve = Curve(name, name, f"{name} over steps", name, higher_is_better=higher_is_better)
    return Trials(runs, epochs, (), Unstored(), words, (curve,), endpoint=measure, scale=scale, plan=plan)


def _missing(runs: pd.DataFrame) -> str:
    """Blocks that not all groups have: there, nothing is paired."""
    blocks = runs.groupby("configuration", sort=False)["seed"].agg(set)
    everything = set().union(*blocks)
    lacking = [f"{name} lacks {_listed(sorted(everything - own))}" for name, own in blocks.items() if own != everything]
    return (
        f"blocks differ: {'; '.join(lacking[:FEW])}{f'; and {len(lacking) - FEW} more lack some' if len(lacking) > FEW else ''}"
        if lacking
        else ""
    )


def _differing(known: list[Record], asked: Asked) -> str:
    """Parameters that differ between runs of one group and are not what pairs them: perhaps the groups are too large."""
    values: dict[tuple[str, str], set[str]] = {}
    for run in known:
        for name, value in run.params.items():
            values.setdefault((_name(run, asked.group_by), name), set()).add(value)
    names = sorted({f"params.{name}" for (_, name), held in values.items() if len(held) > 1} - {asked.block})
    return f"within a group {_listed(names)} differ: name in --group-by what matters" if names else ""


def _frames(source: Records, known: list[Record], asked: Asked) -> tuple[pd.DataFrame, pd.DataFrame]:
    rows = [
        {
            "run_id": run.run_id,
            "run_name": run.name,
            "start_time": run.start_time,
            "configuration": _name(run, asked.group_by),
            "seed": _value(run, asked.block),
        }
        for run in known
    ]
    runs = pd.DataFrame(rows)
    columns = {claims_file.logged(name): name for name in asked.metrics}
    points = source.epochs(list(runs["run_id"]), list(columns))
    points["metric"] = points["metric"].map(columns)
    points["value"] = points["value"].where(points["value"].abs() < LARGEST)
    points = points.drop_duplicates(["run_id", "metric", "step"], keep="last").sort_values(["run_id", "step"])
    for name in asked.metrics:
        if not points["metric"].eq(name).any():
            there = sorted({name for run in known for name in run.metrics})
            raise UsageError(f"--metric {claims_file.logged(name)!r}: no run has it; expected one of {_listed(there)}")
    by_metric = {name: own.groupby("run_id")["value"] for name, own in points.groupby("metric")}
    last = {name: own.apply(lambda s: _mean(s.tail(asked.last))) for name, own in by_metric.items()}
    long = (
        points[points["metric"] == asked.metric].rename(columns={"step": "epoch", "value": asked.metric}).drop(columns="metric")
    )
    runs = runs[runs["run_id"].isin(last[asked.metric].index)]
    averaged = runs["run_id"].map(by_metric[asked.metric].size().clip(upper=asked.last))
    runs = runs.assign(**{AVERAGED: averaged, **{name: runs["run_id"].map(last[name]) for name in asked.metrics}})
    runs["diverged"] = runs[asked.metric].isna()
    return runs.sort_values(["configuration", "start_time"], ignore_index=True), long.merge(
        runs[["run_id", "configuration", "seed"]], on="run_id"
    )


def _mean(values: "pd.Series[float]") -> float:
    """NaN if one of them is: what a diverged run was before says nothing about where it went."""
    return float(values.mean()) if values.notna().all() else math.nan


def _latest(runs: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    kept = runs.sort_values("start_time").drop_duplicates(["configuration", "seed"], keep="last").sort_index()
    return kept.reset_index(drop=True), len(runs) - len(kept)


def _value(run: Record, name: str) -> str | None:
    kind, _, key = name.partition(".")
    held: Mapping[str, str] = {"params": run.params, "tags": run.tags}[kind]
    return held.get(key)


def _name(run: Record, group_by: tuple[str, ...]) -> str:
    return ", ".join(f"{name.partition('.')[2]} {_value(run, name)}" for name in group_by)


def check_names(names: tuple[str, ...], option: str) -> None:
    """UsageError for a name that is neither params.NAME nor tags.NAME."""
    for name in names:
        kind, _, key = name.partition(".")
        if kind not in {"params", "tags"} or not key:
            raise UsageError(f"{option} {name!r}: expected params.NAME or tags.NAME, such as params.lr")


def _unknown(finished: list[Record], asked: Asked) -> str:
    params = sorted({f"params.{name}" for run in finished for name in run.params})
    wanted = " and ".join((*asked.group_by, asked.block))
    lacking = all(_value(run, asked.block) is None for run in finished)
    pairs = f"; none has {asked.block}: name with --block what pairs them" if lacking else ""
    return f"no finished run has {wanted}; expected names such as {_listed(params)}{pairs}"


def _listed(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "") if names else "none"


def direction(metric: str) -> str:
    """Which way is better, by the words of a metric's name; UsageError if they do not say, or say both."""
    words = re.split(r"[^a-z0-9]+", re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", metric).lower())
    lower, higher = (any(map(known.fullmatch, words)) for known in (LOWER_IS_BETTER, HIGHER_IS_BETTER))
    if lower == higher:
        raise UsageError(
            f"--metric {metric!r}: its name does not say which way is better: add --better higher or --better lower"
        )
    return "lower" if lower else "higher"


def _bounds(metric: str, values: "pd.Series[float]") -> tuple[float, float]:
    """What an accuracy cannot leave: fractions, or percent."""
    if "acc" not in metric.lower() or values.min() < 0 or values.max() > HUNDRED:
        return -math.inf, math.inf
    return (0.0, 1.0) if values.max() <= 1 else (0.0, HUNDRED)


def _decimals(values: "pd.Series[float]") -> int:
    """So many that a hundredth of the values' spread shows."""
    spread = float(values.std()) if values.notna().sum() > 1 else 0.0
    return min(15, max(2, 2 - math.floor(math.log10(spread)))) if 0 < spread < math.inf else 4
