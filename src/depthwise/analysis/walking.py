"""From units of a layer back to the pixels that they read."""

from __future__ import annotations

from collections.abc import Collection

from depthwise.analysis.fields import MOVING, measure_fields, taps
from depthwise.graph import SizedGraph, SizedNode
from depthwise.layers.ops import ConvTranspose, Shape, Window

Places = Collection[int]
"""Positions along an axis: a ``range`` where there is no gap, which is quick to walk back."""


def walk_back(graph: SizedGraph, name: str, units: list[Places], clip: bool) -> list[Places]:
    """Pixels that units of a node read, per axis; what they learn of a whole map through a statistic is left out.

    Parameters
    ----------
    graph
        A network at one size.
    name
        Name of the node.
    units
        Positions in its map, per axis; of a node without a map, position 0.
    clip
        Whether the views end at the border of each map, or go on beyond it.
    """
    fields = measure_fields(graph)
    axes = range(len(units))
    seen = {name: units}
    for node in reversed(graph.nodes[1:]):
        if node.name not in seen:
            continue
        whole = fields[node.name] is None
        for source, shape in zip(node.node.inputs, node.input_shapes, strict=True):
            if fields[source] is None and not whole:
                continue  # a gate
            places = [_places(node, whole, axis, seen[node.name][axis], shape, clip) for axis in axes]
            # Who reads nothing but padding along one axis reads no pixel at all.
            if all(places):
                seen[source] = list(map(_union, seen[source], places)) if source in seen else places
    return seen.get(graph.nodes[0].name, [()] * len(units))


def all_units(shape: Shape, axis: int) -> Places:
    """Positions along one axis of a map; position 0 of values that have none."""
    return range((shape[axis + 1] or 0) if len(shape) > axis + 1 else 1)


def _places(node: SizedNode, whole: bool, axis: int, units: Places, shape: Shape, clip: bool) -> Places:
    """Positions of one input that units read."""
    op, everything = node.op, all_units(shape, axis)
    if whole:
        return everything
    if not isinstance(op, MOVING):
        stretched = len(everything) == 1 < len(all_units(node.output_shape, axis))
        return everything if stretched else units
    if isinstance(units, range) and isinstance(op, Window) and _touches(op, axis):
        start = units[0] * op.stride[axis] - op.sides[axis][0]
        end = units[-1] * op.stride[axis] - op.sides[axis][0] + op.kernel_size[axis]
        return range(max(start, 0), min(end, len(everything))) if clip else range(start, end)
    return _run(set(taps(op, axis, units, len(everything) if clip else None)))


def _touches(op: Window, axis: int) -> bool:
    """Whether windows side by side leave no gap, so that a run of units reads a run of positions."""
    dense = op.dilation[axis] == 1 and op.stride[axis] <= op.kernel_size[axis]
    return dense and not isinstance(op, ConvTranspose)


def _run(places: set[int]) -> Places:
    """The same as a range where there is no gap."""
    if places and max(places) - min(places) + 1 == len(places):
        return range(min(places), max(places) + 1)
    return places


def _union(left: Places, right: Places) -> Places:
    return left if left == right else _run({*left, *right})
