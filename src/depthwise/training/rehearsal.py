"""An optimizer's state from a file -> whether a training could go on from it."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from depthwise.training.optimizers import optimizer_of

if TYPE_CHECKING:
    from depthwise.training.neural_net import NeuralNet


def rehearse_step(net: NeuralNet, state: dict[str, Any]) -> None:
    """Let a copy of a network make a step from an optimizer's state, so that the network itself never meets a bad one.

    Fused kernels read past the end of a tensor that is too small, so shapes are compared first, with those of an
    optimizer that is one step old.

    Parameters
    ----------
    net
        With its network, which stays as it is.
    state
        As ``optimizer.state_dict()`` gives it.

    Raises
    ------
    ValueError
        A tensor has not the shape that the optimizer keeps.  Or what PyTorch's step stumbles with: a ``KeyError``, a
        ``TypeError``, ...
    """
    module = copy.deepcopy(net.module_)
    optimizer = optimizer_of(net, module)
    if not type(optimizer).__module__.startswith("torch.optim"):
        return  # one that is not PyTorch's may keep something else after every step

    def compute_gradients() -> Tensor:
        for parameter in module.parameters():
            parameter.grad = torch.ones_like(parameter) if parameter.requires_grad else None
        return torch.zeros(())

    compute_gradients()
    optimizer.step(compute_gradients)  # type: ignore[arg-type]  # a loss need not be a float
    _compare_shapes(state["state"], optimizer.state_dict()["state"])
    optimizer.load_state_dict(copy.deepcopy(state))
    optimizer.step(compute_gradients)  # type: ignore[arg-type]


def _compare_shapes(found: dict[int, dict[str, Any]], expected: dict[int, dict[str, Any]]) -> None:
    for place, moments in found.items():
        known = expected[place]
        for name in [*known, *(name for name, value in moments.items() if isinstance(value, Tensor))]:
            has, needs = _describe_shape(moments[name]), _describe_shape(known[name])
            if has != needs:
                raise ValueError(f"{name} of parameter {place} is {has}, but must be {needs}")


def _describe_shape(value: Any) -> str:
    """Numbers are like tensors without axes."""
    if isinstance(value, (Tensor, int, float)):
        return str(tuple(getattr(value, "shape", ())))
    return f"a {type(value).__name__}"
