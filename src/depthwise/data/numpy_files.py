"""NumPy's own files: .npz with images and labels, .npy with images.

Labels are found by name: the ``y`` of ``x`` or ``X``, ``labels`` of ``images``, ``target`` or ``labels`` of ``data``,
``arr_1`` of ``arr_0``; before or behind may stand a part: ``x_train``, ``test_images``.  The labels of ``photos.npy``
lie beside it as ``photos_labels.npy``, and of a name as above under its partner's.  Pickled objects are never read.
"""

import math
import re
import warnings
import zipfile
from collections.abc import Callable, Collection
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from depthwise.data.image_set import ImageSet
from depthwise.data.layout import as_images, as_labels
from depthwise.data.pictures import Size, resize, shortened
from depthwise.data.splits import ORDER, choose_split, split_of
from depthwise.data.streams import opened, read_pieces
from depthwise.errors import DataError

_PARTNERS = {"x": ("y",), "images": ("labels",), "data": ("labels", "target"), "arr_0": ("arr_1",)}
_HEADER_BYTES = 10_000  # as much of a header as numpy reads of an untrusted file


def read_npy(stream: BinaryIO, where: str) -> NDArray[Any]:
    """The array in a .npy stream; memory is taken for the bytes that are there.

    Raises
    ------
    DataError
        It is none, holds Python objects, or is shorter or longer than its header says.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # numpy warns of headers that Python 2 has written, and reads them
            shape, is_fortran, dtype = _read_header(stream)
        n_bytes = math.prod(shape) * dtype.itemsize
    # A damaged header goes through Python's own parser, which raises nearly anything.
    except Exception as error:
        raise DataError(f"{where}: its header is none of a .npy array. Save it with numpy.save.") from error
    if dtype.hasobject or dtype.names:
        raise DataError(f"{where}: holds values of type {dtype}, not numbers. Save plain numbers or strings.")
    body = read_pieces(stream, n_bytes)
    if len(body) != n_bytes:
        follow = f"{len(body)} follow" if len(body) < n_bytes else "more follow"
        announced = f"{'x'.join(map(str, shape))} values of {dtype} = {n_bytes} bytes"
        raise DataError(f"{where}: its header announces {announced}, but {follow}. Save it again.")
    try:
        array: NDArray[Any] = np.ndarray(shape, dtype, buffer=body, order="F" if is_fortran else "C")
        return array.astype(dtype.newbyteorder("="), copy=False)
    except ValueError as error:  # no values, but dimensions beyond what an array can have
        raise DataError(f"{where}: an impossible header ({error}). Save it again.") from error


def _read_header(stream: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(stream, max_header_size=_HEADER_BYTES)
    if version == (2, 0):
        return np.lib.format.read_array_header_2_0(stream, max_header_size=_HEADER_BYTES)
    raise ValueError(f"version {version[0]}.{version[1]}")


def recognizes(path: str | PathLike[str]) -> bool:
    """Whether `path` is a file called .npz or .npy."""
    path = Path(path)
    return path.suffix.lower() in (".npz", ".npy") and path.is_file()


def read(path: str | PathLike[str], size: Size | None, split: str | None, cache: Path | None) -> ImageSet:
    """The images of one part, and their labels where they are there."""
    path = Path(path)
    return (_read_npz if path.suffix.lower() == ".npz" else _read_one)(path, size, split)


def _read_one(path: Path, size: Size | None, split: str | None) -> ImageSet:
    choose_split(str(path), split, ())
    with opened(path) as stream:
        X = as_images(read_npy(stream, str(path)), str(path))
    beside = {file.stem: file for file in path.parent.glob("*.npy")}
    labels = beside.get(_partner(path.stem, beside) or f"{path.stem}_labels")
    y = None
    if labels is not None:
        with opened(labels) as stream:
            y = as_labels(read_npy(stream, str(labels)), str(labels))
    return ImageSet(X=resize(X, size), y=y, source=str(path))


def _read_npz(path: Path, size: Size | None, split: str | None) -> ImageSet:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name.removesuffix(".npy") for name in archive.namelist()]

            def fetch(name: str) -> NDArray[Any]:
                with archive.open(f"{name}.npy" if f"{name}.npy" in archive.namelist() else name) as member:
                    return read_npy(cast(BinaryIO, member), f"{path}, {name}")

            return _choose(path, names, fetch, size, split)
    except (DataError, OSError):
        raise
    # Damaged archives make zipfile raise nearly anything.
    except Exception as error:
        reason = str(error)[:80] or type(error).__name__
        raise DataError(f"{path}: no .npz archive ({reason}). Save it with numpy.savez.") from error


def _choose(
    path: Path, names: list[str], fetch: Callable[[str], NDArray[Any]], size: Size | None, split: str | None
) -> ImageSet:
    parts = {_part(name): name for name in names if _kind(name)}
    if not parts and len(names) == 1:
        parts = {None: names[0]}
    if not parts or (None in parts and len(parts) > 1) or len(parts) < sum(bool(_kind(name)) for name in names):
        raise DataError(
            f"{path}: holds the arrays {shortened(names) or 'none'}, but it cannot be told which are the images. "
            "Name them X and y, or x_train, y_train, x_test, y_test."
        )
    splits = tuple(part for part in ORDER if part in parts)
    chosen = choose_split(str(path), split, splits)
    name = parts[chosen]
    X = as_images(fetch(name), f"{path}, {name}")
    partner = _partner(name, names)
    y = None if partner is None else as_labels(fetch(partner), f"{path}, {partner}")
    return ImageSet(X=resize(X, size), y=y, source=str(path), split=chosen, splits=splits)


def _words(name: str) -> list[str]:
    return [name.lower()] if name.lower() == "arr_0" else re.split(r"[-_.]", name.lower())


def _kind(name: str) -> str | None:
    """The word in a name that says it is images."""
    return next((word for word in _words(name) if word in _PARTNERS), None)


def _part(name: str) -> str | None:
    return next(filter(None, map(split_of, _words(name))), None)


def _partner(name: str, names: Collection[str]) -> str | None:
    """The name of the labels that go with images of this name.

    >>> _partner("X_train", ["X_train", "y_train", "y_test"]), _partner("test_images", ["test_labels"])
    ('y_train', 'test_labels')
    """
    kind = _kind(name)
    for partner in _PARTNERS.get(kind or "", ()):
        wanted = [partner if word == kind else word for word in _words(name)]
        for other in names:
            if (_words(other) if kind != "arr_0" else [other.lower()]) == wanted:
                return other
    return None
