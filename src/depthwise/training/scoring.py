"""Scores of an epoch by scikit-learn's scorers, from outputs that are there already."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.metrics import get_scorer, get_scorer_names
from torch import Tensor

from depthwise.errors import TrainingError, did_you_mean

if TYPE_CHECKING:
    from depthwise.training.neural_net import NeuralNet

Scorer = Callable[[Any, Any, Any], float]


def choose_scorers(scoring: Any) -> dict[str, Scorer]:
    """Scorers by name.

    Parameters
    ----------
    scoring
        A name of scikit-learn's, a list of names, a dictionary of names and scorers, a scorer, or ``None``.

    Raises
    ------
    TrainingError
        A name is unknown.

    Examples
    --------
    >>> list(choose_scorers(["f1_macro", "accuracy"]))
    ['f1_macro', 'accuracy']
    >>> choose_scorers("acuracy")
    Traceback (most recent call last):
    depthwise.errors.TrainingError: scoring: scikit-learn has no scorer 'acuracy'. Did you mean 'accuracy'?
    """
    if scoring is None:
        return {}
    if isinstance(scoring, str):
        return {scoring: _scorer(scoring)}
    if isinstance(scoring, Mapping):
        return {str(name): _scorer(value) for name, value in scoring.items()}
    if callable(scoring):
        return {getattr(scoring, "__name__", "score"): scoring}
    if not isinstance(scoring, Iterable):
        raise TrainingError(f"scoring is {scoring!r} but must be names of scikit-learn's scorers, or scorers by name.")
    return {str(name): _scorer(name) for name in scoring}


def score_outputs(net: NeuralNet, outputs: Tensor, targets: Tensor, scorers: Mapping[str, Scorer]) -> dict[str, float]:
    """Each scorer's figure for outputs of the network, all images at once.

    Parameters
    ----------
    net
        Whose outputs they are.
    outputs, targets
        As the network gives them and as its loss takes them.
    scorers
        By name.

    Raises
    ------
    TrainingError
        A scorer fails.
    """
    answer = (_ClassifierAnswer if net.outputs_are == "classes" else _RegressorAnswer)(net, outputs)
    y = net._decode_targets(targets)
    scores = {}
    for name, scorer in scorers.items():
        try:
            scores[name] = float(scorer(answer, None, y))
        except Exception as problem:
            raise TrainingError(
                f"scoring: {name!r} cannot score this network ({type(problem).__name__}: {problem}). Choose another."
            ) from problem
    return scores


def _scorer(scorer: Any) -> Scorer:
    if callable(scorer):
        return scorer
    if scorer not in get_scorer_names():
        raise TrainingError(
            f"scoring: scikit-learn has no scorer {scorer!r}.{did_you_mean(scorer, get_scorer_names())}"
        )
    return get_scorer(scorer)


class _Answer(BaseEstimator):
    """What a scorer may ask an estimator, answered from outputs."""

    def __init__(self, net: Any = None, outputs: Any = None) -> None:
        self.net = net
        self.outputs = outputs
        if hasattr(net, "classes_"):
            self.classes_ = net.classes_

    def predict(self, X: Any) -> NDArray[Any]:
        answer: NDArray[Any] = self.net._decode_outputs(self.outputs)
        return answer


class _ClassifierAnswer(ClassifierMixin, _Answer):
    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        probabilities: NDArray[np.float64] = self.net._probabilities(self.outputs)
        return probabilities


class _RegressorAnswer(RegressorMixin, _Answer):
    pass
