"""``depthwise predict``."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from depthwise.cli.options import AsJson, load_test_images, picture_shape, print_json
from depthwise.errors import FileError, TargetError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from depthwise.training import NeuralNetClassifier
    from depthwise.training.neural_net import NeuralNet


def predict(
    network: Annotated[Path, typer.Argument(help="A saved network (.safetensors).")],
    pictures: Annotated[
        list[str], typer.Argument(help="Pictures, folders of pictures, or one set in any form, such as test.csv.")
    ],
    top: Annotated[int, typer.Option("--top", min=1, help="Number of classes to show.")] = 3,
    submission: Annotated[
        Path | None, typer.Option("--submission", help="Write a CSV file of ImageId,Label for Kaggle.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """The most probable classes of pictures, or the numbers that a regression predicts."""
    from depthwise.files import check_writable
    from depthwise.training import NeuralNetClassifier, load

    if submission is not None:
        check_writable(submission)
        _keep_data(submission, [str(network), *pictures])
    net = load(network)
    if submission is not None and not isinstance(net, NeuralNetClassifier):
        raise TargetError("--submission: the network predicts numbers, not classes. Leave the option out.")
    X, names = _read(net, pictures)
    if submission is not None:
        _submit(net, X, submission, as_json)
        return
    if isinstance(net, NeuralNetClassifier):
        answers = [_most_probable(net, shares, top) for shares in net.predict_proba(X)]
    else:
        outputs = net.predict(X).reshape(len(X), -1)
        answers = [{f"target {place}": float(value) for place, value in enumerate(row)} for row in outputs]
    if as_json:
        print_json([{"path": name, "answer": answer} for name, answer in zip(names, answers, strict=True)])
        return
    for name, answer in zip(names, answers, strict=True):
        print(name + "".join(f"  {label} {value:.3f}" for label, value in answer.items()))


def _read(net: NeuralNet, given: list[str]) -> tuple[NDArray[Any], Sequence[str]]:
    """Images as the network reads them, and what each is called."""
    from depthwise.data import load_pictures

    channels, height, width = picture_shape(net)
    if len(given) == 1 and _is_set(given[0]):
        return _read_set(given[0], channels, (height, width))
    with warnings.catch_warnings(record=True) as skipped:
        warnings.simplefilter("always")
        X, paths = load_pictures(given, channels, (height, width))
    for note in skipped:
        typer.echo(f"note: {note.message}", err=True)
    return X, [str(path) for path in paths]


def _keep_data(submission: Path, given: list[str]) -> None:
    """Refuse to write over what is read: a file that was given, or one that lies in a folder that was given."""
    place = submission.resolve()
    read = [Path(each).expanduser().resolve() for each in given]
    if place.exists() and any(path == place or path in place.parents for path in read):
        raise FileError(f"{submission}: is among the files that predict reads. Give --submission another path.")


def _is_set(given: str) -> bool:
    """Whether images come in a form of their own, rather than as pictures that lie around."""
    from depthwise.data.pictures import is_picture

    path = Path(given).expanduser()
    if path.is_dir():
        return not any(is_picture(inside.name) for inside in path.iterdir())
    return not is_picture(path.name)


def _read_set(given: str, channels: int, size: tuple[int, int]) -> tuple[NDArray[Any], Sequence[str]]:
    images = load_test_images(given, size).with_channels(channels)
    if images.paths is not None:
        return images.X, [str(path) for path in images.paths]
    return images.X, [f"{given}[{place}]" for place in range(len(images))]


def _submit(net: NeuralNetClassifier, X: NDArray[Any], path: Path, as_json: bool) -> None:
    from depthwise.data import write_submission

    write_submission(path, net.predict(X))
    if as_json:
        print_json({"path": str(path), "images": len(X)})
    else:
        print(f"wrote {path} ({len(X)} images)")


def _most_probable(net: NeuralNetClassifier, shares: NDArray[np.float64], top: int) -> dict[str, float]:
    return {str(net.classes_[place]): float(shares[place]) for place in shares.argsort()[::-1][:top]}
