"""``depthwise predict``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from depthwise.cli.options import (
    AsJson,
    Split,
    check_data,
    open_network,
    picture_shape,
    print_json,
    print_problems,
    read_for,
)
from depthwise.errors import DataError, FileError, TargetError, UnsplitError
from depthwise.files import check_writable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from depthwise.data import ImageSet
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
    split: Split = None,
    as_json: AsJson = False,
) -> None:
    """The most probable classes of pictures, or the numbers that a regression predicts."""
    if submission is not None:
        check_writable(submission)
        _keep_data(submission, [str(network), *pictures])
    _check_pictures(pictures, split)
    net = open_network(network)
    from depthwise.training import NeuralNetClassifier

    if submission is not None and not isinstance(net, NeuralNetClassifier):
        raise TargetError("--submission: the network predicts numbers, not classes. Leave the option out.")
    images = read_for(net, pictures[0], split) if _are_set(pictures) else _read_pictures(net, pictures)
    if submission is not None:
        _submit(net, images, submission, as_json)
        return
    if isinstance(net, NeuralNetClassifier):
        answers = [_most_probable(net, shares, top) for shares in net.predict_proba(images.X)]
    else:
        outputs = net.predict(images.X).reshape(len(images), -1)
        answers = [{f"target {place}": float(value) for place, value in enumerate(row)} for row in outputs]
    names = images.paths or [f"{pictures[0]}[{place}]" for place in range(len(images))]
    if as_json:
        print_json([{"path": str(name), "answer": answer} for name, answer in zip(names, answers, strict=True)])
        return
    for name, answer in zip(names, answers, strict=True):
        print(f"{name}" + "".join(f"  {label} {value:.3f}" for label, value in answer.items()))


def _check_pictures(given: list[str], split: str | None) -> None:
    """Refuse what no images come from, before PyTorch is imported."""
    from depthwise.data.pictures import find_pictures

    if _are_set(given):
        check_data(given[0])
        return
    if split is not None:
        raise UnsplitError(f"--split: {split!r} was asked for, but pictures have no parts. Leave the option out.")
    find_pictures(given)


def _keep_data(submission: Path, given: list[str]) -> None:
    """Refuse to write over what is read: a file that was given, or one that lies in a folder that was given."""
    place = submission.resolve()
    read = [Path(each).expanduser().resolve() for each in given]
    if place.exists() and any(path == place or path in place.parents for path in read):
        raise FileError(f"{submission}: is among the files that predict reads. Give --submission another path.")


def _are_set(given: list[str]) -> bool:
    """Whether images come in a form of their own, rather than as pictures that lie around."""
    from depthwise.data.pictures import is_picture

    path = Path(given[0]).expanduser()
    if len(given) > 1:
        return False
    if path.is_dir():
        return not any(is_picture(inside.name) for inside in path.iterdir())
    return not is_picture(path.name)


def _read_pictures(net: NeuralNet, given: list[str]) -> ImageSet:
    from depthwise.data import load_pictures

    channels, height, width = picture_shape(net)
    images = load_pictures(given, channels, (height, width))
    print_problems(images)
    return images


def _submit(net: NeuralNetClassifier, images: ImageSet, path: Path, as_json: bool) -> None:
    from depthwise.data import write_submission
    from depthwise.data.pictures import shortened

    if images.skipped:
        count, total = len(images.skipped), len(images) + len(images.skipped)
        raise DataError(
            f"--submission: {count} of {total} pictures cannot be read: {shortened(images.skipped)}. "
            "A submission answers every one: mend them, or take them out."
        )
    write_submission(path, net.predict(images.X), images.ids)
    if as_json:
        print_json({"path": str(path), "images": len(images)})
    else:
        print(f"wrote {path} ({len(images)} images)")


def _most_probable(net: NeuralNetClassifier, shares: NDArray[np.float64], top: int) -> dict[str, float]:
    return {str(net.classes_[place]): float(shares[place]) for place in shares.argsort()[::-1][:top]}
