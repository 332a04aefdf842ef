"""The command ``depthwise``: one file a verb; each parses, calls one function of the library, and prints what comes.

Exit status: 0 fine, 1 the network or the data has a problem, 2 wrong use.
"""

from __future__ import annotations

import sys

import typer

from depthwise.cli.analyze import analyze
from depthwise.cli.check import check
from depthwise.cli.demo import demo
from depthwise.cli.explain import explain
from depthwise.cli.predict import predict
from depthwise.cli.rules import rules
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
for verb in (demo, analyze, check, explain, rules, train, test, predict, system):
    app.command()(verb)


def main() -> None:
    """Run the command line; a user's mistake ends in one clear message and status 2."""
    try:
        app()
    except DepthwiseError as error:
        print(f"depthwise: {error}", file=sys.stderr)
        sys.exit(WRONG_USE)
    except BrokenPipeError:  # `depthwise analyze ... | head` has read enough
        sys.stderr.close()
        sys.exit(0)
