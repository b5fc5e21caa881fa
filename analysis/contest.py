"""What single runs would have concluded: a contest of one seed per configuration, judged by the best epoch, as published studies do it."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

TIED = "tied"
ROUNDING = 1e-9


def wins(scores: Mapping[str, np.ndarray], lead: float = 0.0) -> pd.DataFrame:
    """How often each configuration wins if one of its scores is drawn, independently of the others'; exact, no simulation.

    `scores`: name to shape (n,), higher is better. A win needs more than every other, and at least `lead` more. Gives columns configuration
    and share; the last row, named 'tied', is the share of contests that nobody wins.
    """
    shares = {name: _share(name, scores, lead) for name in scores}
    return pd.DataFrame({"configuration": [*shares, TIED], "share": [*shares.values(), max(0.0, 1 - sum(shares.values()))]})


def _share(name: str, scores: Mapping[str, np.ndarray], lead: float) -> float:
    """Mean over its own scores of the product, over the others, of the share that lies below by the lead."""
    own = scores[name][:, None]
    needed = max(lead, 2 * ROUNDING) - ROUNDING
    below = [(own - other[None, :] >= needed).mean(1) for rival, other in scores.items() if rival != name]
    return float(np.prod(below, axis=0).mean()) if below else 1.0
