"""CIFAR-10 and CIFAR-100 as their author hands them out: batches of pickles or of plain bytes.

An image is 1,024 red, then 1,024 green, then 1,024 blue bytes, 32 rows of 32 each.  In the plain form its label stands
in front, one byte, for CIFAR-100 after that of the coarse class (Krizhevsky: CIFAR-10 and CIFAR-100 datasets,
https://www.cs.toronto.edu/~kriz/cifar.html).
"""

import re
from collections.abc import Callable, Iterable
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depthwise.data.batches import unpickle
from depthwise.data.image_set import ImageSet
from depthwise.data.pictures import Size, resize
from depthwise.data.splits import choose_split
from depthwise.errors import DataError

SHAPE = (3, 32, 32)
_VALUES = 3072
_BATCH = re.compile(r"(data_batch_\d+|test_batch)(\.bin)?|(train|test)\.bin")
_WORDS = re.compile(r"batches\.meta(\.txt)?|fine_label_names\.txt")


def is_member(name: str) -> bool:
    """Whether a file of this name may be one of CIFAR's."""
    return bool(_BATCH.fullmatch(name) or _WORDS.fullmatch(name) or name in ("train", "test", "meta"))


def are_batches(names: Iterable[str]) -> bool:
    """Whether files of these names are batches of CIFAR."""
    names = set(names)
    return any(map(_BATCH.fullmatch, names)) or ("meta" in names and bool(names & {"train", "test"}))


def recognizes(path: str | PathLike[str]) -> bool:
    """Whether `path` is a folder with batches of CIFAR."""
    path = Path(path)
    return path.is_dir() and are_batches(file.name for file in path.iterdir() if file.is_file())


def read(path: str | PathLike[str], size: Size | None, split: str | None, cache: Path | None) -> ImageSet:
    """The images of one part, shape (n_images, 3, 32, 32), with the names of their classes where these are there."""
    path = Path(path)
    names = [file.name for file in path.iterdir() if file.is_file()]
    return read_batches(str(path), names, lambda name: (path / name).read_bytes(), size, split)


def read_batches(
    source: str, names: Iterable[str], fetch: Callable[[str], bytes], size: Size | None, split: str | None
) -> ImageSet:
    """As `read`, of files that need not lie on the disk: ``fetch(name)`` gives their content."""
    names = sorted(names)
    batches = [name for name in names if _BATCH.fullmatch(name) or name in ("train", "test")]
    parts = {
        "train": [name for name in batches if not name.startswith("test")],
        "test": [name for name in batches if name.startswith("test")],
    }
    present = [part for part, found in parts.items() if found]
    chosen = choose_split(source, split, present) or present[0]
    pairs = [_batch(f"{source}/{name}", name, fetch(name)) for name in parts[chosen]]
    X = np.concatenate([images for images, _ in pairs]).reshape(-1, *SHAPE)
    y = np.concatenate([labels for _, labels in pairs])
    for name in names:
        if _WORDS.fullmatch(name) or name == "meta":
            words = _words(f"{source}/{name}", name, fetch(name))
            if y.min() < 0 or y.max() >= len(words):
                raise DataError(
                    f"{source}: labels from {y.min()} to {y.max()}, but {name} names {len(words)} classes. "
                    "Fetch the set again."
                )
            y = np.array(words)[y]
            break
    return ImageSet(X=resize(X, size), y=y, source=source, split=chosen, splits=tuple(present))


def _batch(where: str, name: str, content: bytes) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Rows of pixels, and labels."""
    return _binary(where, name, content) if name.endswith(".bin") else _pickled(where, content)


def _binary(where: str, name: str, content: bytes) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    n_labels = 2 if name in ("train.bin", "test.bin") else 1  # the coarse class of CIFAR-100 stands before the fine
    row = n_labels + _VALUES
    if not content or len(content) % row:
        raise DataError(f"{where}: {len(content)} bytes, but an image and its label take {row}. Fetch the set again.")
    rows = np.frombuffer(content, np.uint8).reshape(-1, row)
    return rows[:, n_labels:], rows[:, n_labels - 1].astype(np.int64)


def _pickled(where: str, content: bytes) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    found = unpickle(content, where)
    X, labels = found.get("data"), found.get("fine_labels", found.get("labels"))
    if not isinstance(X, np.ndarray) or X.ndim != 2 or X.shape[1] != _VALUES or not len(X):
        raise DataError(f"{where}: has no data of {_VALUES} bytes an image. Fetch the set again.")
    if not isinstance(labels, list) or len(labels) != len(X) or not all(type(label) is int for label in labels):
        raise DataError(f"{where}: has no whole number for each of {len(X)} images. Fetch the set again.")
    return X, np.array(labels, np.int64)


def _words(where: str, name: str, content: bytes) -> list[Any]:
    if name.endswith(".txt"):
        return content.decode("latin1").split()
    found = unpickle(content, where)
    words = found.get("fine_label_names", found.get("label_names"))
    if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
        raise DataError(f"{where}: has no names of classes. Fetch the set again.")
    return words
