"""COV001: filters that reach beyond the image."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil

from depthwise.analysis import MAX_COVERAGE
from depthwise.analysis.fields import Pixels
from depthwise.graph import SizedNode
from depthwise.layers import Conv2D, GlobalAvgPool2D, MaxPool2D, Output
from depthwise.rules.facts import Facts, layers_of
from depthwise.rules.finding import Finding, Severity
from depthwise.rules.remedies import cut_tail, larger_images, less_downsampling
from depthwise.rules.rule import CLASSIFIERS, Example, rule
from depthwise.rules.wording import percent, pixels


@rule(
    "COV001",
    "warning",
    title="A convolution reaches beyond the image.",
    why="Coverage is what a filter reaches by the side of the image. Above 100 % part of every filter lies outside of "
    "the image, on padding, and the layer spends its weights on nothing. It is a sign of too much pooling for "
    "images of this size. If only the longest of several ways reaches that far, as in residual networks, the "
    "finding is information.",
    source="Cao: A practical theory for designing very deep convolutional neural networks, 2015; as in nolearn's "
    "tables.",
    bad=Example(
        (
            Conv2D(16, padding="same"),
            MaxPool2D(),
            Conv2D(16, padding="same"),
            MaxPool2D(),
            Conv2D(32, padding="same"),
            MaxPool2D(),
            Conv2D(32, padding="same"),
            GlobalAvgPool2D(),
            Output(10),
        ),
        (1, 28, 28),
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
def excess_coverage(facts: Facts) -> Iterator[Finding]:
    """Convolutions whose coverage is above the bound."""
    verdicts = {node.name: _judge(facts, node) for node in facts.filters}
    for severity in ("warning", "info"):
        flagged = [node for node in facts.filters if verdicts[node.name] == severity]
        if flagged:
            run = tuple(flagged)
            shortest = severity == "warning"
            first = _coverage(facts, run[0], shortest)
            last = max(_coverage(facts, node, shortest) for node in run)
            up = f", up to {percent(last)}" if percent(last) != percent(first) else ""
            reaches = [_reaches(facts, node, shortest) for node in run]
            wanted = [ceil(max(sides)) for sides in zip(*reaches, strict=True)]
            yield excess_coverage.finding(
                layers_of(run),
                f"coverage {percent(first)} > {percent(MAX_COVERAGE)}{up}",
                f"reach {pixels(reaches[0])} in an image of {pixels(facts.size)}",
                [less_downsampling(facts, run), cut_tail(facts, run), larger_images(facts, wanted)]
                if severity == "warning"
                else [larger_images(facts, wanted)],
                severity=severity,
            )


def _judge(facts: Facts, node: SizedNode) -> Severity | None:
    if _coverage(facts, node) <= MAX_COVERAGE:
        return None
    return "warning" if _coverage(facts, node, shortest=True) > MAX_COVERAGE else "info"


def _coverage(facts: Facts, node: SizedNode, shortest: bool = False) -> float:
    return max(
        float((field.least_reach if shortest else field.reach) / side)
        for field, side in zip(facts.fields[node.name] or (), facts.size, strict=True)
    )


def _reaches(facts: Facts, node: SizedNode, shortest: bool) -> tuple[Pixels, ...]:
    return tuple(field.least_reach if shortest else field.reach for field in facts.fields[node.name] or ())
