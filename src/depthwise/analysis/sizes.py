"""Sizes of images that suit a network: all from one reading of it, nothing is run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from depthwise.analysis.fields import Field, measure_fields
from depthwise.analysis.unread import find_unread
from depthwise.errors import GraphError, SizeError
from depthwise.graph import SizedGraph
from depthwise.layers.ops import Conv, Input, Shape, Size


@dataclass(frozen=True)
class InputSizes:
    """Between which sizes of images every convolution is productive, per axis.

    Attributes
    ----------
    lower
        The largest least receptive field of a convolution: on smaller images one of them looks beyond the image along
        every path, and finds nothing new there.
    upper
        The largest receptive field of any map: on larger images no unit can see the whole of it.

    References
    ----------
    Richter, Byttner, Krumnack, Wiedenroth, Schallner, Shenk: (Input) Size Matters for CNN Classifiers, ICANN 2021.
    """

    lower: Size
    upper: Size

    def __contains__(self, size: object) -> bool:
        """Whether a size, ``(height, width)`` or one number for both, is in the range."""
        sides = size if isinstance(size, tuple) else (size,) * len(self.lower)
        bounds = zip(self.lower, sides, self.upper, strict=True)
        return all(isinstance(side, int) and low <= side <= high for low, side, high in bounds)


def find_input_sizes(graph: SizedGraph) -> InputSizes | None:
    """Find the productive range; ``None`` for a network without a convolution that looks at more than one position.

    Examples
    --------
    >>> from depthwise.graph import Graph
    >>> from depthwise.layers import Conv2D, MaxPool2D
    >>> sizes = find_input_sizes(Graph.from_layers([Conv2D(8), MaxPool2D(), Conv2D(8), MaxPool2D()]).at((1, 28, 28)))
    >>> sizes, 28 in sizes, 9 in sizes
    (InputSizes(lower=(8, 8), upper=(10, 10)), False, True)
    """
    fields = measure_fields(graph)
    maps = [seen for seen in fields.values() if seen is not None]
    lower: list[int] = []
    for axis in range(len(graph.input_shape) - 1):
        filters = [node for node in graph.nodes if isinstance(node.op, Conv) and node.op.kernel_size[axis] > 1]
        views: list[Field] = [seen[axis] for node in filters if (seen := fields[node.name]) is not None]
        if not views:
            return None
        lower.append(max(view.least for view in views))
    if not lower:
        return None
    upper = tuple(max(seen[axis].size for seen in maps if len(seen) > axis) for axis in range(len(lower)))
    return InputSizes(tuple(lower), upper)


def find_lossless_sizes(graph: SizedGraph, sides: Iterable[int]) -> tuple[tuple[int, ...], ...]:
    """Of some sides of images, those at which the output depends on every row, and on every column.

    Sides at which the network cannot be run are left out.

    Examples
    --------
    >>> from depthwise.graph import Graph
    >>> from depthwise.layers import Conv2D, MaxPool2D
    >>> graph = Graph.from_layers([Conv2D(8), MaxPool2D(), Conv2D(8), MaxPool2D((2, 1))]).at((1, 28, 28))
    >>> find_lossless_sizes(graph, range(20, 31))
    ((22, 26, 30), (20, 22, 24, 26, 28, 30))
    """
    axes = range(len(graph.input_shape) - 1)
    kept = list(sides)
    return tuple(tuple(side for side in kept if _count_unread(graph, side, axis) == 0) for axis in axes)


def _count_unread(graph: SizedGraph, side: int, axis: int) -> int | None:
    """Unread positions along one axis where the others keep their own side; ``None`` where it cannot have this side.

    Each axis is looked at alone: a kernel that meets only padding along one is blind along all.
    """
    size = tuple(side if place == axis else own or 0 for place, own in enumerate(graph.input_shape[1:]))
    try:
        return find_unread(resize(graph, size)).counts[axis]
    except SizeError:
        return None


def resize(graph: SizedGraph, size: Size) -> SizedGraph:
    """The same network on images of another size.

    Raises
    ------
    SizeError
        It cannot be run on them.
    GraphError
        The graph is not known at other sizes.
    """
    if graph.declared is None:
        raise GraphError("this network is known at one size of images only. Make it with Graph.at().")
    image = graph.declared.nodes[0]
    assert isinstance(image.op, Input)
    shape: Shape = (graph.input_shape[0], *size)
    opened = replace(image, op=replace(image.op, shape=None))
    return replace(graph.declared, nodes=(opened, *graph.declared.nodes[1:])).at(shape)  # type: ignore[arg-type]
