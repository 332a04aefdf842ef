"""A graph at one size -> its analysis."""

from __future__ import annotations

from itertools import groupby

from depthwise.analysis.costs import count_bytes, count_macs
from depthwise.analysis.fields import Field, Fields, measure_fields
from depthwise.analysis.record import Analysis, LayerAnalysis, Ratios
from depthwise.graph import SizedGraph, SizedNode
from depthwise.layers.ops import Conv, Dense, Dropout, Norm, Shape, Window, format_shape


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
    head = _head(graph)
    global_nodes = _reached_by_statistics(graph)
    rows = []
    for _, group in groupby(graph.nodes, key=lambda node: node.node.layer):
        nodes = list(group)
        last = nodes[-1].name
        judged = last not in head and not _is_input(nodes[0])
        rows.append(_row(nodes, fields[last], graph.input_shape, judged, last in global_nodes))
    return Analysis(tuple(rows), graph)


def _is_input(node: SizedNode) -> bool:
    return not node.node.inputs


def _head(graph: SizedGraph) -> set[str]:
    """Nodes from the first one that reads all positions on, with the dropouts directly before it."""
    readers: dict[str, list[str]] = {node.name: [] for node in graph.nodes}
    for node in graph.nodes:
        for source in node.node.inputs:
            readers[source].append(node.name)
    head = {node.name for node in graph.nodes if len(node.output_shape) == 1}
    for node in reversed(graph.nodes):
        if isinstance(node.op, Dropout) and readers[node.name] and head.issuperset(readers[node.name]):
            head.add(node.name)
    return head


def _reached_by_statistics(graph: SizedGraph) -> set[str]:
    reached: set[str] = set()
    for node in graph.nodes:
        statistic = isinstance(node.op, Norm) and node.op.function == "group"
        if statistic or not reached.isdisjoint(node.node.inputs):
            reached.add(node.name)
    return reached


def _row(
    nodes: list[SizedNode], fields: Fields | None, input_shape: Shape, judged: bool, sees_all: bool
) -> LayerAnalysis:
    first, last = nodes[0], nodes[-1]
    params = [node.op.params for node in nodes]
    macs = [count_macs(node) for node in nodes]
    filters = tuple(field.filter for field in fields) if fields else (None,)
    size = tuple(side or 1 for side in input_shape[1:])
    return LayerAnalysis(
        name=last.node.layer,
        kind=last.node.kind,
        input_shape=first.input_shapes[0] if first.input_shapes else first.output_shape,
        output_shape=last.output_shape,
        kernel=_kernel(nodes),
        params=_total(params),
        buffers=sum(node.op.buffers for node in nodes),
        macs=_total(macs),
        activation_bytes=count_bytes(last),
        receptive_field=tuple(field.size for field in fields) if fields else None,
        least_receptive_field=tuple(-int(-field.least // 1) for field in fields) if fields else None,
        reach=tuple(field.reach for field in fields) if fields else None,
        least_reach=tuple(field.least_reach for field in fields) if fields else None,
        real_filter_size=None if None in filters else tuple(size for size in filters if size is not None),
        effective_stride=tuple(field.jump for field in fields) if fields else None,
        capacity=_capacity(fields) if fields and judged else None,
        coverage=_coverage(fields, size) if fields and judged else None,
        sees_all=sees_all,
        spelled=" + ".join(filter(None, map(_spell, nodes))),
    )


def _total(counts: list[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def _capacity(fields: tuple[Field, ...]) -> Ratios | None:
    ratios = [float(min(1, field.filter / field.reach)) for field in fields if field.filter is not None]
    return tuple(ratios) if len(ratios) == len(fields) else None


def _coverage(fields: tuple[Field, ...], size: tuple[int, ...]) -> Ratios:
    return tuple(float(field.reach / side) for field, side in zip(fields, size, strict=True))


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
