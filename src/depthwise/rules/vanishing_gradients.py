"""TRN003: gradients that do not reach the first layers."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from depthwise.rules.facts import Facts
from depthwise.rules.finding import Finding, Remedy
from depthwise.rules.rule import rule
from depthwise.rules.trained import trained
from depthwise.rules.wording import plural

LEAST = 1e-3
"""Gradient by weights of a layer, by the largest of the layers behind it.  Healthy trainings of
tests/training/test_health.py stay above 0.05."""


@rule(
    "TRN003",
    "warning",
    title="Layers get a thousandth of the gradient of those behind them.",
    why="Every layer multiplies the gradient on its way back; a sigmoid by a quarter at most. Where little arrives the "
    "first layers keep their random weights, and what stands behind them learns from noise.",
    source="Hochreiter: Untersuchungen zu dynamischen neuronalen Netzen, 1991; Glorot, Bengio: Understanding the "
    "difficulty of training deep feedforward neural networks, AISTATS 2010. The bound is ours.",
    bad=trained(layers={"conv2d1": {"gradient": 1e-7}, "conv2d3": {"gradient": 4e-5}}),
    good=trained(),
    needs=("health",),
)
def vanishing_gradients(facts: Facts) -> Iterator[Finding]:
    """Layers by the median over the epochs."""
    weighted = [layer for layer in facts.training.layers if None not in layer.gradient and layer.gradient]
    typical = [median(value or 0.0 for value in layer.gradient) for layer in weighted]
    vanished = [layer.layer for place, layer in enumerate(weighted) if typical[place] < LEAST * max(typical[place:])]
    if vanished:
        least = min(typical)
        yield vanishing_gradients.finding(
            vanished,
            f"the gradient by the weights is {least:.2g}, against {max(typical):.2g} in the layers behind",
            f"{plural(len(vanished), 'layer')} below a thousandth",
            [
                Remedy("Put batch norms behind the layers"),
                Remedy("Put Residual blocks around them"),
                Remedy('Take activation="relu" where it is sigmoid or tanh, and init="he"'),
            ],
        )
