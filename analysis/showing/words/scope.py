"""What every configuration has beside what is compared: an advice holds for that, and says so."""

from collections.abc import Iterator

from regstudy.config import SQUEEZE_EXPAND
from regstudy.console.terminal import plain

from ...judging.findings import Findings
from .. import wording

OFF = (0, "none")


def shared(found: Findings) -> str:
    """A sentence or two on what regularises all of these runs alike, and on an L1 that is not λ·Σ|w|; empty where nothing is known of that."""
    if not found.trials.has("network", "dropout", "augmentation", "l1_kind"):
        return ""
    alike = list(_alike(found))
    told = [f"All have {wording.listed(alike)}."] if alike and len(found.table) > 1 else []
    if _has_published_l1(found):
        told += ["L1 is the published study’s, λ times a sum of means: much less than λ·Σ|w|."]
    return " ".join(told)


def _alike(found: Findings) -> Iterator[str]:
    """What all have of the network's and the images' own regularisation; a network of the user's has its own."""
    runs = found.trials.runs
    for name, words in {"dropout": "dropout {}", "augmentation": "augmented images"}.items():
        held = list(runs[name].unique())
        theirs = name == "augmentation" or set(runs["network"]) == {SQUEEZE_EXPAND}
        if len(held) == 1 and held[0] not in OFF and theirs:
            yield words.format(plain(held[0]))


def _has_published_l1(found: Findings) -> bool:
    runs = found.trials.runs
    return bool((runs.loc[runs["l1"].astype(float) > 0, "l1_kind"] == "mean").any())
