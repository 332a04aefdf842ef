"""Why nothing deeper exists, and why nothing exists at all: each bound lifted alone, and what it would have to be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from depthwise.analysis.layer_table import write_bytes, write_count
from depthwise.designer.front import Found, find_ways
from depthwise.designer.problem import FIRST_WIDTHS, Problem
from depthwise.designer.states import StateGraph, explore
from depthwise.errors import DesignError, NoDesignError
from depthwise.layers.ops import format_shape

FARTHEST = 3
"""How many times the allowed coverage is looked at for the next design.  Behind a convolution of jump j, which sees
(k - 1) (2 j - 1) + 1 pixels or more, one that opens a stage sees (2 k - 1) j more: less than twice what is allowed."""


@dataclass(frozen=True)
class Limit:
    """A bound that stands in the way of a deeper design: lifted alone, to what is needed, it lets one in.

    Attributes
    ----------
    name
        ``"min_capacity"``, ``"coverage"`` (the most), ``"least_coverage"``, ``"unread_pixels"``, or one of the budget.
    bound
        What was asked for; ``None`` for unread pixels.
    needed
        What the next deeper design needs; ``None`` for unread pixels.
    """

    name: str
    bound: float | None
    needed: float | None

    def __str__(self) -> str:
        if self.bound is None or self.needed is None:
            return "pixels of the image that nothing reads"
        return f"{TITLES[self.name]} {write(self.name, self.needed)} (asked: {write(self.name, self.bound)})"

    def to_dict(self) -> dict[str, Any]:
        """The limit as values that JSON can hold."""
        return dict(vars(self))


TITLES = {
    "min_capacity": "min_capacity of",
    "coverage": "coverage up to",
    "least_coverage": "coverage from",
    "params": "params of",
    "macs": "macs of",
    "activation_bytes": "activation_bytes of",
    "training_memory": "training_memory of",
}


def write(name: str, value: float) -> str:
    """A bound as people read it."""
    if name in ("min_capacity", "coverage", "least_coverage"):
        return f"{100 * value:.4g} %"
    return write_bytes(value) if name in ("activation_bytes", "training_memory") else write_count(value)


def find_limits(problem: Problem, graph: StateGraph, depth: int) -> tuple[Limit, ...]:
    """Bounds that alone keep out designs of more than so many convolutions; none where only several together do."""
    if max(graph.deepest().values()) > depth:
        return tuple(_budget_limits(problem, graph, depth))
    return tuple(_rule_limits(problem, depth))


def _budget_limits(problem: Problem, graph: StateGraph, depth: int) -> Iterator[Limit]:
    for name, bound in problem.budget.limits.items():
        deeper = [one for one in _cheapest(problem, graph, name) if one.depth > depth]
        if deeper:
            yield Limit(name, bound, min(_cost(problem, one, name) for one in deeper))


def _cheapest(problem: Problem, graph: StateGraph, *lifted: str) -> list[Found]:
    """Designs of the smallest width, which costs least in everything, with bounds of the budget lifted.

    What is lifted is no less a cost: it is what is asked for.
    """
    unbounded: dict[str, Any] = dict.fromkeys(lifted)
    if "training_memory" in lifted:
        unbounded["training_memory"] = float(1 << 62)
    eased = replace(problem, budget=replace(problem.budget, **unbounded))
    return find_ways(eased, graph, problem.widths(graph.stages)[0])


def _cost(problem: Problem, found: Found, name: str) -> int:
    return found.costs[problem.costs.index(name)]


def _rule_limits(problem: Problem, depth: int) -> Iterator[Limit]:
    capacity = _needed_capacity(problem, depth)
    if capacity is not None:
        yield Limit("min_capacity", float(problem.min_capacity), float(capacity))
    least, most = problem.coverage
    wider = _coverages(replace(problem, coverage=(least, FARTHEST * most)), depth, largest=True)
    if wider:
        yield Limit("coverage", float(most), float(min(wider)))
    nearer = _coverages(replace(problem, coverage=(Fraction(0), most)), depth, largest=False)
    if nearer:
        yield Limit("least_coverage", float(least), float(max(nearer)))
    if _goes_deeper(replace(problem, keeps_pixels=False), depth):
        yield Limit("unread_pixels", None, None)


def _goes_deeper(problem: Problem, depth: int) -> bool:
    return max(explore(problem).deepest().values(), default=0) > depth


def _needed_capacity(problem: Problem, depth: int) -> Fraction | None:
    """The largest least capacity with which a deeper design obeys the other rules."""
    graph = explore(replace(problem, min_capacity=Fraction(0)))
    if max(graph.deepest().values(), default=0) <= depth:
        return None
    # A strided convolution has the capacity of a plain one in its place, which is among the states too.
    met = {rules.capacity(axis) for state in graph.steps for rules, axis in zip(problem.axes, state.axes, strict=True)}
    tried = sorted(capacity for capacity in met if capacity < problem.min_capacity)
    low, high = 0, len(tried)  # with the one at `low` there is a deeper design, with the one at `high` there is none
    while high - low > 1:
        middle = (low + high) // 2
        deeper = _goes_deeper(replace(problem, min_capacity=tried[middle]), depth)
        low, high = (middle, high) if deeper else (low, middle)
    return tried[low] if tried else None


def _coverages(problem: Problem, depth: int, largest: bool) -> list[Fraction]:
    """Coverage of deeper designs, of the axis along which it is largest or smallest."""
    choose = max if largest else min
    return [
        choose(rules.coverage_at(axis) for rules, axis in zip(problem.axes, state.axes, strict=True))
        for state, reached in explore(problem).deepest().items()
        if reached > depth
    ]


def one_of(limits: Sequence[Limit]) -> str:
    """Bounds of which one is enough."""
    *others, last = map(str, limits)
    return f"{', '.join(others)} or {last}" if others else last


def explain(limits: tuple[Limit, ...], depth: int, allowed: int) -> str:
    """Why nothing deeper exists, in a sentence or two.

    Parameters
    ----------
    limits
        From :func:`find_limits`.
    depth
        Of the deepest design.
    allowed
        Largest depth that the rules allow whatever the cost.
    """
    start = f"No design is deeper than {depth} convolution{'s' * (depth != 1)}"
    by_budget = allowed > depth
    stop = f"the rules allow {allowed}, the budget does not" if by_budget else "the rules allow no more at any price"
    if limits:
        return f"{start}: {stop}. More would need {one_of(limits)}."
    several = "more than one bound of the budget" if by_budget else "more than one rule, or the end of the map,"
    return f"{start}: {stop}. {several.capitalize()} stops them."


def check_possible(problem: Problem, graph: StateGraph) -> None:
    """Refuse what no design can meet at any price, and tell which bound it is.

    Raises
    ------
    DesignError
        The norm does not go with any width.
    NoDesignError
        No network obeys the rules.
    """
    if graph.first is None:
        raise NoDesignError(_why_no_network(problem))
    if not problem.widths(graph.stages):
        raise DesignError(
            f"norm is {problem.norm!r}, but no first width of {', '.join(map(str, FIRST_WIDTHS))} gives stages that "
            "can be split into its groups. Choose a number of groups such as 8."
        )


def _why_no_network(problem: Problem) -> str:
    where = f"no network of {format_shape(problem.kernel)} kernels fits images of {format_shape(problem.size)}"
    least, most = problem.coverage
    limits = list(_rule_limits(problem, 0))
    if limits:
        return f"{where} under these rules. It would need {one_of(limits)}. Relax one bound."
    both = _coverages(replace(problem, coverage=(Fraction(0), FARTHEST * most)), 0, largest=False)
    if both:
        return (
            f"{where} with a coverage from {write('coverage', float(least))} to {write('coverage', float(most))} along "
            "both axes. Widen the range, or use images nearer to a square."
        )
    return f"{where}: the first kernel is larger than the image allows. Use larger images or a smaller kernel."


def raise_budget(problem: Problem, graph: StateGraph) -> None:
    """Tell which bound of a budget cannot be met, and by how much.

    Raises
    ------
    NoDesignError
        Always.
    """
    bounds = problem.budget.limits
    free = _cheapest(problem, graph, *bounds)
    short = []
    for name, bound in bounds.items():
        least = min(_cost(problem, one, name) for one in free)
        if least > bound:
            short.append(_too_much(name, bound, least, "the cheapest design needs"))
    if not short:
        for name, bound in bounds.items():
            others = _cheapest(problem, graph, name)
            if others:
                least = min(_cost(problem, one, name) for one in others)
                short.append(_too_much(name, bound, least, "beside the other bounds a design needs"))
    told = " ".join(short) or "Each bound can be met alone, but no two of them together."
    raise NoDesignError(f"no design for {format_shape(problem.input_shape)} images fits the budget. {told}")


def _too_much(name: str, bound: int, least: int, start: str) -> str:
    return f"{name} is {bound:,}, but {start} {least:,}: {least - bound:,} more. Raise it, or use smaller images."
