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

For images of {shape}, channels first; made with depthwise, needs PyTorch alone.
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
    first = graph.nodes[0].name
    listed = "" if classes is None else f"CLASSES = {pformat(tuple(classes), width=LINE - 10, compact=True)}\n\n"
    width = format_shape(graph.output_shape).replace("x", ", ")
    head = HEAD.format(
        title=title, shape=format_shape(graph.input_shape), more=more, classes=listed, outputs=outputs, width=width
    )
    buffers = STANDARDIZES.format(name=first, channels=graph.input_shape[0]) if standardizes else ""
    submodules, statements = _submodules(graph), _statements(graph, standardizes)
    return head + buffers + "".join(_indented(submodules)) + FORWARD + "".join(_indented(statements))


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
    first, *nodes = graph.nodes
    values = {first.name: "images"}
    if standardizes:
        yield from _standardization(first.name, len(graph.input_shape) - 1)
        values[first.name] = "x"
    readers = Counter(name for node in nodes for name in node.node.inputs)
    if standardizes and (readers[first.name] > 1 or first.name not in nodes[0].node.inputs):
        yield "x0 = x"
        values[first.name] = "x0"
    kept = 0
    for node, after in zip(nodes, [*nodes[1:], None], strict=True):
        call = make_call(node, [values[name] for name in node.node.inputs])
        if after is None:
            yield f"return {call}"
        elif readers[node.name] > 1 or node.name not in after.node.inputs:
            kept += 1
            values[node.name] = f"x{kept}"
            yield f"x{kept} = {call}"
        else:
            values[node.name] = call
            whole = make_call(after, [values[name] for name in after.node.inputs])
            if after.node.layer != node.node.layer or len(f"        return {whole}") > LINE:
                values[node.name] = "x"
                yield f"x = {call}"


def _standardization(name: str, axes: int) -> Iterator[str]:
    broadcast = f".view({', '.join(['-1', *['1'] * axes])})"
    yield f"mean, std = self.{name}.mean{broadcast}, self.{name}.std{broadcast}"
    yield "x = (images.to(mean.dtype) - mean) / std"


def _indented(lines: Iterator[str]) -> Iterator[str]:
    """Lines of a method; the arguments of a call that is too long on a line of their own."""
    indent = " " * 8
    for line in lines:
        head, bracket, arguments = line.partition("(")
        if len(indent + line) > LINE and " = nn." in head:
            yield f"{indent}{head}{bracket}\n{indent}    {arguments[:-1]}\n{indent})\n"
        else:
            yield f"{indent}{line}\n"


def _refuse_unwritable(path: str, layer: str) -> None:
    for name in path.split("."):
        if keyword.iskeyword(name) or normalize("NFKC", name) != name:
            raise GraphError(
                f"layer {layer!r}: Python's source cannot hold the name {name!r}. Give the layer another name=."
            )
