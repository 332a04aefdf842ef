"""SHP009: borders that unpadded convolutions eat."""

from __future__ import annotations

from collections.abc import Iterator

from depthwise.graph import Edit, SizedNode
from depthwise.layers import Conv2D, GlobalAvgPool2D, MaxPool2D, Output
from depthwise.layers.ops import Conv, ConvTranspose
from depthwise.rules.facts import Facts, layers_of
from depthwise.rules.finding import Finding
from depthwise.rules.rule import Example, rule
from depthwise.rules.wording import order_to_set, percent, pixels, plural

MOST_SHRINKAGE = 0.25
"""Share of the image's side that unpadded convolutions may eat."""


@rule(
    "SHP009",
    "info",
    title="Convolutions without padding eat more than a quarter of the image's side.",
    why="Each unpadded convolution cuts k - 1 rows and columns off. Pixels near the border are then read by far fewer "
    "units than those in the middle, and the maps are too small for a deep network before they have to be.",
    source="Stanford CS231n, course notes on convolutional networks, on zero padding.",
    bad=Example((Conv2D(16), Conv2D(16), MaxPool2D(), Conv2D(32), GlobalAvgPool2D(), Output(10)), (1, 14, 14)),
    good=Example(
        (*[Conv2D(16, padding="same")] * 2, MaxPool2D(), Conv2D(32, padding="same"), GlobalAvgPool2D(), Output(10)),
        (1, 14, 14),
    ),
    profiles=("natural", "segmentation", "detection"),
)
def unpadded_shrinkage(facts: Facts) -> Iterator[Finding]:
    """All unpadded convolutions together."""
    eaten = [node for node in facts.filters if any(_cut(node))]
    lost = [0.0] * len(facts.size)
    for node in eaten:
        fields = facts.fields[node.node.inputs[0]] or ()
        lost = [total + cut * float(field.jump) for total, cut, field in zip(lost, _cut(node), fields, strict=True)]
    share = max((total / side for total, side in zip(lost, facts.size, strict=True)), default=0.0)
    if share > MOST_SHRINKAGE:
        whole = [node for node in eaten if node.op.padding == ((0, 0),) * len(facts.size)]  # type: ignore[attr-defined]
        verb = "eats" if len(eaten) == 1 else "eat"
        yield unpadded_shrinkage.finding(
            layers_of(eaten),
            f"{plural(len(eaten), 'unpadded convolution')} {verb} {percent(share)} of the side",
            f"{pixels(tuple(lost))} of {pixels(facts.size)}",
            [
                facts.remedy(
                    order_to_set(facts, whole, "padding", '"same"'),
                    [Edit(node.name, "padding", "same") for node in whole],
                )
            ]
            if whole
            else [],
        )


def _cut(node: SizedNode) -> list[int]:
    """Rows and columns by which the kernel makes the map smaller."""
    op = node.op
    assert isinstance(op, Conv)
    if isinstance(op, ConvTranspose):
        return [0] * len(op.stride)
    return [max(0, k - 1 - lo - hi) for k, (lo, hi) in zip(op.span, op.sides, strict=True)]
