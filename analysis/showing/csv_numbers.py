"""Findings as numbers in the stored units, for the report's CSV files."""

import pandas as pd

from ..judging.findings import Findings
from . import wording


def frames(found: Findings) -> dict[str, pd.DataFrame]:
    """Tables by file name."""
    tables = {"ranking": found.table, "pairs": found.ranking.pairs, "comparisons": found.comparisons}
    if found.judged:
        tables["verdicts"] = _verdict_frame(found)
    if found.effects is not None:
        tables["effects"] = found.effects
    if found.contest is not None and len(found.contest.itself):
        tables["against_itself"] = found.contest.itself
    return tables


def _verdict_frame(found: Findings) -> pd.DataFrame:
    rows = []
    for judged in found.judged:
        for result in judged.contrasts or (None,):
            row: dict[str, object] = {"claim": judged.id, "text": judged.text, "verdict": wording.verdict_words(judged)}
            row |= {"p_adjusted": judged.p_adjusted, "further_seeds": judged.further}
            if result is not None:
                row |= {"measure": result.metric, "scale": result.scale, "subject": result.subject, "rival": result.rival}
                row |= {"expect": result.expect, "margin": result.margin, "deciding": result is judged.deciding}
                row |= {"n": result.plain.n, "estimate": result.plain.mean, "low": result.plain.low, "high": result.plain.high}
                row |= {
                    "p": result.p,
                    "p_sign_flip": result.p_sign_flip,
                    "effect_size": result.effect_size,
                    "won": result.won,
                }
            rows.append(row)
    return pd.DataFrame(rows)
