"""The operations of a network one by one, and how they are changed: an attribute set, one put in, one taken out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from depthwise.errors import GraphError, did_you_mean
from depthwise.layers.ops import Op


@dataclass(frozen=True)
class Node:
    """One operation of a network.

    Attributes
    ----------
    name
        Unique; the path of the submodule that holds its weights: ``conv2d1``, ``conv2d1.norm``.
    op
        What is done.
    inputs
        Names of the nodes it reads.
    layer, kind
        Declared layer (or row of a traced module) it came from, and that layer's kind: one row of the table.
    weights
        Number of learned values that it holds, where that is not what its operation tells: weights that several
        operations share are counted at the first, and a traced module may learn values of its own.
    """

    name: str
    op: Op
    inputs: tuple[str, ...]
    layer: str
    kind: str
    weights: int | None = None

    @property
    def params(self) -> int | None:
        """Number of learned values of a bound node, each counted once in the network; ``None`` while not known."""
        return self.op.params if self.weights is None else self.weights


@dataclass(frozen=True)
class Edit:
    """Set one attribute of one node's operation."""

    node: str
    attribute: str
    value: object


@dataclass(frozen=True)
class Insert:
    """Put an operation behind a node.

    Attributes
    ----------
    after
        Node whose output it reads.
    op, name, layer, kind
        As for :class:`Node`.
    only
        The one node that reads the operation then; ``None`` lets all readers of ``after`` read it instead.
    """

    after: str
    op: Op
    name: str
    layer: str
    kind: str
    only: str | None = None


@dataclass(frozen=True)
class Remove:
    """Take a node out; what read it reads its first input."""

    node: str


Change = Edit | Insert | Remove


def change_nodes(nodes: Iterable[Node], changes: Iterable[Change]) -> tuple[Node, ...]:
    """Nodes with changes made one after the other.

    Raises
    ------
    GraphError
        There is no such node or attribute, a name stands twice, or the input is taken out.
    """
    by_name = {node.name: node for node in nodes}
    for change in changes:
        match change:
            case Edit():
                by_name[change.node] = _changed(_wanted(by_name, change.node), change)
            case Insert():
                by_name = _with(by_name, change)
            case Remove():
                by_name = _without(by_name, _wanted(by_name, change.node))
    return tuple(by_name.values())


def _wanted(nodes: dict[str, Node], name: str) -> Node:
    if name not in nodes:
        raise GraphError(f"no node is called {name!r}.{did_you_mean(name, nodes)}")
    return nodes[name]


def _changed(node: Node, edit: Edit) -> Node:
    if edit.attribute not in type(node.op).__dataclass_fields__:
        known = ", ".join(type(node.op).__dataclass_fields__)
        raise GraphError(f"node {edit.node!r} has no attribute {edit.attribute!r}. It has: {known}.")
    return replace(node, op=replace(node.op, **{edit.attribute: edit.value}))


def _with(nodes: dict[str, Node], edit: Insert) -> dict[str, Node]:
    source = _wanted(nodes, edit.after).name
    if edit.name in nodes:
        raise GraphError(f"there is a node {edit.name!r} already. Give the new one another name.")
    if edit.only is not None:
        _wanted(nodes, edit.only)
    new = Node(edit.name, edit.op, (source,), edit.layer, edit.kind)
    changed: dict[str, Node] = {}
    for name, node in nodes.items():
        if name == edit.only:
            changed[new.name] = new
        rewired = edit.only in (None, name) and source in node.inputs
        inputs = tuple(new.name if each == source else each for each in node.inputs)
        changed[name] = replace(node, inputs=inputs) if rewired else node
        if name == source and edit.only is None:
            changed[new.name] = new
    return changed


def _without(nodes: dict[str, Node], gone: Node) -> dict[str, Node]:
    if not gone.inputs:
        raise GraphError(f"node {gone.name!r} is the input, which every network needs. Take out another one.")
    kept = {name: node for name, node in nodes.items() if name != gone.name}
    for node in kept.values():
        if gone.name in node.inputs:
            inputs = tuple(gone.inputs[0] if name == gone.name else name for name in node.inputs)
            kept[node.name] = replace(node, inputs=inputs)
    return kept
