"""Trials as everything after reading knows them, whoever made the runs: two frames, whose columns are declared here, and the runs' own words."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import pandas as pd
from pandas.api import types

from regstudy.config import RunConfig
from regstudy.design.history import Plan
from regstudy.schema import Metric, Summary

from .anybody.claims_file import Asserted
from .measures import PAIRED, Curve, Measure, Pairing, Scale
from .records.record import Records
from .studies import Study

AVERAGED = Summary.ENDPOINT_EPOCHS.value
"""Column: how many last points of the curve the endpoint is a mean of."""

TEST_IMAGES = "test_images"
"""Column: how many images the test metrics count; only of regstudy's trials."""

KINDS = {
    "text": types.is_string_dtype,
    "number": types.is_numeric_dtype,
    "whole": types.is_integer_dtype,
    "truth": types.is_bool_dtype,
    "any": lambda _: True,
}


@dataclass(frozen=True)
class Column:
    """A column of a frame: its name, the kind of its values (a key of `KINDS`), and what they are, with unit and source."""

    name: str
    kind: str
    about: str


EVERY_RUN = (
    Column("run_id", "text", "MLflow's ID of the run"),
    Column("run_name", "text", "MLflow's name of the run"),
    Column("start_time", "number", "ms since 1970, by MLflow"),
    Column("configuration", "text", "what makes runs the same but for the block, as it is shown"),
    Column("seed", "any", "the block, which pairs runs: a trial's seed; of anybody's runs what `--block` names, as text"),
    Column("diverged", "truth", "whether the endpoint is no finite number"),
    Column(AVERAGED, "number", "points that the endpoint is a mean of; NaN for a diverged trial"),
)
"""The columns of `Trials.runs`, whoever made the runs; beside them, the endpoint's."""

OF_A_TRIAL = (
    *(Column(name, "any", f"configuration: {field.description}") for name, field in RunConfig.model_fields.items()),
    Column("configuration_digest", "text", "SHA-256 of the configuration without its seed, a tag"),
    Column("data_digest", "text", "SHA-256 of the data set, a tag"),
    Column("split_digest", "text", "SHA-256 of the split, a tag"),
    Column("data_warning", "text", "why the data are not what the published study used, a tag; empty if they are"),
    Column("parameter_count", "text", "parameters of the network, a tag"),
    Column("class_names", "text", "what labels stand for, as JSON, a tag; empty for digits"),
    Column("numerics_version", "text", "version of the numbers, a tag"),
    Column("metrics_version", "text", "version of the metrics' definitions, a tag"),
    Column("version", "text", "of regstudy, a tag"),
    Column("git_commit", "text", "of the code, a tag; empty outside a checkout"),
    Column("git_dirty", "text", "whether the code differed from its commit, a tag"),
    Column("packages", "text", "versions of torch and others, a tag"),
    Column("processor", "text", "a tag"),
    Column("command", "text", "gives the run again, a tag"),
    Column(TEST_IMAGES, "whole", "test images, a tag"),
    *(
        Column(metric.value, "number", "schema.Summary, as logged; NaN where the run has none")
        for metric in Summary
        if "{" not in metric
    ),
)
"""What the runs of regstudy's trials have beside these; and a column per threshold or layer of the metrics that come in families."""

EVERY_EPOCH = (
    Column("run_id", "text", "MLflow's ID of the run"),
    Column("configuration", "text", "as in the runs"),
    Column("seed", "any", "the block, as in the runs"),
    Column("epoch", "number", "the step of the point, from 0"),
)
"""The columns of `Trials.epochs`; beside them, one per curve, named as its metric."""

OF_A_CURVE = tuple(
    Column(metric.value, "number", "schema.Metric, as logged; NaN where it is no finite number")
    for metric in (Metric.TEST_ACCURACY, Metric.TEST_LOSS, Metric.TRAIN_LOSS)
)
"""What the epochs of regstudy's trials have beside these."""


@dataclass(frozen=True)
class Words:
    """What the runs' own people call things; sentences are made of these, so that a report speaks of nothing that its runs do not have.

    `block` pairs runs (seed, fold), `step` is what a curve goes along, empty where there is none, `counted` what the test metrics count, empty where that is not known.
    `endpoint` is a clause on how its value came about, `pairing` a sentence on what the runs of a block have in common.
    `taken` says, to follow its name, which number of a curve the endpoint is, where that is not the mean of the last steps.
    """

    block: str
    step: str
    endpoint: str
    pairing: str
    counted: str = ""
    taken: str = ""


@dataclass(frozen=True)
class Trials:
    """The comparable runs among all.

    `runs` has a row per run, `epochs` a row per run and point of a curve, with the columns that are declared above. `notices` say what was left
    out, what was allowed, and what differs all the same. `curves` are those that are drawn, the endpoint's own first. `endpoint` and `scale` are
    what was asked for; None: what the study's design says, or a design's defaults. `asked` are the command's words that read these again. `plan` is what was fixed before the runs were seen;
    None: nobody said. `asserted` are claims about anybody's runs. `beside` are the same study's trials on its other data sets. `pairing` says how runs belong together; unpaired, `seed` only numbers a configuration's runs. `alpha` is the level that all conclusions share, where neither a design nor a file says. `varied`: of runs that are each a configuration of their own, as a
    search leaves them, the parameters that differ: a row per run ID, a column per parameter, texts.
    """

    runs: pd.DataFrame
    epochs: pd.DataFrame
    notices: tuple[str, ...]
    source: Records
    words: Words
    curves: tuple[Curve, ...]
    study: Study | None = None
    endpoint: Measure | None = None
    scale: Scale | None = None
    asked: tuple[str, ...] = ()
    plan: Plan | None = None
    asserted: Asserted | None = None
    beside: "tuple[Trials, ...]" = ()
    pairing: Pairing = PAIRED
    alpha: float | None = None
    varied: pd.DataFrame | None = None

    def __post_init__(self) -> None:
        """Hold the frames to what is declared, where they enter."""
        of_a_trial = TEST_IMAGES in self.runs
        check(self.runs, (*EVERY_RUN, *(OF_A_TRIAL if of_a_trial else ())))
        check(self.epochs, (*EVERY_EPOCH, *(OF_A_CURVE if of_a_trial else ())))

    def _repr_html_(self) -> str:
        """For notebooks: how many runs there are of each configuration, and the notices."""
        runs = self.runs.groupby("configuration", sort=False)["seed"].agg(runs="size", blocks="nunique")
        return f"{runs.to_html()}{''.join(f'<p>{escape(notice)}.</p>' for notice in self.notices)}"

    @property
    def dataset(self) -> str:
        """The data set that these runs are on; empty of anybody's."""
        return str(self.runs["dataset"].iloc[0]) if "dataset" in self.runs else ""

    def has(self, *columns: str) -> bool:
        """Whether the runs have all of these columns."""
        return set(columns) <= set(self.runs.columns)


def check(frame: pd.DataFrame, columns: Sequence[Column]) -> None:
    """TypeError names the columns that the frame lacks, or that hold something else than is declared."""
    missing = [column.name for column in columns if column.name not in frame]
    wrong = [
        f"{column.name} ({frame[column.name].dtype})" for column in columns if column.name in frame and not _is(frame, column)
    ]
    if missing or wrong:
        raise TypeError(
            f"a frame of trials lacks {', '.join(missing) or 'nothing'}; of another kind than declared: {', '.join(wrong) or 'none'}"
        )


def _is(frame: pd.DataFrame, column: Column) -> bool:
    """A column without any value is of every kind."""
    values = frame[column.name]
    return bool(KINDS[column.kind](values)) or not values.notna().any()
