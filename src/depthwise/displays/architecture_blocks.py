"""An analysis -> what is drawn of it: one box a layer, equal neighbors folded into one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from depthwise.analysis import Analysis
from depthwise.analysis.record import LayerAnalysis
from depthwise.analysis.thresholds import MAX_COVERAGE, MIN_CAPACITY
from depthwise.layers.ops import format_shape


@dataclass(frozen=True)
class Box:
    """One box: a layer with its norm, or several equal ones in a row.

    Attributes
    ----------
    rows
        The layers it stands for, in order.
    parts
        How many of the rows make one of the equal ones: a layer alone, or with the norm behind it.
    low, high
        Whether their capacity is below, and their coverage above, its bound.
    """

    rows: tuple[LayerAnalysis, ...]
    low: bool
    high: bool
    parts: int = 1

    @property
    def likeness(self) -> tuple[object, ...]:
        """Boxes of the same likeness may be folded into one."""
        rows = self.rows[: self.parts]
        like = tuple((row.kind, row.kernel, row.input_shape, row.output_shape, row.params, row.macs) for row in rows)
        return *like, self.low, self.high


@dataclass(frozen=True)
class Edge:
    """Values that go from one box to a later one, and their shape."""

    source: int
    target: int
    shape: str


@dataclass(frozen=True)
class Block:
    """Boxes ``first`` to ``last`` stand for ``times`` equal blocks in a row."""

    first: int
    last: int
    times: int


@dataclass(frozen=True)
class Plan:
    """What is drawn: boxes in topological order, edges that only go forward, and the blocks that repeat."""

    boxes: tuple[Box, ...]
    edges: tuple[Edge, ...]
    blocks: tuple[Block, ...] = ()


def plan_boxes(analysis: Analysis) -> Plan:
    """One box a row of the analysis.

    A row whose operations stand apart, with another row between them that reads the first and feeds the last, gets
    a box for each part: an edge never goes back.
    """
    boxes: list[Box] = []
    place: dict[str, int] = {}  # node -> its box
    latest: dict[str, int] = {}  # row -> its last box
    edges: dict[tuple[int, int], str] = {}
    shapes: dict[str, str] = {}
    for node in analysis.graph.nodes:
        row = node.node.layer
        sources = [place[name] for name in node.node.inputs]
        if row not in latest or any(source > latest[row] for source in sources):
            latest[row] = len(boxes)
            boxes.append(_box(analysis[row]))
        place[node.name] = latest[row]
        shapes[node.name] = format_shape(node.output_shape)
        for name in node.node.inputs:
            if place[name] != latest[row]:
                edges[place[name], latest[row]] = shapes[name]
    return Plan(tuple(boxes), tuple(Edge(*ends, shape) for ends, shape in edges.items()))


def _box(row: LayerAnalysis) -> Box:
    low = row.capacity is not None and min(row.capacity) < MIN_CAPACITY
    high = row.coverage is not None and max(row.coverage) > MAX_COVERAGE
    return Box((row,), low, high)


def join_norms(plan: Plan) -> Plan:
    """Put a norm into the box of the layer before it, where nothing else reads that layer."""
    into: dict[int, int] = {}
    for box in range(len(plan.boxes)):
        sources = [edge.source for edge in plan.edges if edge.target == box]
        readers = [edge for edge in plan.edges if edge.source == sources[0]] if len(sources) == 1 else []
        alone = len(readers) == 1 and sources[0] not in into and plan.boxes[sources[0]].rows[0].macs
        if "norm" in plan.boxes[box].rows[0].kind and alone:
            into[box] = sources[0]
    kept = [box for box in range(len(plan.boxes)) if box not in into]
    new = {box: number for number, box in enumerate(kept)}
    new |= {norm: new[layer] for norm, layer in into.items()}
    rows = {layer: plan.boxes[layer].rows + plan.boxes[norm].rows for norm, layer in into.items()}
    boxes = tuple(
        replace(plan.boxes[box], rows=rows.get(box, plan.boxes[box].rows), parts=1 + (box in rows)) for box in kept
    )
    edges = (replace(edge, source=new[edge.source], target=new[edge.target]) for edge in plan.edges)
    return Plan(boxes, tuple(edge for edge in edges if edge.source != edge.target))


def fold(plan: Plan) -> Plan:
    """Keep one of several equal blocks that follow each other.

    A block ends at a box that every path passes, so that nothing but that box leads from one to the next.
    """
    segments = _segments(plan)
    likenesses = [_segment_likeness(plan, segment) for segment in segments]
    kept: list[int] = []
    blocks: list[tuple[list[int], int]] = []
    stands_for = list(range(len(plan.boxes)))
    members: dict[int, list[int]] = {}
    at = 0
    while at < len(segments):
        period, times = _longest_run(likenesses, at)
        first = [box for segment in segments[at : at + period] for box in segment]
        kept += first
        for turn in range(1, times):
            again = [box for segment in segments[at + turn * period : at + (turn + 1) * period] for box in segment]
            for old, new in zip(first, again, strict=True):
                stands_for[new] = old
        for box in first:
            members[box] = [other for other, original in enumerate(stands_for) if original == box]
        if times > 1:
            blocks.append((first, times))
        at += period * times
    number = {box: place for place, box in enumerate(kept)}
    rows = {box: tuple(row for other in members[box] for row in plan.boxes[other].rows) for box in kept}
    boxes = (replace(plan.boxes[box], rows=rows[box]) for box in kept)
    edges = {}
    for edge in plan.edges:
        source, target = number[stands_for[edge.source]], number[stands_for[edge.target]]
        if source < target:  # from one block to the next equal one there is nothing left to draw
            edges[source, target] = Edge(source, target, edge.shape)
    return Plan(
        tuple(boxes),
        tuple(edges.values()),
        tuple(Block(number[first[0]], number[first[-1]], times) for first, times in blocks),
    )


def _segments(plan: Plan) -> list[list[int]]:
    """Boxes between those that every path passes, each segment with the one at its end."""
    segments: list[list[int]] = [[]]
    furthest = 0
    reaches = dict.fromkeys(range(len(plan.boxes)), 0)
    for edge in plan.edges:
        reaches[edge.source] = max(reaches[edge.source], edge.target)
    for box in range(len(plan.boxes)):
        segments[-1].append(box)
        if furthest <= box:
            segments.append([])
        furthest = max(furthest, reaches[box])
    return [segment for segment in segments if segment]


def _segment_likeness(plan: Plan, segment: Sequence[int]) -> tuple[object, ...]:
    first, last = segment[0], segment[-1]
    edges = sorted((e.source - first, e.target - first, e.shape) for e in plan.edges if first <= e.target <= last)
    return tuple(plan.boxes[box].likeness for box in segment), tuple(edges)


def _longest_run(likenesses: Sequence[object], start: int) -> tuple[int, int]:
    """Period and number of the equal blocks that begin here, where they spare most; (1, 1) where nothing repeats."""
    best = (1, 1)
    for period in range(1, (len(likenesses) - start) // 2 + 1):
        pattern, times = likenesses[start : start + period], 1
        while likenesses[start + times * period : start + (times + 1) * period] == pattern:
            times += 1
        if period * (times - 1) > best[0] * (best[1] - 1):
            best = (period, times)
    return best
