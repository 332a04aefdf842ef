"""Which learning rate to take: a short training in which it grows at every step."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, count
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from depthwise.errors import TrainingError
from depthwise.training.fitting import Training
from depthwise.training.loop import train_epoch
from depthwise.training.neural_net import NeuralNet
from depthwise.training.randomness import own_randomness

WIDTH = 0.04
"""Standard deviation of the smoothing, as a share of the steps: batches differ by more than a step changes."""
SKIPPED = 0.1
"""Share of the steps, the first, whose slope does not count: there is nothing before them to smooth with."""
DIVERGED = 4.0
"""Times the lowest smoothed loss at which the test ends, as fastai's lr_find does."""
FEWEST = 20
"""Steps below which a smoothed curve says nothing."""
FALLEN = 0.98
"""Share of the first smoothed loss that the lowest one must be below; else nothing was learned at any rate."""
MARGIN = 10.0
"""The suggestion is at most the rate of the lowest loss by this (Bengio 2012 and fastai: one order of magnitude)."""


@dataclass(frozen=True, eq=False)
class LearningRateRange:
    """What a learning-rate range test found.

    Attributes
    ----------
    rates
        Learning rate of each step, shape ``(n_steps,)``.
    losses
        Loss of the batch of each step, before the step.
    smoothed
        The same without the noise of the batches.
    suggestion
        Rate at which the smoothed loss falls fastest with the logarithm of the rate, at most a tenth of the rate of
        its lowest value; ``None`` where it never falls.
    """

    rates: NDArray[np.float64]
    losses: NDArray[np.float64]
    smoothed: NDArray[np.float64]
    suggestion: float | None

    def __str__(self) -> str:
        tried = f"{len(self.rates)} steps from {self.rates[0]:.1e} to {self.rates[-1]:.1e}"
        if self.suggestion is None:
            return f"No learning rate lets the loss fall ({tried}). Look at images and labels, or raise highest."
        return f"Suggested learning_rate: {self.suggestion:.1e}, where the loss falls fastest ({tried})."


def lr_range(
    net: NeuralNet,
    X: Any,
    y: Any = None,
    sample_weight: Any = None,
    *,
    lowest: float = 1e-6,
    highest: float = 10.0,
    steps: int = 100,
) -> LearningRateRange:
    """Train a copy of an estimator while its learning rate grows, and see where the loss falls fastest.

    The rate of step t is lowest * (highest / lowest)^(t / (steps - 1)).  The test ends early where the smoothed loss is
    four times its lowest value.  The estimator, fitted or not, and all random states stay as they are.

    Parameters
    ----------
    net
        Its network, optimizer, batch size, augmentation and loss are used; its schedule and callbacks are not.  With
        ``warm_start=True`` a fitted one goes on from its weights, else they are new.
    X, y, sample_weight
        As for its ``fit``.
    lowest, highest
        Ends of the range.
    steps
        Number of batches; images come again where there are fewer.

    Raises
    ------
    TrainingError
        `net` is no estimator, the range is empty, there are too few steps, or the loss is not finite from the first.

    References
    ----------
    Smith: Cyclical Learning Rates for Training Neural Networks, WACV 2017 (the test); Howard and Gugger: fastai, 2020
    (the steepest point, and when to stop).

    Examples
    --------
    >>> from depthwise.layers import Dense, Output
    >>> from depthwise.training import NeuralNetClassifier
    >>> X, y = np.eye(4, dtype=np.float32)[np.arange(64) % 4], np.arange(64) % 4
    >>> found = lr_range(NeuralNetClassifier([Dense(8), Output()], verbose=0), X, y, steps=50)
    >>> 1e-4 < found.suggestion < 1
    True
    """
    if not isinstance(net, NeuralNet):
        raise TrainingError(
            f"lr_range: net is {net!r:.60} but must be an estimator. Write NeuralNetClassifier(layers)."
        )
    if not 0 < lowest < highest < float("inf"):
        raise TrainingError(f"lr_range: lowest is {lowest} and highest {highest}, but must be 0 < lowest < highest.")
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < FEWEST:
        raise TrainingError(f"lr_range: steps is {steps!r} but must be a whole number of {FEWEST} or more.")
    own = copy.deepcopy(net) if net.warm_start and net.__sklearn_is_fitted__() else clone(net)
    own.set_params(schedule=None, callbacks=(), early_stopping=None, compile=False, verbose=0)
    if own.random_state is None:
        own.random_state = 0  # numpy's own generator is not ours to move on
    rates = np.geomspace(lowest, highest, steps)
    train, _ = own._prepare(X, y, sample_weight, goes_on=own.warm_start, validates=False)
    training = Training(own, train, None, 1)
    with own_randomness(own.device_):
        losses = _measure(training, rates)
    return _judge(rates[: len(losses)], losses, steps)


def _measure(training: Training, rates: NDArray[np.float64]) -> NDArray[np.float64]:
    """The loss of each step, until it has diverged."""
    optimizer = training.net.optimizer_
    losses: list[float] = []
    batches = chain.from_iterable(training.batches(0) for _ in count())
    for rate, batch in zip(rates, batches, strict=False):
        for group in optimizer.param_groups:
            group["lr"] = float(rate)
        loss = train_epoch(training.net.module_, [batch], training.objective, training.step)
        if not isfinite(loss):
            break
        losses.append(loss)
        smoothed = _smooth(losses, WIDTH * len(rates))
        if len(losses) > FEWEST and smoothed[-1] > DIVERGED * smoothed.min():
            break
    if not losses:
        raise TrainingError("lr_range: the loss is not finite before the first step. Look at loss= and at the targets.")
    return np.array(losses)


def _judge(tried: NDArray[np.float64], losses: NDArray[np.float64], steps: int) -> LearningRateRange:
    smoothed = _smooth(losses, WIDTH * steps)
    first = int(SKIPPED * steps)
    best = int(smoothed.argmin())
    if best <= first or smoothed[best] > FALLEN * smoothed[: first + 1].mean():
        return LearningRateRange(tried, losses, smoothed, None)
    slopes = np.gradient(smoothed)[first : best + 1]
    steepest = float(tried[first + int(slopes.argmin())])
    return LearningRateRange(tried, losses, smoothed, min(steepest, float(tried[best]) / MARGIN))


def _smooth(losses: Sequence[float] | NDArray[np.float64], width: float) -> NDArray[np.float64]:
    """Mean around each step with the weights of a normal distribution, over the steps that are there."""
    places = np.arange(len(losses))
    weights = np.exp(-0.5 * ((places - places[:, None]) / width) ** 2)
    smoothed: NDArray[np.float64] = weights @ np.asarray(losses) / weights.sum(1)
    return smoothed
