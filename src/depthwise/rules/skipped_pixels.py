"""SHP008: strides that step over pixels."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from depthwise.graph import Change, Edit, Insert, SizedNode
from depthwise.layers import AvgPool2D, Conv2D, GlobalAvgPool2D, Output
from depthwise.layers.ops import Conv, ConvTranspose, Merge, Pool
from depthwise.rules.facts import Facts, layers_of
from depthwise.rules.finding import Finding, Remedy, name_each
from depthwise.rules.rule import Example, rule
from depthwise.rules.torch_words import square
from depthwise.rules.wording import percent


@rule(
    "SHP008",
    "warning",
    title="A stride is larger than the kernel, so that pixels between the steps are never read.",
    why="A 1x1 convolution of stride 2 reads a quarter of its map and throws the rest away. Averaging first and then "
    "convolving without stride costs next to nothing and reads everything. On the shortcut of a residual block the "
    "other way reads what the shortcut skips: there it is information.",
    source="He, Zhang, Zhang, Zhang, Xie, Li: Bag of Tricks for Image Classification with Convolutional Neural "
    "Networks, CVPR 2019 (ResNet-D).",
    bad=Example(
        (
            Conv2D(16, padding="same"),
            Conv2D(32, 1, stride=2),
            Conv2D(32, padding="same"),
            GlobalAvgPool2D(),
            Output(10),
        ),
        (1, 8, 8),
    ),
    good=Example(
        (
            Conv2D(16, padding="same"),
            AvgPool2D(),
            Conv2D(32, 1),
            Conv2D(32, padding="same"),
            GlobalAvgPool2D(),
            Output(10),
        ),
        (1, 8, 8),
    ),
)
def skipped_pixels(facts: Facts) -> Iterator[Finding]:
    """Windows that step over pixels."""
    skipping = [node for node in facts.nodes.values() if _skips(node)]
    shortcuts = [node for node in skipping if _is_shortcut(facts, node)]
    alone = [[node] for node in skipping if node not in shortcuts]
    for group in [*alone, *([shortcuts] if shortcuts else [])]:
        op = group[0].op
        assert isinstance(op, (Conv, Pool))
        read = prod(min(1.0, k / s) for k, s in zip(op.kernel_size, op.stride, strict=True))
        layers = layers_of(group)
        yield skipped_pixels.finding(
            layers,
            f"stride {square(op.stride)} > kernel {square(op.kernel_size)}",
            f"reads {percent(read)} of its map",
            [_average_first(facts, group)],
            severity="info" if group is shortcuts else "warning",
            place=name_each(layers),
        )


def _skips(node: SizedNode) -> bool:
    op = node.op
    if not isinstance(op, (Conv, Pool)) or isinstance(op, ConvTranspose):
        return False
    sides = zip(op.stride, op.span, node.input_shapes[0][1:], strict=True)
    return any(s > k and (n or 0) > k for s, k, n in sides)


def _is_shortcut(facts: Facts, node: SizedNode) -> bool:
    """Whether another way reads what this one skips, and both meet again."""
    beside = any(other.name != node.name for other in facts.readers[node.node.inputs[0]])
    return beside and any(isinstance(other.op, Merge) for other in facts.nodes.values())


def _average_first(facts: Facts, group: list[SizedNode]) -> Remedy | None:
    """Average pools that take the strides over."""
    edits: list[Change] = []
    for place, node in enumerate(group):
        op = node.op
        if not isinstance(op, Conv) or max(op.kernel_size) > 1 or any(map(any, op.sides)):
            return None
        rank = len(op.stride)
        name = facts.fresh("avgpool2d") + "x" * place
        pool = Pool(
            function="avg",
            kernel_size=op.stride,
            stride=op.stride,
            padding=((0, 0),) * rank,
            dilation=(1,) * rank,
            ceil_mode=True,  # as many positions as the stride gave
        )
        edits.append(Insert(node.node.inputs[0], pool, name, name, "avgpool2d", only=node.name))
        edits.append(Edit(node.name, "stride", (1,) * rank))
    stride = square(group[0].op.stride)  # type: ignore[attr-defined]
    layer = "AvgPool2D" if facts.root is None else f"nn.AvgPool{len(group[0].op.stride)}d"  # type: ignore[attr-defined]
    where = layers_of(group) if facts.root is None else [f"{facts.root}.{node.name}" for node in group]
    title = f"Put {layer}({stride}, ceil_mode=True) before {name_each(where)} and set stride=1 there"
    return facts.remedy(title, edits)
