"""Branches that meet without looking at the same place."""

from __future__ import annotations

from dataclasses import dataclass

from depthwise.analysis.fields import Fields, measure_fields
from depthwise.graph import SizedGraph

SHIFTED_JUMPS = 0.5
"""From half a jump on, another unit is the nearer one.  On why the centers should agree: Araujo, Norris, Sim: Computing
Receptive Fields of Convolutional Neural Networks, Distill 2019."""

Center = tuple[float, ...]
"""Middle of what unit 0 sees, per axis, in pixels of the image; a view of pixels 0 and 1 has its middle at 0.5."""


@dataclass(frozen=True)
class Misalignment:
    """A node whose inputs look at places that differ by half a jump or more.

    Attributes
    ----------
    layer
        Row in which the branches meet.
    sources
        Rows that end the branches.
    centers
        Where unit 0 of each branch looks.
    jump
        Pixels between neighboring units, per axis.
    """

    layer: str
    sources: tuple[str, ...]
    centers: tuple[Center, ...]
    jump: tuple[float, ...]


def find_misalignments(graph: SizedGraph) -> tuple[Misalignment, ...]:
    """Find the sums and stacks of maps that are shifted against each other.

    Examples
    --------
    >>> from depthwise.graph import Graph
    >>> from depthwise.layers import Conv2D, Residual
    >>> find_misalignments(Graph.from_layers([Residual([Conv2D(8, 3, padding=1)])]).at((8, 28, 28)))
    ()
    >>> for found in find_misalignments(Graph.from_layers([Residual([Conv2D(8, 2, padding="same")])]).at((8, 28, 28))):
    ...     print(found.layer, found.sources, found.centers, found.jump)
    residual1 ('residual1.conv2d0', 'input0') ((0.5, 0.5), (0.0, 0.0)) (1.0, 1.0)
    """
    fields = measure_fields(graph)
    rows = {node.name: node.node.layer for node in graph.nodes}
    found = []
    for node in graph.nodes:
        own = fields[node.name]
        if own is None or len(node.node.inputs) == 1:
            continue
        ways = {
            name: center for name in node.node.inputs if (center := _center(fields[name])) and len(center) == len(own)
        }
        spread = [max(places) - min(places) for places in zip(*ways.values(), strict=True)]
        if any(shift and shift >= SHIFTED_JUMPS * field.jump for shift, field in zip(spread, own, strict=False)):
            sources, jump = tuple(rows[name] for name in ways), tuple(float(field.jump) for field in own)
            found.append(Misalignment(node.node.layer, sources, tuple(ways.values()), jump))
    return tuple(found)


def _center(fields: Fields | None) -> Center | None:
    centers = [field.hull.center for field in fields or ()]
    known = tuple(center for center in centers if center is not None)
    return known if known and len(known) == len(centers) else None
