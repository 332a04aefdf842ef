"""CST003: large kernels behind the first layer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from depthwise.graph import Change, Edit, Insert, SizedNode
from depthwise.layers import Conv2D, GlobalAvgPool2D, MaxPool2D, Output
from depthwise.layers.ops import Activation, Conv, ConvTranspose
from depthwise.rules.facts import Facts, is_depthwise
from depthwise.rules.finding import Finding, Remedy
from depthwise.rules.rule import Example, rule
from depthwise.rules.wording import percent

LARGE = 5
"""Side from which on small kernels do the same with less.  Simonyan and Zisserman, ICLR 2015."""


@rule(
    "CST003",
    "info",
    title="A dense kernel of 5x5 or more stands behind the first layer.",
    why="Two 3x3 convolutions see as much as one of 5x5, three as much as 7x7: with fewer weights, and with "
    "nonlinearities between them. Depthwise kernels are cheap and exempt, and so is the first layer.",
    source="Simonyan, Zisserman: Very Deep Convolutional Networks for Large-Scale Image Recognition, ICLR 2015.",
    bad=Example(
        (Conv2D(16, padding="same"), MaxPool2D(), Conv2D(16, 5, padding="same"), GlobalAvgPool2D(), Output(10)),
        (1, 14, 14),
    ),
    good=Example(
        (
            Conv2D(16, padding="same"),
            MaxPool2D(),
            *[Conv2D(16, padding="same")] * 2,
            GlobalAvgPool2D(),
            Output(10),
        ),
        (1, 14, 14),
    ),
)
def late_large_kernel(facts: Facts) -> Iterator[Finding]:
    """Convolutions that smaller ones could replace at a gain."""
    for node in facts.filters[1:]:
        op = node.op
        assert isinstance(op, Conv)
        if (
            isinstance(op, ConvTranspose)
            or is_depthwise(op)
            or op.groups != 1
            or min(op.kernel_size) < LARGE
            or max(op.dilation) > 1
        ):
            continue
        steps = (max(op.kernel_size) - 1) // 2
        inputs, outputs = op.in_channels or 0, op.out_channels or 0
        small = 9 * outputs * (inputs + (steps - 1) * outputs)
        large = op.kernel_size[0] * op.kernel_size[1] * inputs * outputs if len(op.kernel_size) == 2 else 0
        if small < large:
            yield late_large_kernel.finding(
                [node.node.layer],
                f"{steps} kernels of 3x3 see as much with {percent(1 - small / large)} less weights",
                f"{op.kernel_size[0]}x{op.kernel_size[1]} kernel, {large:,} weights against {small:,}",
                [_split(facts, node, op, steps)],
            )


def _split(facts: Facts, node: SizedNode, op: Conv, steps: int) -> Remedy | None:
    """3x3 convolutions one behind the other; the first keeps the stride."""
    declared = next(other for other in facts.graph.nodes if other.name == node.name).op
    assert isinstance(declared, Conv)
    if len(set(op.kernel_size)) > 1 or not op.kernel_size[0] % 2:
        return None
    rank = len(op.kernel_size)
    padding = declared.padding if declared.padding == "same" else tuple((min(lo, 1), min(hi, 1)) for lo, hi in op.sides)
    if padding != "same" and any(
        sum(sides) not in (0, k - 1) for sides, k in zip(op.sides, op.kernel_size, strict=True)
    ):
        return None
    edits: list[Change] = [Edit(node.name, "kernel_size", (3,) * rank), Edit(node.name, "padding", padding)]
    end = _end(facts, node)
    activation = next((other.op for other in (end,) if isinstance(other.op, Activation)), None)
    after = end.name
    small = replace(
        declared,
        kernel_size=(3,) * rank,
        stride=(1,) * rank,
        padding=padding,
        in_channels=None,
        out_channels=op.out_channels,
    )
    for step in range(steps - 1):
        name = f"{facts.fresh('conv2d')}{'x' * step}"
        edits.append(Insert(after, small, name, name, "conv2d"))
        after = name
        if activation is not None:
            edits.append(Insert(after, activation, f"{name}.activation", name, "conv2d"))
            after = f"{name}.activation"
    return facts.remedy(f"Replace {node.node.layer} by {steps} convolutions of 3x3", edits)


def _end(facts: Facts, node: SizedNode) -> SizedNode:
    """The last operation of the row that the convolution begins."""
    end = node
    while (reader := facts.reader(end)) is not None and reader.node.layer == node.node.layer:
        end = reader
    return end
