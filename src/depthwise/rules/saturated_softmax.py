"""TRN009: answers that are certain and wrong."""

from __future__ import annotations

from collections.abc import Iterator

from depthwise.rules.facts import Facts
from depthwise.rules.finding import Finding, Remedy
from depthwise.rules.rule import rule
from depthwise.rules.trained import trained
from depthwise.rules.wording import percent

WRONG = 0.1
"""Share of the validation images that are certain and wrong at least."""


@rule(
    "TRN009",
    "warning",
    title="The network is certain, and wrong.",
    why="A softmax gives a probability above 0.9999 where the scores differ by ten or more. Its gradient is then zero "
    "for right answers and does not care how wrong the others are. Where more images are certain than are right, "
    "at least the difference is both. Scores that are too large come from images of large values, from weights of "
    "large values, or from too high a learning rate.",
    source="Goodfellow, Bengio, Courville: Deep Learning, 2016, section 6.2.2.3 (softmax units saturate); Guo, Pleiss, "
    "Sun, Weinberger: On Calibration of Modern Neural Networks, ICML 2017. The bound is ours.",
    bad=trained(epochs={"certain": (0.9, 0.9, 0.95, 0.95, 0.97), "valid_accuracy": (0.4, 0.5, 0.5, 0.55, 0.6)}),
    good=trained(),
    needs=("health",),
)
def saturated_softmax(facts: Facts) -> Iterator[Finding]:
    """After the last epoch."""
    last = facts.training.epochs[-1] if facts.training.epochs else None
    if last is None or last.certain is None or last.valid_accuracy is None:
        return
    if last.certain - last.valid_accuracy > WRONG:
        yield saturated_softmax.finding(
            [layer.layer for layer in facts.training.layers[-1:]],
            f"{percent(last.certain)} of the answers have a probability above 0.9999, but "
            f"{percent(last.valid_accuracy)} are right",
            remedies=[
                Remedy(f"Lower learning_rate, which is {facts.training.learning_rate:g}"),
                Remedy("Raise label_smoothing, to 0.1 say, or weight_decay"),
                Remedy("Leave standardize=True, the default, if it was switched off"),
            ],
        )
