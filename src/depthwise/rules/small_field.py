"""COV004: a head that decides before any unit has seen most of the image."""

from __future__ import annotations

from collections.abc import Iterator

from depthwise.graph import SizedNode
from depthwise.layers import Conv2D, GlobalAvgPool2D, MaxPool2D, Output
from depthwise.layers.ops import Pool
from depthwise.rules.facts import Facts
from depthwise.rules.finding import Finding, Remedy
from depthwise.rules.remedies import pool_before
from depthwise.rules.rule import Example, rule
from depthwise.rules.wording import percent, pixels

LEAST_COVERAGE = 0.6
"""Coverage of the last convolution that a classifier needs: the tutorials call 68 % fine and 41 % is what a network of
theirs has that stops too early.  On digits, whose border is empty, less will do."""


@rule(
    "COV004",
    "warning",
    title="The last convolution sees little of the image.",
    why="No filter combines parts that are farther apart than the last convolution reaches; a dense layer behind it "
    "has to learn that for every position anew. Below 60 % of the side something is missing: pool earlier, go "
    "deeper, or dilate. Digits with their empty border are exempt (profile digits).",
    source="Araujo, Norris, Sim: Computing Receptive Fields of Convolutional Neural Networks, Distill 2019, find "
    "accuracy on ImageNet to grow with the field.",
    bad=Example(
        (Conv2D(16, padding="same"), MaxPool2D(), Conv2D(32, padding="same"), GlobalAvgPool2D(), Output(10)),
        (1, 20, 20),
    ),
    good=Example(
        (
            Conv2D(16, padding="same"),
            MaxPool2D(),
            Conv2D(32, padding="same"),
            MaxPool2D(),
            Conv2D(32, padding="same"),
            GlobalAvgPool2D(),
            Output(10),
        ),
        (1, 20, 20),
    ),
    profiles=("natural",),
)
def small_field(facts: Facts) -> Iterator[Finding]:
    """The last convolution before a head, where its coverage is small."""
    if not facts.filters or not facts.head or facts.rows[facts.filters[-1].node.layer].sees_all:
        return
    last = facts.deepest
    ratios = _coverage(facts, last)
    if min(ratios) < LEAST_COVERAGE:
        reach = tuple(field.reach for field in facts.fields[last.name] or ())
        yield small_field.finding(
            [facts.filters[-1].node.layer],
            f"coverage {percent(min(ratios))} < {percent(LEAST_COVERAGE)} before the head",
            f"reach {pixels(reach)} of {pixels(facts.size)}",
            [_pool_earlier(facts, last)],
        )


def _coverage(facts: Facts, node: SizedNode) -> list[float]:
    fields = facts.fields[node.name] or ()
    return [float(field.reach / side) for field, side in zip(fields, facts.size, strict=True)]


def _pool_earlier(facts: Facts, last: SizedNode) -> Remedy | None:
    """A pool as late as it may stand to bring the coverage up: what follows it at reach r reaches r + 2 (R - r)."""
    for node in reversed(facts.filters[1:]):
        source, before = facts.fields[node.node.inputs[0]], facts.source(node)
        if source is None or before is None or isinstance(before.op, Pool):  # two pools in a row are one large one
            continue
        ends = zip(source, facts.fields[last.name] or (), facts.size, strict=True)
        after = [float((2 * far.reach - here.reach) / side) for here, far, side in ends]
        if min(after) >= LEAST_COVERAGE and max(after) <= 1:
            return pool_before(facts, node)
    return Remedy("Add convolutions or a pooling layer between them, or dilate the last ones")
