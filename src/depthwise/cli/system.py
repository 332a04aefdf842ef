"""``depthwise system``."""

from __future__ import annotations

from depthwise.cli.options import AsJson, print_json


def system(as_json: AsJson = False) -> None:
    """Versions, processor, accelerators, and what training would choose here."""
    from depthwise.training import describe_system

    facts = describe_system()
    if as_json:
        print_json(facts)
        return
    wide = max(map(len, facts))
    for name, value in facts.items():
        print(f"{name:<{wide}}  {value}")
