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

from collections.abc import Iterable, Iterator
from fractions import Fraction
from math import floor
from typing import NamedTuple

from depthwise.analysis.hulls import Hull
from depthwise.graph import SizedGraph, SizedNode
from depthwise.layers.mixing import Matmul, Opaque, Reshape
from depthwise.layers.ops import Conv, ConvTranspose, Merge, Op, Pad, Pool, Upsample, Window
from depthwise.layers.resampling import AdaptivePool, PixelShuffle, PixelUnshuffle, Resize

Pixels = int | Fraction
"""A distance in input pixels; whole wherever nothing is enlarged."""

PIXEL = Hull(((0, 0),), 1)


class Field(NamedTuple):
    """What the units of a map see along one axis, in input pixels.

    Attributes
    ----------
    hull, least_hull
        What they see along all paths together, and along the shortest one.
    jump
        Distance between the views of neighboring units.
    reach, least_reach
        How far the view reaches beyond its own cell, along the longest and the shortest path.
    filter
        Real filter size: span of the last filter in input pixels; ``None`` before the first one.
    variance
        Of a random walk from a unit to the pixels, each tap of a window as likely as the next, along the main path.
    """

    hull: Hull = PIXEL
    least_hull: Hull = PIXEL
    jump: Pixels = 1
    reach: Pixels = 1
    least_reach: Pixels = 1
    filter: Pixels | None = None
    variance: float = 0.0

    @property
    def size(self) -> int:
        """Receptive field along the longest path, of the units that see most."""
        return self.hull.size

    @property
    def least(self) -> int:
        """Receptive field along the shortest path, of the units that see most."""
        return self.least_hull.size


Fields = tuple[Field, ...]
"""One field an axis."""

UNKNOWN: Fields = ()
"""Behind an operation that is not understood."""


def measure_fields(graph: SizedGraph) -> dict[str, Fields | None]:
    """Fields of every node, per axis; ``None`` where a node has no map of the image.

    Flat values and those of global pooling see the whole image; behind an operation that is not understood, or one that
    gives the values other axes, the fields are not known.

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
    return {name: found or None for name, found in fields.items()}


def _through(node: SizedNode, inputs: list[Fields | None]) -> Fields | None:
    op, rank = node.op, len(node.output_shape) - 1
    if rank == 0 or (isinstance(op, AdaptivePool) and op.reads_all):
        return None
    if not node.node.inputs:
        return (Field(),) * rank
    if isinstance(op, (Opaque, Reshape)):
        return UNKNOWN if any(fields is not None for fields in inputs) else None
    joined = isinstance(op, (Merge, Matmul))
    read = inputs if joined else inputs[:1]
    if UNKNOWN in read:
        return UNKNOWN
    # A way that sees the whole image (a gate) adds nothing to the local field.
    paths = [fields for fields in read if fields is not None and len(fields) == rank]
    sides = node.output_shape[1:]
    if not paths:
        return None
    found: list[Field] = []
    for axis in range(rank):
        if axis and _same(op, axis) and all(path[axis] is path[0] for path in paths):
            found.append(found[0])  # most networks treat all axes alike
        elif joined and len(paths) > 1:
            found.append(_merged([path[axis] for path in paths], sides[axis] or 0))
        else:
            found.append(_step(op, axis, paths[0][axis], sides[axis] or 0))
    return tuple(found)


def _same(op: Op, axis: int) -> bool:
    """Whether an operation does along an axis what it does along the first."""
    if isinstance(op, Window):
        settings = (op.kernel_size, op.stride, op.dilation, op.sides)
        return all(setting[axis] == setting[0] for setting in settings)
    return not isinstance(op, MOVING)


def _merged(paths: list[Field], side: int) -> Field:
    farthest = max(paths, key=lambda path: (path.reach, path.filter or 0))
    hull, *others = (path.hull for path in paths)
    for other in others:
        hull = hull.joined(other, side)
    return farthest._replace(
        hull=hull,
        least_hull=min((path.least_hull for path in paths), key=lambda least: least.size),
        least_reach=min(path.least_reach for path in paths),
    )


MOVING = (Window, Pad, Upsample, Resize, AdaptivePool, PixelShuffle, PixelUnshuffle)
"""Operations whose units do not simply see what the unit at their own place saw."""


def _step(op: Op, axis: int, field: Field, side: int) -> Field:
    if not isinstance(op, MOVING):
        return field
    hull = _seen(op, axis, field.hull, side)
    least = hull if field.least_hull is field.hull else _seen(op, axis, field.least_hull, side)
    ratio, g, own, variance = _growth(op, axis, field.jump)
    return Field(
        hull,
        least,
        _whole(field.jump * ratio),
        _whole(field.reach + g),
        _whole(field.least_reach + g),
        field.filter if own is None else own,
        field.variance + variance,
    )


def _seen(op: Op, axis: int, hull: Hull, side: int) -> Hull:
    if isinstance(op, Window) and not isinstance(op, ConvTranspose) and len(hull.views) == 1:
        span = op.dilation[axis] * (op.kernel_size[axis] - 1) + 1
        return hull.windowed(span, op.stride[axis], op.sides[axis][0])
    steps, units = _ratio(op, axis).as_integer_ratio()
    return hull.moved(steps, units, lambda unit: taps(op, axis, (unit,), None), side)


def _ratio(op: Op, axis: int) -> Pixels:
    """Units of the input between neighboring units of the output."""
    match op:
        case ConvTranspose():
            return Fraction(1, op.stride[axis])
        case Window():
            return op.stride[axis]
        case Upsample():
            return Fraction(1, op.scale[axis])
        case Resize():
            return op.ratio(axis)
        case AdaptivePool():
            return Fraction(op.input_size[axis], op.output_size[axis])
        case PixelShuffle():
            return Fraction(1, op.factor[axis])
        case PixelUnshuffle():
            return op.factor[axis]
    return 1


def _growth(op: Op, axis: int, jump: Pixels) -> tuple[Pixels, Pixels, Pixels | None, float]:
    """Ratio of an operation; by how much it widens the reach; its own real filter size; the variance it adds."""
    ratio, own = _ratio(op, axis), None
    match op:
        case ConvTranspose():
            # Unit o reads the inputs from (o + p - d (k - 1)) / s to (o + p) / s.
            g = (op.span[axis] - 1) // op.stride[axis]
            own = (g + 1) * jump if op.kernel_size[axis] > 1 else None
            return ratio, g * jump, own, _variance(op, axis, jump * ratio)
        case Window():
            kernel, stride = op.kernel_size[axis], op.stride[axis]
            span = op.dilation[axis] * (kernel - 1) + 1
            if isinstance(op, Conv):
                own = span * jump if kernel > 1 else None
                return ratio, (span - 1) * jump, own, _variance(op, axis, jump)
            # A pool whose windows lie side by side only samples anew: it reads the new cell and reaches no further.
            return (
                ratio,
                max(0, span - stride if isinstance(op, Pool) else span - 1) * jump,
                None,
                _variance(op, axis, jump),
            )
        case Upsample(mode="bilinear") if op.scale[axis] > 1:
            return ratio, jump, None, 0.0  # two neighbors are mixed
        case Resize():
            first, last = _open_span(op, axis, 0)
            return ratio, (last - first) * jump, None, 0.0
        case AdaptivePool():
            widest = max(last - first + 1 for first, last in map(op.bin, *_all_bins(op, axis)))
            return ratio, max(0, widest - ratio) * jump, None, 0.0
    return ratio, 0, None, 0.0


def _variance(op: Window, axis: int, jump: Pixels) -> float:
    """Of a tap drawn at random: (k^2 - 1) / 12 steps of the kernel, which are d j pixels each."""
    kernel = op.kernel_size[axis]
    return float((op.dilation[axis] * jump) ** 2 * (kernel * kernel - 1)) / 12


def _all_bins(op: AdaptivePool, axis: int) -> tuple[list[int], range]:
    bins = op.output_size[axis]
    return [axis] * bins, range(bins)


def _whole(pixels: Pixels) -> Pixels:
    return pixels.numerator if pixels.denominator == 1 else pixels


def taps(op: Op, axis: int, units: Iterable[int], side: int | None) -> Iterator[int]:
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
            if side is not None and op.mode != "constant":
                positions = (_filled(position, side, op.mode) for position in positions)
        case Upsample() if op.mode == "nearest" or op.scale[axis] == 1:
            positions = (unit // op.scale[axis] for unit in units)
        case Upsample():
            sources = (Fraction(2 * unit + 1, 2 * op.scale[axis]) - Fraction(1, 2) for unit in units)
            inside = (source if side is None else max(source, Fraction(0)) for source in sources)
            positions = (source.__floor__() + step for source in inside for step in (0, 1))
        case Resize():
            spans = (_open_span(op, axis, unit) if side is None else op.span(axis, unit) for unit in units)
            positions = (position for span in spans for position in _ends(span))
        case AdaptivePool():
            positions = (position for unit in units for position in _ends(op.bin(axis, unit)))
        case PixelShuffle():
            positions = (unit // op.factor[axis] for unit in units)
        case PixelUnshuffle():
            positions = (unit * op.factor[axis] + step for unit in units for step in range(op.factor[axis]))
        case _:
            positions = (unit for unit in units)
    return (position for position in positions if side is None or 0 <= position < side)


def _open_span(op: Resize, axis: int, unit: int) -> tuple[int, int]:
    """First and last position that a unit reads where the map goes on beyond its border."""
    ratio, half = op.ratio(axis), Fraction(1, 2)
    if op.mode == "nearest" or (op.mode == "linear" and op.input_size[axis] == op.output_size[axis]):
        return floor(unit * ratio), floor(unit * ratio)
    centered = (unit + half) * ratio
    if op.mode == "nearest-exact":
        return floor(centered), floor(centered)
    place = floor(unit * ratio if op.align_corners else centered - half)
    return (place, place + 1) if op.mode == "linear" else (place - 1, place + 2)


def _ends(ends: tuple[int, int]) -> range:
    return range(ends[0], ends[1] + 1)


def _filled(position: int, side: int, mode: str) -> int:
    """Position whose value stands outside of a map that is padded by its own values."""
    if mode == "circular":
        return position % side
    if mode == "reflect":
        return side - 1 - abs(side - 1 - abs(position))
    return min(max(position, 0), side - 1)
