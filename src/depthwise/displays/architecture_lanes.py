"""Boxes and edges -> a place for each: rows from top to bottom, side by side in lanes.

The longest path keeps the first lane.  Every other path of boxes, and every edge that passes boxes by, gets the first
lane that is free between its ends; the shortest choose first, so that they lie inside.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from depthwise.displays.architecture_blocks import Edge, Plan


@dataclass
class Lane:
    """A column of the drawing: for boxes, or thin and for lines only; the row ranges that are taken."""

    thin: bool
    taken: list[tuple[int, int]]

    def is_free(self, first: int, last: int) -> bool:
        """Whether nothing lies in rows first to last, nor in those beside: lines that meet would look like one."""
        return all(last + 1 < start or end + 1 < first for start, end in self.taken)


@dataclass(frozen=True)
class Layout:
    """Where everything goes.

    Attributes
    ----------
    rank
        Row of each box.
    lane
        Lane of each box.
    lanes
        Whether each lane is thin, from left to right.
    edge_lane
        Lane in which each edge goes down.
    """

    rank: tuple[int, ...]
    lane: tuple[int, ...]
    lanes: tuple[bool, ...]
    edge_lane: tuple[int, ...]


def lay_out(plan: Plan) -> Layout:
    """Find a row and a lane for every box, and a lane for every edge."""
    rank = _ranks(plan)
    paths = _paths(plan)
    lanes = [Lane(thin=False, taken=[(0, max(rank))])]
    lane = dict.fromkeys(paths[0], 0)
    along = {pair for path in paths for pair in pairwise(path)}
    firsts, lasts = {path[0] for path in paths[1:]}, {path[-1] for path in paths[1:]}
    wanted: list[tuple[int, int, bool, list[int], Edge | None]] = []
    for path in paths[1:]:
        first = min((rank[e.source] + 1 for e in plan.edges if e.target == path[0]), default=rank[path[0]])
        last = max((rank[e.target] - 1 for e in plan.edges if e.source == path[-1]), default=rank[path[-1]])
        wanted.append((first, last, False, path, None))
    for edge in plan.edges:
        passes = rank[edge.source] + 1, rank[edge.target] - 1
        ends_path = edge.source in lasts or edge.target in firsts
        if (edge.source, edge.target) not in along and not ends_path and passes[0] <= passes[1]:
            wanted.append((*passes, True, [], edge))
    edge_lanes: dict[Edge, int] = {}
    for first, last, thin, path, passing in sorted(wanted, key=lambda want: (want[1] - want[0], not want[2])):
        found = next((n for n, one in enumerate(lanes) if one.thin == thin and one.is_free(first, last)), len(lanes))
        if found == len(lanes):
            lanes.append(Lane(thin, []))
        lanes[found].taken.append((first, last))
        lane |= dict.fromkeys(path, found)
        if passing is not None:
            edge_lanes[passing] = found
    # An edge without a lane to itself goes down where its side path does.
    own = (lane[e.source] if e.source in lasts and e.target not in firsts else lane[e.target] for e in plan.edges)
    chosen = tuple(edge_lanes.get(edge, found) for edge, found in zip(plan.edges, own, strict=True))
    return Layout(tuple(rank), tuple(lane[box] for box in range(len(rank))), tuple(one.thin for one in lanes), chosen)


def _ranks(plan: Plan) -> list[int]:
    """Length of the longest way to each box."""
    rank = [0] * len(plan.boxes)
    for box in range(len(plan.boxes)):
        rank[box] = max((rank[edge.source] + 1 for edge in plan.edges if edge.target == box), default=0)
    return rank


def _paths(plan: Plan) -> list[list[int]]:
    """Boxes as paths, the longest first; every box lies on one."""
    paths: list[list[int]] = []
    left = set(range(len(plan.boxes)))
    sources_of: dict[int, list[int]] = {box: [] for box in left}
    for edge in plan.edges:
        sources_of[edge.target].append(edge.source)
    while left:
        length: dict[int, int] = {}
        before: dict[int, int] = {}
        for box in sorted(left):
            sources = [source for source in sources_of[box] if source in left]
            before[box] = max(sources, key=lambda source: (length[source], -source), default=-1)
            length[box] = length.get(before[box], 0) + 1
        box = max(length, key=lambda each: (length[each], each if not paths else -each))
        path = []
        while box != -1:
            path.append(box)
            box = before[box]
        paths.append(path[::-1])
        left -= set(path)
    return paths
