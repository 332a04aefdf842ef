"""NRM004: many layers without norm or shortcut."""

from __future__ import annotations

from collections.abc import Iterator

from depthwise.graph import Edit, Insert
from depthwise.layers import Conv2D, GlobalAvgPool2D, MaxPool2D, Output
from depthwise.layers.ops import Conv, Merge, Norm
from depthwise.rules.facts import Facts, layers_of
from depthwise.rules.finding import Finding, Remedy
from depthwise.rules.rule import Example, rule
from depthwise.rules.wording import plural

DEEPEST = 10
"""Layers with weights that train reliably without either.  VGG's 13 and 16 were hard to train before batch norm."""


@rule(
    "NRM004",
    "info",
    title="A deep network has neither norms nor shortcuts.",
    why="The scale of values and gradients is multiplied at every layer. Beyond about ten layers it vanishes or "
    "explodes unless initial weights and learning rate are just right. Batch norms, or sums with a shortcut, keep "
    "it.",
    source="Ioffe, Szegedy: Batch Normalization, ICML 2015; He, Zhang, Ren, Sun: Deep Residual Learning, CVPR 2016.",
    bad=Example(
        (
            *[Conv2D(16, padding="same")] * 4,
            MaxPool2D(),
            *[Conv2D(32, padding="same")] * 4,
            MaxPool2D(),
            *[Conv2D(64, padding="same")] * 2,
            GlobalAvgPool2D(),
            Output(10),
        ),
        (1, 64, 64),
    ),
    good=Example(
        (
            *[Conv2D(16, padding="same", norm="batch", bias=False)] * 4,
            MaxPool2D(),
            *[Conv2D(32, padding="same", norm="batch", bias=False)] * 4,
            MaxPool2D(),
            *[Conv2D(64, padding="same", norm="batch", bias=False)] * 2,
            GlobalAvgPool2D(),
            Output(10),
        ),
        (1, 64, 64),
    ),
)
def deep_without_norm(facts: Facts) -> Iterator[Finding]:
    """The whole network."""
    if len(facts.weighted) <= DEEPEST or any(isinstance(node.op, (Norm, Merge)) for node in facts.nodes.values()):
        return
    yield deep_without_norm.finding(
        layers_of(facts.weighted),
        f"{plural(len(facts.weighted), 'layer')} with weights > {DEEPEST} without norm or shortcut",
        remedies=[_normed(facts)],
    )


def _normed(facts: Facts) -> Remedy | None:
    """A batch norm behind every convolution."""
    convs = [node for node in facts.weighted if isinstance(node.op, Conv)]
    norms = [
        Insert(node.name, Norm(function="batch"), f"{node.name}.norm", node.node.layer, node.node.kind)
        for node in convs
    ]
    if not convs or any(insert.name in facts.nodes for insert in norms):
        return None
    silent = [Edit(node.name, "bias", False) for node in convs]
    order = 'Write norm="batch", bias=False on the convolutions'
    if facts.root is not None:
        order = f"Put nn.BatchNorm{len(facts.size)}d behind the convolutions, and give these bias=False"
    return facts.remedy(order, [*norms, *silent])
