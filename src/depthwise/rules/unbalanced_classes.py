"""TRN014: classes of very unlike size."""

from __future__ import annotations

from collections.abc import Iterator

from depthwise.rules.facts import Facts
from depthwise.rules.finding import Finding, Remedy
from depthwise.rules.rule import rule
from depthwise.rules.trained import trained

IMBALANCE = 10
"""Times as many images of the commonest class as of the rarest."""


@rule(
    "TRN014",
    "warning",
    title="Some classes have many times the images of others.",
    why="The loss counts images, not classes: a rare class costs little even where it is never answered. More than "
    "ten times is told, unless images or classes are weighted.",
    source="Buda, Maki, Mazurowski: A systematic study of the class imbalance problem in convolutional neural "
    "networks, Neural Networks 106, 2018. Where to speak is our choice.",
    bad=trained(data={"class_counts": (2000, *[220] * 8, 20)}),
    good=trained(),
    needs=("health",),
)
def unbalanced_classes(facts: Facts) -> Iterator[Finding]:
    """Classes that are there at all."""
    data = facts.training.data
    counts = sorted(count for count in data.class_counts or () if count)
    if counts and not data.weighted and counts[-1] > IMBALANCE * counts[0]:
        yield unbalanced_classes.finding(
            [],
            f"the commonest class has {counts[-1]} training images, the rarest {counts[0]}",
            remedies=[
                Remedy('Write class_weight="balanced"'),
                Remedy('Judge by scoring="balanced_accuracy"'),
            ],
        )
