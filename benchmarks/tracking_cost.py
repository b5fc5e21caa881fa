"""What tracking adds to a run, part by part: `python -m benchmarks.tracking_cost` does one run in this process and prints the parts as JSON."""

import json
import pkgutil
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from typing import Any
from unittest import mock

BEGIN = "start the run, describe it"
PARTS = (
    (BEGIN, "regstudy.tracking.recorder.start", "call"),
    (BEGIN, "regstudy.tracking.recorder.describe", "call"),
    ("save a checkpoint", "regstudy.tracking.checkpoint.save_after_epoch", "call"),
    ("log an epoch", "regstudy.tracking.recorder.TrackedRun.log_epoch", "call"),
    ("draw figures, write predictions", "regstudy.run.trial._write_artifacts", "call"),
    ("log the files", "regstudy.tracking.recorder.TrackedRun.log_files", "call"),
    ("export and log the model", "regstudy.tracking.recorder.TrackedRun.log_model", "call"),
    ("log the outcome", "regstudy.tracking.recorder.TrackedRun.log_outcome", "call"),
    ("be at work, end the run", "regstudy.tracking.recorder.at_work", "enter and exit"),
)
"""What is timed, by the function that does it."""

IMPORTS = {
    "import torch": "torch",
    "import mlflow": "mlflow.pytorch",
    "import matplotlib": "matplotlib.figure",
    "import the rest": "regstudy.run.trial",
}


class Clock:
    """Seconds by part, and how often each was called."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {}

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Time what happens inside."""
        start = time.perf_counter()
        yield
        self.seconds.setdefault(name, []).append(time.perf_counter() - start)

    def around(self, name: str, how: str, function: Any) -> Any:
        """The function, timed; of a context manager, how long it takes to enter and to leave."""

        def timed(*args: Any, **kwargs: Any) -> Any:
            with self.part(name):
                return function(*args, **kwargs)

        @contextmanager
        def entered(*args: Any, **kwargs: Any) -> Iterator[Any]:
            with ExitStack() as stack:
                with self.part(name):
                    value = stack.enter_context(function(*args, **kwargs))
                yield value
                with self.part(name):
                    stack.pop_all().__exit__(None, None, None)

        return timed if how == "call" else entered


def main() -> None:
    """Train as the options after the program's name say, and print the parts."""
    clock = Clock()
    for name, module in IMPORTS.items():
        with clock.part(name):
            import_module(module)
    from regstudy.commands import cli

    for name, path, how in PARTS:
        mock.patch(path, clock.around(name, how, pkgutil.resolve_name(path))).start()
    status = cli.main(["train", *sys.argv[1:]])
    print("\n" + json.dumps(clock.seconds))
    sys.exit(status)


if __name__ == "__main__":
    main()
