"""A folder of Parquet files with everything that the analysis reads of a store: to be committed, mailed, merged.

`runs.parquet` has columns named as mlflow.search_runs names them, but for metrics whose first name a store no longer has; `epochs.parquet` a row per run, metric and step; `predictions.parquet` a row
per run and test image; `misclassified.parquet` the errors, whose pixels are once per image in `images.parquet`; `studies.json` the designs.
`manifest.json` lists the files with their SHA-256: a folder with other files than it says is refused.
"""

import io
import json
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

import regstudy
from regstudy.design import design_file
from regstudy.errors import SnapshotError
from regstudy.schema import FIRST_NAMES, STUDY, SYSTEM, TRIAL, Metric, Tag

from ...files import folders
from .record import Record, Records

FORMAT, MANIFEST, STUDIES = folders.SNAPSHOT_FORMAT, folders.SNAPSHOT_MANIFEST, "studies.json"
RUNS = "runs.parquet"
"""Of runs, as MLflow says them."""

TABLES = ("epochs", "predictions", "misclassified", "images")
NEEDED = {
    "epochs": {"run_id", "metric", "step", "value"},
    "predictions": {"run_id"},
    "misclassified": {"run_id", "index"},
    "images": {"index", "pixels", "data_digest"},
}
"""The columns that are read of each table."""

OWN = "regstudy."
MACHINE_PATH = re.compile(
    r"(?<=once )/.*(?= is deleted)|(?<=')/[^']*(?=')|(?<![\w:/~.])/[\w.+@%~-][^\s'\",;)]*|\b[A-Za-z]:\\[^\s'\",;)]*"
)
IN_WORDS = frozenset({Tag.DATA_WARNING, Tag.FAILURE})
"""Tags that are sentences, in which such a path may stand."""

LEFT_OUT = frozenset({Tag.HEARTBEAT, Tag.MACHINE, Tag.OWNER})
"""Tags that say who was at work on a run, not what it is."""


@dataclass(frozen=True)
class SnapshotRecords:
    """One or several snapshots in memory, read as a store is."""

    where: str
    experiment: str
    records: Sequence[Record]
    tables: dict[str, pd.DataFrame]
    designs: dict[str, str]
    experiment_id: str | None = None
    _by_run: dict[str, dict[str, pd.DataFrame]] = field(default_factory=dict)

    def runs(self) -> Sequence[Record]:
        """All runs, oldest first."""
        return self.records

    def epochs(self, run_ids: Sequence[str], metrics: Iterable[str]) -> pd.DataFrame:
        """Long: run_id, metric, step, value."""
        table = self.tables["epochs"]
        return table[table["run_id"].isin(list(run_ids)) & table["metric"].isin(list(metrics))]

    def predictions(self, run_id: str) -> pd.DataFrame | None:
        """As the run's artifact has it."""
        return self._of(run_id, "predictions")

    def misclassified(self, run_id: str) -> pd.DataFrame | None:
        """As the run's artifact has it."""
        own = self._of(run_id, "misclassified")
        if own is None:
            return None
        try:
            return own.assign(pixels=list(self._pixels[self._digests[run_id]].loc[own["index"]]))
        except KeyError:
            raise SnapshotError(f"{self.where} is damaged: images of its runs are missing; get the snapshot again") from None

    def design(self, run_id: str) -> str | None:
        """The design file of a study's run."""
        return self.designs.get(run_id)

    @cached_property
    def _digests(self) -> dict[str, str]:
        """Of each run's data."""
        return {record.run_id: record.tags.get(Tag.DATA_DIGEST, "") for record in self.records}

    @cached_property
    def _pixels(self) -> dict[str, "pd.Series[Any]"]:
        """By data's digest, images' pixels by their index."""
        return {str(digest): own.set_index("index")["pixels"] for digest, own in self.tables["images"].groupby("data_digest")}

    def _of(self, run_id: str, table: str) -> pd.DataFrame | None:
        if table not in self._by_run:
            groups = self.tables[table].groupby("run_id", sort=False)
            self._by_run[table] = {str(run): own.drop(columns="run_id").reset_index(drop=True) for run, own in groups}
        return self._by_run[table].get(run_id)


def write(records: Sequence[Record], source: Records, folder: Path) -> None:
    """Write runs and all that belongs to them, in place of an earlier snapshot; SnapshotError if the folder holds anything else."""
    folders.check_snapshot(folder)
    try:
        if Path.cwd().is_relative_to(folder.resolve()):
            raise SnapshotError(f"{folder} is the folder that you are in, which cannot be replaced: name one in it, or another")
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as scratch:
            new = Path(scratch) / "new"
            new.mkdir()
            _write_files(records, source, new)
            folders.check_snapshot(folder)  # again: somebody may have written there meanwhile
            folders.put_in_place(new, folder, Path(scratch) / "old")
    except OSError as error:
        raise SnapshotError(f"{folder} cannot be written ({error.strerror or error}): name a folder that can") from None


def load(places: Sequence[Path]) -> SnapshotRecords:
    """Read snapshots, each run once; SnapshotError names a folder or file that is not as it was written."""
    contents = [_read(place) for place in places]
    by_id: dict[str, Record] = {}
    for content in contents:
        by_id.update({record.run_id: record for record in content.records if record.run_id not in by_id})
    tables: dict[str, pd.DataFrame] = {}
    for name in TABLES:
        parts, seen = [], set[str]()
        for content in contents:
            table = content.tables[name]
            parts.append(table if name == "images" else table[~table["run_id"].isin(seen)])
            seen |= {record.run_id for record in content.records}
        tables[name] = pd.concat(parts, ignore_index=True)
    tables["images"] = tables["images"].drop_duplicates(["data_digest", "index"])
    designs: dict[str, str] = {}
    for content in contents:
        for run, text in content.designs.items():
            designs[run] = _with_seeds_of(text, designs.get(run, text))
    names = sorted({content.experiment for content in contents})
    records = sorted(by_id.values(), key=lambda record: (record.start_time, record.run_id))
    return SnapshotRecords(", ".join(map(str, places)), ", ".join(names), records, tables, designs)


def _with_seeds_of(text: str, earlier: str) -> str:
    """A study's design with the seeds of an earlier snapshot's too: the study grew in between."""
    if text == earlier:
        return text
    now, before = (design_file.parse(each, "the snapshot's design") for each in (text, earlier))
    return now.with_changes(seeds=sorted({*now.seeds, *before.seeds}), epochs=None, dataset=None).to_yaml()


def from_parquet(content: bytes) -> pd.DataFrame:
    """A table from a Parquet file's bytes."""
    return pq.read_table(io.BytesIO(content)).to_pandas()


def _write_files(records: Sequence[Record], source: Records, folder: Path) -> None:
    trials = [record for record in records if record.tags.get(Tag.KIND) == TRIAL]
    studies = [record for record in records if record.tags.get(Tag.KIND) == STUDY]
    _save(pa.Table.from_pylist(_rows([*trials, *studies])), folder / RUNS)
    epochs = source.epochs([record.run_id for record in trials], list(Metric))
    _save(_table(epochs), folder / "epochs.parquet")
    predictions = {record.run_id: source.predictions(record.run_id) for record in trials}
    _save(_table(_joined(predictions)), folder / "predictions.parquet")
    wrong = {record.run_id: source.misclassified(record.run_id) for record in trials}
    _save(_table(_joined(wrong).drop(columns="pixels", errors="ignore")), folder / "misclassified.parquet")
    _save(_table(_images(trials, wrong)), folder / "images.parquet")
    designs = {record.run_id: source.design(record.run_id) for record in studies}
    (folder / STUDIES).write_text(json.dumps({run: text for run, text in designs.items() if text}, indent=1) + "\n")
    files = {path.name: folders.sha256(path) for path in sorted(folder.iterdir())}
    about = {"format": FORMAT, "regstudy": regstudy.__version__, "trials": len(trials), "studies": len(studies)}
    digests = sorted({record.tags[Tag.DATA_DIGEST] for record in trials})
    (folder / MANIFEST).write_text(json.dumps({**about, "data_digests": digests, "files": files}, indent=1) + "\n")


def _read(folder: Path) -> SnapshotRecords:
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        version, files = manifest["format"], dict(manifest["files"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise SnapshotError(
            f"{folder} is no snapshot ({type(error).__name__} at its {MANIFEST}): name a folder that `snapshot` wrote"
        ) from None
    if version != FORMAT:
        raise SnapshotError(f"{folder}: expected format {FORMAT}, got {version!r}: write it again with this version")
    for name in (RUNS, STUDIES, *(f"{table}.parquet" for table in TABLES)):
        path = folder / name
        if not path.is_file() or folders.sha256(path) != files.get(name):
            raise SnapshotError(f"{path} is not the file that its {MANIFEST} lists: get the snapshot again")
    try:
        records = [_record(row) for row in pq.read_table(folder / RUNS).to_pylist()]
        tables = {name: _whole(pq.read_table(folder / f"{name}.parquet").to_pandas(), name) for name in TABLES}
        designs = {str(run): str(text) for run, text in dict(json.loads((folder / STUDIES).read_text())).items()}
    except (OSError, ValueError, KeyError, TypeError, NotImplementedError, RecursionError) as error:  # listed, and none of ours
        raise SnapshotError(f"{folder} is damaged ({type(error).__name__}: {error}): get the snapshot again") from None
    return SnapshotRecords(str(folder), folder.name, records, tables, designs)


def _whole(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """A table that has what is read of it; KeyError or ValueError where it has not."""
    table = table.astype(dict.fromkeys(table.columns.intersection(["value"]), float))
    missing = NEEDED[name] - {*table.columns}
    if missing:
        raise KeyError(f"{name} without {', '.join(sorted(missing))}")
    return table


def _rows(records: Sequence[Record]) -> list[dict[str, Any]]:
    """A column per tag and metric; a run without one has null there, which is not NaN."""
    names = sorted({_tag_column(name) for r in records for name in r.tags if _is_kept(name)})
    metrics = sorted({f"metrics.{name}" for r in records for name in r.metrics if _is_measured(name)})
    empty: dict[str, Any] = dict.fromkeys([*names, *metrics])
    return [
        {
            "run_id": r.run_id,
            "run_name": r.name,
            "status": r.status,
            "start_time": r.start_time,
            **empty,
            **{_tag_column(name): portable(name, value) for name, value in r.tags.items() if _is_kept(name)},
            **{f"metrics.{name}": value for name, value in r.metrics.items() if _is_measured(name)},
        }
        for r in records
    ]


def _record(row: dict[str, Any]) -> Record:
    def under(prefix: str) -> dict[str, Any]:
        return {
            name.removeprefix(prefix): value for name, value in row.items() if name.startswith(prefix) and value is not None
        }

    return Record(
        str(row["run_id"]), row["run_name"], row["status"], int(row["start_time"]), under("tags."), under("metrics."), {}
    )


def _tag_column(name: str) -> str:
    return f"tags.{name}"


def _is_kept(name: str) -> bool:
    return name.startswith(OWN) and name not in LEFT_OUT


def _is_measured(name: str) -> bool:
    """By the name that snapshots keep for ever, and of the run rather than of the machine that it ran on."""
    return name not in FIRST_NAMES and not name.startswith(SYSTEM)


def portable(name: str, value: str) -> str:
    """Without paths of the machine that ran it."""
    if name in IN_WORDS:
        return MACHINE_PATH.sub("…", value)
    if name != Tag.CONFIG:
        return value
    return json.dumps({**json.loads(value), "data_root": None}, sort_keys=True, separators=(",", ":"))


def _joined(tables: Mapping[str, pd.DataFrame | None]) -> pd.DataFrame:
    there = {run: table for run, table in tables.items() if table is not None}
    if not there:
        return pd.DataFrame({"run_id": [], "index": []})
    return pd.concat([table.assign(run_id=run) for run, table in there.items()], ignore_index=True)


def _images(trials: Sequence[Record], wrong: Mapping[str, pd.DataFrame | None]) -> pd.DataFrame:
    parts = [
        table[["index", "pixels"]].assign(data_digest=record.tags[Tag.DATA_DIGEST])
        for record in trials
        if (table := wrong[record.run_id]) is not None
    ]
    if not parts:
        return pd.DataFrame({"index": [], "pixels": [], "data_digest": []})
    together = pd.concat(parts, ignore_index=True).drop_duplicates(["data_digest", "index"])
    return together.sort_values(["data_digest", "index"], ignore_index=True)


def _table(frame: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(frame, preserve_index=False)


def _save(table: pa.Table, path: Path) -> None:
    # Floating-point columns compress better byte by byte; the others as dictionaries.
    floats = [field.name for field in table.schema if pa.types.is_floating(field.type)]
    others = [field.name for field in table.schema if field.name not in floats]
    pq.write_table(table, path, compression="zstd", compression_level=19, use_dictionary=others, use_byte_stream_split=floats)  # pyright: ignore[reportArgumentType]  # lists are fine
