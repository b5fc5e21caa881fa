"""A report's runs: the digest of what was read of each, and a source of records that holds exactly these. Compares nothing else of a store."""

import hashlib
import json
import math
import numbers
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from regstudy import identity
from regstudy.config import RunConfig
from regstudy.console.text import visible
from regstudy.design import design_file
from regstudy.errors import VerificationError

from ..files.made_by import MadeBy
from ..files.rows import rows
from ..reading.foreign import counts
from ..reading.records.record import Record, Records
from ..reading.studies import Study
from ..reading.trials import TEST_IMAGES, Trials

PLAIN = ("run_id", "start_time", "configuration", "seed")
"""What is read of anybody's runs, beside their curves."""

NOT_READ = frozenset({"configuration", "run_name", "data_root", "data_warning"})
"""Columns of trials that are made from others, or change no number."""

IMAGES = ("index", "label", "predicted", "predicted_probability")
SHOWN = 5
"""Runs that a message names."""


@dataclass(frozen=True)
class BoundRecords:
    """Exactly the runs that a report names, of the source that holds them, under the names that the report gives to that."""

    source: Records
    report: MadeBy

    @property
    def where(self) -> str:
        """As the report names it: the store may have moved."""
        return self.report.store

    @property
    def experiment(self) -> str:
        """As the report names it."""
        return self.report.experiment

    @property
    def notices(self) -> tuple[str, ...]:
        """What could not be read of the source."""
        return getattr(self.source, "notices", ())

    @property
    def experiment_id(self) -> str | None:
        """The source's."""
        return self.source.experiment_id

    def runs(self) -> Sequence[Record]:
        """The report's runs and its study's, oldest first."""
        return [run for run in self.source.runs() if run.run_id in {*self.report.runs, self.report.study}]

    def epochs(self, run_ids: Sequence[str], metrics: Iterable[str]) -> pd.DataFrame:
        """The source's."""
        return self.source.epochs(run_ids, metrics)

    def predictions(self, run_id: str) -> pd.DataFrame | None:
        """The source's."""
        return self.source.predictions(run_id)

    def misclassified(self, run_id: str) -> pd.DataFrame | None:
        """The source's."""
        return self.source.misclassified(run_id)

    def design(self, run_id: str) -> str | None:
        """The source's, with the seeds that it had: the study may have grown."""
        text = self.source.design(run_id)
        if text is None:
            return None
        return (
            design_file.parse(text, f"the design of {run_id}")
            .with_changes(seeds=self.report.seeds, epochs=None, dataset=None)
            .to_yaml()
        )


def exactly(source: Records, report: MadeBy, statuses: Sequence[str]) -> BoundRecords:
    """The report's runs; VerificationError names those that are missing or unfinished."""
    there = {run.run_id: run for run in source.runs()}
    wanted = [*report.runs, *([report.study] if report.study else [])]
    missing = [run_id for run_id in wanted if run_id not in there]
    if missing:
        raise VerificationError(
            f"{_named(missing)} of this report {_are(missing)} not in {source.experiment!r} of {source.where}"
        )
    undone = [run_id for run_id in report.runs if not counts(there[run_id], statuses)]
    if undone:
        raise VerificationError(f"{_named(undone)} of this report {_are(undone)} no longer finished")
    return BoundRecords(source, report)


def made_by(trials: Trials, read: Mapping[str, str], command: str, version: str) -> MadeBy:
    """What a report of these trials says of how it was made; `read` are their digests."""
    of_study = _of_study(trials.study) if trials.study else {}
    source = trials.source
    return MadeBy(command, version, source.where, source.experiment, trials.notices, dict(read), **of_study)


def changed(then: MadeBy, now: MadeBy) -> list[str]:
    """Which runs, and whether the study's design, are not what the report was made of."""
    words = [
        f"run {visible(run_id)} is not what it was" for run_id, digest in then.runs.items() if now.runs.get(run_id) != digest
    ]
    design = f"the design of the study's run {then.study}" if then.study else "the study's design"
    return words + ([f"{design} is not what it was"] if then.design != now.design else [])


def digests(trials: Trials, wrong: pd.DataFrame, known: Collection[str]) -> dict[str, str]:
    """By run ID, the SHA-256 of what was read of it: fields, curves, and the misclassified images of those whose images are known."""
    epochs = trials.epochs
    curves = _numbers(epochs, ["epoch", *sorted({str(name) for name in epochs} - {"epoch", *PLAIN})])
    images = _numbers(wrong, IMAGES, "pixels")
    return {
        run_id: _digest(run, curves.get(run_id), images.get(run_id), is_known=run_id in known)
        for run in rows(trials.runs)
        for run_id in (str(run["run_id"]),)
    }


def _digest(run: dict[str, Any], curves: bytes | None, images: bytes | None, *, is_known: bool) -> str:
    as_before = {name for name, default in identity.later_defaults(RunConfig).items() if run.get(name) == default}
    names = [name for name in run if name not in NOT_READ | as_before] if TEST_IMAGES in run else PLAIN
    digest = hashlib.sha256(json.dumps({name: text for name in names if (text := _text(run[name]))}, sort_keys=True).encode())
    if curves is not None:
        digest.update(curves)
    if is_known:
        digest.update(b"images")
    if images is not None:
        digest.update(images)
    return digest.hexdigest()


def _text(value: object) -> str:
    """A value whatever the type of its column, which other runs decide too; nothing for none."""
    if isinstance(value, numbers.Real):
        return "" if math.isnan(value) else float(value).hex()
    return "" if value is None else str(value)


def _numbers(frame: pd.DataFrame, names: Sequence[str], pixels: str = "") -> dict[str, bytes]:
    """By run ID: columns with their names, in the order of the first, and the `pixels` of its rows; the same bytes on every machine. A column in which a run has no number is left out of it."""
    if frame.empty:
        return {}
    ordered = frame.sort_values(names[0], kind="stable")
    there = [name for name in names if ordered[name].notna().any()]
    values = ordered[there].to_numpy(np.float64)
    values = np.where(np.isnan(values), np.nan, values).astype("<f8")
    kept = ordered[pixels].to_numpy(object) if pixels in ordered else np.empty(len(ordered), object)
    groups = ordered.groupby("run_id", sort=False).indices
    return {str(run_id): _packed(there, values[own]) + _joined(kept[own]) for run_id, own in groups.items()}


def _packed(names: Sequence[str], values: np.ndarray) -> bytes:
    has = np.asarray(~np.isnan(values).all(axis=0), bool)
    return json.dumps([name for name, kept in zip(names, has, strict=True) if kept]).encode() + values[:, has].tobytes()


def _joined(pixels: np.ndarray) -> bytes:
    return b"".join(each for each in pixels if isinstance(each, bytes))


def _of_study(study: Study) -> dict[str, Any]:
    return {"study": study.run_id, "seeds": tuple(study.design.seeds), "design": study.design.digest}


def _named(run_ids: Sequence[str]) -> str:
    more = f" and {len(run_ids) - SHOWN} more" if len(run_ids) > SHOWN else ""
    return f"run{'s' if len(run_ids) > 1 else ''} {', '.join(map(visible, run_ids[:SHOWN]))}{more}"


def _are(run_ids: Sequence[str]) -> str:
    return "are" if len(run_ids) > 1 else "is"
