"""A study's own MLflow run, the parent of its trials: design, progress, and mean, SD and n of the endpoint per configuration."""

import json
import re
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import mean, stdev

from mlflow.entities import Metric, RunStatus
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NOTE
from sqlalchemy.exc import SQLAlchemyError

from regstudy.console.terminal import Interrupted, warn
from regstudy.design import history as looks
from regstudy.design.claim import SCALED_IN_POINTS
from regstudy.design.design import Design, described
from regstudy.design.fields import MOST_TRIALS
from regstudy.design.history import History, Plan
from regstudy.errors import TrackingError
from regstudy.schema import DESIGN_FILE, NUMERICS_VERSION, STUDY, STUDY_START, PerConfiguration, Progress, Tag
from regstudy.store import store
from regstudy.tracking import ledger
from regstudy.tracking.ledger import Entry

LONGEST = 6_000
"""Characters of a tag up to which seeds are listed one by one."""

LARGEST = 1e150
"""From here on squares overflow: no measurement. SQLite keeps infinity as 1.8e308."""


def open_run(experiment_id: str, design: Design, data: Mapping[str, str], plan: Plan, *, until: bool) -> str:
    """The study's run, made if this is its first start, whose plan is kept, at work from now on; its ID. `data` are tags that say on which data."""
    client, tags = store.client(), {**_tags(design), **data}
    identity = (Tag.KIND, Tag.STUDY_DIGEST, Tag.DATA_DIGEST, Tag.NUMERICS_VERSION)
    query = " and ".join(f"tags.`{name}` = '{tags[name]}'" for name in identity)

    def create() -> str:
        name = {"mlflow.runName": f"study {design.name}", **plan.tags()}
        return client.create_run(experiment_id, run_name=f"study {design.name}", tags=tags | name).info.run_id

    run_id = ledger.only_one(experiment_id, query, create)
    _set_tags(run_id, looks.start(len(design.seeds), time.time(), until=until))
    client.update_run(run_id, RunStatus.to_string(RunStatus.RUNNING))
    return run_id


def seeds(run_id: str) -> list[int]:
    """The seeds that the study's run speaks of so far."""
    try:
        known = json.loads(store.client().get_run(run_id).data.tags.get(Tag.SEEDS, "[]"))
    except ValueError:  # anybody can edit a tag
        return []
    return [seed for part in known for seed in _seeds_of(part)] if isinstance(known, list) else []


def _seeds_of(part: object) -> Iterable[int]:
    """A seed, or the first and the last of a row."""
    if isinstance(part, int):
        return [part]
    match part:
        case [int(first), int(last)]:
            return range(first, min(last, first + MOST_TRIALS) + 1)
        case _:
            return []


def _listed(seeds: Sequence[int]) -> str:
    """As a tag: one by one, or where that is long as rows; MLflow keeps no more than 8,000 characters, and cuts off the rest unsaid."""
    one_by_one = json.dumps(seeds)
    if len(one_by_one) <= LONGEST:
        return one_by_one
    ordered, rows = sorted(seeds), list[list[int]]()
    for seed in ordered:
        if rows and rows[-1][1] == seed - 1:
            rows[-1][1] = seed
        else:
            rows.append([seed, seed])
    return json.dumps([row[0] if row[0] == row[1] else row for row in rows], separators=(",", ":"))


def history(run_id: str) -> History:
    """What was planned, and every start and look so far."""
    return History.from_tags(store.client().get_run(run_id).data.tags)


def look(run_id: str, seeds: int) -> None:
    """Keep that so many complete seeds were looked at, if there are any, and nobody did before."""
    if seeds and all(event.seeds != seeds for event in history(run_id).looks):
        _set_tags(run_id, looks.look(seeds, time.time()))


def _set_tags(run_id: str, tags: Mapping[str, str]) -> None:
    client = store.client()
    for name, text in tags.items():
        client.set_tag(run_id, name, text)


def write_design(run_id: str, design: Design) -> None:
    """Keep the design with the study's run; its seeds may have become more."""
    client = store.client()
    client.set_tag(run_id, Tag.SEEDS, _listed(design.seeds))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / DESIGN_FILE
        file.write_text(design.to_yaml(), encoding="utf-8")
        client.log_artifact(run_id, str(file))


@contextmanager
def ended_properly(run_id: str) -> Iterator[None]:
    """End the study's run KILLED where somebody stops it, FAILED on an error; else whoever is inside does."""
    try:
        yield
    except BaseException as error:
        killed = isinstance(error, (Interrupted, KeyboardInterrupt))
        status = RunStatus.KILLED if killed else RunStatus.FAILED
        try:
            store.client().set_terminated(run_id, RunStatus.to_string(status))
        except (MlflowException, SQLAlchemyError, TrackingError):
            warn(
                f"the tracking store does not answer: the study's run {run_id} is RUNNING there until the study is started again"
            )
        raise


def close(run_id: str, *, complete: bool) -> None:
    """End the study's run: FINISHED if all its trials are done, else FAILED."""
    status = RunStatus.FINISHED if complete else RunStatus.FAILED
    store.client().set_terminated(run_id, RunStatus.to_string(status))


def log_progress(run_id: str, design: Design, by_configuration: Mapping[str, list[Entry]], done: int, planned: int) -> None:
    """Mean, SD and n of the endpoint of these configurations, and how many trials are done, at the step of that number."""
    finished = {name: [e for e in entries if e.finished] for name, entries in by_configuration.items()}
    values: dict[str, float] = {Progress.DONE: done, Progress.PLANNED: planned}
    for name, entries in finished.items():
        values |= _summary(_plain_key(name), _scores(entries, design.endpoint))
        diverged = sum(entry.state == "diverged" for entry in entries)
        values |= {PerConfiguration.DIVERGED.format(_plain_key(name)): diverged} if diverged else {}
    now = int(time.time() * 1000)
    store.client().log_batch(run_id, metrics=[Metric(name, value, now, done) for name, value in values.items()])


def says(run_id: str, done: int) -> bool:
    """Whether the study's run has a description already, of so many trials, all of them done."""
    data = store.client().get_run(run_id).data
    return MLFLOW_RUN_NOTE in data.tags and data.metrics.get(Progress.DONE) == data.metrics.get(Progress.PLANNED) == done


def describe(run_id: str, design: Design, by_configuration: Mapping[str, list[Entry]]) -> None:
    """The study in words and numbers, for MLflow's page, until a report says more."""
    percent = design.endpoint in SCALED_IN_POINTS
    factor, of_mean, of_sd = (100, " (%)", " (points)") if percent else (1, "", "")
    rows = []
    for name, entries in by_configuration.items():
        scores = [score * factor for score in _scores(entries, design.endpoint)]
        spread = f"{stdev(scores):.3f}" if len(scores) > 1 else "–"
        rows.append(f"| {name} | {mean(scores):.3f} | {spread} | {len(scores)} |" if scores else f"| {name} | – | – | 0 |")
    text = [
        f"**{design.about.strip()}** {described(design)}.",
        "",
        f"| configuration | mean of `{design.endpoint}`{of_mean} | SD over seeds{of_sd} | n |",
        "|---|---:|---:|---:|",
        *rows,
        "",
        f"Means and spreads, not tests. Design: `{DESIGN_FILE}` under Artifacts; report, once made: `report/report.html`.",
    ]
    store.client().set_tag(run_id, MLFLOW_RUN_NOTE, "\n".join(text))


def _scores(entries: list[Entry], endpoint: str) -> list[float]:
    """Of the finished trials; what is no measurement, such as anybody may have written, is left out."""
    scores = [entry.metrics[endpoint] for entry in entries if entry.finished and endpoint in entry.metrics]
    return [score for score in scores if abs(score) < LARGEST]


def _summary(name: str, scores: list[float]) -> dict[str, float]:
    values: dict[str, float] = {PerConfiguration.N.format(name): len(scores)}
    if scores:
        values[PerConfiguration.MEAN.format(name)] = mean(scores)
    if len(scores) > 1:
        values[PerConfiguration.SD.format(name)] = stdev(scores)
    return values


def _plain_key(configuration: str) -> str:
    """As MLflow takes it in a metric's name, which refuses plus, comma, brackets, an equals sign and more."""
    return re.sub(r"[^\w.\- :/]", "_", configuration.replace(" + ", " and ").replace(",", ""))


def _tags(design: Design) -> dict[str, str]:
    return {
        Tag.KIND: STUDY,
        Tag.STUDY: design.name,
        Tag.STUDY_DIGEST: design.digest,
        Tag.SEEDS: _listed(design.seeds),
        Tag.NUMERICS_VERSION: str(NUMERICS_VERSION),
    }


def mark_start(run_id: str, study_run: str, name: str) -> None:
    """Say on the run that `mlflow run` made for a start of the study which run the study's own is."""
    client = store.client()
    client.set_tag(run_id, Tag.KIND, STUDY_START)
    client.set_tag(run_id, MLFLOW_RUN_NOTE, f"Started or continued the study `{name}`: run `{study_run}`.")
