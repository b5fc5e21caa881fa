"""The command `search`: its options, and what it prints."""

import argparse
import shlex
from pathlib import Path

from regstudy.config import THREADS
from regstudy.console import document, invocation, terminal
from regstudy.console.document import Document
from regstudy.design import search_file
from regstudy.design.search_file import Search

TRIALS, MOST = 30, 100_000


def command(given: argparse.Namespace) -> None:
    """Search, and write the design that confirms what was found."""
    search = search_file.load(given.file)
    search = search.with_changes(epochs=terminal.whole_number(given.epochs, "--epochs", MOST), dataset=given.dataset or None)
    trials = terminal.whole_number(given.trials, "--trials", MOST) or TRIALS
    output = Path(given.output or Path(given.file).parent / f"{search.name}-confirm.yaml")
    search_file.require_place(output, search)
    threads = terminal.whole_number(given.threads, "--threads", THREADS)
    with document.alone(given.json):
        told = _search(search, trials, given.data_root or None, threads, output)
    if given.json:
        document.give(told)
    else:
        terminal.say_next(shlex.join(["python", "-m", "regstudy", "study", "run", invocation.path(str(output))]))


def _search(search: Search, trials: int, data_root: str | None, threads: int | None, output: Path) -> Document:
    # Imported here: torch, mlflow and optuna cost seconds, which help and errors need not wait for.
    from regstudy.machine import cores
    from regstudy.study import search as searching

    fields = ", ".join(search.space)
    terminal.say(
        f"search {search.name}: {terminal.plural(trials, 'configuration')} in {fields}, up to {terminal.plural(len(search.seeds), 'seed')} each, "
        f"by {search_file.METRIC}"
    )
    found = searching.run(search, trials, data_root, threads or cores.usable(), terminal.say)
    told = ", ".join(f"{name} {value}" for name, value in found.best.items())
    terminal.say(
        f"best: {told}, {found.value:.2%} on held-out images. The best of many looks better than it is: confirm it with fresh seeds"
    )
    is_baseline = search.is_baseline(found.best)
    if is_baseline:
        terminal.say("that is the baseline itself: nothing that was tried is better, and there is nothing to confirm")
    else:
        search_file.write(search.confirming(found.best, found.configurations, found.runs), output)
    counts = {"configurations": found.configurations, "runs": found.runs}
    result = {"best": dict(found.best), "metric": search_file.METRIC, "value": found.value, **counts}
    return {"search": search.name, **result, "design": None if is_baseline else str(output), "notices": []}
