"""Which of many designs to race in the time there is: a few, spread over what they cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from depthwise.designer import Design
from depthwise.errors import TrainingError
from depthwise.search.halving import Plan, estimate
from depthwise.search.jobs import on_threads
from depthwise.training.neural_net import NeuralNet
from depthwise.training.stages import batch_size_of

FIELDS = {27: (1, 3, 9, 27), 9: (1, 3, 9), 3: (1, 3)}
"""Number of designs that are raced, and the rungs that bring them down by thirds."""
TIMED_STEPS = 3
"""Steps of a training that an epoch's time is told from, after as many to warm up."""


def spread(designs: Sequence[Design], count: int) -> list[Design]:
    """So many designs, evenly from the cheapest to the dearest in multiply-accumulates.

    >>> from depthwise.designer import design
    >>> [one.macs for one in spread(design((1, 14, 14), 10), 3)]
    [296512, 4572928, 36240256]
    """
    by_work = sorted(designs, key=lambda design: (design.macs, design.params))
    if len(by_work) <= count:
        return by_work
    places = np.linspace(0, len(by_work) - 1, count).round().astype(int)
    return [by_work[place] for place in places]


def time_epochs(
    designs: Sequence[Design], template: NeuralNet, X: NDArray[Any], y: NDArray[Any], share: float, threads: int
) -> list[float]:
    """Seconds that an epoch of each design takes here, told from a few steps.

    Parameters
    ----------
    designs
        The designs.
    template
        Estimator with the parameters to train with.
    X, y
        All images and their targets.
    share
        Of them that is held out.
    threads
        To compute with.
    """
    size = min(TIMED_STEPS * batch_size_of(0, template.batch_size), len(y))
    some = np.random.default_rng(0).choice(len(y), size, replace=False)
    # Looking at an image costs a third of learning from it: no way back, no gradients.
    whole = len(y) * (1 - share + share / 3)
    seconds = []
    with on_threads(threads):
        for design in designs:
            net = clone(template).set_params(layers=design.layers, max_epochs=2, validation=None, verbose=0)
            try:
                seconds.append(net.fit(X[some], y[some]).history_[-1].seconds / size * whole)
            except TrainingError:  # it will fail in the race, and be told there
                seconds.append(inf)
    return seconds


def choose_field(
    seconds: Mapping[Design, float], n_seeds: int, workers: int, minutes: float
) -> tuple[list[Design], tuple[int, ...]]:
    """The designs to race, and the rungs, so that the race ends in time.

    As many as fit, of 27, 9 and 3; where the dearest ones would not leave the time for so many, the others.

    Parameters
    ----------
    seconds
        What an epoch takes, by design, in the order of :func:`spread`.
    n_seeds, workers
        As of the race.
    minutes
        That it may take.
    """
    by_time = sorted(seconds, key=lambda design: seconds[design])
    for count, rungs in FIELDS.items():
        plan = Plan(rungs, 1 / 3, n_seeds)
        for most in range(len(by_time), min(count, len(by_time)) - 1, -1):
            chosen = spread(by_time[:most], count)
            slowest_first = sorted(chosen, key=lambda design: -seconds[design])
            pace = {place: seconds[design] for place, design in enumerate(slowest_first)}
            if estimate(range(len(chosen)), plan, 0, pace, workers) <= 60 * minutes:
                return chosen, rungs
    fewest = min(FIELDS)
    return by_time[:fewest], FIELDS[fewest]
