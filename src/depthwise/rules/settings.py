"""Which changes of a traced graph can be made in place on its module: what ``[*]`` promises."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from depthwise.layers.ops import Conv, ConvTranspose, Dense, Op
from depthwise.nodes import Change, Edit, Insert, Remove

if TYPE_CHECKING:
    from depthwise.graph import SizedGraph, SizedNode
    from depthwise.rules.facts import Facts

ALWAYS = frozenset({"stride", "dilation", "ceil_mode", "output_padding", "bias"})
"""Attributes that a module reads at every call."""


def are_settings(facts: Facts, edits: Iterable[Change], planned: SizedGraph) -> bool:
    """Whether a module can be changed so: its forward cannot be rewritten, and its kernels cannot grow."""
    listed = tuple(edits)
    gone = {edit.node for edit in listed if isinstance(edit, Remove)}
    if any(isinstance(edit, Insert) for edit in listed):
        return False
    after = {node.name: node.op for node in planned.nodes}
    settings = [edit for edit in listed if isinstance(edit, Edit)]
    if not all(_is_setting(edit, facts.nodes[edit.node].op, after[edit.node]) for edit in settings):
        return False
    anew = made_anew(facts, planned)
    if any(node.op.groups != 1 for node in anew if isinstance(node.op, Dense)):
        return False
    touched = {edit.node for edit in settings} | {node.name for node in anew}
    if not touched | facts.whole_paths(gone) <= facts.modules:
        return False
    # A submodule that is called again elsewhere would change there too.
    called = [name.partition("#")[0] for name in facts.nodes]
    alone = all(called.count(name) == 1 for name in touched)
    return alone and not any(name.partition("#")[0] in gone and name not in gone for name in facts.nodes)


def made_anew(facts: Facts, planned: SizedGraph) -> list[SizedNode]:
    """Dense layers that get another number of inputs, as planned: their weights fit no longer."""
    before = {node.name: node.op for node in facts.nodes.values() if isinstance(node.op, Dense)}
    return [
        node
        for node in planned.nodes
        if isinstance(node.op, Dense) and node.op.in_features != before.get(node.name, node.op).in_features
    ]


def _is_setting(edit: Edit, op: Op, planned: Op) -> bool:
    value = edit.value
    if edit.attribute == "kernel_size" and isinstance(op, Conv) and isinstance(planned, Conv):
        return all(new <= old for new, old in zip(planned.kernel_size, op.kernel_size, strict=True))
    if edit.attribute == "padding" and value == "same":
        plain = isinstance(planned, Conv) and not isinstance(planned, ConvTranspose)
        return plain and set(planned.stride) == {1}  # type: ignore[attr-defined]
    if edit.attribute == "padding" and isinstance(value, tuple):
        return all(before == after for before, after in value)
    if edit.attribute == "out_features":
        return isinstance(op, Dense) and op.groups == 1
    return edit.attribute in ALWAYS or edit.attribute == "kernel_size"
