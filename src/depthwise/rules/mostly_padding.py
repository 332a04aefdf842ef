"""COV005: filters whose view is mostly padding."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from depthwise.analysis.fields import Field
from depthwise.layers import Conv2D, GlobalAvgPool2D, MaxPool2D, Output
from depthwise.rules.facts import Facts
from depthwise.rules.finding import Finding
from depthwise.rules.rule import CLASSIFIERS, Example, rule
from depthwise.rules.wording import percent, pixels

MOST_PADDING = 0.5
"""Share of an average unit's view that may lie outside of the image."""


@rule(
    "COV005",
    "info",
    title="More than half of what the last convolution sees lies outside of the image.",
    why="A deep network on small images looks at zeros most of the time. It still works, since the center of the view "
    "counts most, but a shallower one or larger images would use the same work better.",
    source="Arithmetic: the mean over the units of the part of the view that the border cuts off; compare COV002.",
    bad=Example(
        (
            *[Conv2D(16, padding="same")] * 2,
            MaxPool2D(),
            *[Conv2D(32, padding="same")] * 2,
            MaxPool2D(),
            *[Conv2D(64, padding="same")] * 2,
            GlobalAvgPool2D(),
            Output(10),
        ),
        (3, 24, 24),
    ),
    good=Example(
        (
            *[Conv2D(16, padding="same")] * 2,
            MaxPool2D(),
            *[Conv2D(32, padding="same")] * 2,
            MaxPool2D(),
            *[Conv2D(64, padding="same")] * 2,
            GlobalAvgPool2D(),
            Output(10),
        ),
        (3, 36, 36),
    ),
    profiles=CLASSIFIERS,
)
def mostly_padding(facts: Facts) -> Iterator[Finding]:
    """The last convolution, where an average unit sees more padding than image."""
    if not facts.filters:
        return
    last = facts.deepest
    fields = facts.fields[last.name] or ()
    inside = prod(
        _share_inside(field, int(units or 1), side)
        for field, units, side in zip(fields, last.output_shape[1:], facts.size, strict=True)
    )
    if 1 - inside > MOST_PADDING:
        yield mostly_padding.finding(
            [facts.filters[-1].node.layer],
            f"{percent(1 - inside)} of its view is padding",
            f"a unit sees {pixels(tuple(field.size for field in fields))} in an image of {pixels(facts.size)}",
        )


def _share_inside(field: Field, units: int, side: int) -> float:
    """Mean share of a unit's view along one axis that is image."""
    shares = []
    for unit in range(units):
        view = field.hull.at(unit)
        if view is not None:
            shares.append(max(0, min(view[1], side - 1) - max(view[0], 0) + 1) / (view[1] - view[0] + 1))
    return sum(shares) / max(len(shares), 1)
