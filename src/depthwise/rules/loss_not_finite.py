"""TRN001: the loss became inf or nan."""

from __future__ import annotations

from collections.abc import Iterator

from depthwise.analysis.health import NonFinite
from depthwise.rules.facts import Facts
from depthwise.rules.finding import Finding, Remedy
from depthwise.rules.rule import rule
from depthwise.rules.trained import trained


@rule(
    "TRN001",
    "error",
    title="The loss is inf or nan.",
    why="One such value spreads to all weights within a step, and nothing is learned any more. Steps that are too "
    "large are the usual cause: activations and gradients grow from step to step until float32 ends at 3.4e38. The "
    "epoch is trained once more from its beginning to find the first such value.",
    source="Pascanu, Mikolov, Bengio: On the difficulty of training recurrent neural networks, ICML 2013 (exploding "
    "gradients, and shortening them).",
    bad=trained(non_finite=NonFinite(6, 3, "gradient", "conv2d3", "inf")),
    good=trained(),
    needs=("health",),
)
def loss_not_finite(facts: Facts) -> Iterator[Finding]:
    """The first such value."""
    found = facts.training.non_finite
    if found is None:
        return
    what = {
        "image": "the images that the network gets hold",
        "output": f"the output of {found.layer} holds",
        "loss": "all outputs are finite, but their loss is",
        "gradient": f"the gradient of {found.layer} holds",
        "weights": f"a step leaves weights of {found.layer} that hold",
    }[found.place]
    where = f"epoch {found.epoch}" if found.batch is None else f"batch {found.batch} of epoch {found.epoch}"
    message = f"{what} {found.value} in {where}"
    if found.batch is None:
        message = f"the loss became {found.value} in {where}, and did not when the epoch was trained again"
    lower = Remedy(f"Lower learning_rate, which is {facts.training.learning_rate:g}")
    # A loss overflows where outputs are large; that it is nan though they are finite is its own doing.
    first = {
        ("image", found.value): [Remedy("Look at what augment= makes of the images")],
        ("loss", "nan"): [Remedy("Look at loss= and y")],
    }
    exact = [Remedy('Write precision="float32"')] if facts.training.precision == "bfloat16" else []
    yield loss_not_finite.finding(
        [found.layer] if found.layer else [],
        message,
        remedies=[
            *first.get((found.place, found.value), []),
            lower,
            Remedy("Shorten the gradients: callbacks=[GradientClipping(1.0)]"),
            Remedy("Put batch norms behind the convolutions"),
            *exact,
        ],
    )
