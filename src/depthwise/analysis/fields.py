"""Receptive fields: what each unit sees of the image, axis by axis, exact along every path of the graph.

Per axis, with jump j (input pixels between neighboring units) before a window of kernel k, stride s, dilation d and
left padding p, and g the steps by which it widens the view::

    receptive field  r' = r + d (k - 1) j             start a' = a - p j        jump j' = s j
    reach            reach' = reach + g j             g = d (k - 1) for filters, max(0, span - s) for pools
    real filter      F = (d (k - 1) + 1) j            pools, 1x1 filters and pointwise operations carry it on
    capacity         min(1, F / reach)                coverage = reach / side of the image

References
----------
Araujo, Norris, Sim: Computing Receptive Fields of Convolutional Neural Networks, Distill 2019 (r, a, j).
Cao: A practical theory for designing very deep convolutional neural networks, 2015 (capacity; as in nolearn).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil

from depthwise.graph import SizedGraph, SizedNode
from depthwise.layers.ops import Conv, ConvTranspose, Merge, Op, Pad, Pool, Upsample, Window

Pixels = int | Fraction
"""A distance in input pixels; whole wherever nothing is enlarged."""


@dataclass(frozen=True)
class Field:
    """What unit 0 of a map sees along one axis, in input pixels.

    Attributes
    ----------
    start, end
        First and last pixel, not clipped to the image.
    jump
        Distance between the views of neighboring units.
    least
        Receptive field along the shortest path.
    reach, least_reach
        How far the view reaches beyond its own cell, along the longest and the shortest path.
    filter
        Real filter size: span of the last filter in input pixels; ``None`` before the first one.
    """

    start: Pixels = 0
    end: Pixels = 0
    jump: Pixels = 1
    least: Pixels = 1
    reach: Pixels = 1
    least_reach: Pixels = 1
    filter: Pixels | None = None

    @property
    def size(self) -> int:
        """Receptive field along the longest path."""
        return ceil(self.end - self.start + 1)

    def grown(self, before: Pixels, after: Pixels, g: Pixels) -> Field:
        """The field with its start and end moved outwards, and its reach by g."""
        return replace(
            self,
            start=self.start - before,
            end=self.end + after,
            least=self.least + before + after,
            reach=self.reach + g,
            least_reach=self.least_reach + g,
        )


Fields = tuple[Field, ...]
"""One field an axis."""


def measure_fields(graph: SizedGraph) -> dict[str, Fields | None]:
    """Fields of every node, per axis; ``None`` where a node has no map (flat values see the whole image).

    Examples
    --------
    >>> from depthwise.graph import Graph
    >>> from depthwise.layers import Conv2D, MaxPool2D
    >>> fields = measure_fields(Graph.from_layers([Conv2D(8), MaxPool2D(), Conv2D(8, name="last")]).at((1, 28, 28)))
    >>> [(field.size, field.reach, field.filter, field.jump) for field in fields["last"]]
    [(8, 7, 6, 2), (8, 7, 6, 2)]
    """
    fields: dict[str, Fields | None] = {}
    for node in graph.nodes:
        inputs = [fields[name] for name in node.node.inputs]
        fields[node.name] = _through(node, inputs)
    return fields


def _through(node: SizedNode, inputs: list[Fields | None]) -> Fields | None:
    rank = len(node.output_shape) - 1
    if rank == 0:
        return None
    if not inputs:
        return (Field(),) * rank
    paths = [fields for fields in inputs if fields is not None]
    if isinstance(node.op, Merge):
        return tuple(_merged(axis) for axis in zip(*paths, strict=True))
    return tuple(_step(node.op, axis, field) for axis, field in enumerate(paths[0]))


def _merged(paths: tuple[Field, ...]) -> Field:
    farthest = max(paths, key=lambda path: (path.reach, path.filter or 0))
    return replace(
        farthest,
        start=min(path.start for path in paths),
        end=max(path.end for path in paths),
        least=min(path.least for path in paths),
        least_reach=min(path.least_reach for path in paths),
    )


def _step(op: Op, axis: int, field: Field) -> Field:
    match op:
        case ConvTranspose():
            return _spread(op, axis, field)
        case Window():
            return _slid(op, axis, field)
        case Pad():
            shift = op.padding[axis][0] * field.jump
            return replace(field, start=field.start - shift, end=field.end - shift)
        case Upsample():
            # Two neighbors are mixed, so the view grows by one of them; repeating pixels adds nothing.
            mixed = field.jump if op.mode == "bilinear" and op.scale[axis] > 1 else 0
            return replace(field.grown(mixed, 0, mixed), jump=_divided(field.jump, op.scale[axis]))
    return field


def _slid(op: Window, axis: int, field: Field) -> Field:
    span, stride, jump = op.span[axis], op.stride[axis], field.jump
    before = op.sides[axis][0] * jump
    # A pool whose windows lie side by side only samples anew: what it reads is the new cell, not a longer reach.
    g = max(0, span - stride) if isinstance(op, Pool) else span - 1
    grown = field.grown(before, (span - 1) * jump - before, g * jump)
    own_filter = isinstance(op, Conv) and op.kernel_size[axis] > 1
    return replace(grown, jump=jump * stride, filter=span * jump if own_filter else field.filter)


def _spread(op: ConvTranspose, axis: int, field: Field) -> Field:
    """Through a transposed convolution: unit o reads the inputs from (o + p - d (k - 1)) / s to (o + p) / s."""
    stride, jump = op.stride[axis], _divided(field.jump, op.stride[axis])
    more = (op.span[axis] - 1) // stride * field.jump
    after = op.sides[axis][0] * jump
    own_filter = op.kernel_size[axis] > 1
    own = more + field.jump if own_filter else field.filter
    return replace(field.grown(more - after, after, more), jump=jump, filter=own)


def _divided(jump: Pixels, factor: int) -> Pixels:
    quotient = Fraction(jump, factor)
    return quotient.numerator if quotient.denominator == 1 else quotient


def taps(op: Op, axis: int, units: set[int], side: int | None) -> Iterator[int]:
    """Positions along one axis that units of an operation's output read in its input.

    ``side`` is the input's side where the view ends at its border, or ``None`` for the view beyond it.
    """
    match op:
        case ConvTranspose():
            stride, pad, kernel, dilation = op.stride[axis], op.sides[axis][0], op.kernel_size[axis], op.dilation[axis]
            spread = (unit + pad - dilation * tap for unit in units for tap in range(kernel))
            positions = (position // stride for position in spread if position % stride == 0)
        case Window():
            stride, pad, kernel, dilation = op.stride[axis], op.sides[axis][0], op.kernel_size[axis], op.dilation[axis]
            positions = (unit * stride - pad + dilation * tap for unit in units for tap in range(kernel))
        case Pad():
            positions = (unit - op.padding[axis][0] for unit in units)
        case Upsample(mode="nearest"):
            positions = (unit // op.scale[axis] for unit in units)
        case Upsample():
            sources = (Fraction(2 * unit + 1, 2 * op.scale[axis]) - Fraction(1, 2) for unit in units)
            inside = (source if side is None else max(source, Fraction(0)) for source in sources)
            positions = (source.__floor__() + step for source in inside for step in (0, 1))
        case _:
            positions = (unit for unit in units)
    return (position for position in positions if side is None or 0 <= position < side)
