"""A graph -> its findings: which rules are asked, and what they are told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from depthwise.analysis import analyze_graph
from depthwise.analysis.health import TrainingHealth
from depthwise.errors import DoesNotFit, RuleError, SizeError, did_you_mean
from depthwise.graph import Graph
from depthwise.layers.layer import whole
from depthwise.layers.ops import Shape
from depthwise.rules.facts import Facts
from depthwise.rules.finding import SEVERITIES, Finding, Remedy
from depthwise.rules.findings import Findings
from depthwise.rules.losses import name_loss
from depthwise.rules.register import RULES
from depthwise.rules.rule import NEEDS, PROFILES, Rule


def check_graph(
    graph: Graph,
    input_shape: Iterable[int] | None = None,
    *,
    n_outputs: int | None = None,
    loss: object = None,
    batch_size: int | None = None,
    profile: str = "natural",
    select: Iterable[str] = (),
    ignore: Iterable[str] = (),
    rules: Iterable[Rule] = RULES,
    root: str | None = None,
    modules: frozenset[str] = frozenset(),
    health: TrainingHealth | None = None,
) -> Findings:
    """Ask every rule about a network.

    Parameters
    ----------
    graph
        As declared or traced.
    input_shape
        Shape of one image; may be left out where the input declares it.
    n_outputs, loss, batch_size
        What is known of the task; a rule that needs more is not applicable.  The loss as a name in either spelling of
        PyTorch (``"cross_entropy"``, ``"CrossEntropyLoss"``), or as its class, object or function.
    profile
        ``"natural"``, ``"digits"``, ``"segmentation"`` or ``"detection"``.
    select, ignore
        Codes, their beginnings (``"CAP"``), or names of rules.
    rules
        The rules; own ones may be added.
    root, modules
        How the user calls a traced module, and the paths of its submodules, for remedies in its own names.
    health
        What was measured when it was trained, if it was.

    Raises
    ------
    RuleError
        A code, profile or loss is unknown, or there are no such batches.
    SizeError
        The input shape is missing, or differs from the declared one.

    Examples
    --------
    >>> from depthwise.layers import Conv2D, Output
    >>> graph = Graph.from_layers([Conv2D(8, activation=None), Output(10)])
    >>> [finding.code for finding in check_graph(graph, (1, 8, 8))]
    ['COV004', 'ACT001']
    """
    if profile not in PROFILES:
        raise RuleError(f"profile is {profile!r} but must be one of {', '.join(PROFILES)}.")
    if batch_size is not None and (whole(batch_size) or 0) < 1:
        raise RuleError(f"batch_size is {batch_size!r} but must be a whole number of 1 or more, or None.")
    chosen = choose_rules(tuple(rules), select, ignore)
    facts = _gather(graph, input_shape, n_outputs, name_loss(loss), batch_size, profile, root, modules)
    return _ask(chosen, replace(facts, health=health))


def check_training(
    health: TrainingHealth, *, select: Iterable[str] = (), ignore: Iterable[str] = (), rules: Iterable[Rule] = RULES
) -> Findings:
    """Ask the rules of training about what was measured in one, whatever the network was.

    Parameters
    ----------
    health
        The ``health_`` of an estimator.
    select, ignore, rules
        As for :func:`check_graph`.
    """
    chosen = choose_rules(tuple(rule for rule in rules if "health" in rule.needs), select, ignore)
    return _ask(chosen, Facts(Graph(()), (), None, health=health))


def _ask(rules: Iterable[Rule], facts: Facts) -> Findings:
    found: list[Finding] = []
    silent = []
    for rule in rules:
        reason = rule.why_not_applicable(facts)
        if reason is None:
            found += rule.check(facts)
        else:
            silent.append((rule.code, reason))
    found.sort(key=lambda finding: SEVERITIES.index(finding.severity))
    return Findings(tuple(found), tuple(silent))


def check_misfit(problem: SizeError) -> Findings:
    """Findings of a module that cannot be traced at an image size: what does not fit, and nothing else.

    Examples
    --------
    >>> print(check_misfit(DoesNotFit("a 5x5 kernel does not fit into its 3x3 input", "Use more pixels", "conv2")))
    conv2: SHP001 kernel-exceeds-input error: a 5x5 kernel does not fit into its 3x3
        input. Use more pixels.
    1 finding: 1 error.
    """
    code = "SHP001" if isinstance(problem, DoesNotFit) else "SHP002"
    rule = next(rule for rule in RULES if rule.code == code)
    reasons = tuple((other.code, NEEDS["analysis"]) for other in RULES if "analysis" in other.needs)
    remedies = [Remedy(problem.remedy)] if problem.remedy else []
    place = [] if problem.layer is None else [problem.layer]
    return Findings((rule.finding(place, problem.message, remedies=remedies),), reasons)


def choose_rules(rules: tuple[Rule, ...], select: Iterable[str], ignore: Iterable[str]) -> tuple[Rule, ...]:
    """Rules that are selected and not ignored.

    Raises
    ------
    RuleError
        A code matches no rule.
    """
    wanted, unwanted = _as_codes(select), _as_codes(ignore)
    for code in wanted + unwanted:
        if not any(matches(rule, code) for rule in rules):
            known = [rule.code for rule in rules] + [rule.name for rule in rules]
            meant = did_you_mean(code, known)
            raise RuleError(f"there is no rule {code!r}.{meant} `depthwise rules` lists all of them.")
    return tuple(
        rule
        for rule in rules
        if (not wanted or any(matches(rule, code) for code in wanted))
        and not any(matches(rule, code) for code in unwanted)
    )


def matches(rule: Rule, code: str) -> bool:
    """Whether a code, its beginning, or a name means the rule."""
    return bool(code) and (rule.code.startswith(code.upper()) or rule.name == code.lower())


def _as_codes(codes: Iterable[str]) -> tuple[str, ...]:
    listed = codes.split(",") if isinstance(codes, str) else codes
    return tuple(code.strip() for code in listed)


def _gather(
    graph: Graph,
    input_shape: Iterable[int] | None,
    n_outputs: int | None,
    loss: str | None,
    batch_size: int | None,
    profile: str,
    root: str | None,
    modules: frozenset[str],
) -> Facts:
    """Measure the network; one that does not fit to the images is a fact too."""
    shape: Shape | None = graph.input_shape if input_shape is None else tuple(input_shape)
    analysis, misfit = None, None
    try:
        analysis = analyze_graph(graph.at(input_shape))
    except SizeError as problem:
        declared = graph.input_shape
        if shape is None or declared not in (None, shape) or any((side or 0) < 1 for side in shape):
            raise
        misfit = problem
    return Facts(graph, shape or (), analysis, misfit, n_outputs, loss, batch_size, profile, root, modules)
