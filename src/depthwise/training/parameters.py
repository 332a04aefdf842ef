"""The estimator's parameters, checked when they are used."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from depthwise.errors import TrainingError
from depthwise.modules import Init

if TYPE_CHECKING:
    from depthwise.training.estimator import NeuralNet


def _whole(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _real(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and isfinite(value)


def _flag(value: Any) -> bool:
    return isinstance(value, (bool, np.bool_))


_AT_LEAST_ONE = (lambda value: _whole(value) and value >= 1, "a whole number of 1 or more")
_NOT_NEGATIVE = (lambda value: _real(value) and value >= 0, "a number of 0 or more")
_FLAG = (_flag, "True or False")

_CHECKS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "max_epochs": _AT_LEAST_ONE,
    "batch_size": _AT_LEAST_ONE,
    "learning_rate": (lambda value: _real(value) and value > 0, "a number above 0"),
    "momentum": (lambda value: _real(value) and 0 <= value < 1, "a number from 0 to less than 1"),
    "weight_decay": _NOT_NEGATIVE,
    "l1": _NOT_NEGATIVE,
    "l2": _NOT_NEGATIVE,
    "validation": (
        lambda value: value is None or _is_pair(value) or (_real(value) and 0 <= value < 1),
        "None, a share from 0 to less than 1, or a pair (X, y)",
    ),
    "standardize": _FLAG,
    "init": (lambda value: value in get_args(Init), f"one of {', '.join(map(repr, get_args(Init)))}"),
    "warm_start": _FLAG,
    "verbose": (lambda value: _flag(value) or (_whole(value) and value >= 0), "0, 1, 2 or 3"),
}


def _is_pair(value: Any) -> bool:
    return isinstance(value, (tuple, list)) and len(value) == 2


def check_parameters(net: NeuralNet) -> None:
    """Refuse a parameter that cannot be used.

    >>> from depthwise.training import NeuralNetClassifier
    >>> check_parameters(NeuralNetClassifier([], max_epochs=0))
    Traceback (most recent call last):
    depthwise.errors.TrainingError: max_epochs is 0 but must be a whole number of 1 or more.
    """
    for name, (is_right, demand) in _CHECKS.items():
        value = getattr(net, name)
        if not is_right(value):
            raise TrainingError(f"{name} is {value!r} but must be {demand}.")
