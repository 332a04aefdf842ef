"""``depthwise predict``."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from depthwise.cli.options import AsJson, picture_shape, print_json

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from depthwise.training import NeuralNetClassifier


def predict(
    network: Annotated[Path, typer.Argument(help="A saved network (.safetensors).")],
    pictures: Annotated[list[Path], typer.Argument(help="Pictures, or folders of pictures.")],
    top: Annotated[int, typer.Option("--top", min=1, help="Number of classes to show.")] = 3,
    as_json: AsJson = False,
) -> None:
    """The most probable classes of pictures, or the numbers that a regression predicts."""
    from depthwise.data import load_pictures
    from depthwise.training import NeuralNetClassifier, load

    net = load(network)
    channels, height, width = picture_shape(net)
    with warnings.catch_warnings(record=True) as skipped:
        warnings.simplefilter("always")
        X, paths = load_pictures(pictures, channels, (height, width))
    for note in skipped:
        typer.echo(f"note: {note.message}", err=True)
    if isinstance(net, NeuralNetClassifier):
        answers = [_most_probable(net, shares, top) for shares in net.predict_proba(X)]
    else:
        outputs = net.predict(X).reshape(len(X), -1)
        answers = [{f"target {place}": float(value) for place, value in enumerate(row)} for row in outputs]
    if as_json:
        print_json([{"path": str(path), "answer": answer} for path, answer in zip(paths, answers, strict=True)])
        return
    for path, answer in zip(paths, answers, strict=True):
        print(f"{path}" + "".join(f"  {name} {value:.3f}" for name, value in answer.items()))


def _most_probable(net: NeuralNetClassifier, shares: NDArray[np.float64], top: int) -> dict[str, float]:
    return {str(net.classes_[place]): float(shares[place]) for place in shares.argsort()[::-1][:top]}
