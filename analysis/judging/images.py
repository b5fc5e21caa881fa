"""Which test images are misclassified, by whom, how often: tables of counts from the runs' own errors. Reads nothing, draws nothing.

`wrong` is a frame of booleans: a row per run (index: configuration, seed), a column per test image that any of them misclassifies.
"""

import itertools
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from . import statistics

CERTAIN = 0.05
"""Below it a corrected p shows a difference."""


@dataclass(frozen=True)
class Flips:
    """How many images change between right and wrong, on average over pairs of runs; None where there is no such pair."""

    between_seeds: float | None
    between_configurations: float | None


@dataclass(frozen=True)
class Between:
    """What two configurations get wrong, in common seeds: `images` on which they differ, and how often only the one, or only the other, is wrong.

    `certain` are the images of which the difference is more than luck of the seeds, at 5%; `can_be_certain`: whether so many seeds allow that of any. `models_differ`: of how many seeds' pairs that holds; `least_p` is the smallest of theirs.
    """

    seeds: int
    images: int
    only_first: int
    only_second: int
    certain: tuple[int, ...]
    can_be_certain: bool
    models_differ: int
    least_p: float


def hardest(wrong: pd.DataFrame) -> pd.DataFrame:
    """A row per image, hardest first (ties by index): runs, how many runs get it wrong, and a column per configuration with its count."""
    names = list(dict.fromkeys(wrong.index.get_level_values("configuration")))
    counts = pd.DataFrame({name: wrong.loc[[name]].sum() for name in names})
    table = counts.assign(runs=wrong.sum()).reset_index()
    return table.sort_values(["runs", "image"], ascending=[False, True], ignore_index=True).set_index("image")


def always_hard(wrong: pd.DataFrame) -> list[int]:
    """Images that every run gets wrong."""
    return [int(image) for image in wrong.columns[wrong.all()]] if len(wrong) else []


def fixed_and_broken(wrong: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    """A row per image on which two configurations differ in some common seed: how many seeds only the one, or only the other, gets it wrong.

    Columns only_first, only_second, seeds (common), p (exact sign test over the seeds in which they differ), p_adjusted (Holm, over all
    images that either gets wrong in any common seed); the largest differences first.
    """
    seeds, one, other = _common(wrong, first, second)
    candidates = np.asarray((one | other).any(axis=0), bool)
    only_first, only_second = (one & ~other).sum(0)[candidates], (other & ~one).sum(0)[candidates]
    p = [_sign_test(int(n), int(m)) for n, m in zip(only_first, only_second, strict=True)]
    table = pd.DataFrame(
        {
            "only_first": only_first,
            "only_second": only_second,
            "seeds": len(seeds),
            "p": p,
            "p_adjusted": statistics.holm(np.array(p)),
        },
        index=wrong.columns[candidates],
    )
    differing = table[(table["only_first"] > 0) | (table["only_second"] > 0)]
    order = (differing["only_first"] - differing["only_second"]).abs()
    return differing.assign(_by=order).sort_values(["_by", "image"], ascending=[False, True]).drop(columns="_by")


def confusions(errors: pd.DataFrame) -> pd.DataFrame:
    """Which class is taken for which, over all runs, most often first: columns label, predicted, errors, images (how many different ones); from a row per run and error."""
    by = errors.groupby(["label", "predicted"])["index"].agg(errors="size", images="nunique").reset_index()
    return by.sort_values(["errors", "label", "predicted"], ascending=[False, True, True], ignore_index=True)


def between(wrong: pd.DataFrame, first: str, second: str) -> Between | None:
    """Two configurations, image by image and model by model; None if in every common seed they get the same wrong."""
    table = fixed_and_broken(wrong, first, second)
    if table.empty:
        return None
    seeds, models = int(table["seeds"].iloc[0]), mcnemar(wrong, first, second)["p_adjusted"]
    _, one, other = _common(wrong, first, second)
    tested = int((one | other).any(0).sum())  # as `fixed_and_broken` has it: those that differ in no seed, too
    return Between(
        seeds,
        len(table),
        int(table["only_first"].sum()),
        int(table["only_second"].sum()),
        tuple(int(image) for image in table.index[table["p_adjusted"] < CERTAIN]),
        tested * 2.0 ** (1 - seeds) < CERTAIN,  # the smallest p that so many seeds allow
        int((models < CERTAIN).sum()),
        float(models.min()),
    )


def flips(wrong: pd.DataFrame) -> Flips:
    """How much of which images are wrong is luck of the seed, and how much changes with the configuration at the same seed."""
    return Flips(_mean_distance(wrong, "configuration"), _mean_distance(wrong, "seed"))


def mcnemar(wrong: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    """Model against model: a row per common seed with only_first, only_second (images that only the one gets wrong), p, p_adjusted (Holm).

    The exact test of McNemar (1947): a two-sided binomial test on the images that one of the two gets wrong.
    """
    seeds, one, other = _common(wrong, first, second)
    only_first, only_second = (one & ~other).sum(1), (other & ~one).sum(1)
    p = [_sign_test(int(n), int(m)) for n, m in zip(only_first, only_second, strict=True)]
    columns = {"only_first": only_first, "only_second": only_second, "p": p, "p_adjusted": statistics.holm(np.array(p))}
    return pd.DataFrame(columns, index=seeds)


def _common(
    wrong: pd.DataFrame, first: str, second: str
) -> "tuple[pd.Index[Any], np.ndarray[Any, np.dtype[np.bool_]], np.ndarray[Any, np.dtype[np.bool_]]]":
    """The common seeds, and which images each of the two gets wrong in them, (seeds, images)."""
    a, b = (wrong.loc[name] for name in (first, second))
    seeds = a.index.intersection(b.index)
    return seeds, a.loc[seeds].to_numpy(bool), b.loc[seeds].to_numpy(bool)


@cache
def _sign_test(one: int, other: int) -> float:
    from scipy import stats  # here: it takes half a second

    return float(stats.binomtest(one, one + other).pvalue) if one + other else 1.0


def _mean_distance(wrong: pd.DataFrame, within: str) -> float | None:
    """Mean number of images on which two runs differ, over the pairs of runs that share the level `within`."""
    distances = [
        int((one != other).sum())
        for _, own in wrong.groupby(level=within, sort=False)
        for one, other in itertools.combinations(own.to_numpy(), 2)
    ]
    return float(np.mean(distances)) if distances else None
