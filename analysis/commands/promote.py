"""Register the model that a study's report advises, with its verdict; refuse where nothing is shown."""

import argparse
import shlex

from regstudy.console import terminal
from regstudy.console.document import Document
from regstudy.errors import NothingToAnalyse, UsageError

from ..files.rows import rows
from ..judging.findings import Findings
from ..reading.records.mlflow_store import StoreRecords
from ..reports import publish
from ..showing import methods
from ..showing.words import opening
from . import commands

TAG = "regstudy."


def promote(arguments: argparse.Namespace, _command: str) -> Document | None:
    """Register it under a name, with an alias, and say how to serve it."""
    publish.require_current()
    found = commands.found(arguments)
    name = advised(found)
    run = first_run(found, name)
    version = publish.register(
        run,
        experiment_id=_experiment(found),
        model=arguments.name or f"regstudy-{arguments.study}",
        alias=arguments.alias,
        description=methods.advice(found),
        tags=_tags(found, name),
    )
    if arguments.json:
        told = {
            "model": version.name,
            "version": str(version.version),
            "alias": arguments.alias,
            "configuration": name,
            "run_id": run,
        }
        return {**told, "advice": methods.advice(found), "notices": list(found.trials.notices)}
    terminal.say(f"{version.name} version {version.version}, alias {arguments.alias}: {name}, run {run}")
    terminal.say(methods.advice(found))
    model = shlex.quote(f"models:/{version.name}@{arguments.alias}")
    terminal.say_next(f"mlflow models serve -m {model} --env-manager local")
    return None


def advised(found: Findings) -> str:
    """The configuration that is advised; NothingToAnalyse if none is."""
    if not found.ranking.advised:
        raise NothingToAnalyse(f"nothing is registered, since nothing is shown: {methods.advice(found)}")
    return found.ranking.advised[0]


def first_run(found: Findings, name: str) -> str:
    """The run of its first seed: a model that is chosen by its result would be worth less than its result says."""
    runs = found.trials.runs
    own = runs[(runs["configuration"] == name) & ~runs["diverged"]].sort_values("seed")
    return str(own["run_id"].iloc[0])


def _experiment(found: Findings) -> str:
    source = found.trials.source
    if not isinstance(source, StoreRecords) or source.experiment_id is None:
        raise UsageError("promote registers a model of a store: leave --from out")
    return source.experiment_id


def _tags(found: Findings, name: str) -> dict[str, str]:
    row = next(row for row in rows(found.table) if row["configuration"] == name)
    study = found.trials.study
    return {
        f"{TAG}configuration": name,
        f"{TAG}headline": opening.headline(found),
        f"{TAG}{found.endpoint.key.replace('/', '.')}": repr(float(row["mean"])),
        f"{TAG}seeds": str(int(row["seeds"])),
        **({f"{TAG}study": study.design.name, f"{TAG}study_digest": study.design.digest} if study else {}),
    }
