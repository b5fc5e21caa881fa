"""May these runs be compared? Refuses, and names the field and the values that differ; warns of what may change the last digits."""

from collections.abc import Collection, Sequence

import pandas as pd

from regstudy.console.terminal import plain
from regstudy.errors import NotComparable

FIELDS = {
    "data": "data_digest",
    "split": "split_digest",
    "epochs": "epochs",
    "recipe": "recipe",
    "parameters": "parameter_count",
    "numerics": "numerics_version",
    "metrics": "metrics_version",
}
"""What must be the same in all runs, by the name that --allow takes: the column of the runs' frame."""

WITHIN = {"split": "seed", "parameters": "network"}
"""What must be the same only where this is."""

SEEDS, UNKNOWN = "seeds", "unknown"
ALLOWED = (*FIELDS, SEEDS, UNKNOWN)
RECORDED = {"commit": "git_commit", "threads": "threads", "device": "device", "processor": "processor", "packages": "packages"}
"""What is no part of a run's identity but may change its last digits."""

SHOWN = 12
"""Characters of a digest or commit that tell it apart."""

FEW = 4
"""Configurations named beside a value."""


def check(
    runs: pd.DataFrame, allow: Collection[str] = (), unknown: Sequence[str] = (), *, grows: bool = False
) -> tuple[str, ...]:
    """Refuse runs that must not be compared, with NotComparable; give notices of what was allowed and what differs all the same.

    `runs`: one row per run with columns configuration, seed, and those of FIELDS and RECORDED; `unknown` are columns for fields of the
    configurations that a later version has recorded. `grows`: a study in which configurations that are decided get no further seeds.
    """
    found = {name: text for name in FIELDS if (text := _difference_of(runs, name)) is not None}
    seeds = _missing_seeds(runs)
    if seeds is not None and not grows:
        found[SEEDS] = seeds
    unclear = [text for name in unknown if (text := _difference(runs, name)) is not None]
    if unclear:
        found[UNKNOWN] = f"fields that this version does not know: {'; '.join(unclear)}"
    refused = [name for name in found if name not in allow]
    if refused:
        reasons = "; ".join(found[name] for name in refused)
        allowing = " ".join(f"--allow {name}" for name in refused)
        raise NotComparable(
            f"these runs cannot be compared: {reasons}. {_way_out(refused, runs)}, or compare them all the same with {allowing}"
        )
    allowed = [f"compared although {found[name]} (--allow {name})" for name in found]
    fewer = [f"configurations that were decided have no further seeds ({seeds})"] if seeds is not None and grows else []
    return (*allowed, *fewer, *_recorded(runs))


def differing(runs: pd.DataFrame) -> list[str]:
    """In what runs differ that should be the same in all: names of FIELDS."""
    return [name for name in FIELDS if _difference_of(runs, name) is not None]


def _difference_of(runs: pd.DataFrame, name: str) -> str | None:
    """Some follow from others: which images are held out from the block's seed, how many parameters there are from the network. They must be the same where those are."""
    follows = WITHIN.get(name)
    if follows is None or follows not in runs:
        return _difference(runs, name)
    within = [text for _, own in runs.groupby(follows, sort=False) if (text := _difference(own, name)) is not None]
    return within[0] if within else None


def _difference(runs: pd.DataFrame, name: str) -> str | None:
    column = runs[FIELDS.get(name, name)].map(lambda value: "not recorded" if pd.isna(value) else value)
    values = sorted(column.unique(), key=str)
    if len(values) < 2:
        return None
    held = [f"{_short(value)} ({_named(runs.loc[column == value, 'configuration'])})" for value in values]
    return f"{name} differ: {', '.join(held)}" if name.endswith("s") else f"{name} differs: {', '.join(held)}"


def _missing_seeds(runs: pd.DataFrame) -> str | None:
    seeds = runs.groupby("configuration", sort=False)["seed"].agg(set)
    everything = set().union(*seeds)
    missing = {str(name): sorted(everything - own) for name, own in seeds.items() if own != everything}
    if not missing:
        return None
    told = [f"{name} lacks {', '.join(map(str, lacking))}" for name, lacking in list(missing.items())[:FEW]]
    more = f" and {len(missing) - FEW} more lack some" if len(missing) > FEW else ""
    return f"seeds differ: {'; '.join(told)}{more}"


def _way_out(refused: list[str], runs: pd.DataFrame) -> str:
    if "data" in refused:
        return f"Choose a data set with --dataset {runs['dataset'].iloc[0]}"
    field = next((name for name in refused if name in {"epochs", "recipe"}), None)
    if field:
        return f"Choose with --where {field}={runs[field].iloc[-1]}, or one study with --study"
    if UNKNOWN in refused:
        return "Read them with the version that made them"
    return "Train the missing runs" if refused == [SEEDS] else "Choose by --study"


def _recorded(runs: pd.DataFrame) -> tuple[str, ...]:
    differing = [name for name, column in RECORDED.items() if len(runs[column].unique()) > 1]
    if not differing:
        return ()
    told = ", ".join(
        f"{name} ({', '.join(sorted({_short(value) for value in runs[RECORDED[name]]}))})" if name != "packages" else name
        for name in differing
    )
    return (f"the runs differ in {told}, which may change last digits, and is no part of their identity",)


def _short(value: object) -> str:
    text = plain(value)
    return text[:SHOWN] if len(text) >= 40 else text


def _named(configurations: "pd.Series[str]") -> str:
    names = list(dict.fromkeys(configurations))
    return ", ".join(names[:FEW]) + (f" and {len(names) - FEW} more" if len(names) > FEW else "")
