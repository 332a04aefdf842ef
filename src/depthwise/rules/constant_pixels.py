"""TRN012: images that are mostly the same."""

from __future__ import annotations

from collections.abc import Iterator

from depthwise.rules.facts import Facts
from depthwise.rules.finding import Finding, Remedy
from depthwise.rules.rule import rule
from depthwise.rules.trained import trained
from depthwise.rules.wording import percent

MOST = 0.75
"""Share of the pixels.  An MNIST digit has 20 to 40 %, its margin."""


@rule(
    "TRN012",
    "warning",
    title="Most pixels are the same in all images.",
    why="They tell nothing and cost as much as the others. Where all are the same, the images were read wrongly: a "
    "wrong channel, a mask, a picture that was not loaded.",
    source="MNIST has a margin of 4 pixels around its digits (LeCun, Cortes, Burges): 37 % of the area. The bound is "
    "ours.",
    bad=trained(data={"constant_pixels": 0.9}),
    good=trained(),
    needs=("health",),
)
def constant_pixels(facts: Facts) -> Iterator[Finding]:
    """Of some images."""
    share = facts.training.data.constant_pixels
    if facts.training.data.n_train > 1 and share > MOST:
        remedy = "Crop the images" if share < 1 else "Look at how the images are read"
        yield constant_pixels.finding(
            [], f"{percent(share)} of the pixels are the same in all images", remedies=[Remedy(remedy)]
        )
