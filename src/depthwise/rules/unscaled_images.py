"""TRN011: images of large values that nothing scales."""

from __future__ import annotations

from collections.abc import Iterator

from depthwise.rules.facts import Facts
from depthwise.rules.finding import Finding, Remedy
from depthwise.rules.rule import rule
from depthwise.rules.trained import trained

LARGEST = 10.0
"""Mean or standard deviation of what the first layer reads.  Weights are drawn for 1; bytes have about 80."""


@rule(
    "TRN011",
    "warning",
    title="The images are not scaled.",
    why="Weights are drawn for inputs around zero with a spread of one. Bytes of 0 to 255 make outputs and gradients "
    "of the first layer a hundred times as large, and learning rates that are usual too high.",
    source="LeCun, Bottou, Orr, Müller: Efficient BackProp, 1998, section 4.3 (normalizing the inputs). The bound is "
    "ours.",
    bad=trained(layers={"conv2d1": {"input_mean": 33.3, "input_std": 78.6}}),
    good=trained(),
    needs=("health",),
)
def unscaled_images(facts: Facts) -> Iterator[Finding]:
    """What the first layer reads, behind standardization and norms."""
    layers = [layer for layer in facts.training.layers if any(value is not None for value in layer.input_std)]
    if not layers:
        return
    first, data = layers[0], facts.training.data
    mean, std = first.input_mean[-1] or 0.0, first.input_std[-1] or 0.0
    if max(abs(mean), std) > LARGEST:
        yield unscaled_images.finding(
            [first.layer],
            f"it reads values of {mean:.3g} ± {std:.3g}",
            f"the pixels go from {data.lowest:g} to {data.highest:g}",
            [Remedy("Write standardize=True, or scale the images yourself")],
        )
