"""TRN017: a train loss that stops high."""

from __future__ import annotations

from collections.abc import Iterator

from depthwise.rules.facts import Facts
from depthwise.rules.finding import Finding, Remedy
from depthwise.rules.rule import rule
from depthwise.rules.trained import trained

HIGH = 0.5
"""Share of the loss of guessing that is left."""
FLAT, LAST = 0.02, 3
"""Share by which the train loss fell over so many epochs."""
LEARNED = 0.98
"""Above that share of the loss of guessing nothing was learned at all, which is another matter."""


@rule(
    "TRN017",
    "info",
    title="The train loss stops falling while it is high.",
    why="More than half of the loss of guessing is left, and the last epochs changed nothing: the network cannot tell "
    "its training images apart. It is too small, sees too little of the image, is regularized too strongly, or the "
    "labels cannot be told from the images.",
    source="Goodfellow, Bengio, Courville: Deep Learning, 2016, section 5.2 (capacity, underfitting). The bounds are "
    "ours.",
    bad=trained(epochs={"train_loss": (1.8, 1.62, 1.61, 1.607, 1.606), "valid_loss": (1.7, 1.63, 1.62, 1.62, 1.62)}),
    good=trained(),
    needs=("health",),
)
def underfitting(facts: Facts) -> Iterator[Finding]:
    """By the train loss alone: it is the one that is made small."""
    losses, chance = facts.training.train_losses, facts.training.data.chance_loss
    if chance is None or len(losses) <= LAST or not HIGH * chance < losses[-1] < LEARNED * chance:
        return
    fell = 1 - losses[-1] / losses[-1 - LAST]
    if 0 <= fell < FLAT:
        yield underfitting.finding(
            [],
            f"the train loss stays at {losses[-1]:.3g}, and guessing has {chance:.3g}",
            f"{100 * fell:.1f} % less in {LAST} epochs",
            [
                Remedy("Take more channels or layers: design proposes networks"),
                Remedy("Take less dropout, weight decay or augmentation"),
            ],
        )
