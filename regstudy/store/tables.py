"""MLflow's tables, whatever version of MLflow made them: what is read is decided by the columns that are there. Reads only."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from mlflow.store.db.base_sql_model import Base
from mlflow.store.db.utils import _get_alembic_config, _get_latest_schema_revision
from sqlalchemy import Connection, inspect, text

from regstudy.errors import TrackingError
from regstudy.store import database, store
from regstudy.store.stored import RunState, StoredExperiment, StoredRun

NEEDED: Mapping[str, frozenset[str]] = {
    "experiments": frozenset({"experiment_id", "name"}),
    "runs": frozenset({"run_uuid", "experiment_id", "status", "start_time"}),
    "metrics": frozenset({"run_uuid", "key", "value"}),
    "params": frozenset({"run_uuid", "key", "value"}),
    "tags": frozenset({"run_uuid", "key", "value"}),
}
"""Columns without which there is nothing to read."""

LATEST = "latest_metrics"
"""A table that the first versions of the schema do not have."""

INSTEAD = {
    "name": "''",
    "artifact_uri": "''",
    "lifecycle_stage": "'active'",
    "step": "0",
    "is_nan": "0",
    "timestamp": "0",
}
"""What stands for a column that an older version does not have."""

UNDER_WAY = "_alembic_tmp_"
"""Tables of a migration that has not ended begin so."""

RUN_NAME = "mlflow.runName"
UNKNOWN_STATUS = "FAILED"
"""What a run without a status counts as."""

NAMED = 3
"""Tables that a message names."""

EXPERIMENTS = "SELECT e.experiment_id, e.name, {lifecycle_stage} FROM experiments e ORDER BY e.experiment_id"
RUNS = (
    "SELECT r.run_uuid, {name}, r.status, r.start_time, {artifact_uri} FROM runs r "
    "WHERE r.experiment_id = :experiment AND {lifecycle_stage} = 'active' ORDER BY r.start_time, r.run_uuid"
)
OF_RUNS = (
    "SELECT t.run_uuid, t.key, t.value FROM {table} t JOIN runs r ON r.run_uuid = t.run_uuid "
    "WHERE r.experiment_id = :experiment AND {lifecycle_stage} = 'active'"
)
VALUES = OF_RUNS.replace("t.value FROM", "t.value, {is_nan}, {step}, {timestamp} FROM")
STATE = "SELECT r.experiment_id, r.status, {lifecycle_stage} FROM runs r WHERE r.run_uuid = :run"
TAGS = "SELECT t.key, t.value FROM tags t WHERE t.run_uuid = :run"


@dataclass(frozen=True)
class Tables:
    """A database that holds MLflow's tables; `columns` by table."""

    uri: str
    columns: Mapping[str, frozenset[str]]

    def experiments(self) -> list[StoredExperiment]:
        """All experiments, deleted ones too."""
        with database.reading(self.uri) as connection:
            found = connection.execute(
                text(EXPERIMENTS.format(lifecycle_stage=self.column("e", "experiments", "lifecycle_stage")))
            )
            return [StoredExperiment(str(number), name, stage == "deleted") for number, name, stage in found]

    def runs(self, experiment_id: str) -> list[StoredRun]:
        """All runs of an experiment that are not deleted, oldest first."""
        which, stage = {"experiment": int(experiment_id)}, self.column("r", "runs", "lifecycle_stage")
        columns = {name: self.column("r", "runs", name) for name in ("name", "artifact_uri", "lifecycle_stage")}
        with database.reading(self.uri) as connection:
            tags, params = (
                _by_run(connection, OF_RUNS.format(table=table, lifecycle_stage=stage), which) for table in ("tags", "params")
            )
            latest = self._latest(connection, which)
            found = connection.execute(text(RUNS.format(**columns)), which).all()
        return [_run(tuple(row), tags, latest, params) for row in found]

    def run_state(self, run_id: str) -> RunState | None:
        """How a run stands; None if there is none."""
        query = STATE.format(lifecycle_stage=self.column("r", "runs", "lifecycle_stage"))
        with database.reading(self.uri) as connection:
            found = connection.execute(text(query), {"run": run_id}).first()
            tags = {name: value for name, value in connection.execute(text(TAGS), {"run": run_id})}  # noqa: C416  # rows are no pairs to pyright
        return None if found is None else RunState(str(found[0]), found[1], found[2] == "deleted", tags)

    def column(self, short: str, table: str, name: str) -> str:
        """A column as a query names it, or what stands for it."""
        return f"{short}.{name}" if name in self.columns[table] else INSTEAD[name]

    def _latest(self, connection: Connection, which: Mapping[str, int]) -> Mapping[str, dict[str, float]]:
        """The latest value of each run's metrics: as MLflow has kept it, or as it would have."""
        table = LATEST if NEEDED["metrics"] <= self.columns[LATEST] else "metrics"
        columns = {name: self.column("t", table, name) for name in ("is_nan", "step", "timestamp")}
        query = VALUES.format(table=table, lifecycle_stage=self.column("r", "runs", "lifecycle_stage"), **columns)
        rows = connection.execute(text(query), which)
        ordered = rows if table == LATEST else sorted(rows, key=lambda row: (row[4], row[5], row[2]))
        latest: defaultdict[str, dict[str, float]] = defaultdict(dict)
        for run_id, key, value, is_nan, _, _ in ordered:
            # SQLite takes text in a column of numbers: no measurement.
            latest[run_id][key] = float("nan") if is_nan or not isinstance(value, (int, float, Decimal)) else float(value)
        return latest


def open_tables(uri: str) -> Tables:
    """The tables of a database; TrackingError says why there are none that can be read."""
    with database.reading(uri) as connection:
        inspector = inspect(connection)
        names = inspector.get_table_names()
        columns = {
            table: frozenset(str(column["name"]) for column in inspector.get_columns(table))
            if inspector.has_table(table)
            else frozenset()
            for table in (*NEEDED, LATEST)
        }
    if not any(columns.values()):
        raise TrackingError(f"{store.shown(uri)} is no MLflow store: it has {_named(names)}; set MLFLOW_TRACKING_URI to one")
    lacking = [f"{table}.{name}" for table, needed in NEEDED.items() for name in sorted(needed - columns[table])]
    if lacking:
        raise TrackingError(
            f"the tables of {store.shown(uri)} are none that this version of regstudy can read (there is no {', '.join(lacking[:NAMED])}): "
            "set MLFLOW_TRACKING_URI to an MLflow store, or a server that runs on this one"
        )
    return Tables(uri, columns)


def require_current(uri: str) -> None:
    """TrackingError if MLflow would change a database's tables before it wrote: whether that is to be is its owner's to say."""
    file = store.sqlite_file(uri)
    if not database.is_database(uri) or (file is not None and not file.exists()):
        return
    with database.reading(uri) as connection:
        unfinished, revision = _is_unfinished(connection), _revision(connection)
    newest, known = _get_latest_schema_revision(), revision is None or _is_known(revision)
    if revision == newest or (unfinished and known):
        return
    open_tables(uri)
    if not known:
        raise TrackingError(
            f"the tracking store {store.shown(uri)} is a newer MLflow's (its tables are of version {revision}, this one's of {newest}): "
            "upgrade mlflow, or set MLFLOW_TRACKING_URI to another store"
        )
    raise TrackingError(
        f"the tracking store {store.shown(uri)} is an older MLflow's, which could not open it any more once this one had written to it: keep a copy and "
        f"migrate it with mlflow db upgrade {store.shown(uri)}, or set MLFLOW_TRACKING_URI to another store"
    )


def is_new(uri: str) -> bool:
    """Whether MLflow has not finished making the tables of a database that is there."""
    with database.reading(uri) as connection:
        return _is_unfinished(connection)


def _is_unfinished(connection: Connection) -> bool:
    """Whether all tables that are there, if any, are MLflow's, and none has the default experiment, which it makes last."""
    names = set(inspect(connection).get_table_names())
    others = names - {*Base.metadata.tables, "alembic_version"}
    if any(not name.startswith(UNDER_WAY) for name in others):
        return False
    return "experiments" not in names or connection.execute(text("SELECT 1 FROM experiments")).first() is None


def _revision(connection: Connection) -> str | None:
    """The version of the tables that MLflow's migrations have noted; the first versions have none."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _is_known(revision: str) -> bool:
    from alembic.script import ScriptDirectory

    return revision in {known.revision for known in ScriptDirectory.from_config(_get_alembic_config("")).walk_revisions()}


def _run(
    row: Sequence[Any],
    tags: Mapping[str, dict[str, str]],
    latest: Mapping[str, dict[str, float]],
    params: Mapping[str, dict[str, str]],
) -> StoredRun:
    run_id, name, status, start_time, artifact_uri = row
    own = tags.get(run_id, {})
    named = name or own.get(RUN_NAME, "")
    return StoredRun(
        run_id,
        named,
        status or UNKNOWN_STATUS,
        start_time or 0,
        own,
        latest.get(run_id, {}),
        params.get(run_id, {}),
        artifact_uri or "",
    )


def _by_run(connection: Connection, query: str, which: Mapping[str, int]) -> dict[str, dict[str, str]]:
    found: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for run_id, key, value in connection.execute(text(query), which):
        if value is not None:
            found[run_id][key] = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    return found


def _named(tables: Sequence[str]) -> str:
    if not tables:
        return "no tables"
    more = f" and {len(tables) - NAMED} more" if len(tables) > NAMED else ""
    return f"only tables of something else ({', '.join(tables[:NAMED])}{more})"
