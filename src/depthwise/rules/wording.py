"""How rules speak: numbers with their units, and orders in the words of whoever wrote the network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

from depthwise.graph import SizedNode
from depthwise.rules.facts import Facts
from depthwise.rules.finding import name_run


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


def plural(count: int, noun: str) -> str:
    """Write a count.

    >>> plural(1, "row"), plural(2, "row")
    ('1 row', '2 rows')
    """
    return f"{count:,} {noun}{'s' * (count != 1)}"


def square(value: Sequence[int]) -> str:
    """Write a setting of all axes as a layer takes it.

    >>> square((2, 2)), square((2, 3))
    ('2', '(2, 3)')
    """
    return str(value[0]) if len(set(value)) == 1 else str(tuple(value))


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


def order_to_remove(facts: Facts, layers: Iterable[str]) -> str:
    """Order to take layers out."""
    names = list(layers)
    if facts.root is None or len(names) != 1:
        return f"Remove {name_run(names)}"
    if names[0] not in facts.modules:
        return f"Leave out {names[0]}, which forward calls"
    return f"Set {facts.root}.{names[0]} = nn.Identity()"
