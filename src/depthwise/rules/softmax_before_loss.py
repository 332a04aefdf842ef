"""HED001: an activation that the loss applies again."""

from __future__ import annotations

from collections.abc import Iterator

from depthwise.graph import Remove
from depthwise.layers import Activation, Conv2D, GlobalAvgPool2D, MaxPool2D, Output
from depthwise.layers.ops import Activation as ActivationOp
from depthwise.rules.facts import Facts
from depthwise.rules.finding import Finding
from depthwise.rules.losses import plain_loss
from depthwise.rules.rule import Example, rule
from depthwise.rules.wording import take_out

APPLIED = {
    "crossentropy": ("softmax", "log_softmax", "sigmoid"),
    "bcewithlogits": ("sigmoid", "softmax", "log_softmax", "logsigmoid"),
    "binarycrossentropywithlogits": ("sigmoid", "softmax", "log_softmax", "logsigmoid"),
    "multilabelsoftmargin": ("sigmoid",),
    "nll": ("softmax", "sigmoid"),
}
"""Losses, without marks and the word loss -> output activations that do not go with them."""


@rule(
    "HED001",
    "error",
    title="The output has a softmax or sigmoid that does not go with the loss.",
    why="Cross entropy takes logits and applies the softmax itself; a second one squeezes all classes together, "
    "gradients almost vanish, and training seems to work but ends far too early. The negative log likelihood "
    "wants log_softmax.",
    source="PyTorch, documentation of CrossEntropyLoss, BCEWithLogitsLoss and NLLLoss.",
    bad=Example(
        (
            Conv2D(16, padding="same"),
            MaxPool2D(),
            *[Conv2D(32, padding="same")] * 2,
            GlobalAvgPool2D(),
            Output(10),
            Activation("softmax"),
        ),
        (1, 16, 16),
        loss="cross_entropy",
    ),
    good=Example(
        (Conv2D(16, padding="same"), MaxPool2D(), *[Conv2D(32, padding="same")] * 2, GlobalAvgPool2D(), Output(10)),
        (1, 16, 16),
        loss="cross_entropy",
    ),
    needs=("analysis", "loss"),
)
def softmax_before_loss(facts: Facts) -> Iterator[Finding]:
    """The output's activation, if the loss applies it too."""
    op = facts.last.op
    if isinstance(op, ActivationOp) and op.function in APPLIED.get(plain_loss(facts.loss or ""), ()):
        yield softmax_before_loss.finding(
            [facts.last.node.layer],
            f"{op.function} before loss {facts.loss!r}",
            "the loss takes log_softmax" if plain_loss(facts.loss or "") == "nll" else "the loss takes logits",
            [facts.remedy(take_out(facts, facts.last, op.function), [Remove(facts.last.name)])],
        )
