"""The command `search`: its options, and what it prints."""

import argparse
from pathlib import Path

from regstudy.config import THREADS
from regstudy.console import invocation, terminal
from regstudy.design import search_file

TRIALS, MOST = 30, 100_000


def command(given: argparse.Namespace) -> None:
    """Search, and write the design that confirms what was found."""
    search = search_file.load(given.file)
    search = search.with_changes(epochs=terminal.whole_number(given.epochs, "--epochs", MOST), dataset=given.dataset or None)
    trials = terminal.whole_number(given.trials, "--trials", MOST) or TRIALS
    output = Path(given.output or Path(given.file).parent / f"{search.name}-confirm.yaml")
    search_file.require_place(output, search)
    # Imported here: torch, mlflow and optuna cost seconds, which help and errors need not wait for.
    from regstudy.machine import cores
    from regstudy.study import search as searching

    threads = terminal.whole_number(given.threads, "--threads", THREADS) or cores.usable()
    fields = ", ".join(search.space)
    terminal.say(
        f"search {search.name}: {terminal.plural(trials, 'configuration')} in {fields}, up to {terminal.plural(len(search.seeds), 'seed')} each, "
        f"by {search_file.METRIC}"
    )
    found = searching.run(search, trials, given.data_root or None, threads, terminal.say)
    told = ", ".join(f"{name} {value}" for name, value in found.best.items())
    terminal.say(
        f"best: {told}, {found.value:.2%} on held-out images. The best of many looks better than it is: confirm it with fresh seeds:"
    )
    search_file.write(search.confirming(found.best, found.configurations, found.runs), output)
    terminal.say(f"python -m regstudy study run {invocation.path(str(output))}")
