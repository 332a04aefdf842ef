"""``depthwise test``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from depthwise.cli.options import AsJson, print_json


def test(
    network: Annotated[Path, typer.Argument(help="A saved network (.safetensors).")],
    data: Annotated[str, typer.Argument(help="Labeled images, as for train; their test part where they have parts.")],
    as_json: AsJson = False,
) -> None:
    """Average loss and accuracy of a saved network on labeled images."""
    from depthwise.data import load_images
    from depthwise.errors import UnsplitError
    from depthwise.training import load

    net = load(network)
    size = tuple(net.graph_.input_shape[1:])
    try:
        images = load_images(data, size=size, split="test")
    except UnsplitError:
        images = load_images(data, size=size)
    for problem in images.problems:
        typer.echo(f"note: {problem}", err=True)
    loss, correct = net.evaluate(images.X, images.y)
    count = len(images.y)
    if as_json:
        print_json({"loss": loss, "correct": correct, "total": count, "accuracy": correct / count})
    else:
        print(f"Test set: Average loss: {loss:.4f}, Accuracy: {correct}/{count} ({100 * correct / count:.2f}%)")
