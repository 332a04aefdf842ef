"""``depthwise export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from depthwise.cli.options import AsJson, open_network, print_json
from depthwise.files import check_writable


def export(
    network: Annotated[Path, typer.Argument(help="A saved network (.safetensors).")],
    output: Annotated[
        Path, typer.Argument(help="What to write: .onnx for ONNX runtimes, .py for the source of a PyTorch module.")
    ],
    as_json: AsJson = False,
) -> None:
    """Write a saved network for programs without depthwise."""
    check_writable(output)
    open_network(network).export(output)
    size = output.stat().st_size
    if as_json:
        print_json({"path": str(output), "bytes": size})
    else:
        print(f"wrote {output} ({size:,} bytes)")
