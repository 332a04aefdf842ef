"""CAP002: fewer channels with depth."""

from __future__ import annotations

from collections.abc import Iterator

from depthwise.graph import SizedNode
from depthwise.layers import Conv2D, GlobalAvgPool2D, MaxPool2D, Output
from depthwise.layers.ops import Conv, ConvTranspose, Merge
from depthwise.rules.facts import Facts, is_depthwise, is_filter
from depthwise.rules.finding import Finding
from depthwise.rules.rule import CLASSIFIERS, Example, rule
from depthwise.rules.wording import plural


@rule(
    "CAP002",
    "info",
    title="A convolution has fewer channels than the one before it.",
    why="Deeper layers combine more parts and have more to tell apart, while their maps are smaller: channels usually "
    "grow with depth. A layer with fewer channels in the middle of a chain is a bottleneck for all behind it.",
    source="Common practice since LeNet and VGG; nolearn's tutorial on convolutional networks gives it as a rule of "
    "thumb.",
    bad=Example(
        (
            Conv2D(32, padding="same"),
            MaxPool2D(),
            Conv2D(16, padding="same"),
            Conv2D(32, padding="same"),
            GlobalAvgPool2D(),
            Output(10),
        ),
        (1, 16, 16),
    ),
    good=Example(
        (
            Conv2D(16, padding="same"),
            MaxPool2D(),
            Conv2D(32, padding="same"),
            Conv2D(32, padding="same"),
            GlobalAvgPool2D(),
            Output(10),
        ),
        (1, 16, 16),
    ),
    profiles=CLASSIFIERS,
)
def shrinking_channels(facts: Facts) -> Iterator[Finding]:
    """Convolutions that follow a wider one in a chain without branches."""
    for node in facts.filters:
        before = _filter_before(facts, node)
        if before is None or _is_branch(facts, node) or _is_last(facts, node):
            continue
        wide, narrow = before.output_shape[0] or 0, node.output_shape[0] or 0
        if narrow < wide:
            yield shrinking_channels.finding(
                [node.node.layer],
                f"{narrow} channels after {wide}",
                f"{before.node.layer} before it has {plural(wide, 'channel')}",
            )


def _filter_before(facts: Facts, node: SizedNode) -> SizedNode | None:
    """The convolution before it, if one way only leads there and no 1x1 convolution squeezes the channels."""
    if is_depthwise(node.op) or isinstance(node.op, ConvTranspose):
        return None
    for other in facts.back(node):
        if is_filter(other.op) and not isinstance(other.op, ConvTranspose):
            return other
        if isinstance(other.op, (Conv, Merge)) or len(facts.readers[other.name]) > 1:
            return None
    return None


def _is_branch(facts: Facts, node: SizedNode) -> bool:
    """Whether its output is joined with others, so that its channels are only a part."""
    now: SizedNode | None = node
    while now is not None and not isinstance(now.op, Merge):
        now = facts.reader(now)
        if now is not None and isinstance(now.op, Conv):
            return False
    return now is not None


def _is_last(facts: Facts, node: SizedNode) -> bool:
    """Whether no weights follow: its channels are the classes."""
    return node.name == facts.weighted[-1].name
