"""Tracked experiments on regularisation: one configuration, one MLflow run. These names are for notebooks; each is loaded when it is used."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from regstudy.api import Config, Design, Run, Study, plan_study, resume, run_study, train
    from regstudy.errors import RegstudyError

__version__ = "0.1.0"
__all__ = ["Config", "Design", "RegstudyError", "Run", "Study", "plan_study", "resume", "run_study", "train"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{'errors' if name == 'RegstudyError' else 'api'}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
