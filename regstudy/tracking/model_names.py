"""What a run's logged model is called in MLflow: network, configuration and seed, in the characters that MLflow takes."""

import re
from decimal import Decimal

from regstudy.config import SQUEEZE_EXPAND, RunConfig
from regstudy.schema import MODEL_NAME, OWN_MODEL_NAME

DECIMAL = re.compile(r"(?<![\w.])\d*\.\d+(?:e[+-]?\d+)?(?![\w.])")
"""MLflow takes no dot in a model's name: 0.001 is written 1e-3."""

LONGEST = 100


def model_name(config: RunConfig, called: str) -> str:
    """Such as cnn-l1-1e-3-seed-2; `called` is what the run's configuration is called."""
    network = MODEL_NAME if config.network == SQUEEZE_EXPAND else OWN_MODEL_NAME
    words = re.sub(r"[^\w]+", "-", DECIMAL.sub(_whole, called)).strip("-").lower()
    seed = f"-seed-{config.seed}"
    return f"{network}-{words}"[: LONGEST - len(seed)] + seed


def _whole(found: re.Match[str]) -> str:
    """A decimal fraction as a whole number of powers of ten."""
    number = Decimal(found[0]).normalize()
    exponent = number.as_tuple().exponent
    return f"{number.scaleb(-exponent):f}e{exponent}" if isinstance(exponent, int) and exponent < 0 else f"{number:f}"
