"""``depthwise predict``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from depthwise.cli.options import AsJson, print_json


def predict(
    network: Annotated[Path, typer.Argument(help="A saved network (.safetensors).")],
    pictures: Annotated[list[Path], typer.Argument(help="Pictures, or folders of pictures.")],
    top: Annotated[int, typer.Option("--top", min=1, help="Number of classes to show.")] = 3,
    as_json: AsJson = False,
) -> None:
    """The most probable classes of pictures."""
    from depthwise.data import load_pictures
    from depthwise.training import load

    net = load(network)
    channels, *size = net.graph_.input_shape
    X, paths = load_pictures(pictures, channels, tuple(size))
    rows = []
    for path, probabilities in zip(paths, net.predict_proba(X), strict=True):
        best = probabilities.argsort()[::-1][:top]
        rows.append({"path": str(path), "classes": {str(net.classes_[k]): float(probabilities[k]) for k in best}})
    if as_json:
        print_json(rows)
        return
    for row in rows:
        print(row["path"] + "".join(f"  {name} {share:.3f}" for name, share in row["classes"].items()))
