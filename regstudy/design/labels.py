"""What configurations are called: by the names that a design gives them, else by their factors and by every other field in which they differ."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from regstudy.config import FILLED_IN, WHERE_NOT_WHAT, dataset_name, strengths
from regstudy.console.terminal import plain

LONGEST = 40
"""Characters of a configuration's name: it is a row's heading and a legend's entry, and part of a metric's name."""

EXPECTED = f"a name of letters, digits, spaces, dots, dashes and underscores, {LONGEST} characters at most"
NAME = re.compile(rf"(?=.{{1,{LONGEST}}}$)[^\W_][\w.-]*( [\w.-]+)*")
"""What MLflow takes in a metric's name, and so neither plus nor comma; single spaces within."""

OPTION_OF = {
    "l1_kind": ("l1", "elastic_net"),
    "l1_scope": ("l1", "elastic_net"),
    "l2_scope": ("l2", "elastic_net", "weight_decay"),
    "elastic_net_ratio": ("elastic_net",),
    "regulariser": ("strength",),
}
"""Fields that do nothing where all of these strengths are 0."""


def labels(configs: Sequence[Mapping[str, Any]]) -> list[str]:
    """What each configuration is called: its factors, and every other field in which these configurations differ.

    Options of what is off are left out, but where configurations differ in nothing else.
    """
    elsewhere = {"seed", "dataset"} | WHERE_NOT_WHAT | FILLED_IN | strengths().keys()
    varying = [name for name in configs[0] if name not in elsewhere and len({repr(config[name]) for config in configs}) > 1]
    whole = [_label(config, varying) for config in configs]
    short = [_label(config, [name for name in varying if _acts(name, config)]) for config in configs]
    meant: dict[str, set[str]] = {}
    for long, brief in zip(whole, short, strict=True):
        meant.setdefault(brief, set()).add(long)
    return [brief if len(meant[brief]) == 1 else long for long, brief in zip(whole, short, strict=True)]


def _label(config: Mapping[str, Any], varying: Sequence[str]) -> str:
    return ", ".join([factors(config), *(f"{name} {_shown(config[name])}" for name in varying if config[name] is not None)])


def _acts(name: str, config: Mapping[str, Any]) -> bool:
    return name not in OPTION_OF or any(config.get(strength) for strength in OPTION_OF[name])


def factors(config: Mapping[str, Any]) -> str:
    """The regularisers that are on, with their strengths."""
    parts = [f"{words} {plain(config[name])}" for name, words in strengths().items() if config.get(name)]
    return " + ".join(parts) or "none"


def _shown(value: object) -> str:
    return dataset_name(value) if isinstance(value, str) else plain(value)
