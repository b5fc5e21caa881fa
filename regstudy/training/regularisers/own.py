"""A regulariser of the user's own: a class that is called with its strength, and has any of three methods; one that holds something from step to step says so by `state_dict` and `load_state_dict`, as torch's modules do."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from regstudy import own_code
from regstudy.config import RunConfig
from regstudy.data.datasets import Inputs
from regstudy.errors import ConfigError
from regstudy.training.network import own_randomness
from regstudy.training.regularisers.base import Regulariser

METHODS = ("penalty", "after_backward", "after_step")
PREFIX = "own_regulariser/"
"""Before the names of what the user's class holds, in the state that is kept."""


class OwnRegulariser(Regulariser):
    """`penalty(model)` gives a scalar that is added to the loss; `after_backward(model, learning_rate)` changes gradients, `after_step(model, learning_rate)` weights."""

    def __init__(self, config: RunConfig, model: nn.Module, inputs: Inputs) -> None:
        super().__init__(config, model, inputs)
        self.name, self.checked = config.regulariser, False
        kind = own_code.load(config.regulariser)
        try:
            with own_randomness(config.seed, "regulariser"):
                self.own: Any = kind(config.strength)
        except Exception as error:  # noqa: BLE001  # the user's code
            raise own_code.failed(self.name, "failed when it was called with its strength", error) from None
        if not any(callable(getattr(self.own, method, None)) for method in METHODS):
            raise ConfigError(
                f"regulariser: expected a class with a method {' or '.join(METHODS)}, got {self.name!r} without any"
            )

    def penalty(self) -> Tensor | None:
        """The user's term; ConfigError where it is no finite scalar, which is asked of the first only."""
        if not hasattr(self.own, "penalty"):
            return None
        try:
            term: Any = self.own.penalty(self.model)
        except Exception as error:  # noqa: BLE001  # the user's code
            raise own_code.failed(self.name, "failed when it was asked for its penalty", error) from None
        if not self.checked:
            self.checked = True
            if not (isinstance(term, Tensor) and term.dim() == 0 and bool(torch.isfinite(term))):
                shown = f"a tensor of shape {tuple(term.shape)}" if isinstance(term, Tensor) and term.dim() else repr(term)
                raise ConfigError(
                    f"regulariser: expected a penalty that is a finite scalar tensor, got {shown} from {self.name!r}"
                )
        return term

    def after_backward(self, learning_rate: float, /) -> None:
        """As the user's class has it."""
        self._call("after_backward", learning_rate)

    def after_step(self, learning_rate: float, /) -> None:
        """As the user's class has it."""
        self._call("after_step", learning_rate)

    def state(self) -> dict[str, Tensor]:
        """What the user's class says that it holds, if it gives and takes that."""
        if not self._keeps():
            return {}
        try:
            return {f"{PREFIX}{name}": torch.as_tensor(held).detach().clone() for name, held in self.own.state_dict().items()}
        except Exception as error:  # noqa: BLE001  # the user's code
            raise own_code.failed(
                self.name, "failed in state_dict, which is to give numbers or tensors by name", error
            ) from None

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Give it back, if it was kept."""
        kept = {
            name.removeprefix(PREFIX): held.to(next(self.model.parameters()).device)
            for name, held in state.items()
            if name.startswith(PREFIX)
        }
        if not (kept and self._keeps()):
            return
        try:
            self.own.load_state_dict(kept)
        except Exception as error:  # noqa: BLE001  # the user's code
            raise own_code.failed(self.name, "failed in load_state_dict", error) from None

    def _keeps(self) -> bool:
        return all(callable(getattr(self.own, method, None)) for method in ("state_dict", "load_state_dict"))

    @torch.no_grad()
    def _call(self, method: str, learning_rate: float) -> None:
        if not hasattr(self.own, method):
            return
        try:
            getattr(self.own, method)(self.model, learning_rate)
        except Exception as error:  # noqa: BLE001  # the user's code
            raise own_code.failed(self.name, f"failed in {method}", error) from None
