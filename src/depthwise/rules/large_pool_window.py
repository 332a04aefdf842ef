"""SHP007: pools that throw most of a map away at once."""

from __future__ import annotations

from collections.abc import Iterator

from depthwise.graph import Change, Edit, SizedNode
from depthwise.layers import Conv2D, GlobalAvgPool2D, MaxPool2D, Output
from depthwise.layers.ops import Pool
from depthwise.rules.facts import Facts
from depthwise.rules.finding import Finding, Remedy
from depthwise.rules.rule import Example, rule
from depthwise.rules.torch_words import square
from depthwise.rules.wording import order_to_replace, percent

LARGEST_WINDOW = 3
"""Side of a pooling window above which too much is lost.  Stanford CS231n (course notes on convolutional networks)."""


@rule(
    "SHP007",
    "warning",
    title="A pooling window is larger than 3x3 and does not cover the whole map.",
    why="A 4x4 pool keeps one value of sixteen in one step, before any filter could look at what it throws away. Two "
    "steps of 2x2 with a convolution between them keep more and cost little.",
    source="Stanford CS231n, course notes on convolutional networks: larger windows are usually too destructive.",
    bad=Example(
        (
            *[Conv2D(16, padding="same")] * 2,
            MaxPool2D(4),
            Conv2D(32, padding="same"),
            GlobalAvgPool2D(),
            Output(10),
        ),
        (1, 16, 16),
    ),
    good=Example(
        (
            *[Conv2D(16, padding="same")] * 2,
            MaxPool2D(2),
            *[Conv2D(32, padding="same")] * 2,
            GlobalAvgPool2D(),
            Output(10),
        ),
        (1, 16, 16),
    ),
)
def large_pool_window(facts: Facts) -> Iterator[Finding]:
    """Pools that are too large."""
    for node in facts.nodes.values():
        op = node.op
        if not isinstance(op, Pool) or not _is_large(node, op):
            continue
        kept = 1.0
        for stride in op.stride:
            kept /= stride
        yield large_pool_window.finding(
            [node.node.layer],
            f"window {square(op.kernel_size)} > {LARGEST_WINDOW}",
            f"keeps {percent(kept)} of the values of its map",
            [_smaller(facts, node, op)],
        )


def _is_large(node: SizedNode, op: Pool) -> bool:
    whole = all(k >= (n or 0) for k, n in zip(op.kernel_size, node.input_shapes[0][1:], strict=True))
    return max(op.kernel_size) > LARGEST_WINDOW and max(op.stride) > 1 and not whole


def _smaller(facts: Facts, node: SizedNode, op: Pool) -> Remedy | None:
    """A window of 2 with stride 2."""
    two = tuple(min(k, 2) for k in op.kernel_size)
    edits: list[Change] = [Edit(node.name, "kernel_size", two), Edit(node.name, "stride", two)]
    if op.padding != "same":
        edits.append(Edit(node.name, "padding", ((0, 0),) * len(two)))
    return facts.remedy(order_to_replace(facts, [node], "kernel_size", square(two), edits), edits)
