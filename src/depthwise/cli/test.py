"""``depthwise test``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from depthwise.cli.options import AsJson, Split, open_network, print_json, read_for


def test(
    network: Annotated[Path, typer.Argument(help="A saved network (.safetensors).")],
    data: Annotated[str, typer.Argument(help="Labeled images, as for train; their test part where they have parts.")],
    split: Split = None,
    as_json: AsJson = False,
) -> None:
    """Average loss and accuracy of a saved network on labeled images."""
    net = open_network(network, data)
    images = read_for(net, data, split)
    loss, correct = net.evaluate(images.X, images.require_labels())
    count = len(images)
    if as_json:
        share = None if correct is None else correct / count
        print_json({"loss": loss, "correct": correct, "total": count, "accuracy": share})
    elif correct is None:
        print(f"Test set: Average loss: {loss:.4f} of {count} images")
    else:
        print(f"Test set: Average loss: {loss:.4f}, Accuracy: {correct}/{count} ({100 * correct / count:.2f}%)")
