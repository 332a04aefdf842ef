"""SHP013: transposed convolutions whose kernels overlap unevenly."""

from __future__ import annotations

from collections.abc import Iterator

from depthwise.graph import Edit, SizedNode
from depthwise.layers import Conv2D, Conv2DTranspose
from depthwise.layers.ops import ConvTranspose
from depthwise.rules.facts import Facts
from depthwise.rules.finding import Finding, Remedy
from depthwise.rules.rule import Example, rule
from depthwise.rules.torch_words import square
from depthwise.rules.wording import order_to_replace


@rule(
    "SHP013",
    "warning",
    title="A transposed convolution's kernel is no multiple of its stride.",
    why="Its output pixels then get contributions from different numbers of kernel taps in turn, which shows as a "
    "checkerboard in what it draws. A kernel that is a multiple of the stride, or upsampling and then a convolution, "
    "treats all pixels alike.",
    source="Odena, Dumoulin, Olah: Deconvolution and Checkerboard Artifacts, Distill 2016.",
    bad=Example(
        (
            Conv2D(16, padding="same"),
            Conv2D(32, stride=2, padding=1),
            Conv2DTranspose(16, 3, stride=2, padding="same"),
            Conv2D(2, padding="same", activation=None),
        ),
        (1, 16, 16),
    ),
    good=Example(
        (
            Conv2D(16, padding="same"),
            Conv2D(32, stride=2, padding=1),
            Conv2DTranspose(16, 4, stride=2, padding="same"),
            Conv2D(2, padding="same", activation=None),
        ),
        (1, 16, 16),
    ),
)
def checkerboard(facts: Facts) -> Iterator[Finding]:
    """Transposed convolutions that overlap unevenly."""
    for node in facts.nodes.values():
        op = node.op
        if not isinstance(op, ConvTranspose):
            continue
        if any(k % s and s > 1 for k, s in zip(op.kernel_size, op.stride, strict=True)):
            yield checkerboard.finding(
                [node.node.layer],
                f"kernel {square(op.kernel_size)} is no multiple of stride {square(op.stride)}",
                "output pixels get unequal numbers of taps",
                [_multiple(facts, node, op)],
            )


def _multiple(facts: Facts, node: SizedNode, op: ConvTranspose) -> Remedy | None:
    """The next larger multiple; a padding in pixels keeps the output's size as far as it can."""
    kernel = tuple(-(-k // s) * s if s > 1 else k for k, s in zip(op.kernel_size, op.stride, strict=True))
    edits = [Edit(node.name, "kernel_size", kernel)]
    declared = next(other for other in facts.graph.nodes if other.name == node.name).op
    assert isinstance(declared, ConvTranspose)
    if declared.padding != "same":
        edits.append(Edit(node.name, "output_padding", (0,) * len(kernel)))
    return facts.remedy(order_to_replace(facts, [node], "kernel_size", square(kernel), edits), edits)
