"""TRN020: differences that bfloat16 cannot hold."""

from __future__ import annotations

from collections.abc import Iterator

from depthwise.rules.facts import Facts
from depthwise.rules.finding import Finding, Remedy, name_each
from depthwise.rules.rule import rule
from depthwise.rules.trained import trained

COARSE = 64.0
"""Mean by standard deviation.  bfloat16 has 8 binary digits: next to a value m it knows steps of m / 128 to m / 256,
so that from here on a standard deviation is two to four steps."""


@rule(
    "TRN020",
    "warning",
    title="bfloat16 is too coarse for what a layer reads.",
    why="bfloat16 keeps 8 binary digits. Values that differ little beside their mean become equal: where the mean is "
    "64 times the spread, the whole spread is two to four steps of the number format.",
    source="Kalamkar et al.: A Study of BFLOAT16 for Deep Learning Training, 2019 (8 bits of exponent, 7 of mantissa "
    "and the implied one). The bound follows from them.",
    bad=trained(precision="bfloat16", layers={"conv2d3": {"input_mean": 900.0, "input_std": 5.0}}),
    good=trained(precision="bfloat16"),
    needs=("health",),
)
def coarse_bfloat16(facts: Facts) -> Iterator[Finding]:
    """After the last epoch."""
    if facts.training.precision != "bfloat16":
        return
    ends = {
        layer.layer: (layer.input_mean[-1] or 0.0, layer.input_std[-1] or 0.0)
        for layer in facts.training.layers
        if layer.input_std
    }
    coarse = [name for name, (mean, std) in ends.items() if std and abs(mean) > COARSE * std]
    if coarse:
        mean, std = ends[coarse[0]]
        yield coarse_bfloat16.finding(
            coarse,
            f"the input of {coarse[0]} is {mean:.3g} ± {std:.3g}, of which bfloat16 keeps {256 * std / abs(mean):.1f} "
            "steps at most",
            remedies=[
                Remedy("Standardize the images (standardize=True), or put a batch norm before it"),
                Remedy('Write precision="float32"'),
            ],
            place=name_each(coarse),
        )
