"""A whole network brought into the rules, step by step, towards more depth or less work."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from depthwise.errors import RuleError
from depthwise.graph import Remove
from depthwise.layers.ops import Conv
from depthwise.mending.walking import MOST_STEPS, Mended, Walk
from depthwise.rules import Finding, Findings, Remedy

Goal = Literal["deeper", "cheaper"]
GOALS: tuple[Goal, ...] = ("deeper", "cheaper")


FIRST = ("COV", "CAP")
"""Families that are mended first."""


def mend(
    target: Any,
    input_shape: Iterable[int] | None = None,
    goal: Goal = "deeper",
    *,
    n_outputs: int | None = None,
    profile: str = "natural",
    select: Iterable[str] = (),
    ignore: Iterable[str] = (),
) -> Mended:
    """Bring a network into the rules: apply fixes until no error or warning is left that has one.

    Parameters
    ----------
    target
        A layer list, a notation or file, or a torch module.
    input_shape
        Shape of one image.
    goal
        ``"deeper"`` keeps the layers and makes them productive, mostly by less downsampling in the stem;
        ``"cheaper"`` takes of several mends the one that leaves least work, and cuts what sees nothing new.
    n_outputs, profile, select, ignore
        As for :func:`check`.

    Raises
    ------
    RuleError
        The goal is unknown.

    Examples
    --------
    >>> print(mend("16C3ps-MP-16C3ps-MP-32C3ps-32C3ps-32C3ps-GAP-10N", (1, 20, 20), goal="cheaper").steps[0].title)
    Cut conv2d6..conv2d7
    """
    if goal not in GOALS:
        raise RuleError(f"goal is {goal!r} but must be one of {', '.join(GOALS)}.")
    walk = Walk(target, input_shape, n_outputs=n_outputs, profile=profile, select=select, ignore=ignore)
    best = walk.state
    for _ in range(MOST_STEPS):
        # What the map sizes cause is gone once they are right, so they come first.
        problems = sorted(walk.state.findings.problems, key=lambda one: (one.severity, not one.code.startswith(FIRST)))
        wanted = ((finding, remedy) for finding in problems for remedy in _ranked(finding, goal))
        if not any(walk.go(finding, remedy) for finding, remedy in wanted):
            break
        best = min(best, walk.state, key=lambda state: _badness(state.findings))
    return walk.mended(best)


def _ranked(finding: Finding, goal: Goal) -> list[Remedy]:
    """Remedies with a fix: those that keep all filters first, or those that leave least work."""
    fixable = [remedy for remedy in finding.remedies if remedy.fix is not None]
    if goal == "deeper":
        return sorted(fixable, key=_filters_lost)
    return sorted(fixable, key=lambda remedy: remedy.trial.after.macs if remedy.trial else 0)


def _filters_lost(remedy: Remedy) -> int:
    if remedy.fix is None or remedy.trial is None:  # of a network that did not fit, nothing was measured
        return 0
    ops = {node.name: node.op for node in remedy.trial.before.graph.nodes}
    return sum(isinstance(edit, Remove) and isinstance(ops.get(edit.node), Conv) for edit in remedy.fix.edits)


def _badness(findings: Findings) -> tuple[int, int]:
    """Errors, and layers that warnings are about."""
    errors = sum(finding.severity == "error" for finding in findings)
    return errors, sum(len(finding.layers) for finding in findings.problems)
