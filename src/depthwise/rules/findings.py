"""What a check returns: findings that print as a linter does, and come as JSON, GitHub annotations and SARIF too."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from textwrap import fill
from typing import Any, overload

from depthwise.rules.finding import SEVERITIES, Finding, Remedy
from depthwise.rules.wording import plural
from depthwise.tables import COLORS

WIDTH = 80
INDENT = "    "
HUES = {"error": COLORS["red"][1], "warning": COLORS["yellow"][1], "info": COLORS["blue"][1]}


@dataclass(frozen=True)
class Findings(Sequence[Finding]):
    """All findings of one network, gravest first within the order of the rules.

    Attributes
    ----------
    findings
        The findings.
    not_applicable
        Rules that had nothing to look at: code and reason.

    Examples
    --------
    >>> from depthwise.graph import Graph
    >>> from depthwise.layers import Conv2D, LeakyReLU, Output
    >>> from depthwise.rules import check_graph
    >>> findings = check_graph(Graph.from_layers([Conv2D(8), LeakyReLU(), Output(10)]), (1, 8, 8), select=["ACT"])
    >>> print(findings)
    conv2d1..leakyrelu2: ACT002 double-activation warning: leaky_relu after relu
        (leaky_relu sees only what relu lets through). Take relu out of conv2d1 [*].
        or: Take leaky_relu out of leakyrelu2 [*]: memory 2.29 KiB -> 1.16 KiB
    1 finding: 1 warning. [*] can be applied: 1 safe fix.
    """

    findings: tuple[Finding, ...]
    not_applicable: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    def __len__(self) -> int:
        return len(self.findings)

    @overload
    def __getitem__(self, place: int) -> Finding: ...

    @overload
    def __getitem__(self, place: slice) -> tuple[Finding, ...]: ...

    def __getitem__(self, place: int | slice) -> Finding | tuple[Finding, ...]:
        return self.findings[place]

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    @property
    def problems(self) -> tuple[Finding, ...]:
        """Errors and warnings."""
        return tuple(finding for finding in self.findings if finding.severity != "info")

    def text(self, prefix: str = "", *, prices: bool = True) -> str:
        """One paragraph a finding, each line at most 80 columns where words allow it; ``prefix`` names the network."""
        return "\n".join(_paragraph(finding, prefix, prices) for finding in self.findings)

    def summary(self) -> str:
        """The last line: how many findings there are, and what can be done about them."""
        if not self.findings:
            return "No findings."
        counts = Counter(finding.severity for finding in self.findings)
        parts = [f"{counts[severity]} {severity}{'s' * (counts[severity] > 1 and severity != 'info')}"
                 for severity in SEVERITIES if counts[severity]]  # fmt: skip
        fixes = [finding.fix for finding in self.findings if finding.fix is not None]
        safe = sum(fix.safe for fix in fixes)
        kinds = [plural(safe, "safe fix", "safe fixes")] if safe else []
        kinds += [plural(len(fixes) - safe, "proposal")] if len(fixes) > safe else []
        applied = f" [*] can be applied: {', '.join(kinds)}." if kinds else ""
        return f"{plural(len(self.findings), 'finding')}: {', '.join(parts)}.{applied}"

    def to_dict(self) -> dict[str, Any]:
        """Everything as values that JSON can hold."""
        return {
            "findings": [finding.to_dict() for finding in self.findings],
            "not_applicable": [{"code": code, "reason": reason} for code, reason in self.not_applicable],
        }

    def __str__(self) -> str:
        return "\n".join(filter(None, (self.text(), self.summary())))

    def _repr_html_(self) -> str:
        items = "".join(
            f'<li><span style="color: {HUES[finding.severity]}">{html.escape(finding.place)}: {finding.code}</span> '
            f"{html.escape(str(finding).removeprefix(f'{finding.place}: {finding.code} '))}</li>"
            for finding in self.findings
        )
        return f"<ul>{items}</ul><p>{html.escape(self.summary())}</p>"


def _paragraph(finding: Finding, prefix: str, prices: bool) -> str:
    first = f"{prefix}: " if prefix else ""
    lines = [_wrap(f"{first}{finding}", "", INDENT)]
    if prices:
        for place, remedy in enumerate(finding.remedies):
            if place or _price(remedy):
                order = f"or: {remedy.title}{' [*]' * (remedy.fix is not None)}" if place else "price"
                lines.append(_wrap(": ".join(filter(None, (order, _price(remedy)))), INDENT, INDENT * 2))
    return "\n".join(lines)


def _price(remedy: Remedy) -> str:
    return "" if remedy.price is None or remedy.price.before == remedy.price.after else str(remedy.price)


def _wrap(text: str, first: str, rest: str) -> str:
    return fill(
        text, WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )
