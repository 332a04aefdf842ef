"""``depthwise look``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from depthwise.cli.options import AsJson, Split, open_network, print_json, read_for
from depthwise.errors import DepthwiseError, TargetError, did_you_mean
from depthwise.files import check_folder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

HEALTH_IMAGES = 2000
"""Images that health is measured on at most: seconds, and a unit that none of them wakes is as good as dead."""


class Subject:
    """The network and the images that pictures are made of."""

    def __init__(self, net: Any, X: NDArray[np.uint8], y: NDArray[Any], n_images: int) -> None:
        self.net, self.X, self.y = net, X, y
        # Folders come class by class: the first images would all be of one.
        some, many = (_spread(len(X), count) for count in (n_images, HEALTH_IMAGES))
        self.some = (net, X[some], y[some])
        self.many = (net, X[many], y[many])
        self.explained = self.some if hasattr(net, "classes_") else self.some[:2]


def _spread(total: int, count: int) -> list[int]:
    """So many places, evenly spread.

    >>> _spread(10, 3), _spread(2, 3)
    ([0, 3, 6], [0, 1])
    """
    count = min(total, count)
    return [place * total // count for place in range(count)]


def _display(name: str) -> Any:
    import depthwise.displays

    return getattr(depthwise.displays, name)


# Word -> what it draws, the suffix of the file, and how the display is made.
WORDS: dict[str, tuple[str, str, Callable[[Subject], Any]]] = {
    "images": ("samples and predictions", ".png", lambda it: _display("ImagesDisplay").from_estimator(*it.some)),
    "batch": ("what the first layer gets", ".png", lambda it: _display("BatchDisplay").from_estimator(*it.some)),
    "history": ("loss and accuracy by epoch", ".png", lambda it: _display("HistoryDisplay").from_estimator(it.net)),
    "architecture": ("the layers", ".svg", lambda it: _display("ArchitectureDisplay").from_estimator(it.net)),
    "fields": (
        "capacity and coverage by layer",
        ".png",
        lambda it: _display("CapacityCoverageDisplay").from_estimator(it.net),
    ),
    "receptive": (
        "what a unit of the last map sees",
        ".png",
        lambda it: _display("ReceptiveFieldDisplay").from_estimator(it.net, it.X[:1], effective=True),
    ),
    "weights": ("first kernels", ".png", lambda it: _display("WeightsDisplay").from_estimator(it.net)),
    "activations": (
        "maps of the first convolution",
        ".png",
        lambda it: _display("ActivationsDisplay").from_estimator(*it.some[:2]),
    ),
    "exciting": (
        "what the channels of the last maps look for",
        ".png",
        lambda it: _display("ExcitingImagesDisplay").from_estimator(*it.many[:2]),
    ),
    "occlusion": (
        "what matters when covered",
        ".png",
        lambda it: _display("OcclusionDisplay").from_estimator(*it.explained),
    ),
    "saliency": (
        "what matters by gradient",
        ".png",
        lambda it: _display("SaliencyDisplay").from_estimator(*it.explained),
    ),
    "cam": ("class activation", ".png", lambda it: _display("CamDisplay").from_estimator(*it.explained)),
    "health": (
        "dead units, activations, gradients",
        ".png",
        lambda it: _display("HealthDisplay").from_estimator(*it.many),
    ),
    "mistakes": (
        "the worst mistakes",
        ".png",
        lambda it: _display("TopLossesDisplay").from_estimator(it.net, it.X, it.y),
    ),
}


def look(
    network: Annotated[Path, typer.Argument(help="A saved network (.safetensors).")],
    data: Annotated[str, typer.Argument(help="Labeled images, as for train; their test part where they have parts.")],
    what: Annotated[
        str | None,
        typer.Option("--what", help=f"Which pictures, with commas between: {', '.join(WORDS)}. [default: all]"),
    ] = None,
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the pictures.")] = Path("look"),
    images: Annotated[int, typer.Option("--images", min=1, help="Images in pictures that show several.")] = 4,
    split: Split = None,
    as_json: AsJson = False,
) -> None:
    """Pictures of what a saved network has learned, one file a word."""
    words = _read_words(what)
    check_folder(output)
    net = open_network(network, data)
    found = read_for(net, data, split)
    subject = Subject(net, found.X, found.require_labels(), images)
    written: dict[str, str] = {}
    for word in words:
        _, suffix, make = WORDS[word]
        path = output / f"{word}{suffix}"
        try:
            make(subject).save(path)
        except TargetError as problem:
            if what is not None:
                raise
            typer.echo(f"note: no {word}: {problem}", err=True)  # nobody asked for it by name
            continue
        written[word] = str(path)
        if not as_json:
            print(f"wrote {path}")
    if as_json:
        print_json(written)


def _read_words(what: str | None) -> list[str]:
    """Words in the order asked for, each once.

    >>> _read_words("weights, history,weights")
    ['weights', 'history']
    """
    if what is None:
        return list(WORDS)
    words = list(dict.fromkeys(filter(None, (word.strip() for word in what.split(",")))))
    listed = "; ".join(f"{word} ({means})" for word, (means, *_) in WORDS.items())
    if not words:
        raise DepthwiseError(f"--what names no picture. There are: {listed}.")
    for word in words:
        if word not in WORDS:
            raise DepthwiseError(f"there is no picture {word!r}.{did_you_mean(word, WORDS)} There are: {listed}.")
    return words
