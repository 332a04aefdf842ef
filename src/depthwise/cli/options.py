"""What several verbs share: options, how their texts are read, and the images and answers of a network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from depthwise.errors import SizeError, TargetError, UnsplitError
from depthwise.files import check_readable

if TYPE_CHECKING:
    from depthwise.data import ImageSet
    from depthwise.training.neural_net import NeuralNet

InputShape = Annotated[
    str | None, typer.Option("--input", metavar="CxHxW", help="Shape of one image: channels, height, width.")
]
Classes = Annotated[int | None, typer.Option("--classes", help="Width of an output that leaves it to the data.")]
ImageSize = Annotated[
    str | None, typer.Option("--size", metavar="HxW", help="Resize images to this size; one number for both sides.")
]
Split = Annotated[
    str | None, typer.Option("--split", help="Part of the images: train, valid or test. [default: test, or all]")
]
Seed = Annotated[int, typer.Option("--seed", help="Seed of everything random.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def read_shape(text: str | None) -> tuple[int, ...] | None:
    """Read ``1x28x28``.

    >>> read_shape("1x28x28"), read_shape("64"), read_shape(None)
    ((1, 28, 28), (64,), None)
    """
    if text is None:
        return None
    sides = _read_sides(text)
    if not sides:
        raise SizeError(f"{text!r} is no shape", "Write channels, height and width as 3x32x32")
    return sides


def _read_sides(text: str) -> tuple[int, ...]:
    """Numbers of 1 or more; none where it is another text."""
    sides = text.lower().replace("×", "x").split("x")
    return tuple(map(int, sides)) if all(side.isascii() and side.isdecimal() and int(side) for side in sides) else ()


def read_size(text: str | None) -> int | tuple[int, int] | None:
    """Read ``28`` or ``28x32`` (height x width)."""
    if text is None:
        return None
    match _read_sides(text):
        case (side,):
            return side
        case (height, width):
            return height, width
    raise SizeError(f"--size: {text!r} is no size", "Write height and width as 28x32, or one number for both")


def picture_shape(net: NeuralNet) -> tuple[int, int, int]:
    """Channels, height and width of the pictures that a network reads."""
    from depthwise.layers.ops import format_shape

    if len(net.input_shape_) != 3:
        features = format_shape(net.input_shape_)
        raise TargetError(f"the network reads rows of {features} values, not pictures. Call its predict from Python.")
    channels, height, width = net.input_shape_
    return channels, height, width


def open_network(path: Path, *data: str) -> Any:
    """A saved network.

    That the file is there, and `data` that it will read, is asked first: PyTorch takes seconds to import.
    """
    check_readable(path)
    for each in data:
        check_data(each)
    from depthwise.training import load

    return load(path)


def check_data(data: str) -> None:
    """Refuse a path or word that no images come from, before time is spent."""
    from depthwise.data.loading import find_form

    find_form(data)


def read_for(net: NeuralNet, data: str, split: str | None = None) -> ImageSet:
    """Images as a network reads them, by the rules of `load_test_images`."""
    channels, height, width = picture_shape(net)
    return load_test_images(data, split, (height, width), channels)


def load_test_images(
    data: str, split: str | None, size: int | tuple[int, int] | None, channels: int | None = None
) -> ImageSet:
    """A part of the images, without `split` their test part, or all where they come in no parts.

    What is odd about them goes to stderr.
    """
    from depthwise.data import load_images

    try:
        images = load_images(data, size=size, split="test" if split is None else split)
    except UnsplitError:
        if split is not None:
            raise
        images = load_images(data, size=size)
    print_problems(images)
    return images if channels is None else images.with_channels(channels)


def print_problems(images: ImageSet) -> None:
    """Tell on stderr what is odd about images."""
    for problem in images.problems:
        typer.echo(f"note: {problem}", err=True)


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    print(json.dumps(value, indent=2, ensure_ascii=False))
