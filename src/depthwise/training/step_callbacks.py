"""Callbacks of single steps: averaged weights, and gradients that are not too long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from depthwise.errors import TrainingError
from depthwise.training.callbacks import Callback

if TYPE_CHECKING:
    from depthwise.training.estimator import NeuralNet


class GradientClipping(Callback):
    """Shorten the gradient of all parameters together where it is longer than a bound.

    Parameters
    ----------
    max_norm
        Its greatest Euclidean length (Pascanu et al.: On the Difficulty of Training Recurrent Neural Networks, 2013).

    Examples
    --------
    >>> GradientClipping(1.0).max_norm
    1.0
    """

    def __init__(self, max_norm: float) -> None:
        if not max_norm > 0:
            raise TrainingError(f"GradientClipping: max_norm is {max_norm!r} but must be a number above 0.")
        self.max_norm = max_norm

    def on_gradients(self, net: NeuralNet) -> None:
        nn.utils.clip_grad_norm_(net.module_.parameters(), self.max_norm)


class WeightAveraging(Callback):
    """Evaluate, keep and give back an average of the weights instead of those of the last step.

    After every step average = decay * average + (1 - decay) * weights, an exponential moving average; where the decay
    would reach further back than training does, it is (1 + steps) / (10 + steps).

    Parameters
    ----------
    decay
        Between 0 and 1; the average is over about 1 / (1 - decay) steps.

    References
    ----------
    Polyak and Juditsky 1992; the warm-up is TensorFlow's ExponentialMovingAverage.

    Examples
    --------
    >>> WeightAveraging(0.99).decay
    0.99
    """

    def __init__(self, decay: float = 0.999) -> None:
        if not 0 < decay < 1:
            raise TrainingError(f"WeightAveraging: decay is {decay!r} but must be between 0 and 1.")
        self.decay = decay
        self._other: list[Tensor] = []
        self._averaged = False  # whether the average is in the network, and the weights of the last step wait here
        self._steps = 0

    def on_train_begin(self, net: NeuralNet) -> None:
        self._other = [tensor.detach().clone() for tensor in _floats(net.module_)]
        self._averaged, self._steps = False, 0

    def on_epoch_begin(self, net: NeuralNet) -> None:
        self._show(net, averaged=False)

    def on_step_end(self, net: NeuralNet) -> None:
        self._steps += 1
        decay = min(self.decay, (1 + self._steps) / (10 + self._steps))
        with torch.no_grad():
            torch._foreach_lerp_(self._other, _floats(net.module_), 1 - decay)

    def on_evaluation_begin(self, net: NeuralNet) -> None:
        self._show(net, averaged=True)

    def on_train_end(self, net: NeuralNet) -> None:
        self._show(net, averaged=True)
        self._other = []

    def state_dict(self) -> dict[str, Any]:
        tensors = {f"tensor.{place}": tensor for place, tensor in enumerate(self._other)}
        return {"averaged": self._averaged, "steps": self._steps, **tensors}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._averaged, self._steps = state["averaged"], state["steps"]
        self._other = [state[f"tensor.{place}"].to(tensor) for place, tensor in enumerate(self._other)]

    def _show(self, net: NeuralNet, *, averaged: bool) -> None:
        """Put the average into the network, or the weights of the last step, and keep the other."""
        if averaged == self._averaged:
            return
        with torch.no_grad():
            for tensor, other in zip(_floats(net.module_), self._other, strict=True):
                here = tensor.clone()
                tensor.copy_(other)
                other.copy_(here)
        self._averaged = averaged


def _floats(module: nn.Module) -> list[Tensor]:
    """Parameters and statistics; a count of batches has no average."""
    tensors = {id(tensor): tensor for tensor in module.state_dict(keep_vars=True).values()}  # tied weights once
    return [tensor for tensor in tensors.values() if tensor.is_floating_point()]
