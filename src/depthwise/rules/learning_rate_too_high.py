"""TRN005: steps that are too large for all layers."""

from __future__ import annotations

from collections.abc import Iterator

from depthwise.rules.facts import Facts
from depthwise.rules.finding import Finding, Remedy
from depthwise.rules.rule import rule
from depthwise.rules.trained import trained

GREATEST = 0.1
"""Step by weights, as lengths, median of the layers: ten such steps replace the network."""
WANTED = 1e-3
"""What steps should be, of the weights: Karpathy, as cited below."""
RISEN = 1.5
"""Train loss of the last epoch by the lowest one.  Healthy ones rise by noise alone, and only where they are tiny."""
TINY = 0.1
"""Share of the loss of the first epoch below which rises do not count."""


@rule(
    "TRN005",
    "warning",
    title="The learning rate is too high.",
    why="The steps jump over what they should go down: they change the weights of most layers by more than a tenth, or "
    "the train loss ends far above its lowest value.",
    source="Karpathy: CS231n, Neural Networks Part 3: updates of about 1e-3 of the weights, and the shape of the loss; "
    "Smith: Cyclical Learning Rates, WACV 2017. The bounds are ours.",
    bad=trained(epochs={"train_loss": (1.9, 1.1, 2.4, 1.8, 3.1)}),
    good=trained(),
    needs=("health",),
)
def learning_rate_too_high(facts: Facts) -> Iterator[Finding]:
    """By the steps, and by the loss."""
    health = facts.training
    losses, steps = health.train_losses, health.updates
    signs = []
    if steps and max(steps) > GREATEST:
        signs.append(f"a step changes the weights by {max(steps):.2g} of their length")
    if losses and losses[-1] > RISEN * min(losses) and losses[-1] > TINY * losses[0]:
        signs.append(f"the train loss rose from {min(losses):.3g} to {losses[-1]:.3g}")
    if signs:
        rate = health.learning_rate
        lower = rate * min(0.1, WANTED / max([WANTED, *steps]))
        yield learning_rate_too_high.finding(
            [],
            " and ".join(signs),
            f"learning_rate={rate:g}",
            [
                Remedy(f"Lower learning_rate to {lower:.1g}, or let lr_range suggest one"),
                Remedy('Let it rise slowly: schedule="warmup_cosine"'),
            ],
        )
