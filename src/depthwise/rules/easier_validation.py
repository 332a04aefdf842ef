"""TRN018: validation images that are easier than those of training."""

from __future__ import annotations

from collections.abc import Iterator

from depthwise.rules.facts import Facts
from depthwise.rules.finding import Finding, Remedy
from depthwise.rules.rule import rule
from depthwise.rules.trained import trained

EASIER = 1.5
"""Train loss by valid loss."""
LAST = 3
"""Epochs in which it must be so."""
FEWEST = 100
"""Validation images from which on a loss tells."""


@rule(
    "TRN018",
    "warning",
    title="Validation is much better than training.",
    why="The train loss of an epoch begins with the weights that the valid loss of the epoch before was measured with. "
    "Where it is more than 1.5 times that three times running, validation is easier: because dropout or "
    "augmentation makes training harder, which is fine, or because validation images are repeated in training, of "
    "the same person, or chosen otherwise.",
    source="Kaufman, Rosset, Perlich: Leakage in Data Mining, KDD 2011. The bounds are ours.",
    bad=trained(epochs={"valid_loss": (0.3, 0.2, 0.15, 0.12, 0.1)}),
    good=trained(),
    needs=("health",),
)
def easier_validation(facts: Facts) -> Iterator[Finding]:
    """Each valid loss against the next train loss."""
    health = facts.training
    train, valid = health.train_losses, health.valid_losses
    if len(valid) <= LAST or health.data.n_valid < FEWEST:
        return
    ratios = [after / before for before, after in zip(valid[:-1], train[1:], strict=True) if before][-LAST:]
    if len(ratios) < LAST or min(ratios) < EASIER:
        return
    reasons = " and ".join(health.hindrances)
    yield easier_validation.finding(
        [],
        f"the train loss is {ratios[-1]:.3g} times the valid loss before it",
        f"{reasons} can do that" if reasons else "there is neither dropout nor augmentation",
        [] if reasons else [Remedy("Look where the validation images come from, and split by group")],
        severity="info" if reasons else "warning",
    )
