"""What the tools take: their arguments' types and what the agent is told of them. The command line's parser says which go together."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field


def _list(given: object) -> object:
    return [given] if isinstance(given, str) else given


Experiment = Annotated[
    list[str], BeforeValidator(_list), Field(description="MLflow experiments by name; default: the server's, else MLflow's own")
]
ReadFrom = Annotated[
    list[str],
    BeforeValidator(_list),
    Field(description="instead of the store: snapshot folders, or, with a metric, CSV or Parquet files of results"),
]
Metric = Annotated[str, Field(description="the metric that is compared, of runs of any code; empty: regstudy's own trials")]
GroupBy = Annotated[
    list[str],
    BeforeValidator(_list),
    Field(
        description="what makes runs one configuration: params.NAME, tags.NAME, experiment or run_name; needed with a metric"
    ),
]
Block = Annotated[
    list[str],
    BeforeValidator(_list),
    Field(
        description='what pairs runs, such as params.seed (the default, where runs have it) or params.fold; ["none"]: nothing does'
    ),
]
Where = Annotated[list[str], BeforeValidator(_list), Field(description="only runs with this value: NAME=VALUE, or NAME=A,B,C")]
Better = Annotated[
    Literal["higher", "lower"] | None, Field(description="which way is better; default: as the metric's name says")
]
Which = Annotated[
    str, Field(description="which number of a curve counts: last (mean of the last 5 steps), best (biased), min, max or step:N")
]
Margin = Annotated[
    float | None,
    Field(
        description="the smallest difference that matters, in the metric's unit: say it, else neither a tie nor how many more seeds can be told"
    ),
]
PlannedFor = Annotated[
    int | Literal["none"] | None,
    Field(
        description='how many seeds were fixed before any was looked at; "none": they are added while looking; null: not known'
    ),
]
Comparisons = Annotated[
    int | None,
    Field(
        ge=1,
        le=100_000,
        description="how many comparisons share α = 0.05; default: each other configuration there is with b. 1 only if this one was fixed before any run was seen",
    ),
]
Study = Annotated[str, Field(description="a study of regstudy's, by name, run ID or the path of its design's file")]
DataSet = Annotated[str, Field(description="of trials of regstudy on several data sets: the one to compare on, by name")]
NO_TEXTS: list[str] = []
