"""TRN013: targets that the output cannot give, or never learns."""

from __future__ import annotations

from collections.abc import Iterator

from depthwise.rules.facts import Facts
from depthwise.rules.finding import Finding, Remedy
from depthwise.rules.rule import rule
from depthwise.rules.trained import trained
from depthwise.rules.wording import plural

LARGEST = 100.0
"""Size of a target of regression: outputs begin around 1, and the squared error with the square of this."""


@rule(
    "TRN013",
    "warning",
    title="The targets do not fit the output.",
    why="An output that is rectified gives nothing below zero, and one behind a sigmoid nothing above one. A class "
    "without training images is never learned. Targets of thousands make losses of millions and gradients to match.",
    source="Goodfellow, Bengio, Courville: Deep Learning, 2016, section 6.2.2 (output units). The bound is ours.",
    bad=trained(data={"class_counts": (500,) * 8 + (0, 0)}),
    good=trained(),
    needs=("health",),
)
def unfit_targets(facts: Facts) -> Iterator[Finding]:
    """Classes, and numbers."""
    data, (low, high) = facts.training.data, facts.training.output_range
    output = [layer.layer for layer in facts.training.layers[-1:]]
    if data.class_counts is not None and (absent := data.class_counts.count(0)):
        places = [str(place) for place, count in enumerate(data.class_counts) if not count]
        yield unfit_targets.finding(
            output,
            f"{plural(absent, 'class', 'classes')} of {len(data.class_counts)} without training images",
            f"at {', '.join(places[:5])} of classes_",
            [Remedy("Stratify validation=, or leave these classes out")],
        )
    if data.least_target is None or data.greatest_target is None:
        return
    least, greatest = data.least_target, data.greatest_target
    if (low is not None and least < low) or (high is not None and greatest > high):
        bounds = f"{'-inf' if low is None else f'{low:g}'} to {'inf' if high is None else f'{high:g}'}"
        yield unfit_targets.finding(
            output,
            f"the output gives values from {bounds}, but the targets go from {least:g} to {greatest:g}",
            remedies=[Remedy("Take the activation out of the last layer")],
        )
    elif max(abs(least), abs(greatest)) > LARGEST:
        yield unfit_targets.finding(
            output,
            f"the targets go from {least:g} to {greatest:g}",
            f"above {LARGEST:g}",
            [Remedy("Standardize them: sklearn.compose.TransformedTargetRegressor")],
        )
