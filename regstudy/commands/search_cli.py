"""The command `search`: its options, and what it prints."""

import argparse
from pathlib import Path

from regstudy.config import THREADS
from regstudy.console import invocation, terminal
from regstudy.design import search_file
from regstudy.errors import UsageError

TRIALS, MOST = 30, 10_000


def command(given: argparse.Namespace) -> None:
    """Search, and write the design that confirms what was found."""
    search = search_file.load(given.file)
    search = search.with_changes(epochs=_number(given.epochs, "--epochs", 2**31), dataset=given.dataset or None)
    trials = _number(given.trials, "--trials", MOST) or TRIALS
    output = Path(given.output or Path(given.file).parent / f"{search.name}-confirm.yaml")
    # Imported here: torch, mlflow and optuna cost seconds, which help and errors need not wait for.
    from regstudy.machine import cores
    from regstudy.study import search as searching

    threads = _number(given.threads, "--threads", THREADS) or cores.usable()
    fields = ", ".join(search.space)
    terminal.say(
        f"search {search.name}: {terminal.plural(trials, 'configuration')} in {fields}, up to {terminal.plural(len(search.seeds), 'seed')} each, "
        f"by {search_file.METRIC}"
    )
    found = searching.run(search, trials, given.data_root or None, threads, terminal.say)
    design = search.confirming(found.best, found.configurations, found.runs)
    search_file.write(design, output)
    told = ", ".join(f"{name} {value}" for name, value in found.best.items())
    terminal.say(
        f"best: {told}, {found.value:.2%} on held-out images. The best of many looks better than it is: confirm it with fresh seeds:"
    )
    terminal.say(f"python -m regstudy study run {invocation.path(str(output))}")


def _number(text: str, option: str, most: int) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= most):
        raise UsageError(f"{option}: expected a whole number from 1 to {most:,}, got {text!r}")
    return int(text)
