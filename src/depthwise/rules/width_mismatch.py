"""HED004: an output that is not as wide as there are classes."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from depthwise.graph import Edit
from depthwise.layers import Conv2D, GlobalAvgPool2D, MaxPool2D, Output
from depthwise.layers.ops import Conv, Dense
from depthwise.layers.shapes import format_shape
from depthwise.rules.facts import Facts
from depthwise.rules.finding import Finding, Remedy
from depthwise.rules.rule import Example, rule
from depthwise.rules.wording import order_to_replace


@rule(
    "HED004",
    "error",
    title="The output has another width than there are classes or targets.",
    why="With fewer outputs than classes the loss fails on the first label beyond them, with more the rest learns to "
    "be silent.",
    source="Arithmetic.",
    bad=Example(
        (Conv2D(16, padding="same"), MaxPool2D(), *[Conv2D(32, padding="same")] * 2, GlobalAvgPool2D(), Output(9)),
        (1, 16, 16),
        n_outputs=10,
    ),
    good=Example(
        (Conv2D(16, padding="same"), MaxPool2D(), *[Conv2D(32, padding="same")] * 2, GlobalAvgPool2D(), Output(10)),
        (1, 16, 16),
        n_outputs=10,
    ),
    needs=("analysis", "n_outputs"),
)
def width_mismatch(facts: Facts) -> Iterator[Finding]:
    """The output's width against the number of classes."""
    shape = facts.last.output_shape
    maps = facts.profile in ("segmentation", "detection")
    width = None if None in shape else shape[0] if maps else prod(side or 1 for side in shape)
    if width is None or width == facts.n_outputs:
        return
    yield width_mismatch.finding(
        [facts.last.node.layer],
        f"{width} outputs for {facts.n_outputs} classes",
        f"output of {format_shape(shape)}",
        [_widen(facts)],
    )


def _widen(facts: Facts) -> Remedy | None:
    """The right width for the last layer with weights, where one value a class comes out of it."""
    last = facts.weighted[-1] if facts.weighted else None
    if last is None or last.output_shape[0] != prod(side or 1 for side in facts.last.output_shape):
        return None
    attribute = {Conv: "out_channels", Dense: "out_features"}.get(type(last.op))
    if attribute is None:
        return None
    argument = {"out_channels": "out_channels", "out_features": "units"}[attribute] if facts.root is None else attribute
    edits = [Edit(last.name, attribute, facts.n_outputs)]
    return facts.remedy(order_to_replace(facts, [last], argument, facts.n_outputs, edits), edits)
