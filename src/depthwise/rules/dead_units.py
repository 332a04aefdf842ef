"""TRN007: units that give one value for all images."""

from __future__ import annotations

from collections.abc import Iterator

from depthwise.rules.facts import Facts
from depthwise.rules.finding import Finding, Remedy
from depthwise.rules.rule import rule
from depthwise.rules.trained import trained
from depthwise.rules.wording import percent

MANY, SOME = 0.8, 0.4
"""Share of the units of a layer.  CS231n names 40 % as what too high a learning rate does; healthy dense layers of
tests/training/test_health.py come to 70 %."""


@rule(
    "TRN007",
    "warning",
    title="Many units of a layer give the same value for all images.",
    why="A rectified unit whose sum is below zero for every image gives zero and gets no gradient: it never comes "
    "back. One large step can do that to many of them. More than 80 % of a layer is a warning, more than 40 % is worth "
    "knowing.",
    source="Karpathy: CS231n, Neural Networks Part 1, on ReLU: as much as 40 % of a network can be dead if the "
    "learning rate is too high; Lu, Shin, Su, Karniadakis: Dying ReLU and Initialization, 2020.",
    bad=trained(layers={"conv2d4": {"dead": (0, 9, 20, 24, 26)}}),
    good=trained(),
    needs=("health",),
)
def dead_units(facts: Facts) -> Iterator[Finding]:
    """Layer by layer, after the last epoch."""
    for layer in facts.training.layers:
        share = layer.dead_share
        if share <= SOME:
            continue
        begun = f"{layer.dead[0]} after the first epoch"
        yield dead_units.finding(
            [layer.layer],
            f"{layer.dead[-1]} of {layer.units} units give the same for all images",
            f"{percent(share)}; {begun}",
            [
                Remedy(f"Lower learning_rate, which is {facts.training.learning_rate:g}"),
                Remedy(f"Put a batch norm into {layer.layer}, before its activation"),
                Remedy("Write LeakyReLU() instead of relu"),
            ],
            severity="warning" if share > MANY else "info",
        )
