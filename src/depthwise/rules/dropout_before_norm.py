"""NRM002: dropout that shifts the statistics of a norm."""

from __future__ import annotations

from collections.abc import Iterator

from depthwise.graph import Change, Insert, Remove, SizedNode
from depthwise.layers import BatchNorm, Conv2D, Dropout, GlobalAvgPool2D, MaxPool2D, Output
from depthwise.layers.ops import Activation, Flatten, GlobalPool, Norm, Pool
from depthwise.layers.ops import Dropout as DropoutOp
from depthwise.rules.facts import Facts
from depthwise.rules.finding import Finding, Remedy
from depthwise.rules.rule import Example, rule
from depthwise.rules.wording import order_to_put


@rule(
    "NRM002",
    "warning",
    title="Dropout feeds a batch norm.",
    why="Dropout changes the variance of what it passes on, while training only. The running variance that the norm "
    "collects is then wrong at test time. Let dropout stand behind the last norm.",
    source="Li, Chen, Hu, Yang: Understanding the Disharmony between Dropout and Batch Normalization by Variance "
    "Shift, CVPR 2019.",
    bad=Example(
        (
            Conv2D(16, padding="same"),
            MaxPool2D(),
            Conv2D(32, padding="same"),
            Conv2D(32, padding="same"),
            Dropout(0.2),
            BatchNorm(),
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
            BatchNorm(),
            Dropout(0.2),
            GlobalAvgPool2D(),
            Output(10),
        ),
        (1, 16, 16),
    ),
)
def dropout_before_norm(facts: Facts) -> Iterator[Finding]:
    """Batch norms behind dropout."""
    for node in facts.nodes.values():
        if not isinstance(node.op, Norm) or node.op.function != "batch":
            continue
        dropout = _dropout_before(facts, node)
        if dropout is not None:
            assert isinstance(dropout.op, DropoutOp)
            yield dropout_before_norm.finding(
                [dropout.node.layer, node.node.layer],
                f"dropout feeds the batch norm of {node.node.layer}",
                f"p={dropout.op.p:g} scales the variance it sees while training",
                [_swap(facts, dropout, node)],
                place=dropout.node.layer,
            )


def _dropout_before(facts: Facts, node: SizedNode) -> SizedNode | None:
    for other in facts.back(node):
        if isinstance(other.op, DropoutOp):
            return other if other.op.p > 0 else None
        if not isinstance(other.op, (Activation, Flatten, GlobalPool, Pool)):
            return None
    return None


def _swap(facts: Facts, dropout: SizedNode, norm: SizedNode) -> Remedy | None:
    """The dropout behind the norm and its activation."""
    end = norm
    while (reader := facts.reader(end)) is not None and isinstance(reader.op, Activation):
        end = reader
    name = facts.fresh("dropout")
    edits: list[Change] = [Remove(dropout.name), Insert(end.name, dropout.op, name, name, "dropout")]
    moved = dropout.node.layer if facts.root is None else f"{facts.root}.{dropout.name}"
    return facts.remedy(order_to_put(facts, moved, moved, "behind", end), edits)
