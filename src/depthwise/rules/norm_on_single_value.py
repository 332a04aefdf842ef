"""NRM003: batch norms that have one value to take a mean of."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from depthwise.layers import Activation, BatchNorm, Conv2D, Dense, GlobalAvgPool2D, Output
from depthwise.layers.ops import Norm
from depthwise.rules.facts import Facts, layers_of
from depthwise.rules.finding import Finding, Remedy, name_each
from depthwise.rules.rule import Example, rule


@rule(
    "NRM003",
    "error",
    title="A batch norm gets one value a channel.",
    why="With batches of one image and a map of one pixel the variance of a channel is zero: PyTorch refuses to train "
    "such a step. Use larger batches (and drop a last batch of one image), or a norm over channels.",
    source="PyTorch: torch.nn.functional.batch_norm expects more than one value a channel when training.",
    bad=Example(
        (
            Conv2D(16, padding="same"),
            Conv2D(16, padding="same"),
            GlobalAvgPool2D(),
            Dense(16, activation=None, bias=False),
            BatchNorm(),
            Activation("relu"),
            Output(10),
        ),
        (1, 8, 8),
        batch_size=1,
    ),
    good=Example(
        (
            Conv2D(16, padding="same"),
            Conv2D(16, padding="same"),
            GlobalAvgPool2D(),
            Dense(16, activation=None, bias=False),
            BatchNorm(),
            Activation("relu"),
            Output(10),
        ),
        (1, 8, 8),
        batch_size=32,
    ),
    needs=("analysis", "batch_size"),
)
def norm_on_single_value(facts: Facts) -> Iterator[Finding]:
    """All such norms together."""
    single = [node for node in facts.nodes.values() if isinstance(node.op, Norm) and node.op.function == "batch"]
    single = [
        node for node in single if facts.batch_size == 1 and prod(side or 1 for side in node.output_shape[1:]) == 1
    ]
    if single:
        layers = layers_of(single)
        yield norm_on_single_value.finding(
            layers,
            "one value a channel and step has no variance",
            "batch_size=1 and a map of one pixel",
            [Remedy("Train with batch_size=2 or more, or use GroupNorm")],
            place=name_each(layers),
        )
