"""HED003: a max pool just before the decision."""

from __future__ import annotations

from collections.abc import Iterator

from depthwise.graph import Remove, SizedNode
from depthwise.layers import Conv2D, GlobalAvgPool2D, MaxPool2D, Output
from depthwise.layers.ops import Dropout, Flatten, GlobalPool, Pool
from depthwise.rules.facts import Facts
from depthwise.rules.finding import Finding
from depthwise.rules.rule import Example, rule
from depthwise.rules.wording import order_to_remove, percent


@rule(
    "HED003",
    "info",
    title="A max pool stands directly before the head.",
    why="What it throws away, no filter has looked at anew: pooling pays by letting the next convolution see more, and "
    "here none follows. Leave it out, or let global average pooling keep a part of every value.",
    source="Advice of a tutorial series on convolutional networks for MNIST (2020), which the numbers of a network "
    "bear out or not: hence information only.",
    bad=Example(
        (Conv2D(16, padding="same"), MaxPool2D(), *[Conv2D(32, padding="same")] * 2, MaxPool2D(), Output(10)),
        (1, 16, 16),
    ),
    good=Example(
        (Conv2D(16, padding="same"), MaxPool2D(), *[Conv2D(32, padding="same")] * 2, GlobalAvgPool2D(), Output(10)),
        (1, 16, 16),
    ),
)
def pool_before_head(facts: Facts) -> Iterator[Finding]:
    """The pool, if there is one."""
    if not facts.head:
        return
    node: SizedNode | None = facts.head[0]
    while node is not None and isinstance(node.op, (Flatten, GlobalPool, Dropout)):
        node = facts.source(node)
    if node is None or node.name == facts.head[0].name:
        node = facts.source(facts.head[0])
    if node is None or not isinstance(node.op, Pool) or node.op.function != "max" or max(node.op.stride) == 1:
        return
    kept = 1.0
    for stride in node.op.stride:
        kept /= stride
    yield pool_before_head.finding(
        [node.node.layer],
        "a max pool before the head",
        f"keeps {percent(kept)} of its values, and no filter follows",
        [facts.remedy(order_to_remove(facts, [node.node.layer]), [Remove(node.name)])],
    )
