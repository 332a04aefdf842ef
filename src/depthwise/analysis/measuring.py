"""A graph at one size -> its analysis."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import sqrt
from operator import attrgetter
from typing import Any

from depthwise.analysis.costs import count_bytes, count_elementwise, count_macs
from depthwise.analysis.fields import Field, Fields, measure_fields
from depthwise.analysis.record import Analysis, LayerAnalysis, Ratios
from depthwise.analysis.sizes import resize
from depthwise.graph import SizedGraph, SizedNode
from depthwise.layers.ops import Conv, Dense, Dropout, Norm, Shape, Size, Window, format_shape

DEVIATIONS = 4
"""Two standard deviations on both sides hold 95 % of a normal distribution, and many windows come near one.  Luo, Li,
Urtasun, Zemel: Understanding the Effective Receptive Field in Deep Convolutional Neural Networks, NIPS 2016."""


def analyze_graph(graph: SizedGraph) -> Analysis:
    """Measure every layer of a network: fields, capacity and coverage, parameters, work, memory.

    Examples
    --------
    >>> from depthwise.graph import Graph
    >>> from depthwise.layers import Conv2D, Output
    >>> analysis = analyze_graph(Graph.from_layers([Conv2D(8, 5), Output(10)]).at((1, 28, 28)))
    >>> analysis.params, analysis.macs, analysis["conv2d1"].coverage
    (46298, 161280, (0.17857142857142858, 0.17857142857142858))
    """
    fields = measure_fields(graph)
    head = _head(graph, fields)
    global_nodes = _reached_by_statistics(graph)
    rows = []
    for nodes in _grouped(graph):
        last = nodes[-1].name
        judged = last not in head and not _is_input(nodes[0])
        sees_all = last in global_nodes and fields[last] is not None
        rows.append(_row(nodes, fields[last], graph.input_shape, judged, sees_all))
    return Analysis(tuple(rows), graph)


def sweep_sizes(analysis: Analysis, sizes: Iterable[int | Size]) -> tuple[Analysis, ...]:
    """Analyze the same network on images of other sizes, from the one reading of it that there is.

    Parameters
    ----------
    analysis
        At any size.
    sizes
        One side for all axes, or ``(height, width)``, each.

    Raises
    ------
    SizeError
        The network cannot be run on one of them.
    GraphError
        It is not known at other sizes.

    Examples
    --------
    >>> from depthwise.graph import Graph
    >>> from depthwise.layers import Conv2D, Output
    >>> analysis = analyze_graph(Graph.from_layers([Conv2D(8), Output(10)]).at((1, 28, 28)))
    >>> [(found.input_shape, found.params) for found in sweep_sizes(analysis, [14, (28, 32)])]
    [((1, 14, 14), 11610), ((1, 28, 32), 62490)]
    """
    rank = len(analysis.input_shape) - 1
    wanted = [size if isinstance(size, tuple) else (size,) * rank for size in sizes]
    return tuple(analyze_graph(resize(analysis.graph, size)) for size in wanted)


def _grouped(graph: SizedGraph) -> Iterable[list[SizedNode]]:
    """Nodes of each row, in the order in which the rows begin."""
    groups: dict[str, list[SizedNode]] = {}
    for node in graph.nodes:
        groups.setdefault(node.node.layer, []).append(node)
    return groups.values()


def _is_input(node: SizedNode) -> bool:
    return not node.node.inputs


def _head(graph: SizedGraph, fields: dict[str, Fields | None]) -> set[str]:
    """Nodes from the first one that reads all positions on, with the dropouts directly before it."""
    readers: dict[str, list[str]] = {node.name: [] for node in graph.nodes}
    for node in graph.nodes:
        for source in node.node.inputs:
            readers[source].append(node.name)
    head = {node.name for node in graph.nodes if fields[node.name] is None}
    for node in reversed(graph.nodes):
        if isinstance(node.op, Dropout) and readers[node.name] and head.issuperset(readers[node.name]):
            head.add(node.name)
    return head


def _reached_by_statistics(graph: SizedGraph) -> set[str]:
    reached: set[str] = set()
    for node in graph.nodes:
        if (node.op.reads_all and len(node.input_shapes[0]) > 1) or not reached.isdisjoint(node.node.inputs):
            reached.add(node.name)
    return reached


def _row(
    nodes: list[SizedNode], fields: Fields | None, input_shape: Shape, judged: bool, sees_all: bool
) -> LayerAnalysis:
    first, last = nodes[0], nodes[-1]
    params = [node.node.params for node in nodes]
    macs = [count_macs(node) for node in nodes]
    filters = _each(fields, attrgetter("filter"))
    centers = _each(fields, lambda field: field.hull.center)
    mapped = fields if judged else None
    return LayerAnalysis(
        name=first.node.layer,
        kind=next((node.node.kind for node in nodes if node.name == node.node.layer), first.node.kind),
        input_shape=first.input_shapes[0] if first.input_shapes else first.output_shape,
        output_shape=last.output_shape,
        kernel=_kernel(nodes),
        params=_total(params),
        buffers=sum(node.op.buffers for node in nodes),
        macs=_total(macs),
        elementwise=_total([count_elementwise(node) for node in nodes]),
        activation_bytes=count_bytes(last),
        receptive_field=_each(fields, attrgetter("size")),
        least_receptive_field=_each(fields, attrgetter("least")),
        reach=_each(fields, attrgetter("reach")),
        least_reach=_each(fields, attrgetter("least_reach")),
        real_filter_size=None if filters is None or None in filters else filters,
        effective_stride=_each(fields, attrgetter("jump")),
        start=_start(fields) if fields else None,
        center=None if centers is None or None in centers else centers,
        effective_field=_each(fields, lambda field: DEVIATIONS * sqrt(field.variance)),
        capacity=_capacity(mapped) if mapped else None,
        coverage=_coverage(mapped, input_shape[1:]) if mapped else None,
        sees_all=sees_all,
        spelled=" + ".join(filter(None, map(_spell, nodes))),
    )


def _each(fields: Fields | None, fact: Callable[[Field], Any]) -> tuple[Any, ...] | None:
    """One fact of every axis, found once where the axes are alike."""
    if fields is None:
        return None
    first = fact(fields[0])
    return tuple(first if field is fields[0] else fact(field) for field in fields)


def _total(counts: list[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def _start(fields: Fields) -> Size | None:
    views = [field.hull.at(0) for field in fields]
    return None if None in views else tuple(view[0] for view in views if view is not None)


def _capacity(fields: Fields) -> Ratios | None:
    ratios = [float(min(1, field.filter / field.reach)) for field in fields if field.filter is not None]
    return tuple(ratios) if len(ratios) == len(fields) else None


def _coverage(fields: Fields, size: Shape) -> Ratios:
    return tuple(float(field.reach / (side or 1)) for field, side in zip(fields, size, strict=True))


def _kernel(nodes: list[SizedNode]) -> str | None:
    """The row's windows as the literature writes them."""
    windows = [node.op for node in nodes if isinstance(node.op, Window)]
    return " ".join(map(_write_window, windows)) or None


def _write_window(op: Window) -> str:
    side = format_shape(op.kernel_size)
    if isinstance(op, Conv):
        usual, text = (1,) * len(op.stride), f"({side}x{(op.in_channels or 0) // (op.groups or 1)})x{op.out_channels}"
    else:
        usual, text = op.kernel_size, side
    steps = str(op.stride[0]) if len(set(op.stride)) == 1 else format_shape(op.stride)
    return text if op.stride == usual else f"{text} /{steps}"


def _spell(node: SizedNode) -> str:
    """How the parameters of one operation are counted, in words of 003 and 004 of the tutorials."""
    op = node.op
    match op:
        case Conv():
            factors = [*op.kernel_size, (op.in_channels or 0) // (op.groups or 1)]
            fan_in = " x ".join(map(str, factors))
            return f"({fan_in} + 1) x {op.out_channels}" if op.bias else f"{fan_in} x {op.out_channels}"
        case Dense(out_features=None):
            return f"({op.in_features} + 1) x ?" if op.bias else f"{op.in_features} x ?"
        case Dense():
            inputs = f"({op.in_features} + 1)" if op.bias else f"{op.in_features}"
            return f"{inputs} x {op.out_features}"
        case Norm():
            return f"2 x {op.num_features}"
    return ""
