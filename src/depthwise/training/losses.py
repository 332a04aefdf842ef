"""What training makes small: losses by name, and the penalty on large weights."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from depthwise.errors import TrainingError

Loss = Callable[[Tensor, Tensor], Tensor]

CLASSIFICATION_LOSSES: dict[str, Loss] = {"cross_entropy": F.cross_entropy}
REGRESSION_LOSSES: dict[str, Loss] = {
    "squared_error": F.mse_loss,
    "absolute_error": F.l1_loss,
    "huber": F.huber_loss,
}
"""The first of each is the default."""


def choose_loss(loss: str | Loss | None, known: dict[str, Loss]) -> Loss:
    """The loss of a name, or the callable itself: ``loss(output, target)``, the mean over the images.

    Raises
    ------
    TrainingError
        The name is unknown.

    Examples
    --------
    >>> choose_loss("squared", REGRESSION_LOSSES)
    Traceback (most recent call last):
    depthwise.errors.TrainingError: loss is 'squared' but must be one of 'squared_error', 'absolute_error', 'huber', \
or a function of (output, target). Did you mean 'squared_error'?
    """
    if loss is None:
        return next(iter(known.values()))
    if callable(loss):
        return loss
    if loss not in known:
        meant = "".join(f" Did you mean {name!r}?" for name in get_close_matches(str(loss), known, 1))
        listed = ", ".join(map(repr, known))
        raise TrainingError(f"loss is {loss!r} but must be one of {listed}, or a function of (output, target).{meant}")
    return known[loss]


def penalized_weights(module: nn.Module) -> list[nn.Parameter]:
    """Kernels and matrices: what penalties and weight decay act on; biases and norms have one axis and are left out."""
    return [parameter for parameter in module.parameters() if parameter.requires_grad and parameter.ndim > 1]


class Penalty:
    """l1 Σ|w| + l2 Σw² over the weights, without biases and norms.

    The gradient is known, so it is added to ``.grad`` after the backward pass, all weights in one operation.

    Parameters
    ----------
    module
        Whose weights count.
    l1, l2
        Coefficients.
    """

    def __init__(self, module: nn.Module, l1: float, l2: float) -> None:
        self.weights: list[Tensor] = list(penalized_weights(module))
        self.l1, self.l2 = l1, l2

    def __bool__(self) -> bool:
        return bool((self.l1 or self.l2) and self.weights)

    def value(self) -> Tensor:
        """The penalty of the weights as they are, on their device."""
        with torch.no_grad():
            # A coefficient of zero costs nothing.
            terms = [c * _sum(self.weights, power) for c, power in ((self.l1, 1), (self.l2, 2)) if c]
        return torch.stack(terms).sum() if len(terms) > 1 else terms[0]

    def add_gradient(self) -> None:
        """Add l1 sign(w) + 2 l2 w to the gradients."""
        # A frozen branch has weights without gradients; the penalty alone does not move them.
        pairs = [(weight, weight.grad) for weight in self.weights if weight.grad is not None]
        weights, gradients = [weight for weight, _ in pairs], [gradient for _, gradient in pairs]
        with torch.no_grad():
            if self.l2:
                torch._foreach_add_(gradients, weights, alpha=2 * self.l2)
            if self.l1:
                torch._foreach_add_(gradients, torch._foreach_sign(weights), alpha=self.l1)


def _sum(weights: list[Tensor], power: int) -> Tensor:
    """Σ|w|^power."""
    norms = torch.stack(torch._foreach_norm(weights, power))
    return norms.sum() if power == 1 else norms.dot(norms)
