"""What commands give as JSON, of the same findings as their text: numbers as stored, under the names of the frames and of the report's tables (docs/guides/json.md)."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from regstudy.console.document import Document

from ..files.rows import rows
from ..judging import pair
from ..judging.claims import OPEN, Compared, Judged
from ..judging.findings import Findings
from ..judging.images import Between
from ..judging.ranking import Relation
from ..reading.measures import Measure
from ..reading.trials import TEST_IMAGES, Trials
from ..showing import methods, terminal_tables, wording
from ..showing.words import opening

WANTED = "which is to be used"
"""What a design without claims asks."""


def rankings(results: Sequence[Findings]) -> Document:
    """A ranking per metric or data set."""
    notices = dict.fromkeys(notice for found in results for notice in found.trials.notices)
    return {"rankings": [_ranking(found) for found in results], "notices": list(notices)}


def verdicts(found: Findings) -> Document:
    """Every claim with its verdict."""
    return {
        **_read(found.trials),
        "alpha": found.alpha,
        "claims": [_claim(judged) for judged in found.judged],
        "in_words": terminal_tables.verdicts_in_words(found),
        "notices": list(found.trials.notices),
    }


def compared(found: Findings, first: str, second: str, images: Between | None, in_words: Sequence[str]) -> Document:
    """Two configurations: by the endpoint, by each measure, image by image."""
    result = pair.endpoint(found, first, second)
    return {
        **_read(found.trials),
        **_endpoint(found),
        "first": first,
        "second": second,
        "endpoint": _contrast(result),
        "measures": [_measured(row) for row in pair.rows(found, first, second)],
        "images": asdict(images) if images else None,
        "in_words": [*terminal_tables.judgement(found, result), *in_words],
        "notices": list(found.trials.notices),
    }


def report(found: Findings) -> Document:
    """All of a report: every ranking, of the study's other data sets too, and every claim."""
    return {
        "headline": opening.headline(found),
        **rankings((found, *found.beside)),
        "claims": [_claim(judged) for judged in found.judged],
        "verdicts_in_words": terminal_tables.verdicts_in_words(found) if found.judged else [],
    }


def decision(found: Findings) -> Document:
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
        "seeds": found.blocks,
        "decided": decided_,
        "open": texts,
        "further": _most(further),
        "needed": [own[name] for own in digests for name in names if name in own],
    }


def _ranking(found: Findings) -> Document:
    ranked = found.ranking
    return {
        **_read(found.trials),
        **_endpoint(found),
        "alpha": found.alpha,
        "compared": ranked.compared,
        "tests": ranked.tests,
        "leader": ranked.leader,
        "leading": ranked.leading,
        "advised": ranked.advised,
        "configurations": _records(found.table),
        "pairs": _records(ranked.pairs),
        **({} if found.parameters is None else {"parameters": _records(found.parameters)}),
        "in_words": terminal_tables.ranking_in_words(found),
    }


def _read(trials: Trials) -> Document:
    """Whose runs these are, and what they were measured on."""
    runs = trials.runs
    own = trials.has("dataset", "epochs", TEST_IMAGES)
    return {
        "experiment": trials.source.experiment,
        "study": trials.study.design.name if trials.study else None,
        "runs": len(runs),
        "block": trials.words.block,
        "dataset": str(runs["dataset"].iloc[0]) if own else None,
        "test_images": int(runs[TEST_IMAGES].iloc[0]) if own else None,
        "epochs": int(runs["epochs"].max()) if own else None,
    }


def _endpoint(found: Findings) -> Document:
    scale = found.scale
    return {**_of(found.endpoint), "higher_is_better": scale.higher_is_better, "margin": scale.margin}


def _of(reading: Measure) -> Document:
    """A measure; a stored value times `factor` is in the unit."""
    return {"metric": reading.key, "words": reading.words, "unit": reading.unit, "factor": reading.factor}


def _measured(row: pair.Row) -> Document:
    own = row.difference
    told = {"mean_first": row.first, "mean_second": row.second, "difference": own.mean, "low": own.low, "high": own.high}
    return {**_of(row.measure), **told, "sd": own.sd, "p": own.p, "n": own.n, "logarithm": row.measure.ratio}


def _claim(judged: Judged) -> Document:
    deciding = judged.deciding
    low, high, _ = wording.deciding(deciding) if deciding else (None, None, None)
    return {
        "claim": judged.id,
        "text": judged.text,
        "answer": wording.ANSWERS[judged.verdict],
        "verdict": wording.verdict_words(judged),
        "n": deciding.plain.n if deciding else None,
        "estimate": deciding.plain.mean if deciding else None,
        "low": low,
        "high": high,
        "p": judged.p,
        "p_adjusted": judged.p_adjusted,
        "further_seeds": judged.further,
        "parts": [part.id for part in judged.parts],
        "contrasts": [_contrast(result) | {"deciding": result is deciding} for result in judged.contrasts],
    }


def _contrast(result: Compared) -> dict[str, Any]:
    """As a row of the report's verdicts.csv."""
    plain = result.plain
    return {
        "measure": result.metric,
        "scale": result.scale,
        "subject": result.subject,
        "rival": result.rival,
        "on": result.on,
        "minus": result.minus,
        "expect": result.expect,
        "margin": result.margin,
        "n": plain.n,
        "estimate": plain.mean,
        "low": plain.low,
        "high": plain.high,
        "alpha": result.alpha,
        "strict_alpha": result.strict_alpha,
        "anytime": result.anytime,
        "p": result.p,
        "p_sign_flip": result.p_sign_flip,
        "effect_size": result.effect_size,
        "won": result.won,
        "correlation": result.correlation,
    }


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """A frame's rows; None where there is no value, whatever stands for that."""
    return rows(frame.astype(object).where(frame.notna(), None))


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
