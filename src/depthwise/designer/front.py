"""The search: a dynamic program over states that keeps, at each of them, what no other way beats.

Costs are sums over pieces, and what may follow depends on the state alone.  So a way to a state that is no deeper and
no cheaper in anything than another way to it cannot be part of a better network, and is forgotten: the front that is
left is exact.

References
----------
Bellman: Dynamic Programming, 1957; with several costs: Martins: On a multicriteria shortest path problem, European
Journal of Operational Research, 1984.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from operator import le
from typing import NamedTuple, TypeVar

from depthwise.designer.pieces import Costs, Pieces, added
from depthwise.designer.problem import Problem
from depthwise.designer.states import Halving, State, StateGraph

Plan = tuple[tuple[Halving | None, int], ...]
"""For each stage, which axes were halved to open it (the first one: ``None``), and how many units follow its first
convolution."""


class Way(NamedTuple):
    """A way to a state.

    Attributes
    ----------
    costs
        What it costs so far.
    depth
        Convolutions so far.
    plan
        Its stages.
    """

    costs: Costs
    depth: int
    plan: Plan


class Found(NamedTuple):
    """A whole network.

    Attributes
    ----------
    costs, depth, plan
        As of a :class:`Way`, with the head.
    width
        Channels of the first convolution.
    end
        Where it ends.
    """

    costs: Costs
    depth: int
    plan: Plan
    width: int
    end: State


def find_front(problem: Problem, graph: StateGraph) -> list[Found]:
    """All networks within the budget that no other one beats in depth, first width and every cost at once."""
    pieces = Pieces(problem)
    found = [one for width in problem.widths(graph.stages) for one in find_ways(problem, graph, width, pieces)]
    return unbeaten(found, lambda one: (one.costs, one.depth, one.width))


def find_ways(problem: Problem, graph: StateGraph, width: int, pieces: Pieces | None = None) -> list[Found]:
    """Networks of one first width within the budget: all that no other one beats in depth and every cost."""
    pieces = pieces or Pieces(problem)
    bounds = [problem.budget.limits.get(name) for name in problem.costs]
    if graph.first is None:
        return []
    ways: dict[State, list[Way]] = {graph.first: [Way(pieces.stem_price(width), 1, ((None, 0),))]}
    found: list[Found] = []
    for state, steps in graph.steps.items():
        head = pieces.head_price(state, width)
        # The head behind later states costs no less: what breaks a bound here breaks it to the end.
        within = [way for way in ways.pop(state, ()) if _fits(added(way.costs, head), bounds)]
        kept = unbeaten(within, lambda way: (way.costs, way.depth))
        if state in graph.ends:
            found += [Found(added(way.costs, head), way.depth, way.plan, width, state) for way in kept]
        for step in steps:
            price = pieces.price(state, step, width)
            onward = ways.setdefault(step.to, [])
            for way in kept:
                onward.append(Way(added(way.costs, price), way.depth + step.convs, _longer(way.plan, step.halving)))
    return unbeaten(found, lambda one: (one.costs, one.depth))


def _longer(plan: Plan, halving: Halving | None) -> Plan:
    if halving is not None:
        return (*plan, (halving, 0))
    opened, units = plan[-1]
    return (*plan[:-1], (opened, units + 1))


def _fits(costs: Costs, bounds: list[int | None]) -> bool:
    return all(bound is None or cost <= bound for cost, bound in zip(costs, bounds, strict=True))


Item = TypeVar("Item")
Merits = tuple[object, ...]


def unbeaten(items: Iterable[Item], rate: Callable[[Item], Merits]) -> list[Item]:
    """Items that no other one beats: costs as small, everything else as large, and not all of it equal.

    Parameters
    ----------
    items
        Any number; those with equal rates all stay.
    rate
        Costs, as a tuple, then what should be large.

    Examples
    --------
    >>> unbeaten([((5, 1), 2), ((1, 5), 2), ((5, 5), 2), ((5, 5), 3)], lambda item: item)
    [((1, 5), 2), ((5, 1), 2), ((5, 5), 3)]
    """
    rated = sorted(((_small(rate(item)), item) for item in items), key=lambda entry: entry[0])
    kept: list[tuple[int, ...]] = []
    best: list[Item] = []
    for merits, item in rated:
        # Whoever beats it comes before it in this order.
        place = next((at for at, other in enumerate(kept) if all(map(le, other, merits)) and other != merits), None)
        if place is None:
            kept.append(merits)
            best.append(item)
        elif place:
            kept.insert(0, kept.pop(place))  # who beats one often beats the next one too
    return best


def _small(merits: Merits) -> tuple[int, ...]:
    costs, *others = merits
    return (*costs, *(-other for other in others))  # type: ignore[misc, operator]


def replay(graph: StateGraph, plan: Plan) -> Iterator[tuple[State, Halving | None]]:
    """States behind each step of a plan, with how it was reached; the first convolution left aside."""
    state = graph.first
    assert state is not None
    for place, (opened, units) in enumerate(plan):
        for halving in ([opened] if place else []) + [None] * units:
            state = next(step.to for step in graph.steps[state] if step.halving == halving)
            yield state, halving
