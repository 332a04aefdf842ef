"""SHP002: shapes that do not go together."""

from __future__ import annotations

from collections.abc import Iterator

from depthwise.errors import DoesNotFit
from depthwise.layers import Add, Conv2D, GlobalAvgPool2D, MaxPool2D, Output
from depthwise.rules.facts import Facts
from depthwise.rules.finding import Finding, Remedy
from depthwise.rules.misfits import first_misfit
from depthwise.rules.rule import Example, rule


@rule(
    "SHP002",
    "error",
    title="Maps of different shapes meet, or a layer gets a shape that it cannot take.",
    why="A sum needs maps of one shape, a stack maps of one size, groups a number of channels that they divide, and a "
    "layer that slides a map to slide over. Else the network cannot be built.",
    source="Arithmetic.",
    bad=Example(
        (
            Conv2D(16, padding="same", name="left"),
            Conv2D(32, padding="same", name="right"),
            Add(inputs=("left", "right")),
            MaxPool2D(),
            Conv2D(32, padding="same"),
            GlobalAvgPool2D(),
            Output(10),
        ),
        (1, 12, 12),
    ),
    good=Example(
        (
            Conv2D(32, padding="same", name="left"),
            Conv2D(32, padding="same", name="right"),
            Add(inputs=("left", "right")),
            MaxPool2D(),
            Conv2D(32, padding="same"),
            GlobalAvgPool2D(),
            Output(10),
        ),
        (1, 12, 12),
    ),
    needs=(),
)
def shape_clash(facts: Facts) -> Iterator[Finding]:
    """The first node whose inputs do not go together."""
    if facts.misfit is None or isinstance(facts.misfit, DoesNotFit):
        return
    told = [Remedy(facts.misfit.remedy)] if facts.misfit.remedy else []
    yield shape_clash.finding([first_misfit(facts).layer], facts.misfit.message, remedies=told)
