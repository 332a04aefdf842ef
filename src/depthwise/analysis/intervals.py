"""The pixels that each unit reads, exactly: borders, remainders, phases and branches taken in, axis by axis.

What a unit learns of the whole map through a statistic (a gate, a group norm) is left out, as in the fields.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property, reduce
from operator import or_
from typing import NamedTuple

from depthwise.analysis.fields import MOVING, Fields, measure_fields, taps
from depthwise.graph import SizedGraph, SizedNode
from depthwise.layers.ops import ConvTranspose, Window

Values = list[int]
"""One value a unit of a map along one axis; a single one for values that have no place in the image."""

Interval = tuple[list[int | None], list[int | None]]
"""First and last pixel that each unit reads; ``None`` for a unit that reads nothing but padding."""


class _Fold(NamedTuple):
    """How a unit's value comes from those of the units that it reads."""

    join: Callable[..., int]
    nothing: int

    def all(self, values: Iterable[int]) -> int:
        return reduce(self.join, values, self.nothing)

    def side_by_side(self, columns: list[Values]) -> Values:
        """Several values a unit, joined."""
        if len(columns) == 1:
            return columns[0]
        if self.join is or_:  # which takes two, unlike min and max
            return reduce(lambda left, right: list(map(or_, left, right)), columns)
        return list(map(self.join, *columns))


def unit_intervals(graph: SizedGraph, axis: int) -> dict[str, Interval]:
    """First and last real pixel that each unit of each node reads along one axis.

    Nodes whose values have no place in the image (flat ones, for instance) count as one unit.

    Parameters
    ----------
    graph
        A network at one size.
    axis
        0 for height, 1 for width.

    Examples
    --------
    >>> from depthwise.graph import Graph
    >>> from depthwise.layers import Conv2D, MaxPool2D
    >>> graph = Graph.from_layers([Conv2D(8, padding=1), MaxPool2D()]).at((1, 5, 5))
    >>> unit_intervals(graph, axis=0)["maxpool2d2"]
    ([0, 1], [2, 4])
    """
    views = UnitViews(graph)
    return {node.name: views.interval(node.name, axis) for node in graph.nodes}


class UnitViews:
    """What the units of a network read; computed once for all of them.

    Parameters
    ----------
    graph
        A network at one size.
    """

    def __init__(self, graph: SizedGraph) -> None:
        self._graph = graph
        self._fields = measure_fields(graph)
        self._sides = [side or 0 for side in graph.input_shape[1:]]
        self._blind: set[str] = set()
        pixels = [list(range(side)) for side in self._sides]
        self._last = self._fold(_Fold(max, -1), pixels)
        self._first = self._fold(_Fold(min, max(self._sides, default=0)), pixels)

    def interval(self, name: str, axis: int) -> Interval:
        """First and last pixel that each unit of a node reads along one axis."""
        first, last = self._first[name][axis], self._last[name][axis]
        if min(last) >= 0:
            return [*first], [*last]
        starts = [None if end < 0 else start for start, end in zip(first, last, strict=True)]
        return starts, [None if end < 0 else end for end in last]

    def mask(self, name: str, axis: int) -> Values:
        """Pixels that each unit of a node reads along one axis: bit i stands for pixel i."""
        return self._masks[name][axis]

    def holes(self, name: str, axis: int) -> int:
        """Most pixels between the first and the last it reads that a unit of a node leaves out."""
        units = zip(self._first[name][axis], self._last[name][axis], self._masks[name][axis], strict=True)
        return max(end - start + 1 - mask.bit_count() if mask else 0 for start, end, mask in units)

    @cached_property
    def _masks(self) -> dict[str, list[Values]]:
        return self._fold(_Fold(or_, 0), [[1 << pixel for pixel in range(side)] for side in self._sides])

    def _fold(self, fold: _Fold, pixels: list[Values]) -> dict[str, list[Values]]:
        """Values of all nodes, per axis, given those of the pixels."""
        values: dict[str, list[Values]] = {}
        for node in self._graph.nodes:
            sources = node.node.inputs
            fields = [self._fields[name] for name in sources]
            own = pixels
            if sources:
                own = [
                    _through(
                        node, axis, [values[name][axis] for name in sources], fields, self._fields[node.name], fold
                    )
                    for axis in range(len(pixels))
                ]
            # Who reads nothing but padding along one axis reads no pixel at all.
            if fold.join is max and min(map(max, own), default=0) < 0:
                self._blind.add(node.name)
            if node.name in self._blind:
                own = [[fold.nothing] * len(line) for line in own]
            values[node.name] = own
        return values


def _through(
    node: SizedNode, axis: int, inputs: list[Values], fields: list[Fields | None], own: Fields | None, fold: _Fold
) -> Values:
    if own is None:
        return [fold.all(value for values in inputs for value in values)]
    side = node.output_shape[axis + 1] or 0
    if len(inputs) > 1:
        placed = [values for values, known in zip(inputs, fields, strict=True) if known is not None]
        return fold.side_by_side([values if len(values) == side else values * side for values in placed])
    op, (values,) = node.op, inputs
    if not isinstance(op, MOVING):
        return values
    if isinstance(op, Window) and not isinstance(op, ConvTranspose):
        return _slid(op, axis, values, side, fold)
    return [fold.all(values[place] for place in taps(op, axis, (unit,), len(values))) for unit in range(side)]


def _slid(op: Window, axis: int, values: Values, side: int, fold: _Fold) -> Values:
    """One slice of the padded map a tap: much faster than a look at each unit's taps."""
    before, kernel = op.sides[axis][0], op.kernel_size[axis]
    stride, dilation = op.stride[axis], op.dilation[axis]
    length = (side - 1) * stride + 1
    padded = [fold.nothing] * before + values[max(-before, 0) :]
    padded += [fold.nothing] * (length + (kernel - 1) * dilation - len(padded))
    return fold.side_by_side(
        [padded[start : start + length : stride] for start in range(0, kernel * dilation, dilation)]
    )
