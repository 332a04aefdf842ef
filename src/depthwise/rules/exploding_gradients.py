"""TRN002: gradients that are far longer than the weights."""

from __future__ import annotations

from collections.abc import Iterator

from depthwise.rules.facts import Facts
from depthwise.rules.finding import Finding, Remedy
from depthwise.rules.rule import rule
from depthwise.rules.trained import trained
from depthwise.rules.wording import plural

LONGEST = 10.0
"""Gradient by weights, as lengths: with it even a learning rate of 0.1 replaces the weights in one step.  The healthy
trainings of tests/training/test_health.py stay below 2."""


@rule(
    "TRN002",
    "warning",
    title="The gradient of a layer is many times as long as its weights.",
    why="Every layer multiplies the gradient on its way back. Where the factors are above 1, it grows with each layer, "
    "and one step throws away what the layer has learned. More than 10 times the length of the weights is told.",
    source="Bengio, Simard, Frasconi: Learning long-term dependencies with gradient descent is difficult, 1994; "
    "Pascanu, Mikolov, Bengio, ICML 2013. The bound is ours.",
    bad=trained(layers={"conv2d1": {"gradient": 500.0}, "conv2d3": {"gradient": 40.0}}),
    good=trained(),
    needs=("health",),
)
def exploding_gradients(facts: Facts) -> Iterator[Finding]:
    """Every epoch counts: an optimizer may hide it, and the loss may recover. One layer alone multiplies nothing."""
    if len(facts.training.layers) < 2:
        return
    longest = {layer.layer: max((each or 0 for each in layer.gradient), default=0) for layer in facts.training.layers}
    exploding = [name for name, value in longest.items() if value > LONGEST]
    if exploding:
        worst = max(exploding, key=longest.__getitem__)
        yield exploding_gradients.finding(
            exploding,
            f"the gradient is up to {longest[worst]:.3g} times as long as the weights, in {worst}",
            f"{plural(len(exploding), 'layer')} above {LONGEST:g}",
            [
                Remedy('Put batch norms behind the layers that have none, and leave init at "he", its default'),
                Remedy("Shorten the gradients: callbacks=[GradientClipping(1.0)]"),
                Remedy(f"Lower learning_rate, which is {facts.training.learning_rate:g}"),
            ],
        )
