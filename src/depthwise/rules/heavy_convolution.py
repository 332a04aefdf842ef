"""CST004: one convolution that holds most of the parameters."""

from __future__ import annotations

from collections.abc import Iterator

from depthwise.analysis.layer_table import write_count
from depthwise.layers import Conv2D, GlobalAvgPool2D, MaxPool2D, Output
from depthwise.layers.ops import Conv
from depthwise.rules.facts import Facts
from depthwise.rules.finding import Finding, Remedy
from depthwise.rules.rule import Example, rule
from depthwise.rules.wording import percent

MOST_OF_ALL, MANY = 0.5, 1_000_000
"""Share of the parameters, and their number, above which a layer is called heavy."""


@rule(
    "CST004",
    "info",
    title="One convolution holds most of the parameters.",
    why="Weights grow with the product of the channels before and behind a kernel. A last layer that doubles them once "
    "more easily outweighs the whole network, and with it the time of a step and the size of the file. A 1x1 "
    "convolution that first brings the channels down, or fewer channels, gives the parameters to more layers.",
    source="Arithmetic: k_y k_x c_in c_out; on squeezing channels first: He et al., CVPR 2016 (bottlenecks).",
    bad=Example(
        (
            Conv2D(64, padding="same"),
            MaxPool2D(),
            Conv2D(256, padding="same"),
            Conv2D(512, padding="same"),
            GlobalAvgPool2D(),
            Output(10),
        ),
        (1, 16, 16),
    ),
    good=Example(
        (
            Conv2D(64, padding="same"),
            MaxPool2D(),
            Conv2D(128, padding="same"),
            Conv2D(128, padding="same"),
            GlobalAvgPool2D(),
            Output(10),
        ),
        (1, 16, 16),
    ),
)
def heavy_convolution(facts: Facts) -> Iterator[Finding]:
    """The convolution, if there is one."""
    total = facts.measured.params
    for node in facts.weighted:
        params = node.node.params or 0
        if isinstance(node.op, Conv) and params > MANY and params > MOST_OF_ALL * total:
            yield heavy_convolution.finding(
                [node.node.layer],
                f"{percent(params / total)} of the parameters in one convolution",
                f"{write_count(params)} of {write_count(total)}",
                [Remedy("Squeeze the channels before it with a 1x1 convolution, or give it fewer")],
            )
