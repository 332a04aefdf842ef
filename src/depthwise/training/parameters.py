"""The estimator's parameters, checked when they are used."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from depthwise.errors import TrainingError
from depthwise.modules import Init
from depthwise.training.early_stopping import EarlyStopping
from depthwise.training.preparing import holds_pairs
from depthwise.training.scoring import choose_scorers
from depthwise.training.stages import is_batch_size
from depthwise.training.validation import is_splitter
from depthwise.training.weights import check_class_weight

if TYPE_CHECKING:
    from depthwise.training.estimator import NeuralNet


def _whole(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _real(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and isfinite(value)


def _flag(value: Any) -> bool:
    return isinstance(value, (bool, np.bool_))


MAX_SEED = 2**32 - 1
"""Of a ``RandomState``."""


def _is_seed(value: Any) -> bool:
    if _whole(value):
        return bool(0 <= value <= MAX_SEED)
    return value is None or value is np.random or isinstance(value, np.random.RandomState)


_AT_LEAST_ONE = (lambda value: _whole(value) and value >= 1, "a whole number of 1 or more")
_NOT_NEGATIVE = (lambda value: _real(value) and value >= 0, "a number of 0 or more")
_FLAG = (_flag, "True or False")

CHECKS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "max_epochs": _AT_LEAST_ONE,
    "batch_size": (is_batch_size, "a whole number of 1 or more, or a list of pairs (epochs, images a step)"),
    "learning_rate": (lambda value: _real(value) and value > 0, "a number above 0"),
    "momentum": (lambda value: _real(value) and 0 <= value < 1, "a number from 0 to less than 1"),
    "weight_decay": _NOT_NEGATIVE,
    "l1": _NOT_NEGATIVE,
    "l2": _NOT_NEGATIVE,
    "label_smoothing": (lambda value: _real(value) and 0 <= value < 1, "a number from 0 to less than 1"),
    "validation": (
        lambda value: value is None or any(means(value) for means in (_is_pair, holds_pairs, is_splitter, _is_share)),
        "None, a share from 0 to less than 1, a pair (X, y), a data set, or a splitter of scikit-learn's",
    ),
    "early_stopping": (
        lambda value: value is None or isinstance(value, EarlyStopping) or (_whole(value) and value >= 1),
        "None, a whole number of 1 or more, or an EarlyStopping",
    ),
    "standardize": _FLAG,
    "init": (lambda value: value in get_args(Init), f"one of {', '.join(map(repr, get_args(Init)))}"),
    "compile": _FLAG,
    "random_state": (_is_seed, f"None, a whole number from 0 to {MAX_SEED}, or a numpy.random.RandomState"),
    "warm_start": _FLAG,
    "processes": _AT_LEAST_ONE,
    "verbose": (lambda value: _flag(value) or (_whole(value) and value >= 0), "0, 1, 2 or 3"),
}
"""Parameter -> what is right, and how to say so."""


def _is_share(value: Any) -> bool:
    return _real(value) and bool(0 <= value < 1)


def _is_pair(value: Any) -> bool:
    return isinstance(value, (tuple, list)) and len(value) == 2


def check_parameters(net: NeuralNet) -> None:
    """Refuse a parameter that cannot be used.

    >>> from depthwise.training import NeuralNetClassifier
    >>> check_parameters(NeuralNetClassifier([], max_epochs=0))
    Traceback (most recent call last):
    depthwise.errors.TrainingError: max_epochs is 0 but must be a whole number of 1 or more.
    """
    for name, (is_right, demand) in CHECKS.items():
        value = getattr(net, name)
        if not is_right(value):
            raise TrainingError(f"{name} is {value!r} but must be {demand}.")
    check_class_weight(net.class_weight)
    choose_scorers(net.scoring)
