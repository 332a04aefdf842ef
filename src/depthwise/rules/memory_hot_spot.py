"""CST002: one stage that holds most of the activations."""

from __future__ import annotations

from collections.abc import Iterator

from depthwise.analysis.layer_table import write_bytes
from depthwise.layers import Conv2D, GlobalAvgPool2D, MaxPool2D, Output
from depthwise.layers.shapes import Shape, format_shape
from depthwise.rules.facts import Facts
from depthwise.rules.finding import Finding
from depthwise.rules.rule import Example, rule
from depthwise.rules.wording import percent

MOST_OF_ALL, MANY_BYTES = 0.5, 8 * 2**20
"""Share of the activations, and bytes an image, above which a stage is called a hot spot."""


@rule(
    "CST002",
    "info",
    title="The maps of one size hold most of the activation memory.",
    why="What training has to keep for the backward pass grows with the maps, not with the weights; the first stage "
    "of a network for large images often needs more than all others together, and sets the batch size. A stride "
    "in the first convolution, fewer channels there, or checkpointing that stage halves it.",
    source="Stanford CS231n, course notes on convolutional networks, on memory.",
    bad=Example(
        (*[Conv2D(64, padding="same")] * 2, MaxPool2D(), Conv2D(64, padding="same"), GlobalAvgPool2D(), Output(10)),
        (3, 224, 224),
    ),
    good=Example(
        (Conv2D(16, 7, stride=2, padding=3), *[Conv2D(16, padding="same")] * 2, GlobalAvgPool2D(), Output(10)),
        (3, 20, 20),
    ),
)
def memory_hot_spot(facts: Facts) -> Iterator[Finding]:
    """The stage, if there is one."""
    stages: dict[Shape, list[str]] = {}
    costs: dict[Shape, int] = {}
    for row in facts.measured.layers[1:]:
        size = row.output_shape[1:]
        stages.setdefault(size, []).append(row.name)
        costs[size] = costs.get(size, 0) + (row.activation_bytes or 0)
    total = facts.measured.activation_bytes
    for size, cost in costs.items():
        if size and cost > MANY_BYTES and cost > MOST_OF_ALL * total and len(costs) > 1:
            yield memory_hot_spot.finding(
                stages[size],
                f"{percent(cost / total)} of the activations are maps of {format_shape(size)}",
                f"{write_bytes(cost)} of {write_bytes(total)} an image in float32",
            )
