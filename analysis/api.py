"""The public face: read trials, rank, compare and judge them, report. What the commands do, for a notebook; `import analysis` gives these names.

Objects show themselves, as text and as HTML. What a user can put right is a RegstudyError, in a line. Nothing here writes into a store unless asked.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from regstudy.errors import NothingToAnalyse
from regstudy.schema import LAST_EPOCHS

from .commands import cli, commands
from .commands import verify as verification
from .commands.options.parsed import parse
from .files import folders
from .judging import findings, pair
from .judging.findings import Findings
from .reading import filters, foreign
from .reading.trials import Trials
from .reports.formats import Contents
from .showing import csv_numbers, grids, methods, rendering, terminal_tables, wording
from .showing.grids import Column, Grid


@dataclass(frozen=True)
class Result:
    """A table with what it says in words."""

    said: tuple[str, ...]
    grid: Grid = field(repr=False)

    def __str__(self) -> str:
        """As a terminal shows it."""
        return "\n".join([grids.as_text(self.grid), *self.said])

    def _repr_html_(self) -> str:
        return rendering.render("result.html.j2", {"result": self})


@dataclass(frozen=True, repr=False)
class Ranking(Result):
    """Configurations in order, with ties: `table` and `pairs` as `analysis.judging.ranking.Ranking` has them, `leading` those that share the first rank."""

    table: pd.DataFrame
    pairs: pd.DataFrame
    leading: tuple[str, ...]


@dataclass(frozen=True, repr=False)
class Pair(Result):
    """Two configurations: `table` has a row per measure, in words and units as shown."""

    table: pd.DataFrame


@dataclass(frozen=True, repr=False)
class Judgement(Result):
    """A study's claims: `verdicts` has a row per contrast of each, in stored units."""

    verdicts: pd.DataFrame


def read(
    study: str = "",
    *,
    experiment: str = "",
    dataset: str = "",
    where: Mapping[str, object] | None = None,
    snapshots: Iterable[str | Path] = (),
    allow: Iterable[str] = (),
    planned: int | None = None,
) -> Trials:
    """Read regstudy's finished, comparable trials from MLflow's store, or from snapshots.

    `where` keeps runs with these values, a list being any of them (a text with commas is several too, unless it is in a list); `allow` names fields in which they may differ; `planned` is how many seeds were fixed before any was looked at, 0 if none were, for
    studies that did not record it. NothingToAnalyse or NotComparable
    says what stands in the way.
    """
    options = [
        word
        for name, text in (("study", study), ("experiment", experiment), ("dataset", dataset))
        if text
        for word in (f"--{name}", text)
    ]
    options += [word for name, value in (where or {}).items() for word in ("--where", f"{name}={_values(value)}")]
    options += [word for folder in snapshots for word in ("--from", str(folder))]
    options += [word for name in allow for word in ("--allow", name)]
    options += _plan(planned)
    return _read(["report", *options])


def read_runs(
    metric: str,
    group_by: str | Sequence[str],
    *,
    block: str | Sequence[str] = (),
    better: str = "",
    margin: float | None = None,
    last: int = LAST_EPOCHS,
    value: str = "last",
    experiment: str | Sequence[str] = "",
    where: Mapping[str, object] | None = None,
    files: str | Path | Iterable[str | Path] = (),
    stores: str | Path | Iterable[str | Path] = (),
    planned: int | None = None,
) -> Trials:
    """Read the finished runs of any code: `group_by` and `block` name parameters or tags (`params.lr`), `better` is higher or lower where the metric's name does not say.

    Without `block` runs are paired by params.seed, where they have it; with "none" they are two samples. `value` says which number of a curve counts: last (the mean of the `last`
    steps), best, min, max or step:N. Several of `group_by`, `block` and `experiment` are taken together. `files` are CSV or Parquet files of results,
    a row per run, or long, whose columns are parameters; or folders that TensorBoard or Weights & Biases wrote; `stores` are MLflow's, SQLite files, folders or addresses. Both are read instead of the store in use, all as one; `store` is a name to group by.
    """
    paths = [path for named in (files, stores) for path in ([named] if isinstance(named, (str, Path)) else named)]
    groups, blocks, experiments = (
        [given] if isinstance(given, str) and given else list(given) for given in (group_by, block, experiment)
    )
    options = [
        "--metric",
        metric,
        *(word for name in groups for word in ("--group-by", name)),
        *(word for name in blocks for word in ("--block", name)),
        *(word for name in experiments for word in ("--experiment", name)),
        *(word for name, wanted in (where or {}).items() for word in ("--where", f"{name}={_values(wanted)}")),
        *(word for path in paths for word in ("--from", str(path))),
        "--last",
        str(last),
        "--value",
        value,
    ]
    options += ["--better", better] if better else []
    options += ["--margin", repr(margin)] if margin is not None else []
    options += _plan(planned)
    return _read(["compare", *options])


def rank(trials: Trials) -> Ranking:
    """Rank configurations by the endpoint; ties share a rank."""
    return _ranking(commands.with_images(trials))


def rank_scores(
    scores: pd.DataFrame, *, margin: float | None = None, higher_is_better: bool = True, planned: int | None = None
) -> Ranking:
    """Rank the columns of any frame by their mean over its rows, which are blocks; `margin` is the smallest difference that matters, in the scores' unit."""
    return rank(foreign.of_scores(scores, higher_is_better=higher_is_better, margin=margin, plan=commands.planned(planned)))


def compare(trials: Trials, first: str, second: str) -> Pair:
    """Compare two configurations, by name, in the blocks that they share."""
    commands.known([first, second], trials)
    found = findings.find(trials)
    said = terminal_tables.judgement(found, pair.endpoint(found, first, second))
    rows = tuple(terminal_tables.pair_rows(found, first, second))
    headings = ("measure", first, second, "first against second", "n")
    caption = f"{first} against {second}: means over {found.trials.words.block}s, unadjusted 95% intervals"
    grid = Grid("pair", caption, tuple(Column(heading, heading != "measure") for heading in headings), rows)
    return Pair(
        tuple(said), grid, pd.DataFrame(list(rows), columns=["measure", "first", "second", "first_against_second", "n"])
    )


def judge(trials: Trials) -> Judgement:
    """Judge the claims of the study's design; NothingToAnalyse if it makes none."""
    found = findings.find(trials)
    if not found.judged:
        raise NothingToAnalyse(commands.no_claims(trials))
    return Judgement((wording.counted(found.judged),), grids.verdicts(found), csv_numbers.frames(found)["verdicts"])


def report(
    trials: Trials,
    folder: str | Path,
    *,
    formats: str | Iterable[str] = (),
    card: bool = False,
    publish: bool = False,
) -> Path:
    """Write the report into a folder, replacing an earlier one there and nothing else; the path of its page.

    `formats`, of html, md, csv, json, latex and pdf, are what is written beside the page and its figures; html, md and csv if none is named. `card`: the report as one picture, too.
    `publish`: keep it in the store, too. UsageError names a format that is none.
    """
    asked = Contents.named(formats, card=card)
    folders.check_report(Path(folder), asked.files)
    folders.make(Path(folder))
    found = commands.with_images(trials)
    command = cli.as_command([*trials.asked, "--output", str(folder), *asked.as_words()])
    page = commands.write(found, Path(folder), command, asked)
    if publish:
        commands.keep(page, found, asked=True)
    return page


def verify(folder: str | Path) -> None:
    """Write a report anew; VerificationError says in what any of its files differs."""
    verification.verify(str(folder), parse)


def _read(words: Sequence[str]) -> Trials:
    return replace(commands.read(parse(words)), asked=tuple(words))


def _plan(planned: int | None) -> list[str]:
    return [] if planned is None else ["--planned", str(planned or "none")]


def _values(value: object) -> str:
    """A text as the option takes it; of a list, each value exactly as it stands."""
    if isinstance(value, str) or not isinstance(value, Iterable):
        return str(value)
    return ",".join(filters.as_given(one) for one in value)


def _ranking(found: Findings) -> Ranking:
    said = (wording.standing(found.ranking, wording.blocks_in_words(found), found.trials.words.block), methods.advice(found))
    return Ranking(said, grids.ranking(found), found.table, found.ranking.pairs, found.ranking.leading)
