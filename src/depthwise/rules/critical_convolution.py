"""COV003: convolutions that cross the border of the image."""

from __future__ import annotations

from collections.abc import Iterator

from depthwise.analysis import MAX_COVERAGE
from depthwise.graph import SizedNode
from depthwise.layers import Conv2D, GlobalAvgPool2D, MaxPool2D, Output
from depthwise.rules.facts import Facts, find_runs, layers_of
from depthwise.rules.finding import Finding
from depthwise.rules.rule import CLASSIFIERS, Example, rule
from depthwise.rules.wording import pixels


@rule(
    "COV003",
    "info",
    title="A convolution sees the whole image along one axis, or crosses its border.",
    why="In this layer the view grows past the image, or has passed it along one axis only: the next convolutions will "
    "hardly find new context. Mind it before you go deeper.",
    source="Richter, Schöning, Wiedenroth, Krumnack: Should You Go Deeper? Optimizing Convolutional Neural Network "
    "Architectures without Training, ICMLA 2021; the authors' tool rfa_toolbox colors such layers.",
    bad=Example(
        (
            Conv2D(16, padding="same"),
            MaxPool2D(),
            Conv2D(16, padding="same"),
            MaxPool2D(),
            Conv2D(32, padding="same"),
            Conv2D(32, padding="same"),
            GlobalAvgPool2D(),
            Output(10),
        ),
        (1, 24, 24),
    ),
    good=Example(
        (
            Conv2D(16, padding="same"),
            MaxPool2D(),
            Conv2D(16, padding="same"),
            MaxPool2D(),
            Conv2D(32, padding="same"),
            Conv2D(32, padding="same"),
            GlobalAvgPool2D(),
            Output(10),
        ),
        (1, 28, 28),
    ),
    profiles=CLASSIFIERS,
)
def critical_convolution(facts: Facts) -> Iterator[Finding]:
    """Convolutions that pass the border of the image, and are not beyond it by their reach already."""
    flagged = [node for node in facts.filters if _is_critical(facts, node)]
    for run in find_runs(flagged, facts.filters):
        seen = tuple(field.least for field in facts.fields[run[0].name] or ())
        yield critical_convolution.finding(
            layers_of(run),
            f"sees {pixels(seen)} of an image of {pixels(facts.size)}",
            "the layers behind it find hardly anything new",
        )


def _is_critical(facts: Facts, node: SizedNode) -> bool:
    inputs, fields = facts.fields[node.node.inputs[0]], facts.fields[node.name]
    if inputs is None or fields is None:
        return False
    before = [field.least >= side for field, side in zip(inputs, facts.size, strict=True)]
    after = [field.least > side for field, side in zip(fields, facts.size, strict=True)]
    beyond = [field.least_reach > MAX_COVERAGE * side for field, side in zip(fields, facts.size, strict=True)]
    return any(after) and not all(before) and not any(beyond)
