"""What a trace writes down: nodes, the tensors they made, and the weights they hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from depthwise.errors import SizeError
from depthwise.graph import Graph, Node
from depthwise.layers.mixing import Opaque
from depthwise.layers.ops import Activation, Dropout, Flatten, Input, Merge, Op
from depthwise.layers.shapes import Shape
from depthwise.trace.layout import Dims, Traced, graph_shape, map_dims

FOLDED = (Activation, Dropout, Flatten)
"""Operations that are no row of the table: they stand in the row of what they read."""

BESIDE = ("state", "scores")
"""Kinds of what PyTorch's layers return beside their output: where nothing reads it, it is left out."""


class Recorder:
    """Collects the operations of one forward pass in order.

    Parameters
    ----------
    parts
        All submodules with their paths, the module itself first.

    Attributes
    ----------
    nodes
        What was recorded so far.
    place
        Path and module in which the forward pass is, innermost last.
    constants
        Tensors of the current call that no image went into: its weights.
    failed
        Path of the part in which an exception was raised.
    """

    def __init__(self, parts: list[tuple[str, nn.Module]]) -> None:
        self.nodes: list[Node] = []
        self.rows: dict[str, str] = {}
        self.place: list[tuple[str, nn.Module]] = [parts[0]]
        self.constants: list[torch.Tensor] = []
        # Parameters by identity: tied ones stand once, under their first name.
        self.parameters = {id(value): (name, value) for name, value in _values(parts, "_parameters")}
        self.own = {*self.parameters, *(id(value) for _, value in _values(parts, "_buffers"))}
        self._tensors: dict[int, tuple[torch.Tensor, Traced]] = {}  # the tensor is kept: an id is used again
        self._derived: dict[int, tuple[torch.Tensor, frozenset[int]]] = {}
        self._counted: set[int] = set()
        self._names: dict[str, int] = {}
        self._open: dict[str, list[str]] = {}
        self.failed = ""
        self.renamed: dict[str, str] = {}

    def traced(self, value: object) -> Traced | None:
        """What is known of a tensor; ``None`` for one that no image went into, and for anything else."""
        found = self._tensors.get(id(value))
        return found[1] if found else None

    def knows(self, tensor: torch.Tensor) -> bool:
        """Whether an image went into a tensor."""
        return id(tensor) in self._tensors

    def register(self, tensor: torch.Tensor, traced: Traced) -> torch.Tensor:
        """Remember that a tensor holds what a node made."""
        self._tensors[id(tensor)] = (tensor, traced)
        return tensor

    def derive(self, result: Any, sources: Iterable[torch.Tensor]) -> None:
        """Remember that a constant was made of parameters (a normalized weight)."""
        if isinstance(result, torch.Tensor):
            origins = frozenset().union(*map(self._origins, sources))
            if origins and id(result) not in self.parameters:
                self._derived[id(result)] = (result, origins)

    def _origins(self, tensor: torch.Tensor) -> frozenset[int]:
        if id(tensor) in self.parameters:
            return frozenset((id(tensor),))
        return self._derived.get(id(tensor), (None, frozenset[int]()))[1]

    def add_input(self, tensor: torch.Tensor, shape: Shape, place: int) -> None:
        """Begin with an image."""
        name = f"input{place}"
        self._names[name] = 1
        self.nodes.append(Node(name, Input(shape=shape, any_size=True), (), name, "input"))
        self.rows[name] = name
        self.register(tensor, Traced(name, map_dims(shape), shape, True))

    def prepare(self, op: Op, source: Traced, kind: str, dims: Dims | None = None) -> Traced:
        """Write down what the current call does silently before its own work, such as flattening a map."""
        constants, self.constants = self.constants, []
        made = self.record(op, (source,), kind, dims)
        self._open.setdefault(self.rows[made.node], [made.node])
        self.constants = constants
        return made

    def record(self, op: Op, sources: Sequence[Traced], kind: str, dims: Dims | None = None, name: str = "") -> Traced:
        """Write down one operation.

        Parameters
        ----------
        op
            What is done.
        sources
            What it reads.
        kind
            What the table calls it.
        dims
            Layout of what comes out; without it an ordinary map.
        name
            What it is called within its module, if not by its kind.

        Raises
        ------
        SizeError
            It does not fit to what it reads.
        """
        inputs, shapes = tuple(source.node for source in sources), tuple(source.shape for source in sources)
        path = self._name(name or kind)
        weights, constants = self._weights()
        try:
            op = op.bind(shapes)
            shape = op.output_shape(shapes)
        except SizeError:
            if dims is None or not isinstance(op, Merge):
                self._refuse(Node(path, op, inputs, path, kind))
                raise
            shape = ()  # PyTorch can stretch what a graph cannot
        wanted = shape if dims is None else graph_shape(dims)
        if wanted != shape:
            op, shape = Opaque(function=kind, shape=wanted, reads=shapes), wanted
        self._place_in_row(op, path, inputs)
        row = self.rows[path]
        self.nodes.append(Node(path, op, inputs, row, kind, None if weights == op.params else weights))
        self._counted |= constants
        plain = dims is None or dims == map_dims(shape)
        return Traced(path, map_dims(shape) if dims is None else dims, shape, plain)

    def _place_in_row(self, op: Op, path: str, inputs: tuple[str, ...]) -> None:
        """Decide which row of the table an operation stands in."""
        before = self.rows[inputs[0]]
        if isinstance(op, Flatten):
            # It belongs to the dense layer that reads it, as in a layer list: a row that is open until one comes.
            self.rows[path] = path
            self._open[path] = [path]
        elif isinstance(op, FOLDED) and before != self.nodes[0].name:
            self.rows[path] = before
            if before in self._open:
                self._open[before].append(path)
        else:
            self.rows[path] = path
            for name in inputs:
                for member in self._open.pop(self.rows[name], ()):
                    self.rows[member] = path

    def _refuse(self, node: Node) -> None:
        """Let the graph tell what does not fit, and at which size of images it would."""
        Graph((*self.nodes, node)).at()

    def reads_weights(self) -> bool:
        """Whether the current call reads learned values."""
        return any(map(self._origins, self.constants))

    def _weights(self) -> tuple[int, frozenset[int]]:
        """Number of learned values that the current call is the first to read, and which they are."""
        if not self.constants:
            return 0, frozenset()
        fresh = frozenset().union(*map(self._origins, self.constants)) - self._counted
        return sum(self.parameters[key][1].numel() for key in fresh), fresh

    def _name(self, kind: str) -> str:
        path, module = self.place[-1]
        own = module._parameters
        if own:
            named = any(value is constant for constant in self.constants for value in own.values())
        else:
            # An operation within a module of PyTorch's own is that module: nn.ReLU, nn.MaxPool2d.
            named = not module._modules and type(module).__module__.startswith("torch.nn")
        base = path if named and path else f"{path}.{kind}" if path else kind
        count = self._names[base] = self._names.get(base, 0) + 1
        return base if count == 1 else f"{base}#{count}"

    def close(self, path: str, start: int) -> None:
        """Give a part without parts of its own, whose operations begin at a node, its path: to the last of them."""
        if not any(node.name.partition("#")[0] == path for node in self.nodes[start:]):
            count = self._names[path] = self._names.get(path, 0) + 1
            self.renamed[self.nodes[-1].name] = path if count == 1 else f"{path}#{count}"

    def graph(self, output: Traced | None, observed: bool) -> Graph:
        """Everything recorded, with the output last."""
        read = {name for node in self.nodes for name in node.inputs} | {output.node if output else ""}
        nodes = [node for node in self.nodes if node.name in read or node.kind not in BESIDE]
        if output is not None and nodes[-1].name != output.node:
            nodes = _ordered(nodes, output.node)
        moved = {node.name: self.rows.get(node.name, node.layer) for node in nodes}
        nodes = [node if node.layer == moved[node.name] else replace(node, layer=moved[node.name]) for node in nodes]
        if self.renamed:
            nodes = [_renamed(node, self.renamed) for node in nodes]
        unused = [(name, value.numel()) for key, (name, value) in self.parameters.items() if key not in self._counted]
        return Graph(tuple(nodes), tuple(unused), observed)


def _values(parts: list[tuple[str, nn.Module]], table: str) -> Iterable[tuple[str, torch.Tensor]]:
    """As ``module.named_parameters()`` or ``named_buffers()``, which take a multiple of the time."""
    for path, part in parts:
        for name, value in getattr(part, table).items():
            if value is not None:
                yield f"{path}.{name}" if path else name, value


def _renamed(node: Node, names: dict[str, str]) -> Node:
    inputs = tuple(names.get(name, name) for name in node.inputs)
    return replace(node, name=names.get(node.name, node.name), layer=names.get(node.layer, node.layer), inputs=inputs)


def _ordered(nodes: list[Node], last: str) -> list[Node]:
    """The nodes with all that nothing else reads moved before the output."""
    (place,) = (place for place, node in enumerate(nodes) if node.name == last)
    readers = {source for node in nodes[place + 1 :] for source in node.inputs}
    if last in readers:
        # The output is read on within the module: what follows it stays, and the output gets an end of its own.
        end = replace(
            nodes[place], name=f"{last}.output", op=Activation(function="identity"), inputs=(last,), weights=0
        )
        return [*nodes, replace(end, kind="output")]
    return [*nodes[:place], *nodes[place + 1 :], nodes[place]]
