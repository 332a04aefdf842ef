"""SHP012: kernels of which one tap can learn."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from depthwise.graph import Edit, SizedNode
from depthwise.layers import Conv2D, GlobalAvgPool2D, MaxPool2D, Output
from depthwise.layers.ops import Conv, ConvTranspose
from depthwise.rules.facts import Facts, find_runs, layers_of
from depthwise.rules.finding import Finding, Remedy
from depthwise.rules.rule import Example, rule
from depthwise.rules.wording import order_to_replace, percent


@rule(
    "SHP012",
    "warning",
    title="A padded kernel slides over a map of one pixel.",
    why="All taps but one read padding: of a 3x3 kernel 8/9 of the weights are multiplied by zero and never learn. The "
    "layer is a 1x1 convolution at nine times the price, and mostly a sign that the map got too small too early.",
    source="Arithmetic; compare Richter and others, ICMLA 2021, on layers that behave as dense ones.",
    bad=Example(
        (
            *[Conv2D(16, padding="same")] * 2,
            MaxPool2D(),
            MaxPool2D(),
            Conv2D(32, padding="same"),
            GlobalAvgPool2D(),
            Output(10),
        ),
        (1, 4, 4),
    ),
    good=Example((Conv2D(16, padding="same"), MaxPool2D(), Conv2D(32, 1), GlobalAvgPool2D(), Output(10)), (1, 4, 4)),
)
def kernel_on_single_pixel(facts: Facts) -> Iterator[Finding]:
    """Convolutions that read one pixel and padding."""
    for run in find_runs([node for node in facts.filters if _is_wasted(node)], facts.filters):
        op = run[0].op
        assert isinstance(op, Conv)
        yield kernel_on_single_pixel.finding(
            layers_of(run),
            "its map has one pixel" if len(run) == 1 else "their maps have one pixel",
            f"{percent(1 - 1 / prod(op.kernel_size))} of the weights read padding",
            [_pointwise(facts, run)],
        )


def _is_wasted(node: SizedNode) -> bool:
    op = node.op
    assert isinstance(op, Conv)
    single = set(node.input_shapes[0][1:]) == {1} and set(node.output_shape[1:]) == {1}
    return (
        single
        and not isinstance(op, ConvTranspose)
        and all(lo % d == 0 for (lo, _), d in zip(op.sides, op.dilation, strict=True))
    )


def _pointwise(facts: Facts, run: tuple[SizedNode, ...]) -> Remedy | None:
    """Kernels of one tap, which compute the same."""
    rank = len(facts.size)
    edits = []
    for node in run:
        edits += [Edit(node.name, "kernel_size", (1,) * rank), Edit(node.name, "padding", ((0, 0),) * rank)]
        edits += [Edit(node.name, "stride", (1,) * rank), Edit(node.name, "dilation", (1,) * rank)]
    return facts.remedy(order_to_replace(facts, run, "kernel_size", 1, edits), edits, safe=True)
