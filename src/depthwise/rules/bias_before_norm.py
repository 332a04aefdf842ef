"""NRM001: biases that a norm takes away again."""

from __future__ import annotations

from collections.abc import Iterator

from depthwise.graph import Edit, SizedNode
from depthwise.layers import Conv2D, GlobalAvgPool2D, MaxPool2D, Output
from depthwise.layers.ops import Conv, Dense, Norm
from depthwise.rules.facts import Facts, find_runs, layers_of
from depthwise.rules.finding import Finding
from depthwise.rules.rule import Example, rule
from depthwise.rules.wording import order_to_set, plural


@rule(
    "NRM001",
    "info",
    title="A bias stands directly before a batch or instance norm.",
    why="The norm subtracts each channel's mean, and with it the bias, and adds one of its own. The bias costs memory "
    "and time, gets no gradient, and does nothing.",
    source="PyTorch's performance tuning guide: disable bias for convolutions directly followed by a batch norm.",
    bad=Example(
        (
            Conv2D(16, padding="same", norm="batch"),
            MaxPool2D(),
            *[Conv2D(32, padding="same", norm="batch")] * 2,
            GlobalAvgPool2D(),
            Output(10),
        ),
        (1, 16, 16),
    ),
    good=Example(
        (
            Conv2D(16, padding="same", norm="batch", bias=False),
            MaxPool2D(),
            *[Conv2D(32, padding="same", norm="batch", bias=False)] * 2,
            GlobalAvgPool2D(),
            Output(10),
        ),
        (1, 16, 16),
    ),
)
def bias_before_norm(facts: Facts) -> Iterator[Finding]:
    """Runs of layers whose bias is useless."""
    for run in find_runs([node for node in facts.weighted if _is_useless(facts, node)], facts.weighted):
        count = sum(int(node.output_shape[0] or 0) for node in run)
        yield bias_before_norm.finding(
            layers_of(run),
            f"bias before a {_norm(facts, run[0]).function} norm",
            f"{plural(count, 'parameter')} without effect",
            [
                facts.remedy(
                    order_to_set(facts, run, "bias", False), [Edit(node.name, "bias", False) for node in run], safe=True
                )
            ],
        )


def _norm(facts: Facts, node: SizedNode) -> Norm:
    reader = facts.reader(node)
    assert reader is not None and isinstance(reader.op, Norm)
    return reader.op


def _is_useless(facts: Facts, node: SizedNode) -> bool:
    assert isinstance(node.op, (Conv, Dense))
    reader = facts.reader(node)
    return (
        node.op.bias
        and reader is not None
        and isinstance(reader.op, Norm)
        and reader.op.function in ("batch", "instance")
    )
