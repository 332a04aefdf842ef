"""TRN010: a loss that stays at that of guessing."""

from __future__ import annotations

from collections.abc import Iterator

from depthwise.rules.facts import Facts
from depthwise.rules.finding import Finding, Remedy
from depthwise.rules.rule import rule
from depthwise.rules.trained import trained

LEARNED = 0.98
"""Share of the loss of guessing below which something was learned."""
FEWEST = 3
"""Epochs from which on it is told."""


@rule(
    "TRN010",
    "warning",
    title="The loss does not fall below that of guessing.",
    why="Who gives the same answer for all images, the shares of the classes, has a loss of their entropy: ln(n) for n "
    "classes of one size. A network that stays there has learned nothing of the images: no gradient arrives, the "
    "steps are too large or too small, or labels and images do not belong together.",
    source="Karpathy: CS231n, Neural Networks Part 3: look for correct loss at chance performance.",
    bad=trained(
        epochs={
            "train_loss": (2.31, 2.304, 2.303, 2.303, 2.303),
            "valid_loss": (2.303, 2.303, 2.303, 2.303, 2.303),
            "valid_accuracy": (0.1, 0.1, 0.1, 0.1, 0.1),
        }
    ),
    good=trained(),
    needs=("health",),
)
def loss_not_falling(facts: Facts) -> Iterator[Finding]:
    """Both losses count."""
    health = facts.training
    chance = health.data.chance_loss
    losses = [*health.train_losses, *health.valid_losses]
    if chance is None or len(health.epochs) < FEWEST or min(losses) < LEARNED * chance:
        return
    yield loss_not_falling.finding(
        [],
        f"after {len(health.epochs)} epochs the loss is {health.train_losses[-1]:.4g}, and guessing has {chance:.4g}",
        remedies=[
            Remedy("Look at images with their labels: BatchDisplay shows what the network gets"),
            Remedy(f"Try another learning_rate than {health.learning_rate:g}: lr_range suggests one"),
            Remedy("Put batch norms behind the convolutions"),
        ],
    )
