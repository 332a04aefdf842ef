"""COV002: convolutions that cannot see anything new."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil

from depthwise.graph import SizedNode
from depthwise.layers import Conv2D, GlobalAvgPool2D, MaxPool2D, Output
from depthwise.rules.facts import Facts, layers_of
from depthwise.rules.finding import Finding, Severity
from depthwise.rules.remedies import cut_tail, larger_images, less_downsampling
from depthwise.rules.rule import CLASSIFIERS, Example, rule
from depthwise.rules.wording import pixels, plural


@rule(
    "COV002",
    "warning",
    title="A convolution's input has seen the whole image already.",
    why="Once every unit of a map sees the whole image, a kernel of more than one pixel cannot bring new context "
    "together: the layer costs as much as before and adds little. Such layers can be made productive (less "
    "downsampling in the stem, larger images) or be cut off, which makes the network cheaper. What counts is the "
    "shortest way through the network; if only the longest sees everything, the finding is information.",
    source="Richter, Schöning, Wiedenroth, Krumnack: Should You Go Deeper? Optimizing Convolutional Neural Network "
    "Architectures without Training, ICMLA 2021; Richter and others: (Input) Size Matters for CNN Classifiers, "
    "ICANN 2021.",
    bad=Example(
        (
            Conv2D(16, padding="same"),
            MaxPool2D(),
            Conv2D(16, padding="same"),
            MaxPool2D(),
            Conv2D(32, padding="same"),
            Conv2D(32, padding="same"),
            Conv2D(32, padding="same"),
            GlobalAvgPool2D(),
            Output(10),
        ),
        (1, 20, 20),
    ),
    good=Example(
        (
            Conv2D(16, padding="same"),
            MaxPool2D(),
            Conv2D(16, padding="same"),
            MaxPool2D(),
            Conv2D(32, padding="same"),
            GlobalAvgPool2D(),
            Output(10),
        ),
        (1, 20, 20),
    ),
    profiles=CLASSIFIERS,
)
def unproductive_convolution(facts: Facts) -> Iterator[Finding]:
    """Convolutions behind the layer from which on every unit sees the whole image."""
    verdicts = {node.name: _judge(facts, node) for node in facts.filters}
    for severity in ("warning", "info"):
        if severity not in verdicts.values():
            continue
        # What the shortest way tells already is true on the longest too.
        counted = ("warning",) if severity == "warning" else ("warning", "info")
        whole = tuple(node for node in facts.filters if verdicts[node.name] in counted)
        seen = tuple(ceil(pixel) for pixel in _seen(facts, whole[0], severity == "warning") or ())
        needed = [max(sides) for sides in zip(*(_needed(facts, node) for node in whole), strict=True)]
        count = plural(len(whole), "convolution")
        yield unproductive_convolution.finding(
            layers_of(whole),
            f"{count} of {len(facts.filters)} cannot see anything new" + " on the longest way" * (severity == "info"),
            f"the input of {whole[0].node.layer} sees {pixels(seen)} of {pixels(facts.size)}",
            [less_downsampling(facts, whole), cut_tail(facts, whole), larger_images(facts, needed)]
            if severity == "warning"
            else [],
            severity=severity,
        )


def _judge(facts: Facts, node: SizedNode) -> Severity | None:
    for severity in ("warning", "info"):
        seen = _seen(facts, node, severity == "warning")
        if seen and all(pixel >= side for pixel, side in zip(seen, facts.size, strict=True)):
            return severity
    return None


def _seen(facts: Facts, node: SizedNode, shortest: bool) -> tuple[float, ...] | None:
    """Receptive field of what a node reads."""
    fields = facts.fields[node.node.inputs[0]]
    return None if fields is None else tuple(float(field.least if shortest else field.size) for field in fields)


def _needed(facts: Facts, node: SizedNode) -> tuple[int, ...]:
    return tuple(ceil(pixel) + 1 for pixel in _seen(facts, node, shortest=True) or ())
