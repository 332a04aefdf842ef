"""TRN019: batch norms that take means of few images."""

from __future__ import annotations

from collections.abc import Iterator

from depthwise.rules.facts import Facts
from depthwise.rules.finding import Finding, Remedy, name_each
from depthwise.rules.rule import rule
from depthwise.rules.trained import trained

FEWEST = 8
"""Images a batch.  ResNet-50 on ImageNet has errors of 23.7, 24.8, 27.3 and 34.7 % with 16, 8, 4 and 2 images."""


@rule(
    "TRN019",
    "warning",
    title="Batch norms see few images at a time.",
    why="They scale by the mean and the spread of the batch. Of a handful of images these are mostly noise, and other "
    "than those that are used for new images. Below 8 images a batch the error grows.",
    source="Wu, He: Group Normalization, ECCV 2018, figure 1 and table 2.",
    bad=trained(batch_norms=("conv2d1", "conv2d3"), batch_size=4),
    good=trained(batch_norms=("conv2d1", "conv2d3")),
    needs=("health",),
)
def tiny_norm_batches(facts: Facts) -> Iterator[Finding]:
    """All batch norms together."""
    health = facts.training
    if health.batch_norms and health.batch_size < FEWEST:
        yield tiny_norm_batches.finding(
            health.batch_norms,
            f"batch norms over {health.batch_size} images a step",
            remedies=[
                Remedy("Write batch_size=32"),
                Remedy("Take GroupNorm instead, which knows no batch"),
            ],
            place=name_each(health.batch_norms),
        )
