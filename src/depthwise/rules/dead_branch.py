"""SHP011: layers that nothing reads."""

from __future__ import annotations

from collections.abc import Iterator

from depthwise.graph import Remove
from depthwise.layers import Conv2D, GlobalAvgPool2D, Output
from depthwise.rules.facts import Facts, layers_of
from depthwise.rules.finding import Finding, Remedy, name_each
from depthwise.rules.rule import Example, rule
from depthwise.rules.wording import order_to_remove, plural


@rule(
    "SHP011",
    "error",
    title="A layer leads nowhere, or a module is never called.",
    why="Its weights get no gradient: they are stored, moved and never learned. Mostly a name was misspelled, or an "
    "old layer was left in place. Where it is meant (an auxiliary output), ignore the rule.",
    source="Arithmetic: no path to the output.",
    bad=Example(
        (
            Conv2D(16, padding="same", name="stem"),
            Conv2D(16, padding="same", name="forgotten"),
            Conv2D(32, padding="same", inputs=("stem",)),
            Conv2D(32, padding="same"),
            GlobalAvgPool2D(),
            Output(10),
        ),
        (1, 10, 10),
    ),
    good=Example(
        (
            Conv2D(16, padding="same"),
            Conv2D(32, padding="same"),
            Conv2D(32, padding="same"),
            GlobalAvgPool2D(),
            Output(10),
        ),
        (1, 10, 10),
    ),
)
def dead_branch(facts: Facts) -> Iterator[Finding]:
    """Nodes without a path to the output, and weights that no operation reads."""
    alive = {facts.last.name}
    for node in reversed(facts.nodes.values()):
        if node.name in alive:
            alive.update(node.node.inputs)
    dead = [node for node in facts.nodes.values() if node.name not in alive and node.node.inputs]
    if dead:
        layers = layers_of(dead)
        params = sum(node.node.params or 0 for node in dead)
        edits = [Remove(node.name) for node in reversed(dead)]
        yield dead_branch.finding(
            layers,
            "nothing reads what comes out",
            f"{plural(params, 'parameter')} that cannot learn",
            [facts.remedy(_order(facts, layers), edits, safe=True)],
            place=name_each(layers),
        )
    unused = facts.measured.graph.unused
    if unused:
        names = [name for name, _ in unused]
        yield dead_branch.finding(
            names,
            "no operation reads these weights",
            f"{plural(sum(count for _, count in unused), 'parameter')} that cannot learn",
            [Remedy(f"Delete {name_each(names)} from the module")],
            place=name_each(names),
        )


def _order(facts: Facts, layers: tuple[str, ...]) -> str:
    return order_to_remove(facts, layers) if len(layers) == 1 else f"Remove {name_each(layers)}"
