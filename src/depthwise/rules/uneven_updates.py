"""TRN004: single layers that move far more or less than the others."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from depthwise.rules.facts import Facts
from depthwise.rules.finding import Finding, Remedy, name_each
from depthwise.rules.rule import rule
from depthwise.rules.trained import trained

LEAST, GREATEST = 1e-5, 1e-1
"""Step by weights, as lengths, two orders of magnitude around 1e-3."""


@rule(
    "TRN004",
    "warning",
    title="Steps of single layers are far too small or too large for their weights.",
    why="A step should change the weights of a layer by about a thousandth. A layer that moves by less than 1e-5 stays "
    "as it was drawn, one that moves by more than 0.1 forgets. Where the other layers are well, the learning rate is "
    "not to blame, but the scale of this layer's weights or inputs.",
    source="Karpathy: CS231n, Neural Networks Part 3, ratio of updates to weights: about 1e-3. The distance is ours.",
    bad=trained(layers={"conv2d3": {"update": 3e-7}}),
    good=trained(),
    needs=("health",),
)
def uneven_updates(facts: Facts) -> Iterator[Finding]:
    """Layers by the median over the epochs; where most are out of range, the learning rate is."""
    moved = {layer.layer: [each for each in layer.update if each is not None] for layer in facts.training.layers}
    typical = {name: median(values) for name, values in moved.items() if values}
    if not typical or not LEAST <= median(typical.values()) <= GREATEST:
        return
    for which, layers in (
        ("small", [name for name, value in typical.items() if value < LEAST]),
        ("large", [name for name, value in typical.items() if value > GREATEST]),
    ):
        if layers:
            worst = (min if which == "small" else max)(layers, key=typical.__getitem__)
            yield uneven_updates.finding(
                layers,
                f"a step changes the weights by {typical[worst]:.2g} of their length, which is too {which}",
                f"the other layers move by {median(typical.values()):.2g}",
                [Remedy("Put a batch norm behind it"), Remedy("Look at the scale of its weights and of what it reads")],
                place=name_each(layers),
            )
