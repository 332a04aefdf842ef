"""``depthwise rules``."""

from __future__ import annotations

from depthwise.cli.options import AsJson, print_json


def rules(as_json: AsJson = False) -> None:
    """Every rule of ``depthwise check``: code, severity, name, what it finds."""
    from depthwise.rules import RULES

    if as_json:
        print_json(
            [{"code": rule.code, "name": rule.name, "severity": rule.severity, "title": rule.title} for rule in RULES]
        )
        return
    for rule in RULES:
        print(f"{rule.code}  {rule.severity:<7}  {rule.name}: {rule.title}")
