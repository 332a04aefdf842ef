"""What a network needs of a device's memory: to learn, and to answer.

Counted by storage, each once: a view (flattening, a slice, a dropout at rest) takes none of its own.  What learning
keeps for its backward pass is what PyTorch's derivatives ask for, operation by operation (its file
``tools/autograd/derivatives.yaml``).  The workspace of a device's library, and the loss, are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

from depthwise.errors import GraphError
from depthwise.graph import SizedGraph, SizedNode
from depthwise.layers.mixing import Attention, Matmul, Opaque, Reshape
from depthwise.layers.ops import (
    Activation,
    Conv,
    ConvTranspose,
    Dense,
    Dropout,
    Flatten,
    GlobalPool,
    Merge,
    Norm,
    Pad,
    Pool,
    Shape,
    Window,
)
from depthwise.layers.resampling import AdaptivePool, Measured, Sample, Select

BYTES = {"float64": 8, "float32": 4, "bfloat16": 2, "float16": 2}
"""Of one value, by the name of its type."""

INDEX_BYTES = 8
"""Max pooling keeps where each largest value stood, as int64."""

STATISTIC_BYTES = 4
"""Norms keep mean and deviation in float32."""

STATES = {
    "sgd": 1, "momentum": 1, "nesterov": 1, "rmsprop": 1, "adagrad": 1,
    "asgd": 1, "adam": 2, "adamw": 2, "nadam": 2, "radam": 2, "adamax": 2, "adadelta": 2, "rprop": 2,
}  # fmt: skip
"""Values that an optimizer of ``torch.optim`` keeps for each parameter; ``sgd`` with its momentum."""

RESULT_KEPT = {"relu", "tanh", "sigmoid", "softmax", "log_softmax"}
"""Activations whose derivative is told by their result; the others keep what went in."""

LINEAR_MERGES = {"add", "sub", "concat"}
"""Their derivative needs no value."""


@dataclass(frozen=True)
class Memory:
    """Bytes that a network takes for one batch.

    Attributes
    ----------
    batch_size, dtype, optimizer
        What it was asked for.
    parameters, gradients, optimizer_state, buffers
        Of the weights; buffers are the running statistics of norms.
    saved
        Row -> bytes that it keeps for the backward pass, largest first.
    peak
        Most bytes of activations that exist at one time while answering, when each is freed after its last reader and
        the images are kept.
    peak_layer
        Row at which that is.

    Examples
    --------
    >>> from depthwise.graph import Graph
    >>> from depthwise.layers import Conv2D, MaxPool2D
    >>> memory = measure_memory(Graph.from_layers([Conv2D(8), MaxPool2D()]).at((1, 28, 28)), batch_size=10)
    >>> memory.training, memory.largest_saved, memory.inference, memory.peak_layer
    (357120, ('conv2d1', 216320), 464320, 'conv2d1')
    """

    batch_size: int
    dtype: str
    optimizer: str
    parameters: int
    gradients: int
    optimizer_state: int
    buffers: int
    saved: dict[str, int]
    peak: int
    peak_layer: str

    @property
    def saved_bytes(self) -> int:
        """Bytes that are kept for the backward pass."""
        return sum(self.saved.values())

    @property
    def largest_saved(self) -> tuple[str, int]:
        """Row that keeps most for the backward pass, and how much."""
        return next(iter(self.saved.items()), ("", 0))

    @property
    def training(self) -> int:
        """Bytes to learn with: weights, gradients, state of the optimizer, and what is kept for the backward pass."""
        return self.parameters + self.gradients + self.optimizer_state + self.buffers + self.saved_bytes

    @property
    def inference(self) -> int:
        """Bytes to answer with: weights, and the most activations at one time."""
        return self.parameters + self.buffers + self.peak

    def to_dict(self) -> dict[str, Any]:
        """Everything as values that JSON can hold."""
        return {**vars(self), "saved": dict(self.saved), "training": self.training, "inference": self.inference}


def measure_memory(
    graph: SizedGraph, *, batch_size: int = 1, dtype: str = "float32", optimizer: str = "adam"
) -> Memory:
    """Measure the memory that a network takes for one batch.

    Parameters
    ----------
    graph
        A network at one size; an output of unknown width is left out.
    batch_size
        Number of images.
    dtype
        One of :data:`BYTES`, of weights and activations.
    optimizer
        One of :data:`STATES`.

    Raises
    ------
    GraphError
        There is no such type or optimizer, or the batch is empty.
    """
    width = _choose(dtype, BYTES, "dtype")
    states = _choose(optimizer, STATES, "optimizer")
    if batch_size < 1:
        raise GraphError(f"batch_size is {batch_size} but must be 1 or more.")
    params = sum(node.node.params or 0 for node in graph.nodes) + sum(count for _, count in graph.unused)
    saved = _kept(graph, _Storages(graph, batch_size, width, training=True))
    peak, layer = _peak(graph, _Storages(graph, batch_size, width, training=False))
    return Memory(
        batch_size=batch_size,
        dtype=dtype,
        optimizer=optimizer,
        parameters=params * width,
        gradients=params * width,
        optimizer_state=params * width * states,
        buffers=sum(node.op.buffers for node in graph.nodes) * STATISTIC_BYTES,
        saved=dict(sorted(saved.items(), key=lambda entry: -entry[1])),
        peak=peak,
        peak_layer=layer,
    )


def _choose(name: str, known: dict[str, int], argument: str) -> int:
    if name not in known:
        raise GraphError(f"{argument} is {name!r} but must be one of {', '.join(known)}.")
    return known[name]


class _Storages:
    """Which storage holds each node's output, and how large it is."""

    def __init__(self, graph: SizedGraph, batch_size: int, width: int, training: bool) -> None:
        self.batch_size, self.width = batch_size, width
        self.holder: dict[str, str] = {}
        self.bytes: dict[str, int] = {}
        for node in graph.nodes:
            if node.node.inputs and _is_view(node, training):
                self.holder[node.name] = self.holder[node.node.inputs[0]]
            else:
                self.holder[node.name] = node.name
                self.bytes[node.name] = self.of(node.output_shape)

    def of(self, shape: Shape) -> int:
        """Bytes of a batch of values of one shape."""
        return self.batch_size * self.width * prod(side or 0 for side in shape)


def _is_view(node: SizedNode, training: bool) -> bool:
    op = node.op
    if isinstance(op, Dropout):
        return not training or op.p == 0
    return isinstance(op, (Flatten, Reshape, Select, Sample))


def _kept(graph: SizedGraph, storages: _Storages) -> dict[str, int]:
    """Bytes kept for the backward pass, by the row that made them."""
    learned: set[str] = set()  # nodes that a gradient comes to
    rows = {node.name: node.node.layer for node in graph.nodes}
    kept: dict[str, int] = {}
    by_row: dict[str, int] = {}
    for node in graph.nodes:
        if not (node.node.params or not learned.isdisjoint(node.node.inputs)):
            continue
        learned.add(node.name)
        for name, count in _needs(node, storages):
            maker = storages.holder.get(name, name)
            if maker not in kept:
                kept[maker] = count
                row = rows.get(maker, node.node.layer)
                by_row[row] = by_row.get(row, 0) + count
    return by_row


def _needs(node: SizedNode, storages: _Storages) -> Iterator[tuple[str, int]]:
    """What the derivative of one operation asks for: names of nodes, or of storages of its own, and their bytes."""
    op = node.op
    inputs = [(name, storages.bytes[storages.holder[name]]) for name in node.node.inputs]
    result = (node.name, storages.bytes.get(node.name, 0))
    copy = _padded(node)
    source = [(f"{node.name}.padded", storages.of(copy))] if copy else inputs[:1]
    match op:
        case Activation():
            yield result if op.function in RESULT_KEPT else inputs[0]
        case Dropout() if op.p > 0:
            yield f"{node.name}.mask", storages.of(node.output_shape[:1] if op.whole_channels else node.output_shape)
        case Norm():
            yield inputs[0]
            yield (
                f"{node.name}.statistics",
                2 * STATISTIC_BYTES * _statistics(op, node.output_shape, storages.batch_size),
            )
        case Pool(function="max") | AdaptivePool(function="max"):
            yield from source
            yield (
                f"{node.name}.indices",
                INDEX_BYTES * storages.batch_size * prod(side or 0 for side in node.output_shape),
            )
        case Pool(function="avg", count_include_pad=False) if copy:
            yield from source
            # The sums are divided by how many real values each window holds, the same for all images.
            yield f"{node.name}.counts", storages.width * prod(side or 0 for side in node.output_shape[1:])
        case AdaptivePool() if not op.reads_all:
            yield inputs[0]
        case GlobalPool(function="max"):
            yield inputs[0]
            yield result
        case Merge() if op.function not in LINEAR_MERGES:
            yield from inputs
        case Attention():
            yield from inputs
            yield result
        case Conv() | Dense() | Pool() | Measured() | Opaque():
            yield from source
        case Matmul():
            yield from inputs
        case Pad() if op.mode in ("reflect", "replicate"):
            yield inputs[0]


def _statistics(op: Norm, shape: Shape, batch_size: int) -> int:
    """Number of means that a norm takes."""
    if op.function == "batch" and not op.over_map:
        return shape[0] or 0
    positions = prod(side or 0 for side in shape[1:])
    return batch_size * {"group": op.groups or 1, "instance": shape[0] or 0, "layer": positions}.get(op.function, 0)


def _padded(node: SizedNode) -> Shape | None:
    """Shape of the copy that a window with more padding on one side than on the other makes first."""
    op = node.op
    if not isinstance(op, Window) or isinstance(op, (ConvTranspose, Sample)):
        return None
    if all(before == after for before, after in op.sides):
        return None
    shape = node.input_shapes[0]
    size = [(side or 0) + before + after for side, (before, after) in zip(shape[1:], op.sides, strict=True)]
    return (shape[0], *size)


def _peak(graph: SizedGraph, storages: _Storages) -> tuple[int, str]:
    """Most bytes at one time, and the row where that is."""
    holder, last_reader = storages.holder, dict.fromkeys(storages.bytes, -1)
    for place, node in enumerate(graph.nodes):
        for name in node.node.inputs:
            last_reader[holder[name]] = place
    # The caller holds the images and takes the output.
    kept = {holder[graph.nodes[0].name], holder[graph.nodes[-1].name]}
    live: dict[str, int] = {}
    peak, layer = 0, graph.nodes[0].node.layer
    for place, node in enumerate(graph.nodes):
        live[holder[node.name]] = storages.bytes[holder[node.name]]
        total = sum(live.values()) + storages.of(copy) if (copy := _padded(node)) else sum(live.values())
        if total > peak:
            peak, layer = total, node.node.layer
        for name in [name for name in live if last_reader[name] <= place and name not in kept]:
            del live[name]
    return peak, layer
