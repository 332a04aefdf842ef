"""How rules speak: numbers with their units, and orders in the words of whoever wrote the network."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from depthwise.graph import Change, Edit, SizedNode
from depthwise.rules.facts import Facts
from depthwise.rules.finding import MOST_NAMES, name_run
from depthwise.rules.torch_words import square, write_module


def percent(ratio: float) -> str:
    """Write a ratio.

    >>> percent(1 / 6)
    '16.7 %'
    """
    return f"{100 * ratio:.1f} %"


def pixels(value: object) -> str:
    """Write a distance, or one an axis where they differ.

    >>> pixels(3), pixels((3, 3)), pixels((3, 5))
    ('3 px', '3 px', '3x5 px')
    """
    values = value if isinstance(value, tuple) else (value,)
    texts = [_plain(each) for each in values]
    return f"{texts[0] if len(set(texts)) == 1 else 'x'.join(texts)} px"


def _plain(value: object) -> str:
    return f"{float(value):.3g}" if isinstance(value, (float, Fraction)) else str(value)


def plural(count: int, noun: str, several: str | None = None) -> str:
    """Write a count.

    >>> plural(1, "row"), plural(2, "row"), plural(2, "fix", "fixes")
    ('1 row', '2 rows', '2 fixes')
    """
    return f"{count:,} {noun if count == 1 else several or noun + 's'}"


def order_to_set(facts: Facts, nodes: Iterable[SizedNode], argument: str, value: object) -> str:
    """Order to change an argument of some layers.

    Layer lists are told ``Set bias=False on conv2d1``, modules ``Set model.conv1.bias = None``.
    """
    chosen = list(nodes)
    if facts.root is None:
        return f"Set {argument}={value} on {name_run(dict.fromkeys(node.node.layer for node in chosen))}"
    if chosen[0].name not in facts.modules:
        return f"Set {argument} to {value} where forward calls {chosen[0].name}"
    named = [f"{facts.root}.{node.name}.{argument}" for node in chosen]
    more = f", and likewise on {len(named) - 1} more up to {chosen[-1].name}" if len(named) > 1 else ""
    return f"Set {named[0]} = {'None' if argument == 'bias' and value is False else value}{more}"


def order_to_replace(
    facts: Facts, nodes: Iterable[SizedNode], argument: str, value: object, edits: Iterable[Change]
) -> str:
    """Order to change an argument that makes the weights: modules are told the whole new module.

    Setting ``kernel_size`` on an ``nn.Conv2d`` changes nothing, its weights stay as they are.
    """
    chosen = list(nodes)
    trial = facts.attempt(edits)
    if facts.root is None or trial is None:
        return order_to_set(facts, chosen, argument, value)
    planned = {node.name: write_module(node.op) for node in trial.graph.nodes}
    if not all(node.name in facts.modules and planned[node.name] for node in chosen):
        return order_to_set(facts, chosen, argument, value)
    return f"Set {_several([f'{facts.root}.{node.name} = {planned[node.name]}' for node in chosen])}"


def order_to_change(facts: Facts, edits: Iterable[Edit]) -> str:
    """Order to set attributes of submodules, each with its own value: ``Set model.0.dilation = 1 and padding = 1``."""
    by_node: dict[str, list[str]] = {}
    for edit in edits:
        value = edit.value
        if isinstance(value, tuple):
            pairs = [side if isinstance(side, tuple) else (side, side) for side in value]
            value = square([lo for lo, _ in pairs]) if all(lo == hi for lo, hi in pairs) else value
        by_node.setdefault(edit.node, []).append(f"{edit.attribute} = {value}")
    return f"Set {_several([f'{facts.root}.{name}.' + ' and '.join(told) for name, told in by_node.items()])}"


def _several(orders: list[str]) -> str:
    rest = len(orders) - MOST_NAMES
    return ", ".join(orders[:MOST_NAMES]) + (f", and likewise {rest} more" if rest > 0 else "")


def order_to_put(facts: Facts, layer: str, module: str, where: str, node: SizedNode) -> str:
    """Order to put a layer ``before`` or ``behind`` a node: as a record in lists, as a module of PyTorch elsewhere."""
    if facts.root is None:
        return f"Put {layer} {where} {node.node.layer}"
    return f"Put {module} {where} {facts.root}.{node.name}"


def take_out(facts: Facts, node: SizedNode, function: str) -> str:
    """Order to take an activation out of the layer it belongs to."""
    if facts.root is None:
        return f"Take {function} out of {node.node.layer}"
    return order_to_remove(facts, [node.name])


def order_to_remove(facts: Facts, layers: Iterable[str]) -> str:
    """Order to take layers out."""
    names = list(layers)
    if facts.root is None or len(names) != 1:
        return f"Remove {name_run(names)}"
    if names[0] not in facts.modules:
        return f"Leave out {names[0]}, which forward calls"
    return f"Set {facts.root}.{names[0]} = nn.Identity()"
