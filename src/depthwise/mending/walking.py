"""From network to network: fixes applied one after the other, and what came of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from depthwise.analysis import Analysis, analyze_graph
from depthwise.errors import GraphError, RuleError, SizeError
from depthwise.graph import Graph
from depthwise.mending.applying import apply
from depthwise.network import check
from depthwise.rules import Costs, Finding, Findings, Price, Remedy
from depthwise.targets import open_target, read_graph

MOST_STEPS = 60
"""Changes after which a network is given up: each takes a layer out, puts one in, or sets an argument."""


@dataclass(frozen=True)
class Step:
    """One change on the way.

    Attributes
    ----------
    finding
        What it answers.
    title
        What was done.
    price
        Costs before and after it.
    """

    finding: Finding
    title: str
    price: Price | None

    def __str__(self) -> str:
        return f"{self.title} ({self.finding.code} {self.finding.name}){f': {self.price}' if self.price else ''}"


@dataclass(frozen=True)
class Mended:
    """A mended network.

    Attributes
    ----------
    network
        A layer list, an unfitted estimator, or a changed copy of the module.
    steps
        What was changed, in order.
    before, after
        Both networks measured; ``None`` where it did not fit to the images.
    findings
        What is left to say of it.
    """

    network: Any
    steps: tuple[Step, ...]
    before: Analysis | None = field(repr=False)
    after: Analysis | None = field(repr=False)
    findings: Findings = field(repr=False)

    @property
    def price(self) -> Price | None:
        """Costs before the first and after the last step."""
        if self.before is None or self.after is None:
            return None
        return Price(Costs.of(self.before), Costs.of(self.after))

    def to_dict(self) -> dict[str, Any]:
        """Steps, costs and findings as values that JSON can hold."""
        steps = [{"code": step.finding.code, "title": step.title, "price": _plain(step.price)} for step in self.steps]
        return {"steps": steps, "price": _plain(self.price), **self.findings.to_dict()}

    def __str__(self) -> str:
        lines = [f"{place}. {step}" for place, step in enumerate(self.steps, 1)] or ["Nothing to mend."]
        if self.steps and self.price is not None:
            lines.append(f"in all: {self.price}")
        return "\n".join([*lines, str(self.findings)])


def _plain(price: Price | None) -> dict[str, Any] | None:
    return None if price is None else price.to_dict()


@dataclass(frozen=True)
class State:
    """Where a walk is: a network, the steps to it, and what is found in it."""

    network: Any
    steps: tuple[Step, ...]
    findings: Findings


class Walk:
    """Fixes applied one after the other; no network is visited twice.

    Parameters
    ----------
    target, input_shape
        As for :func:`~depthwise.network.check`; the shape and the number of outputs may be left out where the target
        is a fitted estimator.
    options
        The rest of its arguments.
    """

    def __init__(self, target: Any, input_shape: Iterable[int] | None, **options: Any) -> None:
        # Opened once: a class would be called anew, with other weights, at every step.
        opened = open_target(target, input_shape, options.get("n_outputs"))
        # The first step makes an unfitted copy of an estimator, which does not know them any more.
        self.shape, self.options = opened.input_shape, {**options, "n_outputs": opened.n_outputs}
        network = opened.network
        self.before = self._measured(network)
        self.state = State(network, (), check(network, self.shape, **self.options))
        self._seen = {_without_names(self._graph(network))}

    def go(self, finding: Finding, remedy: Remedy) -> bool:
        """Take a remedy, if it can be applied, leads to a new network, and makes no new error."""
        try:
            changed = apply(remedy, self.state.network, self.shape)
            key = _without_names(self._graph(changed))
            if key in self._seen:
                return False
            self._seen.add(key)
            findings = check(changed, self.shape, **self.options)
        except (RuleError, GraphError):  # the change does not fit; anything else is an error of ours or the user's
            return False
        if _errors(findings) > _errors(self.state.findings):
            return False
        self.state = State(changed, (*self.state.steps, Step(finding, remedy.title, remedy.price)), findings)
        return True

    def mended(self, state: State) -> Mended:
        """A state as the result of the whole walk."""
        return Mended(state.network, state.steps, self.before, self._measured(state.network), state.findings)

    def _graph(self, network: Any) -> Graph:
        return read_graph(network, self.shape, self.options.get("n_outputs"))

    def _measured(self, network: Any) -> Analysis | None:
        try:
            return analyze_graph(self._graph(network).at(self.shape))
        except SizeError:
            return None


def _errors(findings: Findings) -> int:
    return sum(finding.severity == "error" for finding in findings)


def _without_names(graph: Graph) -> object:
    """The graph without its names, which shift when a layer comes or goes."""
    places = {node.name: place for place, node in enumerate(graph.nodes)}
    return tuple((node.op, tuple(places[name] for name in node.inputs)) for node in graph.nodes)


def fix_all(target: Any, input_shape: Iterable[int] | None = None, *, unsafe: bool = False, **options: Any) -> Mended:
    """Apply the safe fixes of all findings until none is left, and with ``unsafe`` the proposals too.

    Parameters
    ----------
    target, input_shape
        As for :func:`~depthwise.network.check`, whose other arguments are taken as well.
    unsafe
        Whether fixes may be applied that change what the network can compute.

    Examples
    --------
    >>> fix_all("8CB3ps-MP-16C3ps-GAP-10N", (1, 8, 8)).network[0]
    Conv2D(8, padding='same', bias=False, norm='batch')
    """
    walk = Walk(target, input_shape, **options)
    for _ in range(MOST_STEPS):
        wanted = [(finding, remedy) for finding in walk.state.findings for remedy in finding.remedies if remedy.fix]
        # Safe ones first: what they mend needs no proposal any more.
        wanted.sort(key=lambda pair: not (pair[1].fix and pair[1].fix.safe))
        allowed = [pair for pair in wanted if unsafe or (pair[1].fix and pair[1].fix.safe)]
        if not any(walk.go(finding, remedy) for finding, remedy in allowed):
            break
    return walk.mended(walk.state)
