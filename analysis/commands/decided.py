"""What of a study is decided, and which configurations further seeds are needed of: for whoever runs it, as JSON."""

import argparse
import json
from collections.abc import Iterable, Sequence

from regstudy.console import terminal

from ..judging.claims import OPEN, Compared, Judged
from ..judging.findings import Findings
from ..judging.ranking import Relation
from ..showing import methods
from . import commands

WANTED = "which is to be used"
"""What a design without claims asks."""


def decided(arguments: argparse.Namespace, _command: str) -> None:
    """Print what is decided and what is open, and the configurations, by digest, that further seeds may decide it with."""
    terminal.say(json.dumps(decision(commands.found(arguments)), ensure_ascii=False))


def decision(found: Findings) -> dict[str, object]:
    """`seeds` that the configurations have that have most; `decided` and `open`, questions; `further`, how many more seeds the open ones will probably take, None if more than 1,000 or not known; `needed`, digests of configurations.

    Nothing is needed where further seeds can change nothing: of a configuration that diverges each time no verdict comes.
    """
    own = [judged for judged in found.judged if judged.contrasts]
    open_ = [judged for judged in own if judged.verdict in OPEN]
    names = sorted({name for judged in open_ for result in _undecided(judged) for name in _both(result)})
    texts, further = [judged.text for judged in open_], [judged.further for judged in open_]
    decided_ = [judged.text for judged in own if judged.verdict not in OPEN]
    if not own:
        unsettled = [
            one for one in (found, *found.beside) if not one.ranking.advised and len(one.table) > 1
        ]  # one has no rival
        names = sorted({name for one in unsettled for name in _unresolved(one)})
        texts, decided_ = ([WANTED], []) if unsettled else ([], [WANTED])
        further = [methods.further_for_advice(one) for one in unsettled]
    # A block has every data set: what is needed on one is run on all.
    own_runs = [own.runs for own in (found.trials, *found.trials.beside)]
    digests = [dict(zip(runs["configuration"], runs["configuration_digest"], strict=True)) for runs in own_runs]
    return {
        "seeds": int((found.table["seeds"] + found.table["diverged"]).max()),
        "decided": decided_,
        "open": texts,
        "further": _most(further),
        "needed": [own[name] for own in digests for name in names if name in own],
    }


def _undecided(judged: Judged) -> list[Compared]:
    """The contrasts that keep it open, and that further seeds may decide."""
    return [result for result in judged.contrasts if result.verdict in OPEN and (result.blocks or not result.left_out)]


def _both(result: Compared) -> Iterable[str]:
    return [result.subject] if result.against_number else [result.subject, result.rival]


def _unresolved(found: Findings) -> list[str]:
    """The leader, and whoever is not known to be worse or as good."""
    pairs = found.ranking.pairs
    own = pairs[pairs["relation"] == Relation.UNRESOLVED]
    return sorted({*own["first"], *own["second"]})


def _most(further: Sequence[int | None]) -> int | None:
    known = [number for number in further if number is not None]
    return max(known) if known else None
