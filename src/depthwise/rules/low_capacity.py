"""CAP001: filters that are small against what they look at."""

from __future__ import annotations

from collections.abc import Iterator

from depthwise.analysis import MIN_CAPACITY
from depthwise.graph import SizedNode
from depthwise.layers import Conv2D, GlobalAvgPool2D, MaxPool2D, Output
from depthwise.rules.facts import Facts, find_runs, layers_of
from depthwise.rules.finding import Finding, Severity
from depthwise.rules.remedies import cut_tail, pool_before
from depthwise.rules.rule import Example, rule
from depthwise.rules.wording import percent, pixels


@rule(
    "CAP001",
    "warning",
    title="A convolution's filter is small against its receptive field.",
    why="Capacity is the side of a filter in the image by what the filter reaches. Below 1/6 the layer sees too small "
    "a part of its field at once to learn new patterns in it, and mostly repeats what the layers before it can "
    "do. Pooling makes the next filters look wider and brings capacity back. Along a branch that skips layers the "
    "reach is shorter: if the shortest way keeps the bound, the finding is information only.",
    source="Cao: A practical theory for designing very deep convolutional neural networks, 2015; the bound 1/6 was "
    "found empirically on plain stacks, and made known by nolearn's tables.",
    bad=Example((*[Conv2D(16, padding="same")] * 9, GlobalAvgPool2D(), Output(10)), (1, 32, 32)),
    good=Example(
        (
            *[Conv2D(16, padding="same")] * 6,
            MaxPool2D(),
            *[Conv2D(32, padding="same")] * 3,
            GlobalAvgPool2D(),
            Output(10),
        ),
        (1, 32, 32),
    ),
)
def low_capacity(facts: Facts) -> Iterator[Finding]:
    """Convolutions whose capacity is below the bound."""
    verdicts = {node.name: _judge(facts, node) for node in facts.filters}
    for severity in ("warning", "info"):
        flagged = [node for node in facts.filters if verdicts[node.name] == severity]
        # Runs on the main way have a cause each; on ways that blocks go around, all are one.
        runs = [tuple(flagged)] if severity == "info" and flagged else list(find_runs(flagged, facts.filters))
        for run in runs:
            shortest = severity == "warning"
            fields = facts.fields[run[0].name] or ()
            filters = tuple(field.filter for field in fields)
            reach = tuple(field.least_reach if shortest else field.reach for field in fields)
            least = min(_capacity(facts, node, shortest) for node in run)
            first = _capacity(facts, run[0], shortest)
            down = f", down to {percent(least)}" if percent(least) != percent(first) else ""
            yield low_capacity.finding(
                layers_of(run),
                f"capacity {percent(first)} < {percent(MIN_CAPACITY)}{down}",
                f"filter {pixels(filters)}, reach {pixels(reach)}",
                [pool_before(facts, run[0]), cut_tail(facts, run)] if severity == "warning" else [],
                severity=severity,
            )


def _judge(facts: Facts, node: SizedNode) -> Severity | None:
    if _capacity(facts, node) >= MIN_CAPACITY:
        return None
    return "warning" if _capacity(facts, node, shortest=True) < MIN_CAPACITY else "info"


def _capacity(facts: Facts, node: SizedNode, shortest: bool = False) -> float:
    ratios = [
        float(field.filter / (field.least_reach if shortest else field.reach))
        for field in facts.fields[node.name] or ()
        if field.filter is not None
    ]
    return min(ratios, default=1.0)
