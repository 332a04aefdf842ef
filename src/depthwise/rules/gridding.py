"""SHP010: dilated convolutions that leave holes."""

from __future__ import annotations

from collections.abc import Iterator

from depthwise.analysis.intervals import UnitViews
from depthwise.graph import Edit, SizedNode
from depthwise.layers import Conv2D, GlobalAvgPool2D, Output
from depthwise.layers.ops import Conv
from depthwise.rules.facts import Facts, find_runs, layers_of
from depthwise.rules.finding import Finding, Remedy
from depthwise.rules.rule import Example, rule
from depthwise.rules.torch_words import square
from depthwise.rules.wording import order_to_change, order_to_set, plural


@rule(
    "SHP010",
    "warning",
    title="Dilated convolutions leave pixels unread inside of what they see.",
    why="Rates that share a factor, or grow too fast, let a unit look at the image through a grid: neighboring pixels "
    "are never brought together. Rates such as 1, 2, 3 leave no holes.",
    source="Wang, Chen, Yuan, Liu, Huang, Hou, Cottrell: Understanding Convolution for Semantic Segmentation, WACV "
    "2018 (hybrid dilated convolution).",
    bad=Example(
        (
            Conv2D(16, padding="same", dilation=2),
            Conv2D(16, padding="same", dilation=4),
            GlobalAvgPool2D(),
            Output(10),
        ),
        (1, 16, 16),
    ),
    good=Example(
        (
            Conv2D(16, padding="same"),
            Conv2D(16, padding="same", dilation=2),
            Conv2D(16, padding="same", dilation=3),
            GlobalAvgPool2D(),
            Output(10),
        ),
        (1, 16, 16),
    ),
)
def gridding(facts: Facts) -> Iterator[Finding]:
    """Runs of dilated convolutions behind which a unit sees holes that are theirs."""
    dilated = [node for node in facts.filters if isinstance(node.op, Conv) and max(node.op.dilation) > 1]
    if not dilated:
        return
    views = UnitViews(facts.measured.graph)
    for run in find_runs(dilated, facts.filters):
        holes = max(views.holes(run[-1].name, axis) for axis in range(len(facts.size)))
        before = max(views.holes(run[0].node.inputs[0], axis) for axis in range(len(facts.size)))
        if holes <= before:
            continue
        rates = ", ".join(square(node.op.dilation) for node in run)  # type: ignore[attr-defined]
        yield gridding.finding(
            layers_of(run),
            f"{plural(holes, 'pixel')} unread inside of a unit's view",
            f"dilation {rates}",
            [_closer(facts, run, before)],
        )


def _closer(facts: Facts, run: tuple[SizedNode, ...], allowed: int) -> Remedy | None:
    """Rates 1, 2, 3, ... but none larger than it was."""
    rates = [
        tuple(min(rate, place) for rate in node.op.dilation)  # type: ignore[attr-defined]
        for place, node in enumerate(run, 1)
    ]
    edits = [Edit(node.name, "dilation", rate) for node, rate in zip(run, rates, strict=True)]
    for node, rate in zip(run, rates, strict=True):
        op = node.op
        assert isinstance(op, Conv)
        kept = [d * (k - 1) for d, k in zip(op.dilation, op.kernel_size, strict=True)]
        if op.padding != "same" and [lo + hi for lo, hi in op.sides] == kept:
            sides = tuple((d * (k - 1) // 2, -(-d * (k - 1) // 2)) for d, k in zip(rate, op.kernel_size, strict=True))
            edits.append(Edit(node.name, "padding", sides))
    if facts.root is not None and {node.name for node in run} <= facts.modules:
        order = order_to_change(facts, edits)
    else:
        order = order_to_set(facts, run, "dilation", ", ".join(map(square, rates)))
    remedy = facts.remedy(order, edits)
    if remedy is None or remedy.trial is None:
        return None
    views = UnitViews(remedy.trial.graph)
    still = max(views.holes(run[-1].name, axis) for axis in range(len(facts.size)))
    return remedy if still <= allowed else None
