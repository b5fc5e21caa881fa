"""What a regulariser may do in a step of training."""

from collections.abc import Callable, Mapping

from torch import Tensor, nn

from regstudy.config import RunConfig
from regstudy.data.datasets import Inputs
from regstudy.errors import ConfigError
from regstudy.training.network import convolutions

Criterion = Callable[[Tensor, Tensor], Tensor]
"""From log-probabilities (n, classes) and labels (n,) to a scalar."""


class Regulariser:
    """The places where one can act, in the order of a step; here each does nothing."""

    def __init__(self, config: RunConfig, model: nn.Module, inputs: Inputs) -> None:
        self.config, self.model, self.inputs = config, model, inputs

    def start_epoch(self, epoch: int, batches: int, /) -> None:
        """Draw what the epoch's steps need, from a generator of this purpose and epoch: so a resumed run draws the same."""

    def images(self, images: Tensor) -> Tensor:
        """The training images of a step, of values in [0, 255]: changed, never in place."""
        return images

    def criterion(self, inner: Criterion) -> Criterion:
        """What the network is trained on, made of what it was before."""
        return inner

    def penalty(self) -> Tensor | None:
        """A term of the objective that autograd differentiates; None for those that need none."""
        return None

    def after_backward(self, learning_rate: float, /) -> None:
        """Change the gradients, or the weights before their step."""

    def after_step(self, learning_rate: float, /) -> None:
        """Change the weights."""

    def state(self) -> dict[str, Tensor]:
        """What the next epoch needs of this one."""
        return {}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave; other names are others'."""


def scoped(model: nn.Module, scope: str) -> list[Tensor]:
    """The parameters that a penalty of this scope acts on: all, those of convolutions, or weights, which are matrices and larger.

    Only what is trained, once each: a frozen weight stays as it is, and one that is computed of others, as weight normalisation has it, is no parameter.
    """
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if scope == "convolutions":
        of_convolutions = {id(weight) for weight in convolutions(model).values()}
        return [parameter for parameter in trained if id(parameter) in of_convolutions]
    return [parameter for parameter in trained if scope == "all" or parameter.dim() > 1]


def some(parameters: list[Tensor], field: str, value: object) -> list[Tensor]:
    """These; ConfigError if there are none, for then the field would do nothing."""
    if not parameters:
        raise ConfigError(
            f"{field}: expected something that acts on weights, got {value} for a network that trains none of these"
        )
    return parameters
