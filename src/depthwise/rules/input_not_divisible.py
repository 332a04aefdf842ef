"""SHP004: image sides that the strides do not divide."""

from __future__ import annotations

from collections.abc import Iterator

from depthwise.graph import SizedNode
from depthwise.layers import Conv2D, GlobalAvgPool2D, MaxPool2D, Output
from depthwise.layers.shapes import format_shape
from depthwise.rules.facts import Facts, layers_of
from depthwise.rules.finding import Finding, Remedy, name_each
from depthwise.rules.rule import Example, rule
from depthwise.rules.wording import pixels


@rule(
    "SHP004",
    "info",
    title="A stride or pool halves a map of odd size.",
    why="Where a stride does not divide its map, one border is padded, cut or read in another way than the other. A "
    "network of such sizes favors certain image sizes and shifts its maps by fractions of a pixel.",
    source="Arithmetic; Stanford CS231n (course notes on convolutional networks) advises image sides that can be "
    "halved many times.",
    bad=Example(
        (
            Conv2D(16, padding="same"),
            MaxPool2D(padding="same"),
            *[Conv2D(32, padding="same")] * 2,
            MaxPool2D(padding="same"),
            Conv2D(64, padding="same"),
            GlobalAvgPool2D(),
            Output(10),
        ),
        (1, 27, 27),
    ),
    good=Example(
        (
            Conv2D(16, padding="same"),
            MaxPool2D(),
            *[Conv2D(32, padding="same")] * 2,
            MaxPool2D(),
            Conv2D(64, padding="same"),
            GlobalAvgPool2D(),
            Output(10),
        ),
        (1, 28, 28),
    ),
)
def input_not_divisible(facts: Facts) -> Iterator[Finding]:
    """Windows whose stride does not divide their map, all together."""
    uneven = [node for node in facts.strided() if _is_uneven(node)]
    if not uneven:
        return
    first = uneven[0]
    layers = layers_of(uneven)
    jumps = [int(max(1, field.jump)) for field in facts.fields[facts.strided()[-1].name] or ()]
    told = f"their product is {pixels(tuple(jumps))}"
    yield input_not_divisible.finding(
        layers,
        f"a map of {format_shape(first.input_shapes[0][1:])} is not divisible by stride {_stride(first)}",
        told,
        [_better_size(facts, jumps)],
        place=name_each(layers),
    )


def _is_uneven(node: SizedNode) -> bool:
    sides = zip(node.input_shapes[0][1:], node.op.stride, strict=True)  # type: ignore[attr-defined]
    return any((side or 0) % stride for side, stride in sides)


def _stride(node: SizedNode) -> str:
    return format_shape(tuple(dict.fromkeys(node.op.stride)))  # type: ignore[attr-defined]


def _better_size(facts: Facts, jumps: list[int]) -> Remedy | None:
    """The next larger size that all strides divide, if multiples of their product are such sizes."""
    wanted = tuple(-(-side // jump) * jump for side, jump in zip(facts.size, jumps, strict=True))
    trial = facts.attempt((), (facts.input_shape[0], *wanted))
    if wanted == facts.size or trial is None:
        return None
    sized = {node.name: node for node in trial.graph.nodes}
    if any(_is_uneven(sized[node.name]) for node in facts.strided()):
        return None
    return Remedy(f"Use images of {pixels(wanted)}", None, trial)
