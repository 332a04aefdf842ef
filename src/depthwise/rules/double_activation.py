"""ACT002: two activations in a row."""

from __future__ import annotations

from collections.abc import Iterator

from depthwise.graph import Remove, SizedNode
from depthwise.layers import Activation, Conv2D, GlobalAvgPool2D, LeakyReLU, MaxPool2D, Output
from depthwise.layers.ops import Activation as ActivationOp
from depthwise.layers.ops import Dropout, Flatten
from depthwise.rules.facts import Facts, is_activation, layers_of
from depthwise.rules.finding import Finding, Remedy
from depthwise.rules.rule import Example, rule
from depthwise.rules.wording import take_out

RECTIFIERS = ("relu", "leaky_relu", "elu")
"""They pass on unchanged what a ReLU lets through."""
OUTPUTS = ("softmax", "log_softmax", "sigmoid", "logsigmoid")


@rule(
    "ACT002",
    "warning",
    title="Two activations stand in a row.",
    why="The second one sees only what the first lets through: behind a ReLU a leaky ReLU has nothing to leak. Mostly "
    "the layer's own default activation was overlooked.",
    source="Nikanjam, Ben Braiek, Morovati, Khomh: Automatic Fault Detection for Deep Learning Programs Using Graph "
    "Transformations, TOSEM 2021 (NeuraLint), has such a rule.",
    bad=Example(
        (
            Conv2D(16, padding="same"),
            MaxPool2D(),
            Conv2D(32, padding="same"),
            LeakyReLU(),
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
            Conv2D(32, padding="same", activation=None),
            Activation("relu"),
            Conv2D(32, padding="same"),
            GlobalAvgPool2D(),
            Output(10),
        ),
        (1, 16, 16),
    ),
)
def double_activation(facts: Facts) -> Iterator[Finding]:
    """Pairs of activations."""
    for node in facts.nodes.values():
        op = node.op
        if not isinstance(op, ActivationOp) or not is_activation(op):
            continue
        if op.function in OUTPUTS and _is_output(facts, node):
            continue
        before = next((other for other in facts.back(node) if not isinstance(other.op, (Dropout, Flatten))), None)
        if before is None or not isinstance(before.op, ActivationOp) or not is_activation(before.op):
            continue
        if facts.reader(before) is None:
            continue
        first, second = before.op.function, op.function
        yield double_activation.finding(
            layers_of([before, node]),
            f"{second} after {first}",
            f"{second} sees only what {first} lets through",
            _remedies(facts, before, node, no_effect=first == "relu" and second in RECTIFIERS),
        )


def _is_output(facts: Facts, node: SizedNode) -> bool:
    return node.name == facts.last.name


def _remedies(facts: Facts, first: SizedNode, second: SizedNode, no_effect: bool) -> list[Remedy | None]:
    """Take the first one out, as was probably meant, or the second, which may have no effect."""
    return [
        facts.remedy(take_out(facts, first, _function(first)), [Remove(first.name)]),
        facts.remedy(take_out(facts, second, _function(second)), [Remove(second.name)], safe=no_effect),
    ]


def _function(node: SizedNode) -> str:
    assert isinstance(node.op, ActivationOp)
    return node.op.function
