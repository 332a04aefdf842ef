"""Optimizers by name, the fused kind where there is one."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.optim import Optimizer

from depthwise.errors import TrainingError, did_you_mean
from depthwise.training.eager import without_compiler
from depthwise.training.losses import penalized_weights

if TYPE_CHECKING:
    from depthwise.training.neural_net import NeuralNet

OPTIMIZERS: dict[str, type[Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "nadam": torch.optim.NAdam,
    "radam": torch.optim.RAdam,
    "adamax": torch.optim.Adamax,
    "adafactor": torch.optim.Adafactor,
    "adagrad": torch.optim.Adagrad,
    "adadelta": torch.optim.Adadelta,
    "rmsprop": torch.optim.RMSprop,
    "rprop": torch.optim.Rprop,
    "asgd": torch.optim.ASGD,
    "lbfgs": torch.optim.LBFGS,
    "sgd": torch.optim.SGD,
    "momentum": torch.optim.SGD,
    "nesterov": torch.optim.SGD,
}
"""``sgd`` and ``momentum`` are one: stochastic gradient descent with the estimator's ``momentum``."""

FUSED_DEVICES = ("cpu", "cuda")


def make_optimizer(
    optimizer: str | Callable[..., Optimizer],
    module: nn.Module,
    *,
    learning_rate: float,
    momentum: float,
    weight_decay: float,
) -> Optimizer:
    """Make the optimizer of a module's parameters.

    Weight decay acts on kernels and matrices, not on biases and norms.

    Parameters
    ----------
    optimizer
        A name of :data:`OPTIMIZERS`, or a class (or function) like PyTorch's: ``optimizer(parameters, lr=...)``.
    module
        Whose parameters it steps.
    learning_rate, momentum, weight_decay
        ``momentum`` is for ``sgd``, ``momentum`` and ``nesterov``.

    Raises
    ------
    TrainingError
        The name is unknown, or there is nothing to learn.

    Examples
    --------
    >>> make = lambda name: make_optimizer(name, nn.Linear(2, 1), learning_rate=0.1, momentum=0.9, weight_decay=0.0)
    >>> type(make("adam")).__name__
    'Adam'
    >>> make("adm")
    Traceback (most recent call last):
    depthwise.errors.TrainingError: optimizer is 'adm' but must be one of adam, adamw, nadam, radam, adamax, \
adafactor, adagrad, adadelta, rmsprop, rprop, asgd, lbfgs, sgd, momentum, nesterov, or a torch.optim class. Did you \
mean 'adam'?
    """
    groups = _groups(module, weight_decay)
    if isinstance(optimizer, str):
        kind: Any = OPTIMIZERS.get(optimizer)
        if kind is None:
            raise TrainingError(
                f"optimizer is {optimizer!r} but must be one of {', '.join(OPTIMIZERS)}, or a torch.optim class."
                f"{did_you_mean(optimizer, OPTIMIZERS)}"
            )
        options: dict[str, Any] = {"lr": learning_rate}
        accepted = inspect.signature(kind).parameters
        if weight_decay and "weight_decay" not in accepted:
            raise TrainingError(
                f"weight_decay is {weight_decay:g} but the optimizer {optimizer!r} has none. Write 0, or use l2."
            )
        if kind is torch.optim.SGD:
            options |= {"momentum": momentum, "nesterov": optimizer == "nesterov"}
        if kind is torch.optim.LBFGS:
            # It takes no groups.
            return without_compiler(kind)([p for group in groups for p in group["params"]], **options)
        if "fused" in accepted and _can_fuse(module.parameters()):
            options["fused"] = True
        return without_compiler(kind)(groups, **options)
    if not callable(optimizer):
        raise TrainingError(f"optimizer is {optimizer!r} but must be a name such as 'adam', or a torch.optim class.")
    is_kind = isinstance(optimizer, type) and issubclass(optimizer, Optimizer)
    try:
        return (without_compiler(optimizer) if is_kind else optimizer)(groups, lr=learning_rate)
    except (TypeError, ValueError) as problem:
        raise TrainingError(
            f"optimizer: {getattr(optimizer, '__name__', optimizer)} cannot be made with these parameters and "
            f"lr={learning_rate:g}: {problem} Take another optimizer."
        ) from None


def optimizer_of(net: NeuralNet, module: nn.Module) -> Optimizer:
    """The optimizer that an estimator's parameters ask for, of a module's parameters."""
    return make_optimizer(
        net.optimizer,
        module,
        learning_rate=net.learning_rate,
        momentum=net.momentum,
        weight_decay=net.weight_decay,
    )


def _groups(module: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    weights = penalized_weights(module)
    taken = set(map(id, weights))
    others = [p for p in module.parameters() if p.requires_grad and id(p) not in taken]
    if not weights and not others:
        raise TrainingError("the network has nothing to learn. Add a layer with weights, or unfreeze one.")
    groups = [{"params": weights, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def _can_fuse(parameters: Iterable[nn.Parameter]) -> bool:
    return all(p.device.type in FUSED_DEVICES and p.is_floating_point() for p in parameters)
