"""ACT001: layers that could be one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from depthwise.graph import Insert, SizedNode
from depthwise.layers import Conv2D, GlobalAvgPool2D, MaxPool2D, Output
from depthwise.layers.ops import Activation, Conv, Dense, Dropout, Flatten, GlobalPool, Norm, Pad, Pool, Upsample
from depthwise.rules.facts import AFFINE, Facts, find_runs, is_activation, is_depthwise, layers_of
from depthwise.rules.finding import Finding, Remedy
from depthwise.rules.rule import Example, rule
from depthwise.rules.torch_words import write_activation

USUAL = "relu"


@rule(
    "ACT001",
    "warning",
    title="Two layers with weights stand in a row without a nonlinearity between them.",
    why="A chain of linear maps is one linear map: the second layer adds cost but nothing that the first could not "
    "learn. Meant are pairs of a depthwise and a 1x1 convolution, 1x1 convolutions that squeeze channels, and a "
    "1xk kernel after a kx1 one: these are silent.",
    source="Linear algebra; Stanford CS231n gives the order convolution, ReLU for every layer.",
    bad=Example(
        (
            Conv2D(16, padding="same"),
            MaxPool2D(),
            Conv2D(32, padding="same", activation=None),
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
)
def missing_activation(facts: Facts) -> Iterator[Finding]:
    """Runs of layers that lack their activation."""
    lacking = []
    follower: dict[str, str] = {}
    for node in facts.weighted:
        before = _linear_before(facts, node)
        if before is not None and not _is_meant(before, node):
            lacking.append(before)
            follower[before.name] = node.node.layer
    for run in find_runs(lacking, facts.weighted):
        yield missing_activation.finding(
            layers_of(run),
            f"no activation before {follower[run[-1].name]}" if len(run) == 1 else "no activations between the layers",
            f"together with {follower[run[-1].name]} one linear map",
            [_activated(facts, run)],
        )


def _linear_before(facts: Facts, node: SizedNode) -> SizedNode | None:
    """The layer with weights before it, if only linear operations lie between."""
    for other in facts.back(node):
        if isinstance(other.op, (Conv, Dense)):
            return other if len(facts.readers[other.name]) == 1 else None
        averages = isinstance(other.op, (Pool, GlobalPool)) and other.op.function == "avg"
        batch = isinstance(other.op, Norm) and other.op.function == "batch"
        affine = isinstance(other.op, Activation) and other.op.function in AFFINE
        if not (averages or batch or affine or isinstance(other.op, (Dropout, Flatten, Pad, Upsample))):
            return None
        if len(facts.readers[other.name]) > 1:
            return None
    return None


def _is_meant(first: SizedNode, second: SizedNode) -> bool:
    """Whether the pair is a known way to write one convolution as two cheaper ones."""
    if is_depthwise(first.op) or is_depthwise(second.op) or first.node.layer == second.node.layer:
        return True
    one, two = first.op, second.op
    if isinstance(one, Conv) and max(one.kernel_size) == 1 and (one.out_channels or 0) < (one.in_channels or 0):
        return True
    if isinstance(one, Conv) and isinstance(two, Conv):
        thin = [sorted(op.kernel_size)[0] == 1 and max(op.kernel_size) > 1 for op in (one, two)]
        return all(thin) and one.kernel_size != two.kernel_size
    return False


def _activated(facts: Facts, run: tuple[SizedNode, ...]) -> Remedy | None:
    """The network's usual activation behind each of them."""
    ops = [node.op for node in facts.nodes.values()]
    used = Counter(op.function for op in ops if isinstance(op, Activation) and is_activation(op))
    usual = next((name for name, _ in used.most_common() if "softmax" not in name), USUAL)
    edits = []
    for node in run:
        end = node
        while (reader := facts.reader(end)) is not None and isinstance(reader.op, Norm):
            end = reader
        name = f"{end.node.layer}.activation"
        if name in facts.nodes:
            return None
        edits.append(Insert(end.name, Activation(function=usual), name, end.node.layer, end.node.kind))
    if facts.root is not None:
        where = " and ".join(f"{facts.root}.{edit.after}" for edit in edits)
        return facts.remedy(f"Put {write_activation(usual)} behind {where}", edits)
    return facts.remedy(f"Put {usual} behind {' and '.join(layers_of(run))}", edits)
