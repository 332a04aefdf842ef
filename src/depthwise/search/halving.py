"""Successive halving: who goes on from one rung to the next, and what is left out when time is short.

Pure arithmetic, no clock and no files, so that a race that goes on decides as the undisturbed one did.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, sqrt

FEWEST = 2
"""Designs that go on at least, where there are as many: one alone does not race."""


@dataclass(frozen=True)
class Judged:
    """What a network was found to be worth.

    Attributes
    ----------
    score
        Validation accuracy, or minus the validation loss: more is better.
    standard_error
        Of the score, from one draw of as many validation images to another.
    """

    score: float
    standard_error: float


@dataclass(frozen=True)
class Plan:
    """How a race is run.

    Attributes
    ----------
    rungs
        Epochs in total after which designs are compared, rising.
    keep
        Share of the designs that goes on from each rung.
    n_seeds
        Networks trained of each design at the last rung, from different first weights; one before it.
    """

    rungs: tuple[int, ...]
    keep: float
    n_seeds: int


def binomial_error(right: int, count: int) -> float:
    """Standard error of a share of right answers.

    sqrt(p (1 - p) / (n + 2)) with p = (right + 1) / (n + 2), so that an error of nought is not believed of a network
    that happens to make no mistake (Laplace's rule; Agresti, Coull: The American Statistician 52, 1998).

    Examples
    --------
    >>> round(binomial_error(980, 1000), 5), round(binomial_error(1000, 1000), 5)
    (0.00453, 0.001)
    """
    share = (right + 1) / (count + 2)
    return sqrt(share * (1 - share) / (count + 2))


def cut(judged: Mapping[int, Judged], keep: float) -> tuple[list[int], int]:
    """The designs that go on, best first, and how many of them do so by rank alone.

    These are the best ``ceil(keep * n)``, two at least; behind them stays who is within one standard error of the
    last of them, since validation cannot tell the two apart.

    Parameters
    ----------
    judged
        By number of the design.
    keep
        The share.

    Examples
    --------
    >>> scores = {0: 0.90, 1: 0.95, 2: 0.93, 3: 0.925, 4: 0.91, 5: 0.80}
    >>> cut({design: Judged(score, 0.01) for design, score in scores.items()}, keep=1 / 3)
    ([1, 2, 3], 2)
    """
    order = sorted(judged, key=lambda design: (-judged[design].score, design))
    count = min(len(order), max(FEWEST, ceil(keep * len(order) - 1e-9)))  # 1 / 3 of 27 is 9, not 10
    if not order:
        return [], 0
    last = judged[order[count - 1]]
    near = [one for one in order[count:] if judged[one].score >= last.score - last.standard_error]
    return order[:count] + near, count


def makespan(seconds: Iterable[float], workers: int) -> float:
    """Seconds until the last of some jobs is done, if the longest ones are begun first.

    >>> makespan([3, 3, 2, 2, 2], workers=2)
    7.0
    """
    busy = [0.0] * workers
    for each in sorted(seconds, reverse=True):
        heapq.heappush(busy, heapq.heappop(busy) + each)
    return max(busy)


def estimate(order: Sequence[int], plan: Plan, place: int, epoch_seconds: Mapping[int, float], workers: int) -> float:
    """Seconds from the rung before the one at a place to the end, if designs are cut by rank alone.

    Parameters
    ----------
    order
        The designs that go on, best first.
    plan
        The plan.
    place
        Of the next rung.
    epoch_seconds
        What an epoch takes, by design.
    workers
        Jobs at a time.
    """
    total, count = 0.0, len(order)
    for rung in range(place, len(plan.rungs)):
        last = rung == len(plan.rungs) - 1
        before = plan.rungs[rung - 1] if rung else 0
        jobs = [epoch_seconds[one] * (plan.rungs[rung] - before) for one in order[:count]]
        if last:
            jobs += [epoch_seconds[one] * plan.rungs[rung] for one in order[:count]] * (plan.n_seeds - 1)
        total += makespan(jobs, workers)
        count = min(count, max(FEWEST, ceil(plan.keep * count - 1e-9)))
    return total


def shorten(
    order: Sequence[int],
    by_rank: int,
    plan: Plan,
    place: int,
    epoch_seconds: Mapping[int, float],
    workers: int,
    seconds: float,
) -> tuple[list[int], Plan]:
    """What of a race fits into the time that is left: the designs that go on, and the plan.

    First those are left out who stayed only by a standard error, the lowest rank first; then the last rungs; then
    seeds; then designs, down to one.  Where not even that fits, nobody goes on.

    Parameters
    ----------
    order, by_rank
        As of :func:`cut`.
    plan, place, epoch_seconds, workers
        As of :func:`estimate`.
    seconds
        That are left.

    Returns
    -------
    list of int, Plan
        The plan ends with the rung before `place` where nobody goes on.

    Examples
    --------
    >>> plan, pace = Plan((1, 3, 9), 1 / 3, 1), dict.fromkeys(range(4), 1.0)
    >>> estimate([0, 1, 2, 3], plan, 1, pace, 1)
    20.0
    >>> shorten([0, 1, 2, 3], 3, plan, 1, pace, 1, 18.5)
    ([0, 1, 2], Plan(rungs=(1, 3, 9), keep=0.3333333333333333, n_seeds=1))
    >>> shorten([0, 1, 2, 3], 3, plan, 1, pace, 1, 9)[1].rungs
    (1, 3)
    >>> shorten([0, 1, 2, 3], 3, plan, 1, pace, 1, 3)[0]
    [0]
    """

    def fits(count: int, shorter: Plan) -> bool:
        return estimate(order[:count], shorter, place, epoch_seconds, workers) <= seconds

    lengths = range(len(plan.rungs), place, -1)
    for rungs in lengths:
        shorter = replace(plan, rungs=plan.rungs[:rungs])
        for count in range(len(order), by_rank - 1, -1):
            if fits(count, shorter):
                return list(order[:count]), shorter
    next_only = replace(plan, rungs=plan.rungs[: place + 1])
    for count in range(by_rank, 0, -1):
        for n_seeds in range(plan.n_seeds, 0, -1):
            shorter = replace(next_only, n_seeds=n_seeds)
            if fits(count, shorter):
                return list(order[:count]), shorter
    return [], replace(plan, rungs=plan.rungs[:place])
