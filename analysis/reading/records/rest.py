"""Metric histories over HTTP, a hundred runs a request, by the endpoint that MLflow's own pages use. It is not documented, and it cuts in silence."""

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.rest_utils import http_request

from regstudy.patience import patience

ENDPOINT = "/ajax-api/2.0/mlflow/metrics/get-history-bulk"
MOST_POINTS = 25_000
"""More are cut off without a word: an answer this long is asked for again in halves."""

MOST_RUNS = 100


def points(uri: str, run_ids: Sequence[str], metrics: Sequence[str]) -> pd.DataFrame | None:
    """Every point of these metrics: run_id, metric, step, value, timestamp. None if the server has no such endpoint, or a history is too long for it."""
    try:
        rows = [
            (point["run_id"], point["key"], int(point["step"]), float(point["value"]), int(point["timestamp"]))
            for metric in metrics
            for start in range(0, len(run_ids), MOST_RUNS)
            for point in _whole(uri, run_ids[start : start + MOST_RUNS], metric)
        ]
    except (MlflowException, OSError, KeyError, ValueError, _TooLong):
        return None
    return pd.DataFrame(rows, columns=["run_id", "metric", "step", "value", "timestamp"])


class _TooLong(Exception):
    """One run's history alone may have been cut."""


def _whole(uri: str, run_ids: Sequence[str], metric: str) -> Iterator[dict[str, str]]:
    """All points of some runs, asked for in halves until no answer can have been cut."""
    found = _ask(uri, run_ids, metric)
    if len(found) < MOST_POINTS:
        yield from found
    elif len(run_ids) == 1:
        raise _TooLong
    else:
        half = len(run_ids) // 2
        yield from _whole(uri, run_ids[:half], metric)
        yield from _whole(uri, run_ids[half:], metric)


def _ask(uri: str, run_ids: Sequence[str], metric: str) -> list[dict[str, str]]:
    asked = [("metric_key", metric), *(("run_id", run_id) for run_id in run_ids)]
    answer: Any = patience.once(lambda: http_request(get_default_host_creds(uri), ENDPOINT, "GET", params=asked))
    if answer.status_code != 200:
        raise MlflowException(f"{ENDPOINT}: status {answer.status_code}")
    return answer.json()["metrics"]
