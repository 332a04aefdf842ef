"""Which stages may follow each other: everything that a rule asks of what came before, and nothing else.

Two networks that have come to the same :class:`State` may go on in the same ways, whatever they cost; so a search has
to keep the best of them only.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from depthwise.designer.axes import Axis
from depthwise.designer.problem import Problem
from depthwise.layers.ops import Size

Halving = tuple[bool, ...]
"""For each distinct axis, whether a step halves it."""


class State(NamedTuple):
    """Where a network has come to.

    Attributes
    ----------
    stage
        Number of halvings.
    axes
        One entry for each distinct axis.
    ready
        Whether the network may end here: not directly behind a strided convolution, which would halve for nobody.
    """

    stage: int
    axes: tuple[Axis, ...]
    ready: bool


class Step(NamedTuple):
    """A way from one state to the next.

    Attributes
    ----------
    to
        The next state.
    halving
        Which axes the step halves to open a stage; ``None`` for one unit more in the same stage.
    convs
        Number of convolutions in it.
    """

    to: State
    halving: Halving | None
    convs: int


@dataclass(frozen=True)
class StateGraph:
    """The states from which an end can be reached, in an order in which each step goes to a later one.

    Attributes
    ----------
    first
        Behind the first convolution; ``None`` where no network obeys the rules.
    steps
        Ways on.
    ends
        States in which a network may end.
    """

    first: State | None
    steps: dict[State, tuple[Step, ...]]
    ends: frozenset[State]

    @property
    def stages(self) -> int:
        """Most stages of a network."""
        return 1 + max((state.stage for state in self.steps), default=0)

    def deepest(self) -> dict[State, int]:
        """Largest number of convolutions with which each end can be reached."""
        depths: dict[State, int] = {} if self.first is None else {self.first: 1}
        for state, steps in self.steps.items():
            for step in steps:
                depths[step.to] = max(depths.get(step.to, 0), depths[state] + step.convs)
        return {state: depth for state, depth in depths.items() if state in self.ends}


def explore(problem: Problem) -> StateGraph:
    """Find all states of networks that obey the rules."""
    first = _convolved(problem, State(0, tuple(rules.start() for rules in problem.axes), True), 1)
    if first is None:
        return StateGraph(None, {}, frozenset())
    found: dict[State, tuple[Step, ...]] = {}
    open_states = [first]
    while open_states:
        state = open_states.pop()
        if state not in found:
            found[state] = tuple(_steps(problem, state))
            open_states += [step.to for step in found[state]]
    steps = {state: found[state] for state in sorted(found, key=_progress)}
    ends = frozenset(state for state in steps if state.ready and _sees_enough(problem, state))
    alive = set(ends)
    for state in reversed(steps):
        if any(step.to in alive for step in steps[state]):
            alive.add(state)
    kept = {state: tuple(step for step in ways if step.to in alive) for state, ways in steps.items() if state in alive}
    return StateGraph(first if first in alive else None, kept, ends)


def _progress(state: State) -> tuple[int, int, State]:
    """Every step opens a stage, or sees more in the same one."""
    return state.stage, sum(axis.seen for axis in state.axes), state


def _steps(problem: Problem, state: State) -> Iterable[Step]:
    convs = 2 if problem.block == "residual" else 1
    further = _convolved(problem, state, convs)
    if further is not None:
        yield Step(further, None, convs)
    if problem.downsampling is None:
        return
    for halving in _halvings(problem, state):
        opened = _halved(problem, state, halving)
        if opened is not None:
            yield Step(opened, halving, 1)


def _halvings(problem: Problem, state: State) -> Iterable[Halving]:
    """All axes together; of an oblong image also the longer one alone, while its map is the longer one still."""
    yield (True,) * len(state.axes)
    if len(state.axes) > 1:
        lengths = [rules.side * other.jump for rules, other in zip(problem.axes, reversed(state.axes), strict=True)]
        longer = [rules.side == max(problem.size) for rules in problem.axes]
        if not all(longer) and lengths[longer.index(True)] > lengths[longer.index(False)]:
            yield tuple(longer)


def _convolved(problem: Problem, state: State, convs: int) -> State | None:
    axes = state.axes
    for _ in range(convs):
        moved = [rules.convolve(axis) for rules, axis in zip(problem.axes, axes, strict=True)]
        axes = tuple(axis for axis in moved if axis is not None)
        if len(axes) < len(moved):
            return None
    return State(state.stage, axes, True)


def _halved(problem: Problem, state: State, halving: Halving) -> State | None:
    """A stage opened: by a pool and a convolution, or by a strided convolution."""
    strided = problem.downsampling == "stride"
    moved = []
    for rules, axis, halved in zip(problem.axes, state.axes, halving, strict=True):
        kept = rules.convolve(axis) if strided else axis
        moved.append(rules.halve(axis) if halved else kept)
    axes = tuple(axis for axis in moved if axis is not None)
    if len(axes) < len(moved):
        return None
    opened = State(state.stage + 1, axes, False)
    return opened if strided else _convolved(problem, opened, 1)


def _sees_enough(problem: Problem, state: State) -> bool:
    return all(rules.sees_enough(axis) for rules, axis in zip(problem.axes, state.axes, strict=True))


def map_size(problem: Problem, state: State) -> Size:
    """Height and width of a state's map."""
    return tuple(state.axes[place].side for place in problem.places)
