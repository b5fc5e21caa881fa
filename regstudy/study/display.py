"""What a study shows while it runs: all trials at work with the time left on a terminal, a line per finished trial elsewhere."""

import threading
import time
from typing import Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID

from regstudy.console import screen
from regstudy.console.redaction import redacted
from regstudy.console.terminal import in_words, plural, shown, width
from regstudy.console.text import wrapped
from regstudy.design.trial import Trial
from regstudy.patience import patience
from regstudy.schema import Summary
from regstudy.store import store
from regstudy.study.executors import End
from regstudy.study.plan import Plan
from regstudy.tracking import ledger
from regstudy.tracking.ledger import Entry

POLL_SECONDS = 2.0

LOCKED_SECONDS = 10.0
"""A SQLite store may be locked for a while: others write too."""


class Watch:
    """Looks at the store now and then, whoever is at work on the trials, and says when it stops answering; `live` draws bars."""

    def __init__(self, planned: Plan, *, live: bool) -> None:
        self._planned = planned
        self._console, self._start = screen.console(), time.monotonic()
        self._left_at_start = planned.epochs_left()
        columns = screen.words("task.description"), BarColumn(), MofNCompleteColumn(), screen.words("task.fields[note]")
        self._bars = Progress(*columns, console=self._console, disable=not (live and self._console.is_terminal))
        self._silent = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._poll, daemon=True)
        self._shown: dict[str, TaskID] = {}
        total, done = len(planned.trials), len(planned.trials) - len(planned.unfinished())
        self._all = self._bars.add_task("all trials", total=total, completed=done, note="")

    def __enter__(self) -> Self:
        self._bars.start()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(POLL_SECONDS)
        self._bars.stop()

    def say(self, line: str) -> None:
        """Print a line, above the bars if there are any."""
        self._console.print(wrapped(shown(redacted(line)), width()), soft_wrap=True)

    def grow(self, planned: Plan) -> None:
        """There are more trials to do than there were."""
        self._left_at_start += planned.epochs_left() - self._planned.epochs_left()
        self._planned = planned
        self._bars.update(self._all, total=len(planned.trials), completed=len(planned.trials) - len(planned.unfinished()))

    def update(self, planned: Plan, trial: Trial, end: End) -> None:
        """A trial has ended, one way or another."""
        self._planned = planned
        done = len(planned.trials) - len(planned.unfinished())
        left = self._left(self._under_way(self._running()))
        if end.run_id is not None:
            self.say(
                f"{done:>4}/{len(planned.trials)}  seed {trial.config.seed}  {trial.configuration}: {_result(planned, trial)}  {left}"
            )
        self._bars.update(self._all, completed=done, note=left)

    def _running(self) -> dict[str, Entry]:
        """The trials of this study that some process is at, by their digest."""
        planned, ours = self._planned, {trial.digest for trial in self._planned.trials}
        each = (entry for digest in planned.digests.values() for entry in ledger.running(planned.experiment_id, digest))
        return {entry.trial: entry for entry in each if entry.trial in ours}

    def _under_way(self, running: dict[str, Entry]) -> int:
        """Epochs of unfinished trials that the plan does not know of yet."""
        known = self._planned.entries
        return sum(entry.epochs_done - (known[trial].epochs_done if trial in known else 0) for trial, entry in running.items())

    def _left(self, under_way: int) -> str:
        """The time left, at the speed so far."""
        left = self._planned.epochs_left() - under_way
        trained = self._left_at_start - left
        return f"{in_words((time.monotonic() - self._start) / trained * left)} left" if trained > 0 else ""

    def _poll(self) -> None:
        while not self._stop.wait(POLL_SECONDS):
            if not self._answers() or self._bars.disable:
                continue
            try:
                running = self._running()
            except Exception:  # noqa: BLE001, S112  # a store that is busy: the next look will do
                continue
            trials = {trial.digest: trial for trial in self._planned.trials}
            for digest, entry in running.items():
                config = trials[digest].config
                if digest not in self._shown:
                    name = f"seed {config.seed}  {trials[digest].configuration}"
                    self._shown[digest] = self._bars.add_task(shown(name), total=config.epochs, note="epochs")
                self._bars.update(self._shown[digest], completed=entry.epochs_done)
            for digest in self._shown.keys() - running.keys():
                self._bars.remove_task(self._shown.pop(digest))
            self._bars.update(self._all, note=self._left(self._under_way(running)))

    def _answers(self) -> bool:
        """Whether the store answers; a line where that changes, since nobody hears the processes that train."""
        reason = store.why_away(LOCKED_SECONDS)
        if reason:
            patience.outage.begin(reason)
        elif self._silent:
            patience.outage.end()
        self._silent = bool(reason)
        return not reason


def _result(planned: Plan, trial: Trial) -> str:
    entry = planned.entries.get(trial.digest)
    if entry is None:
        return "done, but not in this store"
    if entry.state == "diverged":
        return f"diverged after {plural(entry.epochs_done, 'epoch')}"
    accuracy = entry.metrics.get(Summary.ENDPOINT_TEST_ACCURACY)
    return "done" if accuracy is None else f"test accuracy {accuracy:.2%}"
