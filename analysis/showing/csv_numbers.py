"""Findings as numbers in the stored units, for the report's CSV files."""

import pandas as pd

from ..judging.findings import Findings
from ..reading.trials import Words
from . import wording


def frames(found: Findings) -> dict[str, pd.DataFrame]:
    """Tables by file name."""
    return {name: named(table, found.trials.words) for name, table in _tables(found).items()}


def named(table: pd.DataFrame, words: Words) -> pd.DataFrame:
    """A table whose columns say what these runs' blocks and steps are called; inside, they are seeds and epochs."""
    block = words.block
    own = {"seed": block, "seeds": f"{block}s", "further_seeds": f"further_{block}s", "epoch": words.step}
    return table.rename(columns=own)


def _tables(found: Findings) -> dict[str, pd.DataFrame]:
    tables = {
        "ranking": found.table,
        "pairs": found.ranking.pairs if found.parameters is None else _tested(found.ranking.pairs),
        "comparisons": found.comparisons,
    }
    if found.parameters is not None:
        tables["parameters"] = found.parameters
    if found.judged:
        tables["verdicts"] = _verdict_frame(found)
    if len(found.sharpness):
        tables["sharpness"] = found.sharpness
    if found.effects is not None:
        tables["effects"] = found.effects
    if found.contest is not None and len(found.contest.itself):
        tables["against_itself"] = found.contest.itself
    return tables


def _tested(pairs: pd.DataFrame) -> pd.DataFrame:
    return pairs[pairs["p"].notna()]


def _verdict_frame(found: Findings) -> pd.DataFrame:
    rows = []
    for judged in found.judged:
        for result in judged.contrasts or (None,):
            row: dict[str, object] = {
                "claim": judged.id,
                "text": judged.text,
                "answer": wording.ANSWERS[judged.verdict],
                "verdict": wording.verdict_words(judged),
            }
            row |= {"p_adjusted": judged.p_adjusted, "further_seeds": judged.further}
            if result is not None:
                row |= {"measure": result.metric, "scale": result.scale, "subject": result.subject, "rival": result.rival}
                row |= {"on": result.on, "minus": result.minus} if result.on else {}
                row |= {"expect": result.expect, "margin": result.margin, "deciding": result is judged.deciding}
                row |= {"n": result.plain.n, "estimate": result.plain.mean, "low": result.plain.low, "high": result.plain.high}
                row |= {"alpha": result.alpha, "strict_alpha": result.strict_alpha, "anytime": result.anytime}
                row |= {
                    "p": result.p,
                    "p_sign_flip": result.p_sign_flip,
                    "effect_size": result.effect_size,
                    "won": result.won,
                }
            rows.append(row)
    return pd.DataFrame(rows)
