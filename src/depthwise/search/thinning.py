"""Which of many designs to race in the time there is: a few, spread over what they cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import NDArray
from sklearn.base import clone

from depthwise.designer import Design
from depthwise.errors import TrainingError
from depthwise.search.halving import Plan, estimate
from depthwise.search.jobs import count_threads
from depthwise.training.device import on_threads
from depthwise.training.stages import batch_size_of

if TYPE_CHECKING:
    from depthwise.search.estimator import ArchitectureSearch

FIELDS = {27: (1, 3, 9, 27), 9: (1, 3, 9), 3: (1, 3)}
"""Number of designs that are raced, and the rungs that bring them down by thirds."""
TIMED_STEPS = 3
"""Steps of a training that an epoch's time is told from, after as many to warm up."""
LOOK = 1 / 3
"""What looking at an image costs of learning from it: the way back is about twice the way forth."""


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
    search: ArchitectureSearch, designs: Sequence[Design], X: NDArray[Any], y: NDArray[Any]
) -> dict[Design, float]:
    """Seconds that an epoch takes here, told from a few steps, of as many designs as may race.

    Parameters
    ----------
    search
        With the estimator, and the share of the images that is held out.
    designs
        The designs, of which some are timed, spread over what they cost.
    X, y
        All images and their targets.
    """
    template = search.template
    size = min(TIMED_STEPS * batch_size_of(0, template.batch_size), len(y))
    some = np.random.default_rng(0).choice(len(y), size, replace=False)
    held = search.validation if isinstance(search.validation, float) else 0.0
    whole = len(y) * (1 - held + held * LOOK)
    seconds = {}
    with on_threads(count_threads(search.n_threads, effective_n_jobs(search.n_jobs))):
        for design in spread(designs, max(FIELDS)):
            net = clone(template).set_params(layers=design.layers, max_epochs=2, validation=None, verbose=0)
            try:
                seconds[design] = net.fit(X[some], y[some]).history_[-1].seconds / size * whole
            except TrainingError:  # it will fail in the race, and be told there
                seconds[design] = inf
    return seconds


def choose_field(seconds: Mapping[Design, float], search: ArchitectureSearch) -> tuple[list[Design], tuple[int, ...]]:
    """The designs to race, and the rungs, so that the race ends in time.

    As many as fit, of 27, 9 and 3; where the dearest ones would not leave the time for so many, the others.

    Parameters
    ----------
    seconds
        What an epoch takes, by design.
    search
        With the minutes that it may take.
    """
    by_time = sorted(seconds, key=lambda design: seconds[design])
    workers = effective_n_jobs(search.n_jobs)
    left = inf if search.minutes is None else 60 * search.minutes
    for count, rungs in FIELDS.items():
        plan = Plan(rungs, search.keep, search.n_seeds)
        for most in range(len(by_time), min(count, len(by_time)) - 1, -1):
            chosen = spread(by_time[:most], count)
            slowest_first = sorted(chosen, key=lambda design: -seconds[design])
            pace = {place: seconds[design] for place, design in enumerate(slowest_first)}
            if estimate(range(len(chosen)), plan, 0, pace, workers) <= left:
                return chosen, rungs
    fewest = min(FIELDS)
    return by_time[:fewest], FIELDS[fewest]
