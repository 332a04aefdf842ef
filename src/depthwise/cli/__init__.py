"""The command ``depthwise``: one file a verb; each parses, calls one function of the library, and prints what comes.

Exit status: 0 fine, 1 the network or the data has a problem, 2 wrong use.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from depthwise import __version__
from depthwise.cli.analyze import analyze
from depthwise.cli.check import check
from depthwise.cli.demo import demo
from depthwise.cli.design import design
from depthwise.cli.explain import explain
from depthwise.cli.export import export
from depthwise.cli.look import look
from depthwise.cli.predict import predict
from depthwise.cli.report import report
from depthwise.cli.rules import rules
from depthwise.cli.search import search
from depthwise.cli.system import system
from depthwise.cli.test import test
from depthwise.cli.train import train
from depthwise.errors import DepthwiseError

__all__ = ["app", "main"]

WRONG_USE = 2

# Plain help: laying it out in color would cost a third of the time in which --help has to answer.
app = typer.Typer(
    help="Design, check, train and look inside convolutional networks.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"depthwise {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    pass


for verb in (demo, analyze, check, explain, rules, design, search, train, test, report, look, predict, export, system):
    app.command()(verb)


def main() -> None:
    """Run the command line; a user's mistake ends in one clear message and status 2."""
    try:
        app()
    except DepthwiseError as error:
        print(f"depthwise: {error}", file=sys.stderr)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        print(f"depthwise: {place}{error.strerror or error}. Check the path and its permissions.", file=sys.stderr)
    sys.exit(WRONG_USE)
