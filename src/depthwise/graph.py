"""A network as plain data: nodes in topological order, each one primitive operation.

``Graph.from_layers`` reads a layer list; ``graph.at(input_shape)`` derives every size; ``graph.edit(edits)`` changes
attributes of operations, puts operations in and takes them out.  Knows nothing of torch.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import takewhile

from depthwise.errors import DoesNotFit, GraphError, SizeError, did_you_mean
from depthwise.layers import Layer, layer_names, with_input
from depthwise.layers.ops import (
    Activation,
    Dense,
    Dropout,
    Flatten,
    GlobalPool,
    Input,
    Merge,
    Norm,
    Op,
    Pool,
    Shape,
    Size,
    format_shape,
)
from depthwise.layers.shapes import are_channels_last, checked_shape
from depthwise.nodes import Change, Edit, Insert, Node, Remove, change_nodes

__all__ = ["Change", "Edit", "Graph", "Insert", "Node", "Remove", "SizedGraph", "SizedNode"]

LARGEST_SIDE = 1 << 14
"""Images up to this side are tried when an error tells how large they would have to be."""


@dataclass(frozen=True)
class SizedNode:
    """A node whose shapes are known, and whose operation is bound to them."""

    node: Node
    input_shapes: tuple[Shape, ...]
    output_shape: Shape

    @property
    def op(self) -> Op:
        """The bound operation."""
        return self.node.op

    @property
    def name(self) -> str:
        """Name of the node."""
        return self.node.name


@dataclass(frozen=True)
class SizedGraph:
    """A network at one input shape; ``unused`` as in :class:`Graph`, ``declared`` is the graph of any size."""

    nodes: tuple[SizedNode, ...]
    unused: tuple[tuple[str, int], ...] = ()
    observed: bool = False
    declared: Graph | None = field(default=None, repr=False, compare=False)

    @property
    def input_shape(self) -> Shape:
        """Shape of one image."""
        return self.nodes[0].output_shape

    @property
    def output_shape(self) -> Shape:
        """Shape of what comes out for one image."""
        return self.nodes[-1].output_shape


@dataclass(frozen=True)
class Graph:
    """Operations of a network in topological order, the input first and the output last.

    Attributes
    ----------
    nodes
        The operations.
    unused
        Weights of a traced module that no operation reads: name and number of values.
    observed
        Whether a traced module was run once to be read: a script, or one that chooses its way by values, so that
        another image might take another way.

    Examples
    --------
    >>> from depthwise.layers import Conv2D, MaxPool2D, Output
    >>> graph = Graph.from_layers([Conv2D(8), MaxPool2D(), Output(10)])
    >>> [node.name for node in graph.nodes]
    ['input0', 'conv2d1', 'conv2d1.activation', 'maxpool2d2', 'output3.flatten', 'output3']
    >>> graph.at((1, 28, 28)).nodes[3].output_shape
    (8, 13, 13)
    """

    nodes: tuple[Node, ...]
    unused: tuple[tuple[str, int], ...] = ()
    observed: bool = False

    @classmethod
    def from_layers(cls, layers: Iterable[object], n_outputs: int | None = None) -> Graph:
        """Read a layer list.

        Parameters
        ----------
        layers
            Layer records or nolearn's pairs; without an ``Input`` one is implied.
        n_outputs
            Width of an ``Output()`` that leaves it to the data.

        Raises
        ------
        LayerError
            An entry is no layer.
        GraphError
            A name stands twice, or an input is not a layer above.
        """
        graph = cls(tuple(_wire(with_input(layers))))
        last = graph.nodes[-1]
        if n_outputs is not None and isinstance(last.op, Dense) and last.op.out_features is None:
            return graph.edit([Edit(last.name, "out_features", n_outputs)])
        return graph

    @property
    def input_shape(self) -> Shape | None:
        """Shape that the input declares, or ``None``."""
        op = self.nodes[0].op
        return op.shape if isinstance(op, Input) else None

    def edit(self, edits: Iterable[Change]) -> Graph:
        """Return the graph with attributes of its operations changed, and operations put in and taken out.

        Raises
        ------
        GraphError
            There is no such node or attribute, a name stands twice, or the input is taken out.

        Examples
        --------
        >>> from depthwise.layers import Conv2D, MaxPool2D
        >>> graph = Graph.from_layers([Conv2D(8, activation=None), MaxPool2D()])
        >>> [node.name for node in graph.edit([Remove("maxpool2d2")]).nodes]
        ['input0', 'conv2d1']
        """
        return replace(self, nodes=change_nodes(self.nodes, edits))

    def unfolded(self) -> Graph:
        """The graph with a row of the table for every operation."""
        return replace(self, nodes=tuple(replace(node, layer=node.name) for node in self.nodes))

    def at(self, input_shape: Iterable[int] | None = None) -> SizedGraph:
        """Derive every size for images of one shape.

        Parameters
        ----------
        input_shape
            ``(channels, height, width)`` or ``(features,)``; may be left out where the input declares it.

        Raises
        ------
        SizeError
            A map would vanish, a kernel does not fit, two shapes clash, or the shape differs from the declared one.

        Examples
        --------
        >>> from depthwise.layers import Conv2D, MaxPool2D
        >>> Graph.from_layers([MaxPool2D(), MaxPool2D(), Conv2D(8, name="last")]).at((1, 8, 8))
        Traceback (most recent call last):
        depthwise.errors.DoesNotFit: layer 'last': a 3x3 kernel does not fit into its 2x2 input. Remove a pooling \
layer before it, add padding, or use images of 12 px or more.
        """
        shape = self._checked(input_shape)
        try:
            return self._sized(shape)
        except DoesNotFit as problem:
            raise DoesNotFit(problem.message, self._to_make_it_fit(shape, problem.layer), problem.layer) from None

    def _checked(self, input_shape: Iterable[int] | None) -> Shape | None:
        if input_shape is None:
            return None
        shape = checked_shape(input_shape)
        op = self.nodes[0].op
        if self.input_shape not in (None, shape) and not (isinstance(op, Input) and op.any_size):
            declared, given = format_shape(self.input_shape or ()), format_shape(shape)
            hint = "Leave the batch out" if shape[1:] == self.input_shape else "Give one of them, or make both equal"
            raise SizeError(
                f"layer {self.nodes[0].layer!r} declares images of {declared} but input_shape is {given}", hint
            )
        return shape

    def _to_make_it_fit(self, input_shape: Shape | None, layer: str | None) -> str:
        shape = input_shape or self.input_shape or ()
        if are_channels_last(shape):
            return f"If its last number counts channels, put it first: {format_shape((*shape[-1:], *shape[:-1]))}"
        ways = ["add padding"]
        before = takewhile(lambda node: node.layer != layer, self.nodes)
        if any(isinstance(node.op, Pool) for node in before):
            ways.insert(0, "remove a pooling layer before it")
        if wanted := self._least_size(shape):
            ways.append(f"or use images of {wanted} px or more")
        return ", ".join(ways).capitalize()

    def _sized(self, input_shape: Shape | None) -> SizedGraph:
        shapes: dict[str, Shape] = {}
        sized = []
        for node in self.nodes:
            inputs = tuple(shapes[name] for name in node.inputs)
            op = node.op
            if node is self.nodes[0] and isinstance(op, Input) and input_shape is not None:
                op = replace(op, shape=input_shape)
            try:
                op, shapes[node.name] = _bind(op, inputs)
            except SizeError as problem:
                remedies = filter(None, (problem.remedy, _shortcut_hint(node, inputs)))
                raise type(problem)(problem.message, ". ".join(remedies), node.layer) from None
            bound = node if op is node.op else replace(node, op=op)
            sized.append(SizedNode(bound, inputs, shapes[node.name]))
        return SizedGraph(tuple(sized), self.unused, self.observed, self)

    def _least_size(self, shape: Shape | None) -> str | None:
        """Smallest image that every window fits into, axis by axis, as text; ``None`` where no size would do."""
        channels, *size = shape or self.input_shape or (0,)

        def fits(trial: Size) -> bool:
            try:
                self._sized((channels, *trial))
            except SizeError:
                return False
            return True

        least = []
        for axis in range(len(size)):
            low, high = 0, LARGEST_SIDE
            while high - low > 1:
                middle = (low + high) // 2
                trial = [LARGEST_SIDE] * len(size)
                trial[axis] = middle
                low, high = (low, middle) if fits(tuple(trial)) else (middle, high)
            least.append(high)
        if not least or not fits(tuple(least)):
            return None
        return str(least[0]) if len(set(least)) == 1 else format_shape(tuple(least))


@lru_cache(maxsize=1 << 12)
def _bind(op: Op, inputs: tuple[Shape, ...]) -> tuple[Op, Shape]:
    """Bound operation and its output; a mended or searched network has most of its operations from the one before."""
    bound = op.bind(inputs)
    return bound, bound.output_shape(inputs)


def _wire(layers: tuple[Layer, ...]) -> Iterable[Node]:
    """Nodes of a whole list: each layer reads the one before it, or the ones it names."""
    nodes: dict[str, Node] = {}

    def run(level: tuple[Layer, ...], prefix: str, source: tuple[str, ...]) -> tuple[str, ...]:
        ends: dict[str, str] = {}  # layer name -> name of the node that carries its result
        for own_name, layer in layer_names(level):
            name = prefix + own_name
            if own_name in ends:
                raise GraphError(f"two layers are called {name!r}. Give one of them another name=.")
            if layer.inputs:
                source = tuple(_look_up(wanted, ends, name) for wanted in layer.inputs)
            if layer.branches:
                ways = [("".join(f"{part}." for part in (name, way) if part), branch) for way, branch in layer.branches]
                source = sum((run(branch, way, source) if branch else source for way, branch in ways), ())
            ends[own_name] = _append(nodes, layer, name, source)
            source = (ends[own_name],)
        return source

    run(layers, "", ())
    return nodes.values()


def _append(nodes: dict[str, Node], layer: Layer, name: str, inputs: tuple[str, ...]) -> str:
    for role, op in layer.lower():
        if isinstance(op, Flatten) and role and _is_flat(nodes, inputs[0]):
            continue
        path = f"{name}.{role}" if role else name
        if path in nodes:
            raise GraphError(f"two layers are called {path!r}. Give one of them another name=.")
        nodes[path] = Node(path, op, inputs, name, layer.kind)
        inputs = (path,)
    return inputs[0]


def _is_flat(nodes: dict[str, Node], name: str) -> bool:
    node = nodes[name]
    while isinstance(node.op, (Activation, Dropout, Norm, Merge)):
        node = nodes[node.inputs[0]]
    return isinstance(node.op, (Dense, Flatten, GlobalPool))


def _look_up(wanted: str, local: dict[str, str], reader: str) -> str:
    if wanted not in local:
        raise GraphError(
            f"layer {reader!r} reads {wanted!r}, which is not a layer above it.{did_you_mean(wanted, local)} "
            f"Above it are: {', '.join(local)}."
        )
    return local[wanted]


def _shortcut_hint(node: Node, shapes: tuple[Shape, ...]) -> str:
    """What to write as the shortcut of a residual block that changes the shape."""
    if node.kind != "residual" or not isinstance(node.op, Merge):
        return ""
    (channels, *size), (_, *came) = shapes
    if not size and not came:
        return f"Write the block with shortcut=Dense({channels}, activation=None)"
    strides = [-(-before // after) for before, after in zip(came, size, strict=False) if before and after]
    reached = [-(-before // stride) for before, stride in zip(came, strides, strict=False) if before]
    if reached != size or len(came) != len(size):
        return f"Let the block keep its size, or give it a shortcut that ends in {format_shape(shapes[0])}"
    stride = strides[0] if len(set(strides)) == 1 else tuple(strides)
    written = "" if stride == 1 else f", stride={stride}"
    return f"Write the block with shortcut=Conv2D({channels}, 1{written}, activation=None)"
