"""A network as the source of a plain ``torch.nn.Module``, which runs without depthwise.

What has weights is a submodule at the path that it has in depthwise (``conv2d1``, ``conv2d1.norm``), so that a state
dict of one loads into the other.  All else is a call in ``forward``, where ``x`` goes from layer to layer, and ``x1``,
``x2``, ... are kept for a layer further down.
"""

from __future__ import annotations

import keyword
from collections import Counter
from collections.abc import Iterator, Sequence
from pprint import pformat
from unicodedata import normalize

from depthwise.designer.source_calls import make_call, make_constructor
from depthwise.errors import GraphError
from depthwise.graph import SizedGraph
from depthwise.layers.ops import format_shape

LINE = 100
"""Columns; what is longer is broken up."""

HEAD = '''"""{title}.

For {images}; made with depthwise, needs PyTorch alone.
{more}"""

import torch
import torch.nn.functional as F
from torch import nn

{classes}
class Network(nn.Module):
    """{outputs} of a batch of images, shape ``(n_images, {width})``."""

    def __init__(self) -> None:
        super().__init__()
'''

STANDARDIZES = """        self.{name} = nn.Module()
        self.{name}.register_buffer("mean", torch.zeros({channels}))
        self.{name}.register_buffer("std", torch.ones({channels}))
"""

FORWARD = """
    def forward(self, images: torch.Tensor) -> torch.Tensor:
"""

INDENT = " " * 8


def write_source(
    graph: SizedGraph,
    title: str,
    *,
    more: str = "",
    outputs: str = "Logits",
    classes: Sequence[object] | None = None,
    standardizes: bool = False,
) -> str:
    """Source of a network, a class ``Network``.

    Parameters
    ----------
    graph
        Of a layer list.
    title
        What the file says that it is.
    more
        Further lines of its docstring.
    outputs
        What comes out.
    classes
        Labels in the order of the outputs, which become ``CLASSES``.
    standardizes
        Whether the network subtracts a mean and divides by a standard deviation first, as a fitted one does.

    Raises
    ------
    GraphError
        A layer has a name that cannot stand in source, or an operation that there is no module for.
    """
    for node in graph.nodes:
        _refuse_unwritable(node.name, node.node.layer)
    shape = graph.input_shape
    rows = f"images of {format_shape(shape)}, channels first" if shape[1:] else f"rows of {shape[0]} values"
    listed = "" if classes is None else f"CLASSES = {pformat(tuple(classes), width=LINE - 10, compact=True)}\n\n"
    width = ", ".join(map(str, graph.output_shape))
    head = HEAD.format(title=title, images=rows, more=more, classes=listed, outputs=outputs, width=width)
    submodules, statements = _indented(_submodules(graph)), _indented(_statements(graph, standardizes))
    if not standardizes:
        return "".join([head, *submodules, FORWARD, *statements])
    name, view = graph.nodes[0].name, f".view({', '.join(['-1', *['1'] * len(shape[1:])])})"
    buffers = STANDARDIZES.format(name=name, channels=shape[0])
    statistics = f"{INDENT}mean, std = self.{name}.mean{view}, self.{name}.std{view}\n"
    return "".join([head, buffers, *submodules, FORWARD, statistics, *statements])


def _submodules(graph: SizedGraph) -> Iterator[str]:
    """A line for every module with weights, those above it first."""
    made = {node.name: make_constructor(node) for node in graph.nodes}
    written: set[str] = set()
    for path, constructor in made.items():
        if constructor is None:
            continue
        parts = path.split(".")
        for depth in range(1, len(parts) + 1):
            above = ".".join(parts[:depth])
            if above not in written:
                written.add(above)
                yield f"self.{above} = {made.get(above) or 'nn.Module()'}"


def _statements(graph: SizedGraph, standardizes: bool) -> Iterator[str]:
    """The lines of ``forward``: operations of one layer that follow each other stand in one."""
    nodes = graph.nodes
    readers = Counter(name for node in nodes for name in node.node.inputs)
    values: dict[str, str] = {}
    for place, (node, after) in enumerate(zip(nodes, [*nodes[1:], None], strict=True)):
        if node is nodes[0]:
            call = "(images.to(mean.dtype) - mean) / std" if standardizes else "images"
        else:
            call = make_call(node, [values[name] for name in node.node.inputs])
        values[node.name] = call
        if after is None:
            yield f"return {call}"
        elif call == "images":
            continue
        elif readers[node.name] > 1 or node.name not in after.node.inputs:
            values[node.name] = f"x{place}"
            yield f"x{place} = {call}"
        elif after.node.layer != node.node.layer or _is_long(make_call(after, [values[n] for n in after.node.inputs])):
            values[node.name] = "x"
            yield f"x = {call}"


def _is_long(call: str) -> bool:
    return len(f"{INDENT}return {call}") > LINE


def _indented(lines: Iterator[str]) -> Iterator[str]:
    """Lines of a method; the arguments of a call that is too long on a line of their own."""
    for line in lines:
        head, bracket, arguments = line.partition("(")
        if len(INDENT + line) > LINE and " = nn." in head:
            yield f"{INDENT}{head}{bracket}\n{INDENT}    {arguments[:-1]}\n{INDENT})\n"
        else:
            yield f"{INDENT}{line}\n"


def _refuse_unwritable(path: str, layer: str) -> None:
    for name in path.split("."):
        if keyword.iskeyword(name) or normalize("NFKC", name) != name:
            raise GraphError(
                f"layer {layer!r}: Python's source cannot hold the name {name!r}. Give the layer another name=."
            )
