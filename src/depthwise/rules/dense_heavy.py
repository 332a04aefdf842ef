"""CST001: one dense layer that holds most of the parameters."""

from __future__ import annotations

from collections.abc import Iterator

from depthwise.analysis.layer_table import write_count
from depthwise.graph import Insert, SizedNode
from depthwise.layers import Conv2D, Dense, Dropout, GlobalAvgPool2D, MaxPool2D, Output
from depthwise.layers.ops import Dense as DenseOp
from depthwise.layers.ops import Flatten, GlobalPool
from depthwise.rules.facts import Facts
from depthwise.rules.finding import Finding, Remedy
from depthwise.rules.rule import Example, rule
from depthwise.rules.wording import order_to_put, percent

MOST_OF_ALL, MANY = 0.5, 1_000_000
"""Share of the parameters, and their number, above which a layer is called heavy."""


@rule(
    "CST001",
    "warning",
    title="One dense layer holds most of the parameters.",
    why="A dense layer behind a map has a weight for each position and channel. It costs most of the memory and of the "
    "file, learns nothing that holds for other positions, and overfits first. Global average pooling needs none of it.",
    source="Lin, Chen, Yan: Network In Network, ICLR 2014 (global average pooling); Stanford CS231n notes that most of "
    "VGG's parameters are in its first dense layer.",
    bad=Example(
        (
            *[Conv2D(32, padding="same")] * 2,
            MaxPool2D(),
            *[Conv2D(64, padding="same")] * 2,
            Dense(256),
            Dropout(),
            Output(10),
        ),
        (3, 20, 20),
    ),
    good=Example(
        (
            *[Conv2D(32, padding="same")] * 2,
            MaxPool2D(),
            *[Conv2D(64, padding="same")] * 2,
            GlobalAvgPool2D(),
            Dense(256),
            Dropout(),
            Output(10),
        ),
        (3, 20, 20),
    ),
    note="VGG-16 at 224 px: its first dense layer holds 103 of 138 million parameters. The finding is right there too: "
    "later networks reached better accuracy with global average pooling and a tenth of the parameters.",
)
def dense_heavy(facts: Facts) -> Iterator[Finding]:
    """The dense layer, if there is one."""
    total = facts.measured.params
    for node in facts.weighted:
        params = node.node.params or 0
        if isinstance(node.op, DenseOp) and params > MANY and params > MOST_OF_ALL * total:
            yield dense_heavy.finding(
                [node.node.layer],
                f"{percent(params / total)} of the parameters in one dense layer",
                f"{write_count(params)} of {write_count(total)}",
                [_pool_globally(facts, node), Remedy("Make its map smaller, or give it fewer units")],
            )


def _pool_globally(facts: Facts, node: SizedNode) -> Remedy | None:
    """Global average pooling in front of it."""
    flatten = facts.source(node)
    if flatten is None or not isinstance(flatten.op, Flatten) or len(flatten.input_shapes[0]) == 1:
        return None
    name = facts.fresh("globalavgpool2d")
    insert = Insert(
        flatten.node.inputs[0], GlobalPool(function="avg"), name, name, "globalavgpool2d", only=flatten.name
    )
    order = order_to_put(facts, "GlobalAvgPool2D()", "nn.AdaptiveAvgPool2d(1)", "before", node)
    return facts.remedy(order, [insert])
