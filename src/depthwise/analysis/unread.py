"""Pixels of the image that nothing in the output depends on: what remainders of strides and pools leave over."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from depthwise.analysis.walking import Places, all_units, walk_back
from depthwise.graph import SizedGraph

Range = tuple[int, int]
"""First and last of pixels side by side."""


@dataclass(frozen=True)
class Unread:
    """Rows and columns of the image that no unit of the last map reads.

    Attributes
    ----------
    ranges
        Per axis, the runs of such rows (or columns), as (first, last).
    counts
        Per axis, how many they are.
    share
        Part of the image's area that lies in them.
    """

    ranges: tuple[tuple[Range, ...], ...]
    counts: tuple[int, ...]
    share: float


def find_unread(graph: SizedGraph) -> Unread:
    """Find the pixels that the output does not depend on; statistics of whole maps (gates, group norms) left aside.

    Examples
    --------
    >>> from depthwise.graph import Graph
    >>> from depthwise.layers import Conv2D, MaxPool2D
    >>> find_unread(Graph.from_layers([Conv2D(8), MaxPool2D(), Conv2D(8), MaxPool2D()]).at((1, 28, 30)))
    Unread(ranges=(((26, 27),), ()), counts=(2, 0), share=0.0714285714285714)
    """
    sides = [side or 0 for side in graph.input_shape[1:]]
    last = graph.nodes[-1]
    units = [all_units(last.output_shape, axis) for axis in range(len(sides))]
    pixels = walk_back(graph, last.name, units, clip=True)
    ranges = tuple(_gaps(read, side) for read, side in zip(pixels, sides, strict=True))
    counts = tuple(sum(end - start + 1 for start, end in runs) for runs in ranges)
    read = prod(side - count for side, count in zip(sides, counts, strict=True))
    return Unread(ranges, counts, 1 - read / prod(sides))


def _gaps(read: Places, side: int) -> tuple[Range, ...]:
    """Runs of positions that are not read."""
    runs: list[Range] = []
    missing = [] if len(read) == side else sorted(set(range(side)) - set(read))
    for place in missing:
        if runs and runs[-1][1] == place - 1:
            runs[-1] = (runs[-1][0], place)
        else:
            runs.append((place, place))
    return tuple(runs)
