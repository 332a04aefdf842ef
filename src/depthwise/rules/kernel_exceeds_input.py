"""SHP001: a window that does not fit into its map."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from depthwise.errors import DoesNotFit, SizeError
from depthwise.graph import Change, Edit, Graph, Node, Remove
from depthwise.layers import Conv2D, GlobalAvgPool2D, MaxPool2D, Output
from depthwise.layers.ops import Pool, Window
from depthwise.rules.facts import Facts
from depthwise.rules.finding import Finding, Fix, Remedy
from depthwise.rules.misfits import first_misfit
from depthwise.rules.rule import Example, rule

MOST_STEPS = 64
"""Layers that a mend may change before it is given up."""


@rule(
    "SHP001",
    "error",
    title="A kernel or window is larger than the map that it slides over.",
    why="Nothing comes out of such a layer: the network cannot be built for images of this size. Every unpadded "
    "convolution and every pooling layer makes the map smaller, until one is left without room.",
    source="Arithmetic: floor((n + 2 p - d (k - 1) - 1) / s) + 1 must be 1 or more.",
    bad=Example(
        (Conv2D(16), MaxPool2D(), Conv2D(32), MaxPool2D(), Conv2D(64), GlobalAvgPool2D(), Output(10)), (1, 10, 10)
    ),
    good=Example(
        (Conv2D(16, padding="same"), MaxPool2D(), Conv2D(32, padding="same"), GlobalAvgPool2D(), Output(10)),
        (1, 10, 10),
    ),
    needs=(),
)
def kernel_exceeds_input(facts: Facts) -> Iterator[Finding]:
    """The first window that does not fit, named before anything is built."""
    if not isinstance(facts.misfit, DoesNotFit):
        return
    node = first_misfit(facts)
    remedies = [_pad(facts), _remove_pool(facts, node)]
    told = [Remedy("Remove a pooling layer before it, add padding, or use larger images")]
    yield kernel_exceeds_input.finding(
        [node.layer], facts.misfit.message, remedies=[*remedies, *(told if not any(remedies) else [])]
    )


def _pad(facts: Facts) -> Remedy | None:
    """Pad the windows that do not fit, one after the other."""
    edits: list[Change] = []
    names = []
    now = facts
    for _ in range(MOST_STEPS):
        node = first_misfit(now)
        if not isinstance(node.op, Window) or node.op.padding == "same":
            return None
        edits.append(Edit(node.name, "padding", "same"))
        names.append(node.layer)
        graph = facts.graph.edit(edits)
        if _fits(graph, facts):
            return Remedy(f'Set padding="same" on {", ".join(dict.fromkeys(names))}', Fix(tuple(edits)))
        now = replace(facts, graph=graph)
    return None


def _remove_pool(facts: Facts, node: Node) -> Remedy | None:
    """Take out the nearest pooling layer before it that lets the rest fit."""
    before = facts.graph.nodes[: facts.graph.nodes.index(node)]
    for pool in reversed([other for other in before if isinstance(other.op, Pool)]):
        edits = (Remove(pool.name),)
        if _fits(facts.graph.edit(edits), facts):
            return Remedy(f"Remove {pool.layer}", Fix(edits))
    return None


def _fits(graph: Graph, facts: Facts) -> bool:
    try:
        graph.at(tuple(side or 1 for side in facts.input_shape))
    except SizeError:
        return False
    return True
