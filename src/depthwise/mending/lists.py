"""Changes of a graph, made on the layer list that it was read from.

A node tells its layer and its role there, so that ``Edit("conv2d1", "bias", False)`` becomes an argument of a record,
and a new node a new record.  Names that come from places shift when a layer comes or goes; whoever is read by name is
therefore followed as an object, and named anew at the end.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

from depthwise.errors import LayerError, RuleError, did_you_mean
from depthwise.graph import Change, Edit, Graph, Insert, Node, Remove
from depthwise.layers import Input, Layer, Residual, as_layers, layer_names, with_input
from depthwise.layers.ops import Activation, Norm
from depthwise.mending.records import argument_for, record_for

IMPLIED = ("flatten",)
"""Roles of nodes that no argument tells: they come and go with their layer."""


@dataclass(eq=False)
class _Entry:
    """A layer of one level, and the entries that it reads by name."""

    layer: Layer
    sources: list[_Entry] | None


Level = list[_Entry]


def change_layers(layers: Iterable[object], changes: Iterable[Change]) -> tuple[Layer, ...]:
    """Layer list with changes of its graph made.

    Raises
    ------
    RuleError
        No layer list says the same.

    Examples
    --------
    >>> from depthwise.layers import Conv2D, Output
    >>> change_layers([Conv2D(8, norm="batch"), Output(10)], [Edit("conv2d1", "bias", False), Remove("conv2d1.norm")])
    (Conv2D(8, bias=False), Output(units=10))
    """
    listed = as_layers(layers)
    try:
        changed = _Change(with_input(listed)).made(changes)
    except LayerError as problem:
        raise RuleError(f"no layer can be changed so: {problem}") from None
    return changed if isinstance(listed[0], Input) or changed[0] != Input() else changed[1:]


class _Change:
    """The levels of a list while they are changed."""

    def __init__(self, layers: tuple[Layer, ...]) -> None:
        self.graph = Graph.from_layers(layers)
        self.nodes = {node.name: node for node in self.graph.nodes}
        self.own: dict[str, list[Node]] = {}
        for node in self.graph.nodes:
            self.own.setdefault(node.layer, []).append(node)
        self.levels: dict[str, Level] = {}
        self.entries: dict[str, tuple[Level, _Entry]] = {}
        self.gone: set[str] = set()
        self._open(layers, "")

    def _open(self, layers: tuple[Layer, ...], prefix: str) -> None:
        level: Level = []
        local: dict[str, _Entry] = {}
        for name, layer in layer_names(layers):
            entry = _Entry(layer, [local[source] for source in layer.inputs] if layer.inputs else None)
            level.append(entry)
            local[name] = entry
            self.entries[prefix + name] = (level, entry)
            for way, branch in layer.branches:
                self._open(branch, "".join(f"{part}." for part in (prefix + name, way) if part))
        self.levels[prefix] = level

    def made(self, changes: Iterable[Change]) -> tuple[Layer, ...]:
        """The list after all changes."""
        for change in changes:
            match change:
                case Edit():
                    self._set(change)
                case Insert():
                    self._insert(change)
                case Remove():
                    self.gone.add(self._known(change.node).name)
        self._remove()
        return self._closed("")

    def _known(self, name: str) -> Node:
        if name not in self.nodes:
            raise RuleError(
                f"there is no layer {name!r} in this list.{did_you_mean(name, self.nodes)} "
                "Apply a fix to the network that was checked."
            )
        return self.nodes[name]

    def _set(self, edit: Edit) -> None:
        node = self._known(edit.node)
        _, entry = self.entries[node.layer]
        _give(entry, *argument_for(node, entry.layer, edit.attribute, edit.value))

    def _insert(self, insert: Insert) -> None:
        source = self._known(insert.after).layer
        if insert.layer in self.entries:
            _, entry = self.entries[insert.layer]
            argument, value = _as_argument(insert)
            at_end = insert.layer not in self.own or self._fits_behind(insert.after, argument, insert.layer)
            if at_end and argument in _arguments(entry.layer) and getattr(entry.layer, argument) is None:
                _give(entry, argument, value)
                self.nodes[insert.name] = Node(insert.name, insert.op, (insert.after,), insert.layer, insert.kind)
                return
        entry = _Entry(record_for(insert), None)
        if insert.only is not None:
            level, reader = self.entries[self._known(insert.only).layer]
            entry.sources, reader.sources = reader.sources, None
            level.insert(level.index(reader), entry)
        else:
            if source in self.own and self._end(source) not in (insert.after, None):
                raise RuleError(
                    f"nothing can be put behind {insert.after!r} in a layer list: it is inside of {source!r}."
                )
            level, before = self.entries[source]
            for other in level:
                other.sources = other.sources and [entry if each is before else each for each in other.sources]
            level.insert(level.index(before) + 1, entry)
        name = insert.layer if insert.layer not in self.entries else insert.name
        self.nodes[insert.name] = Node(insert.name, insert.op, (insert.after,), name, insert.kind)
        self.entries[name] = (level, entry)

    def _fits_behind(self, node: str, argument: str, layer: str) -> bool:
        """Whether what an argument says would come directly behind a node of the layer: first a norm, then the rest."""
        rest = [other for other in self.own[layer] if other.name not in self.gone]
        names = [other.name for other in rest]
        if node not in names:  # what was put in just before, as a norm before its activation
            return True
        behind = rest[names.index(node) + 1 :]
        return not behind or (argument == "norm" and all(_role(other) == "activation" for other in behind))

    def _end(self, layer: str) -> str | None:
        """Last node of a layer that is not taken out."""
        kept = [node.name for node in self.own[layer] if node.name not in self.gone]
        return kept[-1] if kept else None

    def _remove(self) -> None:
        for layer, nodes in self.own.items():
            gone = [node for node in nodes if node.name in self.gone]
            kept = [node for node in nodes if node.name not in self.gone and _role(node) not in IMPLIED]
            level, entry = self.entries[layer]
            if gone and not kept and entry in level:
                _delete(level, entry, layer)
            elif kept:
                for role in filter(None, map(_role, gone)):
                    if role not in ("activation", "norm"):
                        raise RuleError(
                            f"{role!r} cannot be taken out of layer {layer!r} alone. Take out the whole layer."
                        )
                    _give(entry, role, None)

    def _closed(self, prefix: str) -> tuple[Layer, ...]:
        """Layers of a level, inner levels closed, names given anew."""
        level = self.levels[prefix]
        for name, (home, entry) in self.entries.items():
            if home is level and entry in level and isinstance(entry.layer, Residual):
                inner = self._closed(f"{name}.")
                shortcut = None if entry.layer.shortcut is None else self._closed(f"{name}.shortcut.")
                if not inner or shortcut == ():
                    raise RuleError(f"layer {name!r}: nothing would be left inside of it. Take out the whole block.")
                entry.layer = replace(entry.layer, layers=inner, shortcut=shortcut)
        names: dict[_Entry, str] = {}
        for place, entry in enumerate(level):
            name = entry.layer.name or f"{entry.layer.kind}{place}"
            while name in names.values():
                name += "b"
            if entry.layer.name is None and name != f"{entry.layer.kind}{place}":
                entry.layer = replace(entry.layer, name=name)
            names[entry] = name
        return tuple(
            replace(entry.layer, inputs=None if entry.sources is None else tuple(names[each] for each in entry.sources))
            for entry in level
        )


def _give(entry: _Entry, argument: str, value: object) -> None:
    given: dict[str, Any] = {argument: value}
    entry.layer = replace(entry.layer, **given)


def _arguments(layer: Layer) -> set[str]:
    return {entry.name for entry in fields(layer)}


def _as_argument(insert: Insert) -> tuple[str, object]:
    """A new activation or norm as an argument of the layer it belongs to."""
    if isinstance(insert.op, Activation):
        return "activation", insert.op.function
    if isinstance(insert.op, Norm) and insert.op.function == "batch":
        return "norm", "batch"
    return "", None


def _role(node: Node) -> str:
    return node.name.removeprefix(node.layer).removeprefix(".")


def _delete(level: Level, entry: _Entry, name: str) -> None:
    place = level.index(entry)
    source = entry.sources[0] if entry.sources else level[place - 1] if place else None
    for other in level:
        if other.sources and entry in other.sources:
            if source is None:
                raise RuleError(
                    f"layer {name!r} cannot be taken out: others read it by name, and nothing stands before it."
                )
            other.sources = [source if each is entry else each for each in other.sources]
    follower = level[place + 1] if place + 1 < len(level) else None
    if follower is not None and follower.sources is None and entry.sources:
        follower.sources = [entry.sources[0]]
    level.remove(entry)
