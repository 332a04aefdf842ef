"""TRN006: steps that are too small for all layers."""

from __future__ import annotations

from collections.abc import Iterator

from depthwise.rules.facts import Facts
from depthwise.rules.finding import Finding, Remedy
from depthwise.rules.rule import rule
from depthwise.rules.trained import trained

LEAST = 1e-4
"""Step by weights, as lengths, median of the layers: a tenth of what is usual."""
LEFT = 0.5
"""Share of the train loss of the first epoch that is still there after the last."""
FEWEST = 3
"""Epochs from which on the loss tells."""


@rule(
    "TRN006",
    "warning",
    title="The learning rate is too low.",
    why="A step changes the weights of most layers by less than a ten-thousandth of their length, and the loss has "
    "fallen by less than half: most of the time is spent on the way.",
    source="Karpathy: CS231n, Neural Networks Part 3, ratio of updates to weights: about 1e-3. The distance is ours.",
    bad=trained(
        layers={name: {"update": 2e-5} for name in ("conv2d1", "conv2d3", "conv2d4", "output6")},
        epochs={"train_loss": (2.2, 2.1, 2.02, 1.95, 1.89), "valid_loss": (2.15, 2.05, 1.98, 1.92, 1.86)},
    ),
    good=trained(),
    needs=("health",),
)
def learning_rate_too_low(facts: Facts) -> Iterator[Finding]:
    """By the largest steps of the epochs: a schedule may end with small ones."""
    health = facts.training
    losses, steps = health.train_losses, health.updates
    if len(losses) < FEWEST or not steps or max(steps) >= LEAST or losses[-1] <= LEFT * losses[0]:
        return
    rate = health.learning_rate
    yield learning_rate_too_low.finding(
        [],
        f"a step changes the weights by {max(steps):.2g} of their length",
        f"learning_rate={rate:g}; the train loss went from {losses[0]:.3g} to {losses[-1]:.3g}",
        [Remedy(f"Raise learning_rate to {10 * rate:g}, or let lr_range suggest one")],
    )
