"""``depthwise analyze``."""

from __future__ import annotations

from typing import Annotated

import typer

from depthwise.cli.options import AsJson, Classes, InputShape, print_json, read_shape
from depthwise.tables import wants_color


def analyze(
    target: Annotated[
        str,
        typer.Argument(help="A notation (32C3-MP2-10N), a TOML or saved file, mynet.py:Net or package.module:name."),
    ],
    input_shape: InputShape = None,
    classes: Classes = None,
    verbosity: Annotated[
        int | None, typer.Option("-v", "--verbosity", min=1, max=3, help="The table of nolearn: 1, 2 or 3.")
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Spell out every parameter count.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the table as Markdown.")] = False,
    html: Annotated[bool, typer.Option("--html", help="Print the table as HTML.")] = False,
    as_json: AsJson = False,
) -> None:
    """Table of every layer: size, parameters, work, memory, receptive field, capacity, coverage."""
    from depthwise.network import analyze as analyze_network

    analysis = analyze_network(target, read_shape(input_shape), classes)
    if as_json:
        print_json(analysis.to_dict())
    elif markdown:
        print(analysis.markdown())
    elif html:
        print(analysis.html())
    elif verbosity is not None:
        print(analysis.table(verbosity, color=wants_color()))
    else:
        print(analysis.text(color=wants_color()))
    if explain and not as_json:
        print(f"\n{analysis.explain()}")
