"""The designer's one verb."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from depthwise.analysis import MIN_CAPACITY
from depthwise.designer.designs import Design, DesignSet
from depthwise.designer.front import Found, find_front, replay
from depthwise.designer.limits import check_possible, raise_budget
from depthwise.designer.pieces import Pieces
from depthwise.designer.problem import COVERAGE, Budget, Norm, Problem, pose, width_at
from depthwise.designer.states import State, StateGraph, explore
from depthwise.layers import Layer


def design(
    input_shape: Iterable[int],
    n_classes: int,
    *,
    budget: Budget | None = None,
    kernel_size: int | tuple[int, int] = 3,
    padding: str = "same",
    downsampling: str | None = "pool",
    block: str = "plain",
    norm: Norm = None,
    min_capacity: float = MIN_CAPACITY,
    coverage: tuple[float, float] = COVERAGE,
    measure: str = "reach",
) -> DesignSet:
    """Find the deepest, widest, cheapest networks that obey the rules within a budget: all of them, exactly.

    A network is a row of stages of convolutions.  The first stage has 8, 16, 24, 32, 48 or 64 channels, and each
    halving of the map doubles them, up to 512; global average pooling and an output end it.  With jump j, kernel k and
    side S, every convolution must keep k j / reach >= `min_capacity` and reach <= `coverage[1]` S, and the last one
    must have reach >= `coverage[0]` S, along height and width alike; every pixel of the image must be read.  Of the
    networks that do, those stay that no other one beats in depth, first width, parameters, work and memory at once.

    Parameters
    ----------
    input_shape
        ``(channels, height, width)``.  Of an oblong image, stages may also halve the longer side alone, while the map
        is longer there.
    n_classes
        Width of the output.
    budget
        Bounds of the costs; none by default.
    kernel_size
        Of all convolutions: 2 or more, or (height, width).
    padding
        ``"same"`` or ``"valid"``.
    downsampling
        ``"pool"`` (2x2 max pools), ``"stride"`` (the convolution that opens a stage has stride 2), or ``None``.
    block
        ``"plain"``; ``"separable"``, depthwise and 1x1 convolutions behind a full first one; or ``"residual"``, pairs
        of convolutions with a shortcut behind the one that opens the stage.  Bounds hold along the longest way.
    norm
        As for :class:`Conv2D`; convolutions have no bias then.
    min_capacity, coverage
        The bounds.
    measure
        ``"reach"``, as in the analysis and the rules, or the ``"receptive_field"``, which counts pools too.

    Returns
    -------
    DesignSet
        A sequence of designs, deepest first, then widest, then cheapest in parameters.

    Raises
    ------
    NoDesignError
        Nothing fits; the message tells which bound cannot be met, and by how much.
    DesignError
        An argument cannot be.

    References
    ----------
    Cao: A practical theory for designing very deep convolutional neural networks, 2015 (the two bounds).

    Examples
    --------
    >>> found = design((1, 28, 28), 10, budget=Budget(params=50_000))
    >>> print(found.best)
    7-3 from 16: 10 convolutions, 37.5 k parameters, 15.5 M MACs
    >>> found.best.notation
    '16C3ps-16C3ps-16C3ps-16C3ps-16C3ps-16C3ps-16C3ps-MP2-32C3ps-32C3ps-32C3ps-GAP-10N'
    >>> print(found.why)
    No design is deeper than 10 convolutions: the rules allow no more at any price. More would need min_capacity of \
15.79 % (asked: 16.67 %) or coverage up to 103.6 % (asked: 100 %).
    """
    problem = pose(
        input_shape,
        n_classes,
        budget=budget,
        kernel_size=kernel_size,
        padding=padding,
        downsampling=downsampling,
        block=block,
        norm=norm,
        min_capacity=min_capacity,
        coverage=coverage,
        measure=measure,
    )
    graph = explore(problem)
    check_possible(problem, graph)
    front = find_front(problem, graph)
    if not front:
        raise_budget(problem, graph)
    pieces = Pieces(problem)
    designs = [_drawn(problem, graph, found, pieces) for found in front]
    designs.sort(key=lambda one: (-one.depth, -one.width, one.params, one.macs, one.activation_bytes, one.skeleton))
    return DesignSet(tuple(designs), problem, graph)


def _drawn(problem: Problem, graph: StateGraph, found: Found, pieces: Pieces) -> Design:
    """A plan as a layer list, with its facts."""
    assert graph.first is not None
    layers: list[Layer] = [*pieces.stem(found.width)]
    capacities = [_capacities(problem, graph.first, ())]
    stage = 0
    for state, halving in replay(graph, found.plan):
        before, width = width_at(found.width, stage), width_at(found.width, state.stage)
        layers += pieces.layers(halving, before, width)
        capacities.append(_capacities(problem, state, halving or ()))
        stage = state.stage
    costs = dict(zip(problem.costs, found.costs, strict=True))
    coverage = [rules.coverage_at(axis) for rules, axis in zip(problem.axes, found.end.axes, strict=True)]
    capacity = [min(along) for along in zip(*capacities, strict=True)]
    return Design(
        layers=(*layers, *pieces.head()),
        input_shape=problem.input_shape,
        skeleton=_skeleton(problem, found),
        depth=found.depth,
        width=found.width,
        params=costs["params"],
        macs=costs["macs"],
        activation_bytes=costs["activation_bytes"],
        training_memory=costs.get("training_memory"),
        capacity=tuple(float(capacity[place]) for place in problem.places),
        coverage=tuple(float(coverage[place]) for place in problem.places),
    )


def _capacities(problem: Problem, state: State, halving: tuple[bool, ...]) -> list[Fraction]:
    """Capacity of the convolution that came to a state, for each distinct axis."""
    strided = problem.downsampling == "stride"
    found = []
    for place, (rules, axis) in enumerate(zip(problem.axes, state.axes, strict=True)):
        doubled = strided and bool(halving) and halving[place]
        found.append(rules.capacity(axis._replace(jump=axis.jump // 2) if doubled else axis))
    return found


def _skeleton(problem: Problem, found: Found) -> str:
    """Convolutions that read each resolution; one of stride 2 reads the one before."""
    in_unit = 2 if problem.block == "residual" else 1
    strided = problem.downsampling == "stride"
    written = ""
    for place, (halving, units) in enumerate(found.plan):
        last = place == len(found.plan) - 1
        opening = (place == 0) + (not last) if strided else 1
        written += ("-" if all(halving) else "~") if halving else ""
        written += str(units * in_unit + opening)
    return written
