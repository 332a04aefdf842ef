"""``depthwise explain``."""

from __future__ import annotations

from textwrap import fill
from typing import Annotated

import typer

from depthwise.cli.options import AsJson, print_json

WIDTH = 80


def explain(
    codes: Annotated[list[str], typer.Argument(help="Codes or names of rules, such as CAP001 or low-capacity.")],
    as_json: AsJson = False,
) -> None:
    """What a rule finds, why that is bad, where it is known from, and an example that breaks and one that keeps it."""
    from depthwise.notation import write_layers
    from depthwise.rules import RULES, Rule, choose_rules

    rules = choose_rules(RULES, codes, ())
    if as_json:
        texts = ("code", "name", "family", "severity", "title", "why", "source", "needs", "profiles", "note")
        print_json([{name: getattr(rule, name) for name in texts} for rule in rules])
        return

    def example(rule: Rule, which: str) -> str:
        shown = rule.bad if which == "bad" else rule.good
        try:
            layers = write_layers(shown.layers)
        except ValueError:
            layers = ", ".join(map(str, shown.layers))
        return f"{which}: {layers}  for images of {'x'.join(map(str, shown.input_shape))}"

    for place, rule in enumerate(rules):
        if place:
            print()
        print(f"{rule.code} {rule.name} ({rule.severity}, {rule.family})\n")
        for text in (rule.title, rule.why, rule.note, f"Source: {rule.source}"):
            if text:
                print(fill(text, WIDTH, break_on_hyphens=False) + "\n")
        for which in ("bad", "good") if rule.bad.health is None else ():
            print(fill(example(rule, which), WIDTH, subsequent_indent="      ", break_on_hyphens=False))
