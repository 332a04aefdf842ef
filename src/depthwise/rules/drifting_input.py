"""TRN008: layers whose input moves from epoch to epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from depthwise.analysis.health import LayerHealth
from depthwise.rules.facts import Facts
from depthwise.rules.finding import Finding, Remedy, name_each
from depthwise.rules.rule import rule
from depthwise.rules.trained import trained

SHIFT = 2.0
"""How far the mean may move between two epochs, in standard deviations of the epoch before."""
SPREAD = 4.0
"""Times by which the standard deviation may grow or shrink."""
LEARNING = 0.9
"""Share of the train loss of an epoch that the next one has left where much is learned.  Then layers may move: healthy
trainings of tests/training/test_health.py have shifts of 3 and spreads of 6 there, but not of 1 and 2 elsewhere."""


@rule(
    "TRN008",
    "warning",
    title="What a layer reads keeps moving.",
    why="A layer learns for the inputs it has seen. Where their mean or spread over the same images changes from one "
    "epoch to the next, and the loss is none the better for it, the layer has to start again; batch normalization was "
    "made against that. Told are shifts of more than two standard deviations, and spreads that change by more than "
    "four times, while the train loss fell by less than a tenth.",
    source="Ioffe, Szegedy: Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate "
    "Shift, ICML 2015. The bounds are ours.",
    bad=trained(
        layers={"conv2d4": {"input_mean": (0.5, 0.6, 0.6, 0.8, 9.0), "input_std": (1.0, 1.1, 1.2, 1.2, 8.0)}},
        epochs={"train_loss": (1.2, 0.8, 0.7, 0.66, 0.65), "valid_loss": (1.1, 0.8, 0.75, 0.75, 0.75)},
    ),
    good=trained(),
    needs=("health",),
)
def drifting_input(facts: Facts) -> Iterator[Finding]:
    """All such layers together; the first layer reads the images, which stay."""
    losses = facts.training.train_losses
    idle = [
        place
        for place, (old, new) in enumerate(pairwise(losses))
        if new > LEARNING * old and old < LEARNING * losses[0]  # before that, learning has not begun
    ]
    drifts = {layer.layer: _drift(layer, idle) for layer in facts.training.layers}
    found = {name: drift for name, drift in drifts.items() if drift is not None}
    if found:
        place = max(found, key=lambda name: found[name][0])
        yield drifting_input.finding(
            list(found),
            f"the input of {place} {found[place][1]}",
            remedies=[
                Remedy(f"Put a batch norm before {place}"),
                Remedy(f"Lower learning_rate, which is {facts.training.learning_rate:g}"),
            ],
            place=name_each(found),
        )


def _drift(layer: LayerHealth, idle: Sequence[int]) -> tuple[float, str] | None:
    """The largest drift after some epochs, as a share of its bound and in words."""
    worst: tuple[float, str] | None = None
    for place in idle:
        (mean, new_mean), (std, new_std) = layer.input_mean[place : place + 2], layer.input_std[place : place + 2]
        if mean is None or new_mean is None or not std or not new_std:
            continue
        shift, growth = abs(new_mean - mean) / std, max(new_std / std, std / new_std)
        told = f"moved from {mean:.3g} ± {std:.3g} to {new_mean:.3g} ± {new_std:.3g} in one epoch"
        size = max(shift / SHIFT, growth / SPREAD)
        if size > 1 and (worst is None or size > worst[0]):
            worst = size, told
    return worst
