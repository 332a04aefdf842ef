"""Where and why a network does not fit to its images."""

from __future__ import annotations

from dataclasses import replace

from depthwise.errors import SizeError
from depthwise.graph import Node
from depthwise.rules.facts import Facts


def first_misfit(facts: Facts) -> Node:
    """The node at which sizes end."""
    shape = tuple(side or 1 for side in facts.input_shape)
    for place, node in enumerate(facts.graph.nodes):
        try:
            replace(facts.graph, nodes=facts.graph.nodes[: place + 1]).at(shape)
        except SizeError:
            return node
    raise AssertionError("a network without a misfit has no first one")
