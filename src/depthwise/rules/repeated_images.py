"""TRN015: validation images that were trained on."""

from __future__ import annotations

from collections.abc import Iterator

from depthwise.rules.facts import Facts
from depthwise.rules.finding import Finding, Remedy
from depthwise.rules.rule import rule
from depthwise.rules.trained import trained
from depthwise.rules.wording import percent

MANY = 0.01
"""Share of the validation images."""


@rule(
    "TRN015",
    "warning",
    title="Validation images are among the training images.",
    why="Pixel for pixel the same image was learned by heart and is asked for again: validation is better than the "
    "network is. More than one of a hundred is a warning, any is worth knowing.",
    source="Barz, Denzler: Do We Train on Test Data? Purging CIFAR of Near-Duplicates, Journal of Imaging 2020. The "
    "bound is ours.",
    bad=trained(data={"duplicates": 120}),
    good=trained(),
    needs=("health",),
)
def repeated_images(facts: Facts) -> Iterator[Finding]:
    """Counted at the beginning of a fit."""
    data = facts.training.data
    if data.duplicates:
        share = data.duplicates / data.n_valid
        yield repeated_images.finding(
            [],
            f"{data.duplicates} of {data.n_valid} validation images are training images too",
            percent(share),
            [Remedy("Remove repeated images before splitting, or split by group")],
            severity="warning" if share > MANY else "info",
        )
