"""The part of the image that one unit sees."""

from __future__ import annotations

from dataclasses import dataclass

from depthwise.analysis.walking import Places, walk_back
from depthwise.graph import SizedGraph

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
        The same as if the image had no border; may be negative or beyond the image.  ``None`` where the unit reads
        nothing at all: between the kernels of a transposed convolution whose stride exceeds them.
    """

    clipped: Rectangle | None
    unclipped: Rectangle | None


def find_region(graph: SizedGraph, name: str, unit: tuple[int, ...]) -> Region:
    """Walk from one unit of a node back to the image."""
    units: list[Places] = [(unit[axis],) if unit else (0,) for axis in range(len(graph.input_shape) - 1)]
    return Region(_hull(walk_back(graph, name, units, clip=True)), _hull(walk_back(graph, name, units, clip=False)))


def _hull(pixels: list[Places]) -> Rectangle | None:
    return tuple((min(seen), max(seen)) for seen in pixels) if all(pixels) else None
