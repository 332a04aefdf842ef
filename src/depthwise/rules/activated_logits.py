"""HED002: logits that cannot be negative."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from depthwise.graph import Remove, SizedNode
from depthwise.layers import Conv2D, Dense, GlobalAvgPool2D, MaxPool2D, Output
from depthwise.layers.ops import Activation, Conv, Dropout, Flatten
from depthwise.layers.ops import Dense as DenseOp
from depthwise.rules.facts import Facts
from depthwise.rules.finding import Finding
from depthwise.rules.rule import CLASSIFIERS, Example, rule
from depthwise.rules.wording import take_out

HIDDEN = ("relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "silu", "hardswish", "softplus", "tanh")
"""Activations of hidden layers."""


@rule(
    "HED002",
    "warning",
    title="A hidden layer's activation stands on the output.",
    why="A loss needs outputs of any size and sign. A ReLU on them sets all negative ones to zero, where they get no "
    "gradient: a class may never come back once its output is below zero for all images.",
    source="Nikanjam et al., TOSEM 2021 (NeuraLint); PyTorch's losses are defined on unbounded logits.",
    bad=Example(
        (Conv2D(16, padding="same"), MaxPool2D(), *[Conv2D(32, padding="same")] * 2, GlobalAvgPool2D(), Dense(10)),
        (1, 16, 16),
    ),
    good=Example(
        (Conv2D(16, padding="same"), MaxPool2D(), *[Conv2D(32, padding="same")] * 2, GlobalAvgPool2D(), Output(10)),
        (1, 16, 16),
    ),
    profiles=CLASSIFIERS,
)
def activated_logits(facts: Facts) -> Iterator[Finding]:
    """The activation in front of the output, its softmax left aside."""
    node = _before_softmax(facts)
    source = facts.source(node)
    flat = prod(side or 1 for side in node.output_shape[1:]) == 1
    if not flat or source is None or not isinstance(node.op, Activation) or node.op.function not in HIDDEN:
        return
    if isinstance(source.op, (DenseOp, Conv)):
        yield activated_logits.finding(
            [source.node.layer],
            f"{node.op.function} on the output",
            "logits must be free to take any value",
            [facts.remedy(take_out(facts, node, node.op.function), [Remove(node.name)])],
        )


def _before_softmax(facts: Facts) -> SizedNode:
    node = facts.last
    while True:
        source = facts.source(node)
        softmax = isinstance(node.op, Activation) and node.op.function not in HIDDEN
        if source is None or not (softmax or isinstance(node.op, (Flatten, Dropout)) or _keeps_values(node)):
            return node
        node = source


def _keeps_values(node: SizedNode) -> bool:
    """Whether a traced view or squeeze hands the same values on."""
    return type(node.op).__name__ == "Reshape"
