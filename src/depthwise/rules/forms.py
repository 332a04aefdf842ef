"""Findings in the forms that machines read: GitHub's annotations and SARIF."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from depthwise.rules.finding import Finding
from depthwise.rules.findings import Findings
from depthwise.rules.rule import Rule

GITHUB_LEVELS = {"error": "error", "warning": "warning", "info": "notice"}
SARIF_LEVELS = {"error": "error", "warning": "warning", "info": "note"}
SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


@dataclass(frozen=True)
class Checked:
    """Findings of one target, and where it stands.

    Attributes
    ----------
    target
        As the user named it.
    findings
        What was found.
    path, line
        File and line of the class or list, where they are known.
    """

    target: str
    findings: Findings
    path: str | None = None
    line: int | None = None

    @property
    def prefix(self) -> str:
        """Place of the network as a compiler writes it."""
        return self.target if self.path is None or self.line is None else f"{self.path}:{self.line}"


def write_github(checked: Iterable[Checked]) -> str:
    """GitHub's workflow commands, one line a finding.

    References
    ----------
    GitHub Docs, workflow commands: ``::warning file=name,line=1,title=text::message``.
    """
    return "\n".join(_annotation(one, finding) for one in checked for finding in one.findings)


def _annotation(one: Checked, finding: Finding) -> str:
    place = {"file": one.path, "line": one.line, "title": f"{finding.code} {finding.name}"}
    properties = ",".join(f"{key}={_escape(str(value), ':,')}" for key, value in place.items() if value is not None)
    text = f"{'' if one.path else one.target + ': '}{finding}"
    return f"::{GITHUB_LEVELS[finding.severity]} {properties}::{_escape(text)}"


def _escape(text: str, more: str = "") -> str:
    for letter in f"%\r\n{more}":
        text = text.replace(letter, f"%{ord(letter):02X}")
    return text


def sarif_log(checked: Iterable[Checked], rules: Iterable[Rule], version: str) -> dict[str, Any]:
    """The findings as a log of SARIF 2.1.0 (OASIS), which code hosts and editors read."""
    described = [
        {
            "id": rule.code,
            "name": rule.name,
            "shortDescription": {"text": rule.title},
            "fullDescription": {"text": rule.why},
            "defaultConfiguration": {"level": SARIF_LEVELS[rule.severity]},
        }
        for rule in rules
    ]
    results = [_result(one, finding) for one in checked for finding in one.findings]
    driver = {"name": "depthwise", "version": version, "rules": described}
    return {"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]}


def _result(one: Checked, finding: Finding) -> dict[str, Any]:
    logical = [{"name": name, "fullyQualifiedName": f"{one.target}/{name}"} for name in finding.layers]
    place: dict[str, Any] = {"logicalLocations": logical} if logical else {}
    if one.path is not None:
        region = {"region": {"startLine": one.line}} if one.line is not None else {}
        place["physicalLocation"] = {"artifactLocation": {"uri": one.path}, **region}
    return {
        "ruleId": finding.code,
        "level": SARIF_LEVELS[finding.severity],
        "message": {"text": str(finding)},
        "locations": [place] if place else [],
    }
