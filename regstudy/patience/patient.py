"""MLflow's client, made patient: each of its calls waits for a store that is away. What may have arrived before its answer was lost is not written twice."""

import time
from collections.abc import Callable
from functools import wraps
from typing import Any

from mlflow.entities import LoggedModel, LoggedModelOutput, Run
from mlflow.tracking import MlflowClient

from regstudy.patience import patience

MADE_OF_OTHERS = frozenset(
    {"log_dict", "log_figure", "log_image", "log_stream", "log_table", "log_text", "load_table", "tracking_uri"}
)
"""What calls log_artifact, which is patient, with a file whose name is made up: repeated as a whole, it would be there twice."""

PAGE = 100


class PatientClient(MlflowClient):
    """An MlflowClient whose public methods wait, as `patience.ask` does."""

    def __getattribute__(self, name: str) -> Any:
        """A public method, made patient; anything else as it is."""
        found = super().__getattribute__(name)
        if name.startswith("_") or name in MADE_OF_OTHERS or name in ONCE or not callable(found):
            return found
        return _patient(found)

    def create_run(self, experiment_id: str, *given: Any, **named: Any) -> Run:
        """A run of its own: one that an earlier attempt has made is known by the moment at which it was to start, and its tags."""
        begun = named.setdefault("start_time", int(time.time() * 1000))
        tags = dict(named.get("tags") or {})
        create = super().create_run

        def arrived() -> Run | None:
            found = MlflowClient.search_runs(self, [experiment_id], f"attributes.start_time = {begun}", max_results=PAGE)
            return next((run for run in found if tags.items() <= run.data.tags.items()), None)

        return patience.ask(lambda: create(experiment_id, *given, **named), arrived)

    def create_experiment(self, name: str, *given: Any, **named: Any) -> str:
        """The name is taken once."""
        create = super().create_experiment

        def arrived() -> str | None:
            found = MlflowClient.get_experiment_by_name(self, name)
            return found.experiment_id if found else None

        return patience.ask(lambda: create(name, *given, **named), arrived)

    def create_logged_model(
        self, experiment_id: str, name: str | None = None, source_run_id: str | None = None, *given: Any, **named: Any
    ) -> LoggedModel:
        """One model of this name per run."""
        create = super().create_logged_model

        def arrived() -> LoggedModel | None:
            if source_run_id is None:
                return None
            which = f"source_run_id = '{source_run_id}'"
            found = MlflowClient.search_logged_models(self, [experiment_id], which, max_results=PAGE)
            return next((model for model in found if model.name == name), None)

        return patience.ask(lambda: create(experiment_id, name, source_run_id, *given, **named), arrived)

    def log_outputs(self, run_id: str, models: list[LoggedModelOutput]) -> None:
        """A store would link them once more."""
        log = super().log_outputs

        def arrived() -> bool | None:
            outputs = MlflowClient.get_run(self, run_id).outputs
            linked = {model.model_id for model in outputs.model_outputs} if outputs else set()
            return {model.model_id for model in models} <= linked or None

        patience.ask(lambda: bool(log(run_id, models)), arrived)

    def log_metric(self, run_id: str, key: str, value: float, timestamp: int | None = None, *given: Any, **named: Any) -> Any:
        """At the moment of the first attempt: a store takes equal points once."""
        log, moment = super().log_metric, timestamp or int(time.time() * 1000)
        return patience.ask(lambda: log(run_id, key, value, moment, *given, **named))

    def delete_run(self, run_id: str) -> None:
        """A run that is deleted cannot be deleted."""
        delete = super().delete_run
        patience.ask(
            lambda: bool(delete(run_id)), lambda: MlflowClient.get_run(self, run_id).info.lifecycle_stage == "deleted" or None
        )

    def delete_tag(self, run_id: str, key: str) -> None:
        """A tag that is gone cannot be deleted."""
        delete = super().delete_tag
        patience.ask(lambda: bool(delete(run_id, key)), lambda: key not in MlflowClient.get_run(self, run_id).data.tags or None)


ONCE = frozenset(name for name in vars(PatientClient) if not name.startswith("_"))
"""What an attempt that has arrived would make impossible, or double: these look first."""


def _patient(call: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(call)
    def asked(*given: Any, **named: Any) -> Any:
        return patience.ask(lambda: call(*given, **named))

    return asked
