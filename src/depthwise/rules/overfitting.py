"""TRN016: a validation loss that rises while the train loss falls."""

from __future__ import annotations

from collections.abc import Iterator

from depthwise.rules.facts import Facts
from depthwise.rules.finding import Finding, Remedy
from depthwise.rules.rule import rule
from depthwise.rules.trained import trained

RISEN, RISING = 1.5, 1.1
"""Valid loss of the last epoch by the lowest one: a warning, and worth knowing."""
LEAST = 0.1
"""Rise of the valid loss that counts, as a share of that of the first epoch: small losses are noisy."""
SINCE = 2
"""Epochs since the lowest valid loss."""


@rule(
    "TRN016",
    "warning",
    title="The network learns its training images by heart.",
    why="The valid loss has risen since its best epoch while the train loss went on falling. From there on the network "
    "learns what is true of its training images alone, and becomes too sure of it.",
    source="Prechelt: Early Stopping - But When?, 1998; Srivastava et al.: Dropout, JMLR 2014. The bounds are ours.",
    bad=trained(epochs={"train_loss": (1.2, 0.5, 0.2, 0.08, 0.02), "valid_loss": (0.9, 0.7, 0.9, 1.2, 1.6)}),
    good=trained(),
    needs=("health",),
)
def overfitting(facts: Facts) -> Iterator[Finding]:
    """The course of both losses."""
    train, valid = facts.training.train_losses, facts.training.valid_losses
    if not valid:
        return
    best = valid.index(min(valid))
    rise = valid[-1] - valid[best]
    if len(valid) - 1 - best < SINCE or rise < LEAST * valid[0] or valid[-1] < RISING * valid[best]:
        return
    if train[-1] >= train[best]:
        return
    yield overfitting.finding(
        [],
        f"the valid loss rose from {valid[best]:.3g} in epoch {best + 1} to {valid[-1]:.3g}",
        f"the train loss fell from {train[best]:.3g} to {train[-1]:.3g}",
        [
            Remedy("Stop at the best epoch: early_stopping=5"),
            Remedy("Show more: augment="),
            Remedy("Put Dropout() before the output, or write weight_decay=1e-4"),
        ],
        severity="warning" if valid[-1] > RISEN * valid[best] else "info",
    )
