"""Parameters of a search, checked when they are used; and those of its estimator, as text."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from math import isfinite
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

from depthwise.errors import TrainingError
from depthwise.training.neural_net import NeuralNet
from depthwise.training.parameters import CHECKS, MAX_SEED
from depthwise.training.spelling import spell

if TYPE_CHECKING:
    from depthwise.search.estimator import ArchitectureSearch

OF_THE_JOB = ("layers", "max_epochs", "validation", "random_state", "verbose", "warm_start")
"""Parameters of an estimator that a race sets itself."""


def _is_whole(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _is_real(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and isfinite(value)


def _positive(value: Any) -> bool:
    return _is_whole(value) and value >= 1


def _rising(value: Any) -> bool:
    try:
        rungs = list(value)
    except TypeError:
        return False
    return bool(rungs) and all(_positive(rung) for rung in rungs) and all(one < two for one, two in pairwise(rungs))


_CHECKS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "estimator": (
        lambda value: value is None or isinstance(value, NeuralNet),
        "a NeuralNetClassifier, a NeuralNetRegressor, or None",
    ),
    "rungs": (_rising, "rising whole numbers of epochs, such as (1, 3, 9, 27)"),
    "keep": (
        lambda value: _is_real(value) and 0 < value < 1,
        "a share between 0 and 1, such as 1/3",
    ),
    "n_seeds": (_positive, "a whole number of 1 or more"),
    "n_threads": (lambda value: value is None or _positive(value), "a whole number of 1 or more, or None"),
    "n_jobs": (lambda value: value is None or (_is_whole(value) and value != 0), "a whole number but 0, or None"),
    "random_state": CHECKS["random_state"],
    "verbose": CHECKS["verbose"],
    "minutes": (
        lambda value: value is None or (_is_real(value) and value > 0),
        "a number above 0, or None",
    ),
}


def check_parameters(search: ArchitectureSearch) -> None:
    """Refuse a parameter that cannot be used.

    >>> from depthwise.search import ArchitectureSearch
    >>> check_parameters(ArchitectureSearch(["8C3-N"], rungs=(9, 3)))
    Traceback (most recent call last):
    depthwise.errors.TrainingError: rungs is (9, 3) but must be rising whole numbers of epochs, such as (1, 3, 9, 27).
    """
    for name, (is_right, demand) in _CHECKS.items():
        value = getattr(search, name)
        if not is_right(value):
            raise TrainingError(f"{name} is {value!r} but must be {demand}.")
    if _is_whole(search.random_state) and search.random_state + search.n_seeds - 1 > MAX_SEED:
        raise TrainingError(
            f"random_state is {search.random_state}, and n_seeds={search.n_seeds} go on from there, but seeds end at "
            f"{MAX_SEED}. Give a smaller random_state."
        )
    stages = getattr(search.estimator, "batch_size", None)
    if isinstance(stages, (list, tuple)):
        raise TrainingError(
            f"estimator: batch_size is {stages!r}, but the rungs say how many epochs there are. Give one number."
        )


def describe_parameters(net: NeuralNet) -> dict[str, str]:
    """The parameters that a job takes from an estimator, as text.

    >>> from depthwise.training import NeuralNetClassifier
    >>> told = describe_parameters(NeuralNetClassifier([], loss="hinge"))
    >>> told["batch_size"], told["loss"]
    ('128', "'hinge'")
    """
    params = net.get_params(deep=False)
    return {name: spell(params[name]) for name in sorted(params) if name not in OF_THE_JOB}
