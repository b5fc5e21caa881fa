"""What tracking adds to a run, part by part: `python -m benchmarks.tracking_cost` does one run in this process and prints the parts as JSON."""

import json
import pkgutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any
from unittest import mock

PARTS = {
    "start the run, describe it": ("regstudy.tracking.track", "enter"),
    "log an epoch": ("regstudy.tracking.TrackedRun.log_epoch", "call"),
    "draw figures, write predictions": ("regstudy.run._write_artifacts", "call"),
    "log the files": ("regstudy.tracking.TrackedRun.log_files", "call"),
    "export and log the model": ("regstudy.tracking.TrackedRun.log_model", "call"),
    "log the outcome": ("regstudy.tracking.TrackedRun.log_outcome", "call"),
}
IMPORTS = {
    "import torch": "torch",
    "import mlflow": "mlflow.pytorch",
    "import matplotlib": "matplotlib.figure",
    "import the rest": "regstudy.run",
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
        """The function, timed; of a context manager, how long it takes to enter."""

        def timed(*args: Any, **kwargs: Any) -> Any:
            with self.part(name):
                return function(*args, **kwargs)

        @contextmanager
        def entered(*args: Any, **kwargs: Any) -> Iterator[Any]:
            manager = function(*args, **kwargs)
            with self.part(name):
                value = manager.__enter__()
            try:
                yield value
            except BaseException:
                manager.__exit__(*sys.exc_info())
                raise
            with self.part("end the run"):
                manager.__exit__(None, None, None)

        return entered if how == "enter" else timed


def main() -> None:
    """Train as the options after the program's name say, and print the parts."""
    clock = Clock()
    for name, module in IMPORTS.items():
        with clock.part(name):
            import_module(module)
    from regstudy import cli

    for name, (path, how) in PARTS.items():
        mock.patch(path, clock.around(name, how, pkgutil.resolve_name(path))).start()
    status = cli.main(["train", *sys.argv[1:]])
    print("\n" + json.dumps(clock.seconds))
    sys.exit(status)


if __name__ == "__main__":
    main()
