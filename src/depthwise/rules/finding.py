"""What a rule has to say: findings, their remedies, and fixes that can be applied and have a price."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, Literal

from depthwise.analysis import Analysis, analyze_graph
from depthwise.analysis.layer_table import write_bytes, write_count
from depthwise.graph import Change, SizedGraph

Severity = Literal["error", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")
"""Gravest first: an error cannot be trained as it is, a warning costs accuracy or work, info is worth knowing."""

MOST_NAMES = 3
"""Layers that are named one by one before a list of them is cut."""


@dataclass(frozen=True)
class Costs:
    """What a network costs for one image, and what its last filter sees.

    Attributes
    ----------
    params, macs, activation_bytes
        As in :class:`~depthwise.analysis.Analysis`.
    coverage
        Reach of the last convolution by the side of the image, largest axis; ``None`` where there is none.
    """

    params: int
    macs: int
    activation_bytes: int
    coverage: float | None

    @classmethod
    def of(cls, analysis: Analysis) -> Costs:
        """Costs of an analyzed network."""
        seen = [max(row.coverage) for row in analysis.layers if row.coverage is not None]
        return cls(analysis.params, analysis.macs, analysis.activation_bytes, seen[-1] if seen else None)


@dataclass(frozen=True)
class Price:
    """What a remedy changes: the costs before and after it.

    Examples
    --------
    >>> print(Price(Costs(10_000, 2_000_000, 4096, 0.5), Costs(5_000, 1_000_000, 2048, 1.0)))
    params 10 k -> 5 k, MACs 2 M -> 1 M, memory 4 KiB -> 2 KiB, coverage 50 % -> 100 %
    """

    before: Costs
    after: Costs

    def __str__(self) -> str:
        old, new = self.before, self.after
        pairs = [
            ("params", write_count(old.params), write_count(new.params)),
            ("MACs", write_count(old.macs), write_count(new.macs)),
            ("memory", write_bytes(old.activation_bytes), write_bytes(new.activation_bytes)),
            ("coverage", _percent(old.coverage), _percent(new.coverage)),
        ]
        told = [f"{what} {was} -> {now}" for what, was, now in pairs if was != now]
        if not told and old.params != new.params:
            told = [f"params {old.params:,} -> {new.params:,}"]
        return ", ".join(told) or "changes no cost"

    def to_dict(self) -> dict[str, Any]:
        """Both costs as values that JSON can hold."""
        return {"before": asdict(self.before), "after": asdict(self.after)}


def _percent(ratio: float | None) -> str:
    return "none" if ratio is None else f"{100 * ratio:.0f} %"


@dataclass(frozen=True)
class Fix:
    """Changes of a graph that carry a remedy out.

    Attributes
    ----------
    edits
        What is set, put in and taken out, in this order.
    safe
        Whether the network can compute the same functions afterwards; else it is a proposal.
    """

    edits: tuple[Change, ...]
    safe: bool = False


@dataclass(frozen=True)
class Remedy:
    """One way to mend a finding.

    Attributes
    ----------
    title
        What to do, as an order without the full stop.
    fix
        How the machine does it, or ``None`` where a person has to.
    trial
        The network as it would be, where that can be told.
    """

    title: str
    fix: Fix | None = None
    trial: Trial | None = field(default=None, repr=False, compare=False)

    @cached_property
    def price(self) -> Price | None:
        """Costs before and after it; ``None`` where it is only told."""
        return None if self.trial is None else self.trial.price

    def to_dict(self) -> dict[str, Any]:
        """The remedy as values that JSON can hold."""
        fix = (
            None
            if self.fix is None
            else {"safe": self.fix.safe, "edits": [_edit_dict(edit) for edit in self.fix.edits]}
        )
        return {"title": self.title, "fix": fix, "price": None if self.price is None else self.price.to_dict()}


@dataclass(frozen=True)
class Trial:
    """A network before and after a remedy; measured only when someone asks for the price."""

    before: Analysis
    graph: SizedGraph

    @cached_property
    def after(self) -> Analysis:
        """The mended network."""
        return analyze_graph(self.graph)

    @cached_property
    def price(self) -> Price:
        """Costs of both."""
        return Price(Costs.of(self.before), Costs.of(self.after))


@dataclass(frozen=True)
class Finding:
    """One thing that a rule found.

    Attributes
    ----------
    code, name, severity
        The rule's, as in ``CAP001 low-capacity``; the severity of this very case.
    layers
        Names of the layers it is about, in order; none where it is the whole network.
    place
        The same as a text: ``conv2d9..conv2d10``.
    message
        What is wrong, in one line.
    why
        The numbers of this network behind it.
    remedies
        Ways to mend it, the best first.
    """

    code: str
    name: str
    severity: Severity
    layers: tuple[str, ...]
    place: str
    message: str
    why: str
    remedies: tuple[Remedy, ...] = ()

    @property
    def fix(self) -> Fix | None:
        """The fix of the first remedy that has one, safe ones first."""
        fixes = [remedy.fix for remedy in self.remedies if remedy.fix is not None]
        return next((fix for fix in fixes if fix.safe), fixes[0] if fixes else None)

    def __str__(self) -> str:
        why = f" ({self.why})" if self.why else ""
        remedy = self.remedies[0] if self.remedies else None
        order = f" {remedy.title}{' [*]' * (remedy.fix is not None)}." if remedy else ""
        return f"{self.place}: {self.code} {self.name} {self.severity}: {self.message}{why}.{order}"

    def to_dict(self) -> dict[str, Any]:
        """The finding as values that JSON can hold."""
        plain = {key: getattr(self, key) for key in ("code", "name", "severity", "place", "message", "why")}
        remedies = [remedy.to_dict() for remedy in self.remedies]
        return {**plain, "layers": list(self.layers), "remedies": remedies}


def name_run(layers: Iterable[str]) -> str:
    """Name a run of layers: ``conv2d9..conv2d10``.

    >>> name_run(["conv2d9", "conv2d10", "conv2d11"]), name_run(["conv2d1"]), name_run([])
    ('conv2d9..conv2d11', 'conv2d1', 'network')
    """
    names = list(layers)
    return "network" if not names else names[0] if len(names) == 1 else f"{names[0]}..{names[-1]}"


def name_each(layers: Iterable[str]) -> str:
    """Name layers that do not follow each other.

    >>> name_each(["a", "b"]), name_each("abcde")
    ('a, b', 'a, b, c and 2 more')
    """
    names = list(dict.fromkeys(layers))
    rest = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + rest if names else "network"


def _edit_dict(edit: Change) -> dict[str, Any]:
    plain = {key: value for key, value in asdict(edit).items() if key != "op"}
    operation = {"op": type(edit.op).__name__, **asdict(edit.op)} if hasattr(edit, "op") else {}
    return {"edit": type(edit).__name__.lower(), **plain, **({"op": operation} if operation else {})}
