"""The part of the image that one unit sees."""

from __future__ import annotations

from dataclasses import dataclass

from depthwise.analysis.fields import taps
from depthwise.graph import SizedGraph
from depthwise.layers.ops import Dense, Flatten, GlobalPool, Shape

Rectangle = tuple[tuple[int, int], ...]
"""First and last pixel, both included, per axis: ((top, bottom), (left, right))."""


@dataclass(frozen=True)
class Region:
    """Rectangle of the image that one unit depends on, in input pixels.

    Attributes
    ----------
    clipped
        Its real pixels; ``None`` where the unit reads nothing but padding.
    unclipped
        The same as if the image had no border; may be negative or beyond the image.
    """

    clipped: Rectangle | None
    unclipped: Rectangle


def find_region(graph: SizedGraph, name: str, unit: tuple[int, ...]) -> Region:
    """Walk from one unit of a node back to the image."""
    clipped = [_view(graph, name, axis, unit, clip=True) for axis in range(len(graph.input_shape) - 1)]
    unclipped = [_view(graph, name, axis, unit, clip=False) for axis in range(len(graph.input_shape) - 1)]
    return Region(
        clipped=tuple((min(seen), max(seen)) for seen in clipped) if all(clipped) else None,
        unclipped=tuple((min(seen), max(seen)) for seen in unclipped),
    )


def _view(graph: SizedGraph, name: str, axis: int, unit: tuple[int, ...], clip: bool) -> set[int]:
    seen: dict[str, set[int]] = {node.name: set() for node in graph.nodes}
    shapes = {node.name: node.output_shape for node in graph.nodes}
    seen[name] = {unit[axis]} if len(shapes[name]) > 1 else {0}
    for node in reversed(graph.nodes):
        units = seen[node.name]
        if not units:
            continue
        for source in node.node.inputs:
            side = _side(shapes[source], axis)
            if isinstance(node.op, (Dense, Flatten, GlobalPool)):
                seen[source].update(range(side))
            else:
                seen[source].update(taps(node.op, axis, units, side if clip else None))
    return seen[graph.nodes[0].name]


def _side(shape: Shape, axis: int) -> int:
    return (shape[axis + 1] or 1) if len(shape) > 1 else 1
