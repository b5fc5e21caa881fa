"""How many trials would have been enough? `--until decided`, replayed on a committed study's trials, their seeds taken in random orders."""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import analysis as an
from analysis.commands.documents import decision
from analysis.judging import findings
from analysis.reading.trials import Trials
from regstudy.console import terminal
from regstudy.design.history import Plan
from regstudy.study.until import FIRST

ORDERS = 200
GENERATOR = 0


@dataclass(frozen=True)
class Replay:
    """One order of seeds: trials that were used; by question that was decided, how many trials there were by then; the questions that the seeds did not decide."""

    trials: int
    decided: dict[str, int]
    open: tuple[str, ...]


def replay(trials: Trials, seeds: Sequence[object]) -> Replay:
    """Take blocks in this order, as `study run --until decided` would: FIRST at once, then one at a time, without the configurations that are settled."""
    digests = set(trials.runs["configuration_digest"])
    begun, needed, told = 0, digests, dict[str, int]()
    taken = trials.runs["seed"].isin([])
    while True:
        new = seeds[:FIRST] if begun == 0 else seeds[begun : begun + 1]
        taken |= trials.runs["seed"].isin(new) & trials.runs["configuration_digest"].isin(needed)
        begun += len(new)
        said = _look(trials, taken.to_numpy())
        for question in said.decided:
            told.setdefault(question, int(taken.sum()))
        if not said.needed or begun == len(seeds):
            return Replay(int(taken.sum()), {question: told[question] for question in said.decided}, said.open)
        needed = said.needed


@dataclass(frozen=True)
class _Look:
    decided: tuple[str, ...]
    open: tuple[str, ...]
    needed: set[str]


def _look(trials: Trials, taken: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> _Look:
    runs = trials.runs[taken]
    epochs = trials.epochs[trials.epochs["run_id"].isin(runs["run_id"])]
    said = decision(findings.find(replace(trials, runs=runs, epochs=epochs)))
    return _Look(_texts(said["decided"]), _texts(said["open"]), set(_texts(said["needed"])))


def _texts(value: object) -> tuple[str, ...]:
    assert isinstance(value, list)
    return tuple(map(str, value))


def replays(trials: Trials, orders: int = ORDERS) -> list[Replay]:
    """As many random orders of the trials' seeds; what was planned is not asked: each is one that goes on until it is decided."""
    trials = replace(trials, plan=Plan(None, sequential=True))
    seeds, rng = sorted(set(trials.runs["seed"])), np.random.default_rng(GENERATOR)
    return [replay(trials, [seeds[place] for place in rng.permutation(len(seeds))]) for _ in range(orders)]


def table(trials: Trials, found: Sequence[Replay]) -> list[str]:
    """Markdown: a row per question, and one for all."""
    whole = len(trials.runs)
    questions = dict.fromkeys(question for own in found for question in (*own.decided, *own.open))
    rows = [("question", "decided in", "trials until then: median", "middle 90%"), ("---", "---:", "---:", "---:")]
    rows += [
        (question, *_spread([own.decided[question] for own in found if question in own.decided], len(found)))
        for question in questions
    ]
    rows.append(("all of them", *_spread([own.trials for own in found if not own.open], len(found))))
    used = [own.trials for own in found]
    mean = f"{np.mean(used):.1f} of {whole} trials were used in the mean ({min(used)} to {max(used)})"
    never = Counter(question for own in found for question in own.open)
    open_ = "; ".join(f"“{question}” in {n} of {len(found)}" for question, n in never.items())
    return [*(f"| {' | '.join(row)} |" for row in rows), "", f"{mean}. Still open where the seeds ended: {open_ or 'none'}."]


def _spread(numbers: Sequence[int], of: int) -> tuple[str, str, str]:
    if not numbers:
        return f"0 of {of}", "–", "–"
    low, middle, high = np.quantile(numbers, (0.05, 0.5, 0.95))
    return f"{len(numbers)} of {of}", f"{middle:.0f}", f"{low:.0f} to {high:.0f}"


def main() -> None:
    """Print the table of a study whose snapshots are in these folders."""
    cli = argparse.ArgumentParser(prog="python -m benchmarks.replay", description=__doc__)
    cli.add_argument("study", help="its name, as in its design")
    cli.add_argument("folders", nargs="+", type=Path, help="folders with its snapshots")
    cli.add_argument("--orders", type=int, default=ORDERS, help="random orders of its seeds; default: %(default)s")
    given = cli.parse_args()
    snapshots = sorted(manifest.parent for folder in given.folders for manifest in folder.rglob("manifest.json"))
    trials = an.read(given.study, snapshots=snapshots)
    seeds = trials.runs["seed"].nunique()
    print(f"## {given.study}: {seeds} seeds in {given.orders} random orders\n")
    print("\n".join(table(trials, replays(trials, given.orders))))


if __name__ == "__main__":
    sys.exit(terminal.run_command("python -m benchmarks.replay", main))
