"""How to cite a report, and what a checklist of reproducibility asks, as far as the runs themselves say it. No clock is read: a report is the same whenever it is written."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

import regstudy
from regstudy.config import RunConfig
from regstudy.console.terminal import plural

from ..judging.findings import Findings
from ..reading.trials import TEST_IMAGES, Trials
from ..showing import wording
from ..showing.words import dates, opening
from ..showing.words.dates import Days
from .latex import escaped

USER_TAG = "mlflow.user"
"""MLflow's: whoever started the run."""

MOST_NAMES, MOST_VALUES = 12, 12
"""Configurations, and values of a field, that are named."""


@dataclass(frozen=True)
class Citation:
    """A BibTeX entry; whether it names an author; the checklist's questions with what the runs answer; the digest of the report's runs; the day of the last."""

    bibtex: str
    has_author: bool
    answers: tuple[tuple[str, str], ...]
    digest: str
    last: str


def citation(found: Findings, read: Mapping[str, str]) -> Citation:
    """Of a report; `read` are its runs' digests, by run ID."""
    digest = hashlib.sha256(json.dumps(dict(read), sort_keys=True).encode()).hexdigest()
    runs = pd.concat([own.runs for own in (found.trials, *found.trials.beside)], ignore_index=True)
    days, authors = dates.days(runs), _authors(found.trials, read)
    answers = tuple((question, answer) for question, answer in _answers(found, runs, days) if answer)
    bibtex = _bibtex(found, authors, days, digest)
    return Citation(bibtex, bool(authors), answers, digest, dates.day(days[1]) if days else "")


def _bibtex(found: Findings, authors: list[str], days: Days | None, digest: str) -> str:
    study = found.trials.study
    name = study.design.name if study else found.trials.source.experiment
    year = str(days[1].year) if days else ""
    told = (
        f"runs of {dates.period(days)}; SHA-256 of what was read of them: {digest}"
        if days
        else f"SHA-256 of its runs: {digest}"
    )
    fields = {
        "author": " and ".join(f"{{{_set(author)}}}" for author in authors),
        "title": _set(f"{name}: {opening.headline(found)}"),
        "year": year,
        "howpublished": f"Report by regstudy {_set(regstudy.__version__)}",
        "note": _set(told),
    }
    lines = [f"  {field} = {{{value}}}," for field, value in fields.items() if value]
    return "\n".join([f"@misc{{{re.sub(r'[^a-z0-9]', '', name.lower()) or 'runs'}{year},", *lines, "}"])


def _set(text: str) -> str:
    """For BibTeX, which counts braces whether or not they are escaped."""
    return escaped(text).replace(r"\{", r"\textbraceleft{}").replace(r"\}", r"\textbraceright{}")


def _authors(trials: Trials, read: Mapping[str, str]) -> list[str]:
    """Who made the runs, as MLflow noted it; none in a snapshot, which leaves it out."""
    return sorted({run.tags[USER_TAG] for run in trials.source.runs() if run.run_id in read and run.tags.get(USER_TAG)})


def _answers(found: Findings, runs: pd.DataFrame, days: Days | None) -> list[tuple[str, str]]:
    table, block = found.table, found.trials.words.block
    names = [str(name) for name in table["configuration"]]
    more = f", and {len(names) - MOST_NAMES:,} more" if len(names) > MOST_NAMES else ""
    tried = f"{plural(len(names), 'configuration')}: {'; '.join(names[:MOST_NAMES])}{more}"
    return [
        ("When did the runs run?", f"{dates.day(days[0])} (first start) to {dates.day(days[1])} (last end), UTC" if days else ""),
        (f"How many {block}s?", f"{wording.blocks_in_words(found)}; {plural(len(runs), 'run')}{_diverged(table)}"),
        ("Which measures of spread?", f"standard deviation over {block}s and 95% interval of each mean; conclusions share α = {found.alpha:g}"),
        ("Which data, how split?", _data(runs)),
        ("Which hyperparameters were tried?", tried + _varied(found.trials)),
        ("How much computing?", _computing(runs)),
        ("On what?", _distinct(runs, "processor", "device")),
        ("With which versions?", _distinct(runs, "version", "packages")),
    ]  # fmt: skip


def _diverged(table: pd.DataFrame) -> str:
    n = int(table["diverged"].sum())
    return f", of which {n:,} diverged" if n else ""


def _data(runs: pd.DataFrame) -> str:
    """Of each data set, what identifies it and its split."""
    if not {"dataset", "data_digest", "split_digest", TEST_IMAGES} <= {*runs}:
        return ""
    each = runs.drop_duplicates(["dataset", "data_digest", "split_digest"])
    return "; ".join(
        f"{name}, SHA-256 {data}, split {split}, {int(images):,} test images"
        for name, data, split, images in zip(
            each["dataset"], each["data_digest"], each["split_digest"], each[TEST_IMAGES], strict=True
        )
    )


def _varied(trials: Trials) -> str:
    """Which fields of the configuration had which values, where that is known."""
    fields = [name for name in RunConfig.model_fields if name in trials.runs and name not in {"seed", "recipe", "dataset"}]
    values = {name: sorted({str(value) for value in trials.runs[name]}) for name in fields} if trials.has(TEST_IMAGES) else {}
    told = [f"{name} {', '.join(own[:MOST_VALUES])}" for name, own in values.items() if len(own) > 1]
    return f" ({'; '.join(told)})" if told else ""


def _computing(runs: pd.DataFrame) -> str:
    known = dates.seconds(runs).dropna()
    if known.empty:
        return ""
    of = "" if len(known) == len(runs) else f" of {plural(len(known), 'run')}, the others do not say"
    return f"{known.sum() / 3600:.1f} hours of training{of}, a run at a median of {known.median() / 60:.1f} minutes"


def _distinct(runs: pd.DataFrame, *columns: str) -> str:
    """The values of these columns, each once."""
    found = [text for name in columns if name in runs for text in sorted({str(value) for value in runs[name]} - {"", "nan"})]
    return "; ".join(_plain(text) for text in found)


def _plain(text: str) -> str:
    """Versions of packages are kept as JSON."""
    try:
        held = json.loads(text)
    except ValueError:
        return text
    return ", ".join(f"{name} {version}" for name, version in held.items()) if isinstance(held, dict) else text
