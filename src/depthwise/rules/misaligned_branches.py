"""SHP006: branches that meet without looking at the same place."""

from __future__ import annotations

from collections.abc import Iterator

from depthwise.analysis.alignment import SHIFTED_JUMPS, Misalignment, find_misalignments
from depthwise.graph import Edit
from depthwise.layers import Conv2D, GlobalAvgPool2D, Output, Residual
from depthwise.layers.ops import Conv, Merge, Pool
from depthwise.rules.facts import Facts
from depthwise.rules.finding import Finding, Remedy, name_each
from depthwise.rules.rule import Example, rule
from depthwise.rules.wording import pixels


@rule(
    "SHP006",
    "warning",
    title="Branches are joined whose units look at different places of the image.",
    why="A sum or stack takes it that unit o of both branches belongs to one place. If the middles of what they see "
    "lie more than half a unit apart, another unit is the nearer one, and borders of objects smear. Half a unit "
    'exactly, as padding "same" gives with stride 2, is information only.',
    source="Araujo, Norris, Sim: Computing Receptive Fields of Convolutional Neural Networks, Distill 2019, on aligned "
    "centers.",
    bad=Example(
        (
            Conv2D(16, padding="same"),
            Residual(
                (Conv2D(32, 3, stride=2, padding="same"), Conv2D(32, 3, padding="same", activation=None)),
                shortcut=(Conv2D(32, 3, stride=2, padding=1, activation=None),),
            ),
            GlobalAvgPool2D(),
            Output(10),
        ),
        (1, 14, 14),
    ),
    good=Example(
        (
            Conv2D(16, padding="same"),
            Residual(
                (Conv2D(32, 3, stride=2, padding=1), Conv2D(32, 3, padding="same", activation=None)),
                shortcut=(Conv2D(32, 3, stride=2, padding=1, activation=None),),
            ),
            GlobalAvgPool2D(),
            Output(10),
        ),
        (1, 14, 14),
    ),
)
def misaligned_branches(facts: Facts) -> Iterator[Finding]:
    """Merges whose inputs look at different places."""
    if not any(isinstance(node.op, Merge) for node in facts.nodes.values()):
        return
    for found in find_misalignments(facts.measured.graph):
        shift = tuple(max(places) - min(places) for places in zip(*found.centers, strict=True))
        far = any(here > SHIFTED_JUMPS * jump for here, jump in zip(shift, found.jump, strict=True))
        yield misaligned_branches.finding(
            [found.layer],
            f"adds up views that lie {pixels(shift)} apart",
            f"{name_each(found.sources)}; its units are {pixels(found.jump)} apart",
            [_pad_evenly(facts, found)],
            severity="warning" if far else "info",
        )


def _pad_evenly(facts: Facts, found: Misalignment) -> Remedy | None:
    """Padding of (k - 1) / 2 on both sides of the strided windows before it, if that brings the views together."""
    edits = []
    for node in facts.graph.nodes:
        op = node.op
        if isinstance(op, (Conv, Pool)) and op.padding == "same" and max(op.stride) > 1 and all(k % 2 for k in op.span):
            edits.append((node.layer, Edit(node.name, "padding", tuple(((k - 1) // 2,) * 2 for k in op.span))))
    near = [(layer, edit) for layer, edit in edits if layer.startswith(f"{found.layer}.")] or edits
    remedy = facts.remedy(
        f"Set padding in pixels on {name_each(layer for layer, _ in near)}", [edit for _, edit in near]
    )
    if not near or remedy is None or remedy.trial is None:
        return None
    still = {other.layer for other in find_misalignments(remedy.trial.graph)}
    return None if found.layer in still else remedy
